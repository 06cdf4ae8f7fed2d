package authflow_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html"
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

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/authflow"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	webRedirect = "https://client.example/callback?keep=1"
	verifier    = "a-verifier-of-at-least-forty-three-characters-long"
)

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// world is a gateway with one provider, some clients and two servers, on a clock that a test turns.
type world struct {
	t       *testing.T
	url     string
	store   *oauthtest.Memory
	entra   *oauthtest.Entra // nil with the dev provider
	logs    *lockedBuffer
	clients clientMap
	keyring *secret.Keyring
	handler *authflow.Handler

	mu     sync.Mutex
	clock  time.Time
	events []oauth.Event
}

type worldOptions struct {
	dev     bool
	tenants []entra.Tenant // of Entra; default Contoso alone
	guests  bool
	groups  bool
	client  *http.Client
	store   func(*oauthtest.Memory) oauth.Store
}

func newWorld(t *testing.T, o worldOptions) *world {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	w := &world{t: t, url: "http://" + server.Listener.Addr().String(), store: &oauthtest.Memory{}, logs: &lockedBuffer{},
		clock: time.Now().UTC().Truncate(time.Second), clients: testClients()}
	w.keyring = must(secret.NewKeyring(w.now()))
	var store oauth.Store = w.store
	if o.store != nil {
		store = o.store(w.store)
	}
	log := slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h, err := authflow.New(authflow.Options{PublicURL: w.url, Store: store, Catalogue: testCatalogue(w.url), Clients: w.clients,
		Provider: w.provider(o, log), ProviderName: "Microsoft", Keyring: w.keyring, Log: log, Now: w.now, Record: w.record})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = h
	e := echo.New()
	h.Mount(e.Group(""))
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "portal") })
	server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		request := &identity.Request{ID: "01REQUESTIDOFTHISTEST00000"}
		e.ServeHTTP(rw, r.WithContext(identity.WithRequest(r.Context(), request)))
		log.LogAttrs(r.Context(), slog.LevelDebug, "request", request.Attrs()...) // the one line of a request
	})
	server.Start()
	t.Cleanup(server.Close)
	return w
}

func (w *world) provider(o worldOptions, log *slog.Logger) oauth.Provider {
	opts := entra.Options{PublicURL: w.url, Log: log, Now: w.now, NeedGroups: o.groups, Client: o.client}
	if o.dev {
		return must(entra.New(entra.Config{Provider: "dev", Dev: entra.DevConfig{People: []entra.Person{
			{Name: "alice", Roles: []string{"Gateway.Admin", "Orders.Admin"}}, {Name: "bob"}}}}, opts))
	}
	w.entra = oauthtest.NewEntra(w.t, w.now)
	if o.tenants == nil {
		o.tenants = []entra.Tenant{{ID: oauthtest.Contoso, Name: "Contoso"}}
	}
	cfg := entra.EntraConfig{Tenants: o.tenants, ClientID: oauthtest.EntraClient, Authority: w.entra.URL, Graph: w.entra.URL + "/graph",
		APIScope: oauthtest.EntraScope, Guests: o.guests, Groups: "auto", Recheck: 10 * time.Second}
	cfg.Credential.Secret.Value = secret.New(oauthtest.EntraSecret)
	return must(entra.New(entra.Config{Provider: "entra", Entra: cfg}, opts))
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) record(_ context.Context, e oauth.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// count returns how many events of this name were recorded.
func (w *world) count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if e.Name == name {
			n++
		}
	}
	return n
}

// query is a good authorization request of the web client, changed by pairs; a value "-" removes.
func (w *world) query(change ...string) url.Values {
	q := url.Values{"client_id": {"web"}, "redirect_uri": {webRedirect}, "response_type": {"code"}, "state": {"client-state/1"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"}, "resource": {w.url + "/mcp/orders"}, "scope": {"mcp:orders"}}
	for i := 0; i+1 < len(change); i += 2 {
		if change[i+1] == "-" {
			q.Del(change[i])
			continue
		}
		q.Set(change[i], change[i+1])
	}
	return q
}

type clientMap map[string]oauth.Client

func (m clientMap) Client(_ context.Context, id string) (oauth.Client, error) {
	c, ok := m[id]
	if !ok {
		return c, oauth.ErrNotFound
	}
	return c, nil
}

func testClients() clientMap {
	both := []string{"authorization_code", "refresh_token"}
	m := clientMap{}
	for _, c := range []oauth.Client{
		{ID: "web", Kind: oauth.Registered, Name: "Web client", RedirectURIs: []string{webRedirect}},
		{ID: "two", Kind: oauth.Preregistered, Name: "Two addresses", RedirectURIs: []string{webRedirect, "https://client.example/other"}},
		{ID: "native", Kind: oauth.Registered, Name: "Native", RedirectURIs: []string{"http://127.0.0.1/callback"}},
		{ID: "local", Kind: oauth.Registered, Name: "Local", RedirectURIs: []string{"http://localhost/callback"}},
		{ID: "cursor", Kind: oauth.Registered, Name: "Cursor", RedirectURIs: []string{"cursor://anysphere.cursor-mcp/oauth/callback"}},
		{ID: "https://claude.ai/oauth/mcp-oauth-client-metadata", Kind: oauth.Document, Host: "claude.ai", Name: "Claude", RedirectURIs: []string{"https://claude.ai/api/mcp/auth_callback"}},
		{ID: "fake-claude", Kind: oauth.Registered, Name: "Claude", RedirectURIs: []string{"https://evil.test/cb"},
			Metadata: []byte(`{"client_uri":"javascript:alert(1)","policy_uri":"https://evil.test/privacy","logo_uri":"http://169.254.169.254/logo"}`)},
		{ID: "pending", Kind: oauth.Registered, Status: oauth.Pending, Name: "Waiting", RedirectURIs: []string{webRedirect}},
		{ID: "blocked", Kind: oauth.Registered, Status: oauth.Blocked, Name: "Bad", RedirectURIs: []string{webRedirect}},
		{ID: "machine", Kind: oauth.Preregistered, Name: "Machine", RedirectURIs: []string{webRedirect}, GrantTypes: []string{"client_credentials"}},
	} {
		if c.Status == "" {
			c.Status = oauth.Approved
		}
		if c.GrantTypes == nil {
			c.GrantTypes = both
		}
		m[c.ID] = c
	}
	return m
}

type catalogue []oauth.Resource

func (c catalogue) Resources() []oauth.Resource { return c }
func (c catalogue) Resource(uri string) (oauth.Resource, bool) {
	for _, r := range c {
		if r.URI == uri {
			return r, true
		}
	}
	return oauth.Resource{}, false
}

func testCatalogue(public string) catalogue {
	orders := oauth.Resource{URI: public + "/mcp/orders", Name: "orders", Title: "Orders", Server: true, Scope: "mcp:orders",
		Scopes: []oauth.ScopeInfo{{Name: "orders.delete", Text: "Delete orders", Risk: "delete"}},
		Tools: func(*identity.Caller) []oauth.ToolInfo {
			return []oauth.ToolInfo{
				{Name: "list_orders", Title: "List orders", Description: "Lists orders, newest first.", Risk: "read"},
				{Name: "create_order", Title: "Create an order", Description: "Places a new order.", Risk: "change"},
				{Name: "delete_order", Title: "Delete an order", Description: "Removes an order for good.", Risk: "delete", Scope: "orders.delete"}}
		},
		Allowed: func(c *identity.Caller, scope string) bool {
			return scope != "orders.delete" || c.HasRole("Orders.Admin")
		}}
	payroll := oauth.Resource{URI: public + "/mcp/payroll", Name: "payroll", Title: "Payroll", Server: true, Scope: "mcp:payroll",
		Usable: func(c *identity.Caller) (bool, string) { return c.HasRole("Payroll.User"), "the role Payroll.User" }}
	return catalogue{orders, payroll, {URI: public + "/llm", Name: "llm", Title: "Language models", Scope: "llm"}}
}

// browser is a person's browser: cookies, no automatic redirects.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) browser() *browser {
	jar := must(cookiejar.New(nil))
	return &browser{w: w, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is an answer that was read to its end.
type page struct {
	*http.Response
	body string
}

func (b *browser) send(r *http.Request) page {
	b.w.t.Helper()
	resp, err := b.client.Do(r)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page{resp, string(body)}
}

func (b *browser) get(u string) page {
	b.w.t.Helper()
	if strings.HasPrefix(u, "/") {
		u = b.w.url + u
	}
	return b.send(must(http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, u, nil)))
}

// post sends a form as a page of ours does; headers are pairs that replace.
func (b *browser) post(path string, form url.Values, headers ...string) page {
	b.w.t.Helper()
	r := must(http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, b.w.url+path, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.w.url)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return b.send(r)
}

func (b *browser) authorize(q url.Values) page {
	b.w.t.Helper()
	return b.get("/oauth/authorize?" + q.Encode())
}

// follow goes along redirects that stay at the gateway and the fake provider.
func (b *browser) follow(p page) page {
	b.w.t.Helper()
	for range 10 {
		to := p.Header.Get("Location")
		ours := strings.HasPrefix(to, "/") || strings.HasPrefix(to, b.w.url+"/") || b.w.entra != nil && strings.HasPrefix(to, b.w.entra.URL+"/")
		if p.StatusCode < 300 || p.StatusCode > 399 || !ours {
			return p
		}
		p = b.get(to)
	}
	b.w.t.Fatal("too many redirects")
	return p
}

// toConsent takes a good request to the consent page. name is a person of the dev provider; "" with Entra.
func (b *browser) toConsent(q url.Values, name string) page {
	b.w.t.Helper()
	p := b.follow(b.authorize(q))
	if name != "" {
		p = b.follow(b.post("/oauth/dev/sign-in", withValue(p.fields(), "person", "dev/"+name)))
	}
	if p.StatusCode != http.StatusOK || !strings.Contains(p.body, `name="decision"`) {
		b.w.t.Fatalf("no consent page: %d %s\n%s", p.StatusCode, p.Header.Get("Location"), p.body)
	}
	return p
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// fields are the hidden fields of the page's forms.
func (p page) fields() url.Values {
	out := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(p.body, -1) {
		out.Set(m[1], html.UnescapeString(m[2]))
	}
	return out
}

func withValue(v url.Values, name, value string) url.Values {
	out := url.Values{}
	for k, list := range v {
		out[k] = list
	}
	out.Set(name, value)
	return out
}

// back returns the parameters that arrived at the client.
func (w *world) back(p page, redirect string) url.Values {
	w.t.Helper()
	to, err := url.Parse(p.Header.Get("Location"))
	want := must(url.Parse(redirect))
	if err != nil || p.StatusCode != http.StatusFound && p.StatusCode != http.StatusSeeOther || to.Scheme != want.Scheme || to.Host != want.Host || to.Path != want.Path {
		w.t.Fatalf("not at the client: %d %q\n%s", p.StatusCode, p.Header.Get("Location"), p.body)
	}
	q := to.Query()
	for name, list := range q {
		if len(list) != 1 {
			w.t.Errorf("%s came %d times", name, len(list))
		}
	}
	if q.Get("iss") != w.url {
		w.t.Errorf("iss = %q, want %q", q.Get("iss"), w.url)
	}
	if got := p.Header.Get("Referrer-Policy"); got != "no-referrer" {
		w.t.Errorf("Referrer-Policy = %q, want no-referrer", got)
	}
	return q
}

// wantRedirect checks "redir X" of oauth.md §20.
func (w *world) wantRedirect(p page, code string) url.Values {
	w.t.Helper()
	q := w.back(p, webRedirect)
	if q.Get("error") != code || q.Get("state") != "client-state/1" || q.Get("keep") != "1" || q.Has("code") {
		w.t.Errorf("redirect has %v, want error %s", q, code)
	}
	for _, r := range q.Get("error_description") {
		if r < 0x20 || r > 0x7e {
			w.t.Errorf("error_description is not ASCII: %q", q.Get("error_description"))
		}
	}
	return q
}

// wantPage checks "page N" of oauth.md §20: ours, no redirect, nothing of the input in it.
func (w *world) wantPage(p page, status int, reflected ...string) {
	w.t.Helper()
	if p.StatusCode != status || p.Header.Get("Location") != "" || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
		w.t.Fatalf("got %d %q, want page %d\n%s", p.StatusCode, p.Header.Get("Location"), status, p.body)
	}
	for _, s := range reflected {
		if s != "" && strings.Contains(p.body, s) {
			w.t.Errorf("page reflects %q", s)
		}
	}
	checkPageHeaders(w.t, p)
}

func checkPageHeaders(t *testing.T, p page) {
	t.Helper()
	csp := p.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin"} {
		if got := p.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	want := "no-referrer"
	if strings.Contains(p.body, "<form") {
		want = "same-origin"
	}
	if got := p.Header.Get("Referrer-Policy"); got != want {
		t.Errorf("Referrer-Policy = %q, want %q", got, want)
	}
}

// lockedBuffer collects logs.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}
