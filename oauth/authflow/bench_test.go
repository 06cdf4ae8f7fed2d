package authflow_test

import (
	"context"
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

// freshStore forgets: the store is not what is measured, and transactions would reach their ceiling.
type freshStore struct{ *oauthtest.Memory }

func (freshStore) PutTransaction(ctx context.Context, _ oauth.Transaction, _ int) error {
	return ctx.Err()
}

func BenchmarkAuthorize(b *testing.B) {
	const public = "http://127.0.0.1:8080"
	dev := must(entra.NewDev(entra.DevConfig{People: []entra.Person{{Name: "alice"}}}, entra.Options{PublicURL: public}))
	h := must(authflow.New(authflow.Options{PublicURL: public, Store: freshStore{&oauthtest.Memory{}}, Catalogue: testCatalogue(public), Clients: testClients(),
		Provider: dev, Keyring: must(secret.NewKeyring(time.Now()))}))
	e := echo.New()
	h.Mount(e.Group(""))
	target := "/oauth/authorize?" + (&world{url: public}).query().Encode()
	b.ReportAllocs()
	for b.Loop() {
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, httptest.NewRequestWithContext(b.Context(), http.MethodGet, target, nil))
		if rec.Code != http.StatusFound {
			b.Fatal(rec.Code)
		}
	}
}
