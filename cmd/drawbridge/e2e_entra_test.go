package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/samples/orders"
)

const entraServer = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in:
  provider: entra
  entra:
    tenants: [%s]
    client_id: %s
    credential: file:entra.secret
    authority: %s
    recheck: 1ms
admins: [role:Gateway.Admin]
oauth: {client_documents: closed}
backends: [{name: orders, url: "%s"}]
apis: [{name: orders, document: orders.yaml, backend: orders}]
mcp_servers:
  - name: orders
    from: [{api: orders}]
  - name: vault
    from: [{api: orders}]
    access: {roles: [Gateway.Admin]}
`

// visitor is a person's browser and an MCP client in one. Nothing follows redirects by itself but through the pages.
type visitor struct {
	t    *testing.T
	base string
	http *http.Client
}

func newVisitor(t *testing.T, base string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, base, &http.Client{
		Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (v *visitor) send(method, target string, form url.Values) (*http.Response, string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", v.base)
	}
	resp, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(body)
}

// visit follows redirects until a page, or an address that is neither the gateway's nor the provider's.
func (v *visitor) visit(target, provider string) (*http.Response, string) {
	v.t.Helper()
	for range 8 {
		resp, body := v.send(http.MethodGet, target, nil)
		to, err := resp.Location()
		if err != nil || !strings.HasPrefix(to.String(), v.base) && !strings.HasPrefix(to.String(), provider) {
			return resp, body
		}
		target = to.String()
	}
	v.t.Fatal("redirects without end")
	return nil, ""
}

// grant is one walk from authorize to tokens; stopped is the page that ended it early.
func (v *visitor) grant(provider, server string) (client string, out map[string]any, stopped *http.Response, page string) {
	v.t.Helper()
	body := `{"redirect_uris":["http://127.0.0.1/cb"],"client_name":"visitor","token_endpoint_auth_method":"none"}`
	resp, err := v.http.Post(v.base+"/oauth/register", "application/json", strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	var registered struct {
		ID string `json:"client_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&registered); err != nil {
		v.t.Fatal(err)
	}
	_ = resp.Body.Close()
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	resp, page = v.visit(v.base+"/oauth/authorize?"+url.Values{
		"client_id": {registered.ID}, "redirect_uri": {"http://127.0.0.1:5555/cb"}, "response_type": {"code"}, "state": {"mine"}, "resource": {v.base + "/mcp/" + server},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "prompt": {"consent"}, "claims": {"{}"},
	}.Encode(), provider)
	field := func(name string) string {
		m := regexp.MustCompile(`name="` + name + `" value="([^"]+)"`).FindStringSubmatch(page)
		if m == nil {
			return ""
		}
		return m[1]
	}
	if resp.StatusCode != http.StatusOK || field("transaction") == "" {
		return registered.ID, nil, resp, page
	}
	resp, page = v.send(http.MethodPost, v.base+"/oauth/consent", url.Values{"transaction": {field("transaction")}, "token": {field("token")}, "decision": {"approve"}})
	back, err := resp.Location()
	if err != nil || back.Query().Get("code") == "" || back.Query().Get("state") != "mine" || back.Query().Get("iss") != v.base {
		v.t.Fatalf("after consent: %d %v %s", resp.StatusCode, back, page)
	}
	return registered.ID, v.token(url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "client_id": {registered.ID}, "code_verifier": {verifier},
	}), nil, ""
}

func (v *visitor) token(form url.Values) map[string]any {
	v.t.Helper()
	resp, body := v.send(http.MethodPost, v.base+"/oauth/token", form)
	var out map[string]any
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		v.t.Fatalf("%d %q: %v", resp.StatusCode, body, err)
	}
	out["status"] = resp.StatusCode
	return out
}

// The real binary signs in with Entra: one tenant, a client secret, roles of the ID token, a re-check at each refresh
// (oauth.md §11, rows 20, 50, 56, 58, 59, 118).
func TestServeSignsInWithEntra(t *testing.T) {
	idp := oauthtest.NewEntra(t, nil)
	s := &served{dir: t.TempDir(), stderr: &lockedBuffer{}, exited: make(chan error, 1)}
	s.write(t, "orders.yaml", string(orders.OpenAPI))
	s.write(t, "entra.secret", oauthtest.EntraSecret+"\n")
	s.write(t, "drawbridge.yaml", fmt.Sprintf(entraServer, oauthtest.Contoso, oauthtest.EntraClient, idp.URL, ordersBackend(t).URL))
	s.start(t)
	t.Cleanup(func() { s.stop(t) })

	ada := newVisitor(t, s.url)
	client, out, stopped, page := ada.grant(idp.URL, "vault")
	if stopped != nil {
		t.Fatalf("Ada: %d %s", stopped.StatusCode, page)
	}
	access, refresh := out["access_token"].(string), out["refresh_token"].(string)
	if status, _, body := s.post(t, "vault", access, callBody("getOrder", `{"orderId":"1001"}`)); status != http.StatusOK || !strings.Contains(body, "1001") {
		t.Errorf("a call = %d %s", status, body)
	}
	var claims struct{ Sub string }
	payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(access, ".")[1])
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Sub != oauthtest.Contoso+"/aaaaaaaa-0000-4000-8000-000000000001" {
		t.Errorf("claims %s %v", payload, err)
	}
	upstream := idp.Log("/authorize")[0].Query
	for _, absent := range []string{"resource", "prompt", "claims"} { // row 20
		if upstream.Has(absent) {
			t.Errorf("Entra was sent %s", absent)
		}
	}
	if upstream.Get("state") == "mine" || upstream.Get("code_challenge_method") != "S256" {
		t.Errorf("Entra was sent %v", upstream)
	}

	again := ada.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {client}})
	if again["status"] != http.StatusOK {
		t.Fatalf("refresh = %v", again)
	}
	refresh = again["refresh_token"].(string)
	idp.Set(func(w *oauthtest.Switches) { w.Refresh = oauthtest.Fault{Status: 503} }) // row 58
	if r := ada.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {client}}); r["status"] != http.StatusOK {
		t.Errorf("refresh while Entra is down = %v, want the stored roles", r)
	} else {
		refresh = r["refresh_token"].(string)
	}
	idp.Set(func(w *oauthtest.Switches) {
		w.Refresh = oauthtest.Fault{Status: 400, Code: "invalid_grant", Description: "AADSTS50057: The user account is disabled."}
	}) // row 59
	if r := ada.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {client}}); r["status"] != http.StatusBadRequest || r["error"] != "invalid_grant" {
		t.Errorf("refresh of a disabled person = %v", r)
	}
	idp.Set(func(w *oauthtest.Switches) { w.Refresh = oauthtest.Fault{} })

	idp.Set(func(w *oauthtest.Switches) { w.Current = "Ben" })
	if _, _, stopped, page := newVisitor(t, s.url).grant(idp.URL, "vault"); stopped == nil || stopped.StatusCode != http.StatusForbidden || !strings.Contains(page, "Gateway.Admin") {
		t.Errorf("Ben at vault: %v %s", stopped, page)
	}
	idp.Set(func(w *oauthtest.Switches) {
		w.AuthorizeError, w.AuthorizeDescription = "access_denied", "AADSTS50105: <script>alert(1)</script> not assigned"
	})
	_, _, stopped, page = newVisitor(t, s.url).grant(idp.URL, "orders")
	if stopped == nil {
		t.Fatal("a person who is not assigned got in")
	}
	if back, err := stopped.Location(); err != nil || back.Query().Get("error") != "access_denied" || strings.Contains(back.RawQuery, "alert") || back.Query().Get("iss") != s.url {
		t.Errorf("not assigned: %d %v %s", stopped.StatusCode, back, page) // row 56
	}
	if log := s.stderr.String(); strings.Contains(log, "eyJ") || strings.Contains(log, oauthtest.EntraSecret) || strings.Contains(log, refresh) {
		t.Error("a secret is in the log")
	}
}
