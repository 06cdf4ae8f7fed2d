package grants_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/grants"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	publicURL    = "https://gw.example.com"
	orders       = publicURL + "/mcp/orders"
	redirect     = "http://127.0.0.1:51234/callback"
	publicID     = "dcr_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	otherID      = "dcr_bbbbbbbbbbbbbbbbbbbbbbbbbb"
	basicID      = "dcr_cccccccccccccccccccccccccc"
	postID       = "dcr_dddddddddddddddddddddddddd"
	clientSecret = "dbs_0123456789012345678901234567890123456789012"
	// The pair of RFC 7636 appendix B.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// rig is one gateway with a person's grant and code in the store.
type rig struct {
	mu       sync.Mutex // guards now, where requests run at once
	now      time.Time
	cfg      oauth.Config
	store    *oauthtest.Memory
	ring     *secret.Keyring
	cat      oauthtest.Catalogue
	provider *provider
	handler  *grants.Handler
	verifier *tokens.Verifier
	server   *httptest.Server
	events   *events
	logs     *lockedBuffer
}

// provider is an identity provider whose answer the test sets.
type provider struct {
	oauth.Provider // the rest is not used
	mu             sync.Mutex
	calls          int
	roles          []string
	err            error
	gate           chan struct{} // when set, answers wait for it
}

func (p *provider) Refresh(_ context.Context, id oauth.Identity, u oauth.Upstream) (oauth.Identity, oauth.Upstream, error) {
	p.mu.Lock()
	p.calls++
	gate := p.gate
	p.mu.Unlock()
	if gate != nil {
		<-gate
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return id, u, p.err
	}
	id.Roles = slices.Clone(p.roles)
	return id, oauth.Upstream{Tenant: u.Tenant, AccessToken: "next"}, nil
}

func (p *provider) set(change func(*provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

type events struct {
	mu   sync.Mutex
	list []oauth.Event
}

func (e *events) record(_ context.Context, ev oauth.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

func (e *events) count(name string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, ev := range e.list {
		if ev.Name == name {
			n++
		}
	}
	return n
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), store: &oauthtest.Memory{}, provider: &provider{roles: []string{"Reader"}},
		events: &events{}, logs: &lockedBuffer{},
	}
	r.cfg = oauth.Config{
		AccessTokenTTL: time.Hour, RefreshTokenTTL: 720 * time.Hour, RefreshGrace: 30 * time.Second, MaxClients: 100,
		Registration: oauth.Open, ClientDocuments: oauth.Open,
		Clients: []oauth.ClientConfig{
			{
				ID: "ci", Secret: secret.Reference{Value: secret.New("ci secret 0123456789")}, Servers: []string{"orders"},
				Grants: []string{oauth.GrantClientCredentials}, Roles: []string{"Reader"},
			},
			{
				ID: "two", Secret: secret.Reference{Value: secret.New("two secret 0123456789")}, Servers: []string{"orders", "llm"},
				Grants: []string{oauth.GrantClientCredentials},
			},
			{ID: "open", RedirectURIs: []string{redirect}},
		},
	}
	ring, err := secret.NewKeyring(r.now)
	if err != nil {
		t.Fatal(err)
	}
	r.ring = ring
	r.cat = oauthtest.Catalogue{
		oauthtest.Server(publicURL, "orders", nil, "orders.delete"), oauthtest.Server(publicURL, "billing", []string{"Accountant"}),
		oauthtest.LLM(publicURL),
	}
	r.handler, r.verifier = r.replica()
	r.server = r.serve(t, r.handler)
	r.fill(t)
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// replica is another process over the same store.
func (r *rig) replica() (*grants.Handler, *tokens.Verifier) {
	keyring := func() *secret.Keyring { return r.ring }
	config := func() *oauth.Config { return &r.cfg }
	resolver := &registration.Resolver{Config: config, Clients: r.store, Documents: &registration.Documents{}, Now: r.clock}
	v := &tokens.Verifier{Issuer: publicURL, Keyring: keyring, Grants: r.store, Blocked: resolver.Blocked, Now: r.clock}
	return &grants.Handler{
		PublicURL: publicURL, Config: config, Clients: resolver, Store: r.store, Catalogue: r.cat,
		Provider: func() oauth.Provider { return r.provider }, Verifier: v,
		Issuer: &tokens.Issuer{Issuer: publicURL, Keyring: keyring, Now: r.clock}, Audit: r.events.record,
		Log: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: r.clock,
	}, v
}

func (r *rig) serve(t *testing.T, h *grants.Handler) *httptest.Server {
	e := echo.New()
	h.Mount(e.Group("/oauth"))
	log := slog.New(slog.NewTextHandler(r.logs, nil))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		facts := &identity.Request{IP: "192.0.2.1"}
		e.ServeHTTP(w, req.WithContext(identity.WithRequest(req.Context(), facts)))
		log.LogAttrs(req.Context(), slog.LevelInfo, "request", facts.Attrs()...) // the one line of a request
	}))
	t.Cleanup(s.Close)
	return s
}

func (r *rig) fill(t *testing.T) {
	t.Helper()
	both := []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}
	hash := oauth.ClientConfig{Secret: secret.Reference{Value: secret.New(clientSecret)}}
	for id, method := range map[string]string{publicID: oauth.AuthNone, otherID: oauth.AuthNone, basicID: oauth.AuthBasic, postID: oauth.AuthPost} {
		c := oauth.Client{ID: id, Kind: oauth.Registered, Status: oauth.Approved, AuthMethod: method, GrantTypes: both,
			RedirectURIs: []string{redirect, "http://127.0.0.1:1/other"}, Created: r.now}
		if method != oauth.AuthNone {
			confidential := hash.Client()
			c.SecretHash = confidential.SecretHash
		}
		if err := r.store.PutClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// code makes a grant and a code for a client, as consent does, and returns the code.
func (r *rig) code(clientID string, change ...func(*oauth.Grant, *oauth.Code)) string {
	code, hash := tokens.NewCode()
	now := r.clock()
	g := oauth.Grant{
		ID: tokens.NewGrantID(), ClientID: clientID, Resource: orders, Scopes: []string{"mcp:orders"},
		Identity: oauth.Identity{Subject: "t/ada", Tenant: "t", Name: "Ada", Roles: []string{"Reader"}, AuthTime: now},
		Upstream: &oauth.Upstream{Tenant: "t", RefreshToken: "upstream", Checked: now.Add(-time.Second)},
		Created:  now, Expires: now.Add(r.cfg.RefreshTokenTTL),
	}
	c := oauth.Code{
		Hash: hash, GrantID: g.ID, ClientID: clientID, RedirectURI: redirect, CodeChallenge: challenge, Resource: orders,
		Scopes: g.Scopes, Expires: now.Add(time.Minute),
	}
	for _, f := range change {
		f(&g, &c)
	}
	r.store.PutGrant(g)
	r.store.PutCode(c)
	return code
}

// reply is an answer of one of the endpoints.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a reply) text(name string) string { s, _ := a.body[name].(string); return s }

type option func(*http.Request)

func withBasic(id, secret string) option {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
}

func (r *rig) post(t *testing.T, path string, form url.Values, options ...option) reply {
	t.Helper()
	return r.send(t, http.MethodPost, r.server.URL+path, "application/x-www-form-urlencoded", form.Encode(), options...)
}

func (r *rig) send(t *testing.T, method, target, contentType, body string, options ...option) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for _, o := range options {
		o(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return reply{}
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	a := reply{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body) // an empty body stays nil
	return a
}

func redeemForm(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "client_id": {publicID}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	}
}

func (r *rig) redeem(t *testing.T, code string, change ...func(url.Values)) reply {
	t.Helper()
	form := redeemForm(code)
	for _, f := range change {
		f(form)
	}
	return r.post(t, "/oauth/token", form)
}

func (r *rig) refresh(t *testing.T, token string, change ...func(url.Values)) reply {
	t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {publicID}}
	for _, f := range change {
		f(form)
	}
	return r.post(t, "/oauth/token", form)
}

func set(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }
func del(name string) func(url.Values)        { return func(v url.Values) { v.Del(name) } }

// signIn returns the tokens of a fresh grant of the public client.
func (r *rig) signIn(t *testing.T, change ...func(*oauth.Grant, *oauth.Code)) reply {
	t.Helper()
	a := r.redeem(t, r.code(publicID, change...))
	wantOK(t, a)
	return a
}

func wantOK(t *testing.T, a reply) {
	t.Helper()
	if a.status != http.StatusOK || a.text("access_token") == "" || a.text("token_type") != "Bearer" || a.text("scope") == "" || a.body["expires_in"] == nil {
		t.Fatalf("answer %d %s, want tokens", a.status, a.raw)
	}
	wantNoStore(t, a)
}

func wantNoStore(t *testing.T, a reply) {
	t.Helper()
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
		t.Errorf("answer may be stored: %v", a.header)
	}
}

// wantError is "tok X" of oauth.md §20.
func wantError(t *testing.T, a reply, codes ...string) {
	t.Helper()
	status := http.StatusBadRequest
	switch codes[0] {
	case oauth.InvalidClient:
		status = http.StatusUnauthorized
	case oauth.TemporarilyUnavailable:
		status = http.StatusServiceUnavailable
	}
	if a.status != status || !slices.Contains(codes, a.text("error")) {
		t.Fatalf("answer %d %s, want %d %v", a.status, a.raw, status, codes)
	}
	if a.header.Get("Content-Type") != "application/json" || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("headers = %v", a.header)
	}
	wantNoStore(t, a)
}

func (r *rig) wantGood(t *testing.T, accessToken string) {
	t.Helper()
	if _, err := r.verifier.Verify(t.Context(), accessToken, orders); err != nil {
		t.Errorf("access token: %v", err)
	}
}

func (r *rig) wantDead(t *testing.T, accessToken string) {
	t.Helper()
	var e *oauth.Error
	if _, err := r.verifier.Verify(t.Context(), accessToken, orders); !errors.As(err, &e) || e.Code != oauth.InvalidToken {
		t.Errorf("access token lives: %v", err)
	}
}

// wantNoSecretsLogged is row 141 for what these endpoints saw.
func (r *rig) wantNoSecretsLogged(t *testing.T, secrets ...string) {
	t.Helper()
	if !strings.Contains(r.logs.String(), "decision=") {
		t.Error("nothing was logged at all")
	}
	for _, s := range append(secrets, "eyJ", "dbc_", "dbr_", "dbs_", verifier) {
		if s != "" && strings.Contains(r.logs.String(), s) {
			t.Errorf("the log has %q", s)
		}
	}
}
