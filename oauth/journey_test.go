package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/net/html"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/authflow"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/grants"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
	"github.com/drawbridge-mcp/drawbridge/oauth/resource"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// gateway is the whole broker with the dev provider, wired as cmd/drawbridge wires it, in front of one MCP server.
type gateway struct {
	t     *testing.T
	url   string
	store *oauthtest.Memory
	http  *http.Client // a person's browser and an MCP client in one

	mu   sync.Mutex
	logs strings.Builder
}

func (g *gateway) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.logs.Write(p)
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	public := "http://" + server.Listener.Addr().String()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, url: public, store: &oauthtest.Memory{}, http: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	ring, err := secret.NewKeyring(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(g, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := oauth.Config{
		AccessTokenTTL: time.Hour, RefreshTokenTTL: 720 * time.Hour, Registration: oauth.Open, ClientDocuments: oauth.Closed,
		RefreshGrace: 30 * time.Second, CodeTTL: time.Minute, TransactionTTL: 10 * time.Minute, MaxClients: 100, Consent: "always",
	}
	config, keyring := func() *oauth.Config { return &cfg }, func() *secret.Keyring { return ring }
	catalogue := oauthtest.Catalogue{oauthtest.Server(public, "orders", nil), oauthtest.LLM(public)}
	catalogue[0].Tools = func(*identity.Caller) []oauth.ToolInfo { return nil }
	provider, err := entra.New(entra.Config{Provider: "dev", Dev: entra.DevConfig{People: []entra.Person{{Name: "alice"}}}}, entra.Options{PublicURL: public, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	resolver := &registration.Resolver{Config: config, Clients: g.store}
	verifier := &tokens.Verifier{Issuer: public, Keyring: keyring, Grants: g.store, Blocked: resolver.Blocked}
	flow, err := authflow.New(authflow.Options{
		PublicURL: public, Store: g.store, Catalogue: catalogue, Clients: resolver, Provider: provider, Keyring: ring, Config: cfg, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	root, broker := e.Group(""), e.Group("/oauth")
	flow.Mount(root)
	(&resource.Metadata{PublicURL: public, Config: config, Catalogue: catalogue, Keyring: keyring, Log: log}).Mount(root)
	(&registration.Handler{Config: config, Clients: g.store, Catalogue: catalogue}).Mount(broker)
	(&grants.Handler{
		PublicURL: public, Config: config, Clients: resolver, Store: g.store, Catalogue: catalogue, Provider: func() oauth.Provider { return provider },
		Issuer: &tokens.Issuer{Issuer: public, Keyring: keyring}, Verifier: verifier, Log: log,
	}).Mount(broker)
	auth := &resource.Authenticator{PublicURL: public, Verifier: verifier, Catalogue: catalogue}
	e.Any("/mcp/orders", echo.WrapHandler(auth.RequireBearer(public+"/mcp/orders", resource.Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, resource.CallerFrom(r.Context()).Subject)
	}))))
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		facts := &identity.Request{ID: "request"}
		e.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), facts)))
		log.LogAttrs(r.Context(), slog.LevelInfo, "request", facts.Attrs()...) // the one line of a request
	})
	server.Start()
	t.Cleanup(server.Close)
	return g
}

// send returns the answer and its body.
func (g *gateway) send(method, target, contentType, body string, headers ...string) (*http.Response, string) {
	g.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = g.url + target
	}
	req, err := http.NewRequestWithContext(g.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := g.http.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp, string(raw)
}

// object sends and decodes a JSON answer.
func (g *gateway) object(status int, method, target, contentType, body string) map[string]any {
	g.t.Helper()
	resp, raw := g.send(method, target, contentType, body)
	var m map[string]any
	if err := json.Unmarshal([]byte(raw), &m); err != nil || resp.StatusCode != status {
		g.t.Fatalf("%s %s = %d %s, want %d", method, target, resp.StatusCode, raw, status)
	}
	return m
}

const form = "application/x-www-form-urlencoded"

// submit presses the button that is named and valued so, in whichever form of the page has it.
func (g *gateway) submit(page, name, value string) (*http.Response, string) {
	g.t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		g.t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Data != "form" {
			continue
		}
		fields, pressed := url.Values{}, false
		for c := range n.Descendants() {
			switch {
			case c.Data == "input" && attr(c, "type") == "hidden":
				fields.Add(attr(c, "name"), attr(c, "value"))
			case c.Data == "button" && attr(c, "name") == name && attr(c, "value") == value:
				fields.Add(name, value)
				pressed = true
			}
		}
		if pressed {
			return g.send(http.MethodPost, attr(n, "action"), form, fields.Encode(), "Origin", g.url)
		}
	}
	g.t.Fatalf("the page has no button %s=%s:\n%s", name, value, page)
	return nil, ""
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// follow goes where a redirect leads, until there is a page or an address of the client.
func (g *gateway) follow(resp *http.Response, body string) (*http.Response, string) {
	for resp.StatusCode/100 == 3 && strings.HasPrefix(resp.Header.Get("Location"), g.url+"/") || strings.HasPrefix(resp.Header.Get("Location"), "/") {
		resp, body = g.send(http.MethodGet, resp.Header.Get("Location"), "", "")
	}
	return resp, body
}

var quoted = regexp.MustCompile(`resource_metadata="([^"]+)", scope="([^"]+)"`)

// TestAClientFindsItsWayFromA401ToACall is the road of every MCP client, with nothing known but the server's address.
func TestAClientFindsItsWayFromA401ToACall(t *testing.T) {
	g := newGateway(t)
	mcp := g.url + "/mcp/orders"
	resp, _ := g.send(http.MethodPost, mcp, "application/json", "{}")
	hint := quoted.FindStringSubmatch(resp.Header.Get("WWW-Authenticate"))
	if resp.StatusCode != http.StatusUnauthorized || hint == nil {
		t.Fatalf("challenge %d %q", resp.StatusCode, resp.Header.Get("WWW-Authenticate"))
	}
	protected := g.object(200, http.MethodGet, hint[1], "", "")
	if protected["resource"] != mcp {
		t.Fatalf("resource = %v, want byte-equal to %s", protected["resource"], mcp)
	}
	issuer := protected["authorization_servers"].([]any)[0].(string)
	server := g.object(200, http.MethodGet, issuer+"/.well-known/oauth-authorization-server", "", "")
	if server["issuer"] != issuer {
		t.Fatalf("issuer = %v, want %s", server["issuer"], issuer)
	}
	client := g.object(201, http.MethodPost, server["registration_endpoint"].(string), "application/json",
		`{"client_name":"Journey","redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"none"}`)
	id := client["client_id"].(string)

	verifier := strings.Repeat("v", 64)
	sum := sha256.Sum256([]byte(verifier))
	const redirect = "http://127.0.0.1:51234/callback"
	resp, page := g.follow(g.send(http.MethodGet, server["authorization_endpoint"].(string)+"?"+url.Values{
		"client_id": {id}, "redirect_uri": {redirect}, "response_type": {"code"}, "state": {"s"}, "resource": {mcp}, "scope": {hint[2]},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode(), "", ""))
	if resp.StatusCode != 200 {
		t.Fatalf("sign-in page = %d %s", resp.StatusCode, page)
	}
	_, page = g.follow(g.submit(page, "person", "dev/alice"))
	resp, _ = g.submit(page, "decision", "approve")
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(back.String(), redirect+"?") || back.Query().Get("state") != "s" || back.Query().Get("iss") != issuer {
		t.Fatalf("approve = %d, back to %s", resp.StatusCode, back)
	}

	token := func(v url.Values) map[string]any {
		v.Set("client_id", id)
		return g.object(200, http.MethodPost, server["token_endpoint"].(string), form, v.Encode())
	}
	call := func(access any) (int, string) {
		resp, body := g.send(http.MethodPost, mcp, "application/json", "{}", "Authorization", "Bearer "+access.(string))
		return resp.StatusCode, body
	}
	first := token(url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier}, "resource": {mcp}})
	if status, who := call(first["access_token"]); status != 200 || who != "dev/alice" {
		t.Errorf("call = %d %s", status, who)
	}
	second := token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first["refresh_token"].(string)}, "resource": {mcp}})
	if status, _ := call(second["access_token"]); status != 200 {
		t.Errorf("call after refresh = %d", status)
	}
	revoke := url.Values{"token": {second["refresh_token"].(string)}, "client_id": {id}}
	if resp, _ := g.send(http.MethodPost, server["revocation_endpoint"].(string), form, revoke.Encode()); resp.StatusCode != 200 {
		t.Errorf("revoke = %d", resp.StatusCode)
	}
	if status, _ := call(second["access_token"]); status != http.StatusUnauthorized {
		t.Errorf("call after revocation = %d", status)
	}
	for _, leaked := range []string{"eyJ", "dbc_", "dbr_", "dbs_", verifier} { // row 141
		if strings.Contains(g.logs.String(), leaked) {
			t.Errorf("the log has %q", leaked)
		}
	}
}

func TestEveryAdvertisedEndpointExists_135(t *testing.T) {
	g := newGateway(t)
	server := g.object(200, http.MethodGet, "/.well-known/oauth-authorization-server", "", "")
	for name, v := range server {
		target, ok := v.(string)
		if !ok || !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
			continue
		}
		method := http.MethodPost
		if name == "jwks_uri" || name == "authorization_endpoint" {
			method = http.MethodGet
		}
		if resp, body := g.send(method, target, form, ""); resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed {
			t.Errorf("%s %s = %d %s", name, target, resp.StatusCode, body)
		}
	}
}
