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
