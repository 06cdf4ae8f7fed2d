package authorization

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
)

// world is a resource and its authorization server, and what tests change of them.
type world struct {
	t        *testing.T
	url      string
	resource map[string]any // its metadata; nil: none
	server   map[string]any // its metadata; nil: none
	at       string         // path of the resource's metadata; "": made from the resource's own
	named    bool           // the challenge names that address
	redirect func(q url.Values) url.Values
	scope    string // asked for by the challenge
	needs    string // scope without which a call is refused with 403

	mu       sync.Mutex
	seen     []string // paths
	tokens   []url.Values
	auths    []string // Authorization headers of the token endpoint
	registed []Document
	asked    []url.Values // of the authorization endpoint
	granted  string
	refresh  int    // > 0: tokens come with a refresh token; counts them
	revoked  string // a token that is no longer good
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	s := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(s.Close)
	w.url = s.URL
	w.resource = map[string]any{"resource": w.url + "/mcp", "authorization_servers": []string{w.url + "/as"}}
	w.server = map[string]any{
		"issuer": w.url + "/as", "authorization_endpoint": w.url + "/authorize", "token_endpoint": w.url + "/token",
		"registration_endpoint": w.url + "/register", "code_challenge_methods_supported": []string{"S256"},
	}
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, r.Method+" "+r.URL.Path)
	write := func(v any) {
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(v)
	}
	switch {
	case r.URL.Path == "/mcp":
		w.call(rw, r)
	case r.URL.Path == w.document() && w.resource != nil:
		write(w.resource)
	case r.URL.Path == "/.well-known/oauth-authorization-server/as" && w.server != nil:
		write(w.server)
	case r.URL.Path == "/register":
		var d Document
		_ = json.NewDecoder(r.Body).Decode(&d)
		w.registed = append(w.registed, d)
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(rw).Encode(map[string]string{"client_id": "c1", "client_secret": "s1", "token_endpoint_auth_method": d.AuthMethod})
	case r.URL.Path == "/token":
		_ = r.ParseForm()
		w.tokens = append(w.tokens, r.PostForm)
		w.auths = append(w.auths, r.Header.Get("Authorization"))
		if n := len(w.asked); n > 0 {
			w.granted = w.asked[n-1].Get("scope")
		}
		if w.refresh > 0 {
			w.refresh++
			write(map[string]any{"access_token": fmt.Sprintf("token:%s,%d", w.granted, w.refresh), "token_type": "Bearer", "expires_in": 3600, "refresh_token": fmt.Sprint("refresh", w.refresh)})
			return
		}
		write(map[string]any{"access_token": "token:" + strings.ReplaceAll(w.granted, " ", ","), "token_type": "Bearer", "expires_in": 3600})
	default:
		http.NotFound(rw, r)
	}
}

func (w *world) call(rw http.ResponseWriter, r *http.Request) {
	token, signedIn := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer token:")
	switch {
	case !signedIn || w.revoked != "" && token == w.revoked:
		challenge := `Bearer scope="` + w.scope + `"`
		if w.named {
			challenge += `, resource_metadata="` + w.url + w.document() + `"`
		}
		rw.Header().Set("WWW-Authenticate", challenge)
		rw.WriteHeader(http.StatusUnauthorized)
	case w.needs != "" && !slices.Contains(strings.Split(token, ","), w.needs):
		rw.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+w.needs+`"`)
		rw.WriteHeader(http.StatusForbidden)
	default:
		body, _ := io.ReadAll(r.Body)
		_, _ = rw.Write(body)
	}
}

// document is where the resource's metadata stands.
func (w *world) document() string {
	if w.at != "" {
		return w.at
	}
	return "/.well-known/oauth-protected-resource/mcp"
}

// follow is the person, who allows at once.
func (w *world) follow(_ context.Context, address string) (url.Values, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	w.mu.Lock()
	w.asked = append(w.asked, q)
	w.mu.Unlock()
	back := url.Values{"code": {"code"}, "state": {q.Get("state")}}
	if w.redirect != nil {
		back = w.redirect(back)
	}
	return back, nil
}

func (w *world) transport(change func(*Config)) *Transport {
	w.t.Helper()
	guard, err := egress.New(egress.Config{AllowLoopback: true, MinTime: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := Config{Guard: guard, RedirectURL: "https://gw.example.com/connections/up/callback", DocumentURL: "https://gw.example.com/.well-known/oauth-client"}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	base := &http.Transport{}
	w.t.Cleanup(base.CloseIdleConnections)
	return &Transport{Client: c, Base: base, Follow: w.follow}
}

func (w *world) post(t *Transport) (string, error) {
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/mcp?x=1", strings.NewReader("hello"))
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(resp.Status)
	}
	return string(body), err
}

func TestARefusedRequestIsSignedInAndSentAgain(t *testing.T) { // §16.2: metadata, registration, PKCE, resource
	w := newWorld(t)
	w.scope = "files:read"
	tr := w.transport(nil)
	for range 2 {
		if body, err := w.post(tr); err != nil || body != "hello" {
			t.Fatalf("%q, %v", body, err)
		}
	}
	q := w.asked[0]
	if len(w.asked) != 1 || q.Get("resource") != w.url+"/mcp" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("scope") != "files:read" || len(q.Get("state")) < 32 {
		t.Errorf("asked %v", w.asked)
	}
	form := w.tokens[0]
	if form.Get("resource") != w.url+"/mcp" || form.Get("code_verifier") == "" || form.Get("redirect_uri") != "https://gw.example.com/connections/up/callback" {
		t.Errorf("token request %v", form)
	}
	if d := w.registed[0]; d.ApplicationType != "web" || d.RedirectURIs[0] != form.Get("redirect_uri") || !slices.Contains(d.GrantTypes, "refresh_token") {
		t.Errorf("registered %+v", d)
	}
}

func TestWhatTheMetadataSaysIsChecked(t *testing.T) { // §16.2: resource-mismatch, metadata-issuer-mismatch, PKCE
	for name, c := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"another resource":  {func(w *world) { w.resource["resource"] = "https://evil.example/mcp" }, "about another resource"},
		"another path":      {func(w *world) { w.resource["resource"] = w.url + "/mcp2" }, "about another resource"},
		"the origin":        {func(w *world) { w.resource["resource"] = w.url }, "about another resource"},
		"the origin's root": {func(w *world) { w.resource["resource"] = w.url + "/" }, "about another resource"},
		"a slash more":      {func(w *world) { w.resource["resource"] = w.url + "/mcp/" }, "about another resource"},
		"the origin, named": {func(w *world) {
			w.resource["resource"], w.at, w.named = w.url, "/.well-known/oauth-protected-resource", true
		}, "about another resource"},
		"another origin at the root": {func(w *world) {
			w.resource["resource"], w.at = "https://evil.example", "/.well-known/oauth-protected-resource"
		}, "about another resource"},
		"a script to sign in at": {func(w *world) { w.server["authorization_endpoint"] = "javascript:alert(1)//" }, "check the authorization endpoint"},
		"a file to sign in at":   {func(w *world) { w.server["authorization_endpoint"] = "file:///etc/passwd" }, "check the authorization endpoint"},
		"another issuer":         {func(w *world) { w.server["issuer"] = "https://evil.example" }, "names another issuer"},
		"issuer with a slash":    {func(w *world) { w.server["issuer"] = w.url + "/as/" }, "names another issuer"},
		"no S256":                {func(w *world) { w.server["code_challenge_methods_supported"] = []string{"plain"} }, "PKCE with S256"},
		"no challenge methods":   {func(w *world) { delete(w.server, "code_challenge_methods_supported") }, "PKCE with S256"},
		"no server":              {func(w *world) { w.resource["authorization_servers"] = []string{} }, "names no authorization server"},
		"no registration":        {func(w *world) { delete(w.server, "registration_endpoint") }, "configure a client id"},
		"a private server":       {func(w *world) { w.resource["authorization_servers"] = []string{"http://10.1.2.3/as"} }, "metadata"},
		"the cloud's own server": {func(w *world) { w.resource["authorization_servers"] = []string{"http://169.254.169.254/"} }, "metadata"},
		"a private token server": {func(w *world) { w.server["token_endpoint"] = "http://10.1.2.3/token" }, "check address"},
	} {
		w := newWorld(t)
		c.change(w)
		if _, err := w.post(w.transport(nil)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if len(w.tokens) != 0 {
			t.Errorf("%s: a code was sent", name)
		}
	}
}

func TestTheAnswerMustBeTheIssuersOwn(t *testing.T) { // RFC 9207: iss-*
	for name, c := range map[string]struct {
		sends  bool
		change func(w *world, back url.Values)
		good   bool
	}{
		"as advertised":     {true, func(w *world, back url.Values) { back.Set("iss", w.url+"/as") }, true},
		"unexpected, right": {false, func(w *world, back url.Values) { back.Set("iss", w.url+"/as") }, true},
		"not advertised":    {false, func(*world, url.Values) {}, true},
		"missing":           {true, func(*world, url.Values) {}, false},
		"wrong":             {true, func(_ *world, back url.Values) { back.Set("iss", "https://evil.example") }, false},
		"unexpected, wrong": {false, func(_ *world, back url.Values) { back.Set("iss", "https://evil.example") }, false},
		"not byte for byte": {true, func(w *world, back url.Values) { back.Set("iss", w.url+"/as/") }, false},
		"another state":     {false, func(_ *world, back url.Values) { back.Set("state", "x") }, false},
		"an error":          {false, func(_ *world, back url.Values) { back.Set("error", "access_denied") }, false},
		"an error of others": {true, func(_ *world, back url.Values) {
			back.Del("code")
			back.Set("error", "x")
			back.Set("iss", "https://evil.example")
		}, false},
		"two states":  {false, func(_ *world, back url.Values) { back.Add("state", "x") }, false},
		"two issuers": {true, func(w *world, back url.Values) { back["iss"] = []string{w.url + "/as", "https://evil.example"} }, false},
		"no code":     {false, func(_ *world, back url.Values) { back.Del("code") }, false},
	} {
		w := newWorld(t)
		w.server["authorization_response_iss_parameter_supported"] = c.sends
		w.redirect = func(back url.Values) url.Values { c.change(w, back); return back }
		_, err := w.post(w.transport(nil))
		if (err == nil) != c.good || !c.good && len(w.tokens) != 0 {
			t.Errorf("%s: %v, %d codes were sent", name, err, len(w.tokens))
		}
	}
}

func TestScopesWiden(t *testing.T) { // §16.2: scope-*, offline-access-*, scope-step-up, scope-retry-limit
	w := newWorld(t)
	w.scope, w.needs = "read", "write"
	w.server["scopes_supported"] = []string{"read", "offline_access"}
	if _, err := w.post(w.transport(nil)); err != nil {
		t.Fatal(err)
	}
	if a, b := w.asked[0].Get("scope"), w.asked[1].Get("scope"); a != "read offline_access" || b != "read write offline_access" {
		t.Errorf("asked for %q, then %q", a, b)
	}
	w = newWorld(t)
	w.resource["scopes_supported"] = []string{"a", "b"}
	if _, err := w.post(w.transport(nil)); err != nil || w.asked[0].Get("scope") != "a b" {
		t.Errorf("without a challenge's scope: %v, %v", w.asked, err)
	}
	w = newWorld(t)
	if _, err := w.post(w.transport(nil)); err != nil || w.asked[0].Has("scope") {
		t.Errorf("without any scope: %v, %v", w.asked, err)
	}
	w = newWorld(t)
	w.needs = "never"
	tr := w.transport(nil)
	tr.Follow = func(ctx context.Context, address string) (url.Values, error) {
		back, err := w.follow(ctx, address)
		w.asked[len(w.asked)-1].Set("scope", "other") // whatever is asked for, this is granted
		return back, err
	}
	if _, err := w.post(tr); err == nil || len(w.asked) != 3 {
		t.Errorf("%d sign-ins, %v", len(w.asked), err)
	}
}

// A grant that lasts is asked for only where the authorization server offers one, whoever else names it.
func TestALastingGrantIsTheServersToOffer(t *testing.T) { // §16.2: offline-access-not-supported
	w := newWorld(t)
	w.resource["scopes_supported"] = []string{"a", "offline_access"}
	w.server["scopes_supported"] = []string{"a"}
	if _, err := w.post(w.transport(nil)); err != nil || w.asked[0].Get("scope") != "a" {
		t.Errorf("%v, %v", w.asked, err)
	}
}

// The document at an origin's root is about that origin; the token is asked for what it names (metadata-var2).
func TestTheRootsMetadataIsAboutTheOrigin(t *testing.T) {
	w := newWorld(t)
	w.resource["resource"], w.at = w.url, "/.well-known/oauth-protected-resource"
	if _, err := w.post(w.transport(nil)); err != nil || w.asked[0].Get("resource") != w.url {
		t.Errorf("%v, %v", w.asked, err)
	}
}

// A token that is refused is renewed without the person; the renewal names the resource, too (RFC 8707 §2.2).
func TestARefusedTokenIsRenewedForItsResource(t *testing.T) {
	w := newWorld(t)
	w.refresh = 1
	tr := w.transport(nil)
	if _, err := w.post(tr); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.revoked = ",2"
	w.mu.Unlock()
	if _, err := w.post(tr); err != nil {
		t.Fatal(err)
	}
	if len(w.asked) != 1 || len(w.tokens) != 2 {
		t.Fatalf("%d sign-ins, %d token requests", len(w.asked), len(w.tokens))
	}
	form := w.tokens[1]
	if form.Get("grant_type") != "refresh_token" || form.Get("refresh_token") != "refresh2" || form.Get("resource") != w.url+"/mcp" || len(form["resource"]) != 1 || !strings.HasPrefix(w.auths[1], "Basic ") {
		t.Errorf("the form is %v, the header %q", form, w.auths[1])
	}
}

func TestHowTheClientIsKnown(t *testing.T) { // §16.2: pre-registration, basic-cimd, token-endpoint-auth-*
	for name, c := range map[string]struct {
		change func(*world, *Config)
		id     string
		basic  bool
		secret string
	}{
		"registered beforehand": {func(_ *world, c *Config) { c.Registered = map[string]Credentials{"": {ID: "mine", Secret: "s"}} }, "mine", true, ""},
		"document":              {func(w *world, _ *Config) { w.server["client_id_metadata_document_supported"] = true }, "https://gw.example.com/.well-known/oauth-client", false, ""},
		"basic": {func(w *world, _ *Config) {
			w.server["token_endpoint_auth_methods_supported"] = []string{"client_secret_basic"}
		}, "c1", true, ""},
		"post": {func(w *world, _ *Config) {
			w.server["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
		}, "c1", false, "s1"},
		"none": {func(w *world, _ *Config) { w.server["token_endpoint_auth_methods_supported"] = []string{"none"} }, "c1", false, "s1"},
	} {
		w := newWorld(t)
		tr := w.transport(func(cfg *Config) { c.change(w, cfg) })
		if _, err := w.post(tr); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if id := w.asked[0].Get("client_id"); id != c.id || strings.HasPrefix(w.auths[0], "Basic ") != c.basic || !c.basic && w.tokens[0].Get("client_id") != c.id {
			t.Errorf("%s: client %q, header %q, form %v", name, id, w.auths[0], w.tokens[0])
		}
		if name == "post" && w.tokens[0].Get("client_secret") != c.secret {
			t.Errorf("%s: form %v", name, w.tokens[0])
		}
	}
}

func TestAnotherIssuerGetsAnotherRegistration(t *testing.T) { // authorization-server-migration
	w := newWorld(t)
	tr := w.transport(nil)
	if _, err := w.post(tr); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.server["issuer"] = w.url + "/as2"
	w.resource["authorization_servers"] = []string{w.url + "/as2"}
	w.mu.Unlock()
	tr.Client.Drop(w.url + "/mcp")
	_, err := w.post(tr) // the new issuer's metadata is not there: the old credentials must not be used in its place
	if err == nil || len(w.registed) != 1 || len(w.tokens) != 1 {
		t.Errorf("%v; %d registrations, %d codes", err, len(w.registed), len(w.tokens))
	}
}

func TestServersOf20250326(t *testing.T) { // 2025-03-26-*
	w := newWorld(t)
	w.resource, w.server = nil, nil
	tr := w.transport(nil)
	var address string
	tr.Follow = func(ctx context.Context, to string) (url.Values, error) {
		address = to
		return w.follow(ctx, to)
	}
	if _, err := w.post(tr); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(w.seen, "GET /.well-known/oauth-authorization-server") || !slices.Contains(w.seen, "POST /register") || !strings.HasPrefix(address, w.url+"/authorize?") {
		t.Errorf("seen %v, sent to %s", w.seen, address)
	}
}
