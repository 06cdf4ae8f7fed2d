package authflow_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/authflow"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// broken is a network that is down.
type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("network is down")
}

// refusing is Clients that always give one error.
type refusing struct{ err error }

func (r refusing) Client(context.Context, string) (oauth.Client, error) { return oauth.Client{}, r.err }

// pageOf returns what authorize answers when the client cannot be had.
func pageOf(t *testing.T, err error) page {
	t.Helper()
	const public = "http://127.0.0.1:8080"
	dev := must(entra.NewDev(entra.DevConfig{People: []entra.Person{{Name: "alice"}}}, entra.Options{PublicURL: public}))
	h := must(authflow.New(authflow.Options{PublicURL: public, Store: &oauthtest.Memory{}, Catalogue: testCatalogue(public), Clients: refusing{err},
		Provider: dev, Keyring: must(secret.NewKeyring(time.Now()))}))
	e := echo.New()
	h.Mount(e.Group(""))
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/oauth/authorize?client_id=https://app.example/client", nil))
	return page{rec.Result(), rec.Body.String()}
}

// serve starts a server and returns its address.
func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.URL
}

type switches = oauthtest.Switches

func entraRefusal() oauthtest.Fault {
	return oauthtest.Fault{Code: "invalid_grant", Description: "AADSTS50105: secret text of the provider eyJhbGciOi"}
}

// httpsAuthorize returns the cookie that a gateway behind https sets.
func httpsAuthorize(t *testing.T) string {
	t.Helper()
	const public = "https://gw.example"
	fake := oauthtest.NewEntra(t, nil)
	cfg := entra.EntraConfig{Tenants: []entra.Tenant{{ID: oauthtest.Contoso}}, ClientID: oauthtest.EntraClient, Authority: fake.URL, Graph: fake.URL}
	cfg.Credential.Secret.Value = secret.New(oauthtest.EntraSecret)
	provider := must(entra.New(entra.Config{Provider: "entra", Entra: cfg}, entra.Options{PublicURL: public}))
	h := must(authflow.New(authflow.Options{PublicURL: public, Store: &oauthtest.Memory{}, Catalogue: testCatalogue(public), Clients: testClients(),
		Provider: provider, Keyring: must(secret.NewKeyring(time.Now()))}))
	e := echo.New()
	h.Mount(e.Group(""))
	w := &world{t: t, url: public}
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/oauth/authorize?"+w.query().Encode(), nil))
	if rec.Code != http.StatusFound {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	return rec.Header().Get("Set-Cookie")
}
