package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
)

const withEntra = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in:
  provider: entra
  entra: {tenants: [%s], client_id: %s, credential: "file:entra.secret", authority: "%s", graph: "%s", api_scope: "%s"}
oauth: {client_documents: closed}
backends: [{name: orders, url: "%s"}]
apis: [{name: orders, document: orders.yaml, backend: orders}]
mcp_servers:
  - {name: orders, from: [{api: orders}], access: {roles: [Orders.Reader]}}
`

// entraBrowser is a person's browser whose session at Entra exists already: it goes from the gateway to Entra and back
// by redirects, and presses Allow.
func entraBrowser(t *testing.T, s *served, authorize string) *page {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	still := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	w := &walker{origin: s.url, client: still}
	p, err := w.open(t.Context(), http.MethodGet, authorize, nil)
	if err != nil || p.left == nil {
		t.Fatalf("authorize did not lead to Entra: %v %s", err, p.text())
	}
	resp, err := still.Get(p.left.String())
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	p, err = w.open(t.Context(), http.MethodGet, resp.Header.Get("Location"), nil)
	if err != nil {
		t.Fatal(err)
	}
	form, _ := p.choose(func(label string) bool { return strings.HasPrefix(label, "Allow") })
	if form == nil {
		return p
	}
	if p, err = w.open(t.Context(), http.MethodPost, form.action, form.fields); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPeopleSignInWithEntra runs the real binary with sign_in.provider entra, one tenant and a client secret, against the
// fake Entra: whoever has the role gets a token that works, whoever lacks it is told which one.
func TestPeopleSignInWithEntra(t *testing.T) {
	binary(t)
	entra := oauthtest.NewEntra(t, time.Now)
	entra.Set(func(sw *oauthtest.Switches) {
		sw.People = []oauthtest.EntraPerson{
			{Name: "Ada", OID: "00000000-0000-4000-8000-0000000000aa", Tenant: oauthtest.Contoso, UPN: "ada@contoso.example", Roles: []string{"Orders.Reader"}},
			{Name: "Ben", OID: "00000000-0000-4000-8000-0000000000bb", Tenant: oauthtest.Contoso, UPN: "ben@contoso.example"},
		}
		sw.Current = "Ada"
	})
	s := &served{dir: t.TempDir(), stderr: &lockedBuffer{}, exited: make(chan error, 1)}
	s.write(t, "entra.secret", oauthtest.EntraSecret+"\n")
	s.writeOrders(t)
	s.write(t, "drawbridge.yaml", fmt.Sprintf(withEntra, oauthtest.Contoso, oauthtest.EntraClient, entra.URL, entra.URL, oauthtest.EntraScope, ordersBackend(t).URL))
	s.start(t)
	t.Cleanup(func() { s.stop(t) })

	redirect, verifier := "http://127.0.0.1:33422/callback", random()
	sum := sha256.Sum256([]byte(verifier))
	client := &signIn{base: s.url, client: http.DefaultClient}
	id, err := client.register(t.Context(), &serverMetadata{Registration: s.url + "/oauth/register"}, redirect)
	if err != nil {
		t.Fatal(err)
	}
	authorize := s.url + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirect}, "state": {"st"}, "resource": {resourceOf(s.url, "orders")},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "prompt": {"consent"},
	}.Encode()

	done := entraBrowser(t, s, authorize)
	if done.left == nil || done.left.Query().Get("code") == "" || done.left.Query().Get("iss") != s.url {
		t.Fatalf("Ada ended at %v: %s", done.left, done.text())
	}
	token, err := client.redeem(t.Context(), &serverMetadata{Token: s.url + "/oauth/token"}, url.Values{
		"grant_type": {"authorization_code"}, "code": {done.left.Query().Get("code")}, "redirect_uri": {redirect}, "client_id": {id}, "code_verifier": {verifier},
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, _, body := s.post(t, "orders", token, callBody("getOrder", `{"orderId":"1001"}`)); status != 200 || !strings.Contains(body, "1001") {
		t.Errorf("Ada's call = %d %s", status, body)
	}
	for _, seen := range entra.Log("/authorize") {
		if seen.Query.Has("resource") || seen.Query.Get("prompt") == "consent" || seen.Query.Get("state") == "st" {
			t.Errorf("Entra got %v: the client's resource, prompt and state stay here (oauth.md §4.1)", seen.Query)
		}
	}

	entra.Set(func(sw *oauthtest.Switches) { sw.Current = "Ben" })
	if p := entraBrowser(t, s, authorize); p.left != nil || !strings.Contains(p.text(), "the role Orders.Reader") {
		t.Errorf("Ben ended at %v: %s; want a page that names the role", p.left, p.text())
	}
	if log := s.stderr.String(); strings.Contains(log, oauthtest.EntraSecret) || strings.Contains(log, "eyJ") || strings.Contains(log, "dbc_") {
		t.Error("a secret, token or code is in the log")
	}
}
