package authflow_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
)

// oauth.md §20.1 and §20.2: rows that end at our own page, because no redirect URI is validated.
func TestAuthorizeAnswersWithItsOwnPageUntilTheRedirectURIIsValidated(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	long := strings.Repeat("s", 8<<10)
	for _, tc := range []struct {
		row, name string
		status    int
		query     url.Values
		text      string
		reflected string
	}{
		{"1", "unknown client", 400, w.query("client_id", "dcr_nobody"), "This application is not known here. Remove the server from your application and add it again.", "dcr_nobody"},
		{"1", "no client", 400, w.query("client_id", "-"), "", ""},
		{"2", "redirect URI missing, several registered", 400, w.query("client_id", "two", "redirect_uri", "-"), "", ""},
		{"2", "redirect URI missing, only a loopback one", 400, w.query("client_id", "native", "redirect_uri", "-"), "", ""},
		{"3", "suffix", 400, w.query("redirect_uri", "https://client.example/callback/x?keep=1"), "", "callback/x"},
		{"3", "dot segments", 400, w.query("redirect_uri", "https://client.example/callback/../x"), "", ""},
		{"3", "encoded dots", 400, w.query("redirect_uri", "https://client.example/%2e%2e/x"), "", ""},
		{"3", "path parameter", 400, w.query("redirect_uri", "https://client.example/callback;x?keep=1"), "", ""},
		{"3", "other case", 400, w.query("redirect_uri", "https://client.example/Callback?keep=1"), "", ""},
		{"4", "extra query", 400, w.query("redirect_uri", webRedirect+"&more=1"), "", ""},
		{"4", "fragment", 400, w.query("redirect_uri", webRedirect+"#f"), "", ""},
		{"4", "userinfo", 400, w.query("redirect_uri", "https://a:b@client.example/callback?keep=1"), "", ""},
		{"5", "suffixed host", 400, w.query("redirect_uri", "https://client.example.evil.test/callback?keep=1"), "", "evil.test"},
		{"5", "trailing dot", 400, w.query("redirect_uri", "https://client.example./callback?keep=1"), "", ""},
		{"5", "default port", 400, w.query("redirect_uri", "https://client.example:443/callback?keep=1"), "", ""},
		{"5", "homoglyph", 400, w.query("redirect_uri", "https://clіent.example/callback?keep=1"), "", ""},
		{"5", "upper case", 400, w.query("redirect_uri", "https://CLIENT.example/callback?keep=1"), "", ""},
		{"6", "http", 400, w.query("redirect_uri", "http://client.example/callback?keep=1"), "", ""},
		{"7", "loopback, other path", 400, w.query("client_id", "native", "redirect_uri", "http://127.0.0.1:5000/other"), "", ""},
		{"9", "127.0.0.1.evil.test", 400, w.query("client_id", "native", "redirect_uri", "http://127.0.0.1.evil.test/callback"), "", ""},
		{"9", "localhost.evil.test", 400, w.query("client_id", "local", "redirect_uri", "http://localhost.evil.test/callback"), "", ""},
		{"9", "hex", 400, w.query("client_id", "native", "redirect_uri", "http://0x7f000001/callback"), "", ""},
		{"9", "decimal", 400, w.query("client_id", "native", "redirect_uri", "http://2130706433/callback"), "", ""},
		{"9", "short", 400, w.query("client_id", "native", "redirect_uri", "http://127.1/callback"), "", ""},
		{"9", "mapped", 400, w.query("client_id", "native", "redirect_uri", "http://[::ffff:7f00:1]/callback"), "", ""},
		{"9", "any address", 400, w.query("client_id", "native", "redirect_uri", "http://0.0.0.0/callback"), "", ""},
		{"10", "localhost for 127.0.0.1", 400, w.query("client_id", "native", "redirect_uri", "http://localhost/callback"), "", ""},
		{"15", "state of 8 KiB", 400, w.query("state", long), "", long[:100]},
		{"21", "pending", 403, w.query("client_id", "pending"), "Waiting is waiting for an administrator.", ""},
		{"21", "blocked", 403, w.query("client_id", "blocked"), "Bad was blocked by an administrator.", ""},
	} {
		t.Run("row "+tc.row+" "+tc.name, func(t *testing.T) {
			before := w.count("authorize.refused")
			p := w.browser().authorize(tc.query)
			w.wantPage(p, tc.status, tc.reflected)
			if !strings.Contains(p.body, tc.text) {
				t.Errorf("page has no %q:\n%s", tc.text, p.body)
			}
			if got := w.count("authorize.refused"); got != before+1 {
				t.Errorf("%d audit events, want one", got-before)
			}
		})
	}
}

// Row 11: a repeated parameter is two readings of one request.
func TestAuthorizeRefusesRepeatedParameters_11(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	for _, name := range []string{"client_id", "redirect_uri", "code_challenge", "state", "scope", "anything"} {
		q := w.query()
		q.Add(name, "second")
		q.Add(name, "third")
		w.wantPage(w.browser().authorize(q), http.StatusBadRequest)
	}
}

// oauth.md §20.1 and §20.2: rows that end at the client, with error, state and iss once.
func TestAuthorizeTellsTheClientWhatIsWrong(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	public := w.url
	for _, tc := range []struct{ row, name, param, value, code string }{
		{"12", "token", "response_type", "token", "unsupported_response_type"},
		{"12", "id_token", "response_type", "id_token", "unsupported_response_type"},
		{"12", "code token", "response_type", "code token", "unsupported_response_type"},
		{"12", "missing", "response_type", "-", "invalid_request"},
		{"13", "fragment", "response_mode", "fragment", "invalid_request"},
		{"13", "form_post", "response_mode", "form_post", "invalid_request"},
		{"13", "web_message", "response_mode", "web_message", "invalid_request"},
		{"14", "request", "request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"},
		{"14", "request_uri", "request_uri", "https://evil.test/r", "request_uri_not_supported"},
		{"17", "unknown scope", "scope", "mcp:orders orders.fly", "invalid_scope"},
		{"17", "malformed scope", "scope", "mcp:orders \"x\"", "invalid_scope"},
		{"18", "unknown", "resource", public + "/mcp/nothing", "invalid_target"},
		{"18", "fragment", "resource", public + "/mcp/orders#x", "invalid_target"},
		{"18", "other origin", "resource", "https://other.example/mcp/orders", "invalid_target"},
		{"18", "relative", "resource", "/mcp/orders", "invalid_target"},
		{"20", "prompt none", "prompt", "none", "login_required"},
		{"22", "challenge missing", "code_challenge", "-", "invalid_request"},
		{"23", "method missing", "code_challenge_method", "-", "invalid_request"},
		{"24", "plain", "code_challenge_method", "plain", "invalid_request"},
		{"24", "s256", "code_challenge_method", "s256", "invalid_request"},
		{"24", "S512", "code_challenge_method", "S512", "invalid_request"},
		{"25", "42 characters", "code_challenge", challenge()[:42], "invalid_request"},
		{"25", "44 characters", "code_challenge", challenge() + "A", "invalid_request"},
		{"25", "not url alphabet", "code_challenge", challenge()[:40] + "+/=", "invalid_request"},
	} {
		t.Run("row "+tc.row+" "+tc.name, func(t *testing.T) {
			before := w.count("authorize.refused")
			w.wantRedirect(w.browser().authorize(w.query(tc.param, tc.value)), tc.code)
			if got := w.count("authorize.refused"); got != before+1 {
				t.Errorf("%d audit events, want one", got-before)
			}
		})
	}
	t.Run("row 18 repeated", func(t *testing.T) {
		q := w.query()
		q.Add("resource", public+"/mcp/orders")
		w.wantRedirect(w.browser().authorize(q), "invalid_target")
	})
	t.Run("a client without the code grant", func(t *testing.T) {
		w.wantRedirect(w.browser().authorize(w.query("client_id", "machine")), "unauthorized_client")
	})
}

// Rows 7, 8, 16, 19 and 20: what must go on.
func TestAuthorizeGoesOn(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	upper := strings.Replace(w.url, "http://", "HTTP://", 1)
	for _, tc := range []struct {
		row, name string
		query     url.Values
	}{
		{"7", "any port", w.query("client_id", "native", "redirect_uri", "http://127.0.0.1:51234/callback")},
		{"8", "localhost with a port", w.query("client_id", "local", "redirect_uri", "http://localhost:51234/callback")},
		{"16", "no state", w.query("state", "-")},
		{"19", "trailing slash", w.query("resource", w.url+"/mcp/orders/")},
		{"19", "upper case", w.query("resource", upper+"/mcp/orders")},
		{"2", "one redirect URI, none asked", w.query("redirect_uri", "-")},
		{"20", "leading space and offline_access", w.query("scope", " offline_access mcp:orders")},
		{"20", "no resource, scope names a server", w.query("resource", "-")},
		{"20", "unknown parameters", w.query("prompt", "consent", "claims", "{}", "ui_locales", "xx")},
		{"18", "custom scheme", w.query("client_id", "cursor", "redirect_uri", "cursor://anysphere.cursor-mcp/oauth/callback")},
	} {
		t.Run("row "+tc.row+" "+tc.name, func(t *testing.T) {
			p := w.browser().authorize(tc.query)
			if p.StatusCode != http.StatusFound || !strings.HasPrefix(p.Header.Get("Location"), w.url+"/oauth/dev/sign-in?state=") {
				t.Errorf("got %d %q\n%s", p.StatusCode, p.Header.Get("Location"), p.body)
			}
		})
	}
	t.Run("POST", func(t *testing.T) {
		p := w.browser().post("/oauth/authorize", w.query(), "Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site")
		if p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.Header.Get("Location"), w.url+"/oauth/dev/sign-in?") {
			t.Errorf("got %d %q", p.StatusCode, p.Header.Get("Location"))
		}
	})
}

// Row 15: whatever the state holds, it comes back as it was and breaks nothing.
func TestClientStateComesBackEncoded_15(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	for _, state := range []string{"a\r\nSet-Cookie: x=1", `"><script>alert(1)</script>`, "ü&code=evil", ""} {
		q := w.back(w.browser().authorize(w.query("state", state, "response_type", "token")), webRedirect)
		if q.Get("state") != state || !q.Has("state") || q.Has("code") {
			t.Errorf("state %q came back in %v", state, q)
		}
	}
	q := w.back(w.browser().authorize(w.query("state", "-", "response_type", "token")), webRedirect)
	if q.Has("state") {
		t.Errorf("row 16: a state came back that was never sent: %v", q)
	}
}

// Row 20: nothing the client sent reaches the provider.
func TestUpstreamURLHasNothingOfTheClient_20(t *testing.T) {
	w := newWorld(t, worldOptions{})
	p := w.browser().authorize(w.query("prompt", "consent", "login_hint", "x@y.example", "claims", `{"a":1}`, "domain_hint", "consumers", "nonce", "client-nonce", "audience", "x"))
	up, err := url.Parse(p.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(p.Header.Get("Location"), w.entra.URL+"/"+"72f988bf-0000-4000-8000-00000000000a/oauth2/v2.0/authorize?") {
		t.Fatalf("upstream URL %q", p.Header.Get("Location"))
	}
	q := up.Query()
	for _, name := range []string{"resource", "prompt", "claims", "login_hint", "domain_hint", "audience"} {
		if q.Has(name) {
			t.Errorf("upstream URL has %s=%q", name, q.Get(name))
		}
	}
	if q.Get("state") == "client-state/1" || len(q.Get("state")) != 43 || q.Get("nonce") == "client-nonce" || q.Get("code_challenge") == challenge() {
		t.Errorf("upstream URL carries values of the client: %v", q)
	}
	if q.Get("scope") != "openid profile offline_access api://11111111-aaaa-4bbb-8ccc-000000000001/access_as_user" || q.Get("code_challenge_method") != "S256" || q.Get("response_mode") != "query" {
		t.Errorf("upstream URL = %v", q)
	}
}

// §4.1 step 11: ceilings and outages are told to the client as passing.
func TestAuthorizeSaysWhenItCannotGoOn(t *testing.T) {
	t.Run("provider cannot be reached", func(t *testing.T) {
		w := newWorld(t, worldOptions{client: &http.Client{Transport: broken{}}})
		w.wantRedirect(w.browser().authorize(w.query()), "temporarily_unavailable")
	})
	t.Run("store cannot be reached", func(t *testing.T) {
		w := newWorld(t, worldOptions{dev: true})
		w.store.Fail(http.ErrServerClosed)
		w.wantRedirect(w.browser().authorize(w.query()), "temporarily_unavailable")
	})
}

// A client document that cannot be used has its own page with one cause of a closed set.
func TestDocumentFaultsArePages(t *testing.T) {
	for _, tc := range []struct {
		fault  *registration.DocumentError
		status int
		text   string
	}{
		{&registration.DocumentError{Status: 400, Host: "app.example", Text: "it could not be fetched"}, 400, "The description of the application at app.example could not be used: it could not be fetched."},
		{&registration.DocumentError{Status: 403, Host: "app.example", Text: "applications from this host are not accepted here"}, 403, "Applications from this host are not accepted here."},
		{&registration.DocumentError{Status: 429, Host: "app.example", Text: "too many at once", RetryAfter: 20 * time.Second}, 429, "too many at once"},
	} {
		page := pageOf(t, tc.fault)
		if page.StatusCode != tc.status || !strings.Contains(page.body, tc.text) {
			t.Errorf("%v: got %d\n%s", tc.fault, page.StatusCode, page.body)
		}
		if tc.status == 429 && page.Header.Get("Retry-After") != "20" {
			t.Errorf("Retry-After = %q", page.Header.Get("Retry-After"))
		}
	}
}

// §5.6: a program that asks for JSON gets it, with the same status.
func TestErrorPagesAreJSONForPrograms(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/oauth/authorize?client_id=nobody", nil))
	r.Header.Set("Accept", "application/json")
	p := w.browser().send(r)
	if p.StatusCode != 400 || !strings.Contains(p.body, `"error":"invalid_request"`) || p.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %s", p.StatusCode, p.body)
	}
}

var _ oauth.Catalogue = catalogue{}
