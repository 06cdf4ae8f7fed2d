package authflow_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
)

// Writes the pages to DRAWBRIDGE_PAGES, to be looked at in a browser; skipped without it.
func TestWritePages(t *testing.T) {
	dir := os.Getenv("DRAWBRIDGE_PAGES")
	if dir == "" {
		t.Skip("DRAWBRIDGE_PAGES is not set")
	}
	css := must(os.ReadFile("pages/style.css"))
	write := func(name string, p page) {
		body := p.body
		if i := strings.Index(body, `<link rel="stylesheet"`); i >= 0 {
			end := i + strings.Index(body[i:], ">") + 1
			body = body[:i] + "<style>" + string(css) + "</style>" + body[end:]
		}
		if err := os.WriteFile(filepath.Join(dir, name+".html"), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	people := b.follow(b.authorize(w.query("client_id", "https://claude.ai/oauth/mcp-oauth-client-metadata", "redirect_uri", "https://claude.ai/api/mcp/auth_callback", "scope", "orders.delete")))
	write("people", people)
	write("consent", b.follow(b.post("/oauth/dev/sign-in", withValue(people.fields(), "person", "dev/alice"))))
	write("consent-native", b.toConsent(w.query("client_id", "native", "redirect_uri", "http://127.0.0.1:1234/callback"), "bob"))
	write("error", b.authorize(w.query("client_id", "nobody")))
	denied := b.follow(b.authorize(w.query("resource", w.url+"/mcp/payroll", "scope", "mcp:payroll")))
	write("denied", b.follow(b.post("/oauth/dev/sign-in", withValue(denied.fields(), "person", "dev/bob"))))
	e := newWorld(t, worldOptions{tenants: []entra.Tenant{{ID: oauthtest.Contoso, Name: "Contoso"}, {ID: oauthtest.Fabrikam, Name: "Fabrikam Industries"}}})
	write("organization", e.browser().authorize(e.query()))
	write("signin", newWorld(t, worldOptions{}).browser().get("/sign-in?"+url.Values{"return": {"/"}}.Encode()))
}
