package authflow_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// signIn signs a person of the dev provider in to the portal.
func (b *browser) signIn(name, back string) page {
	b.w.t.Helper()
	p := b.follow(b.get("/sign-in?" + url.Values{"return": {back}}.Encode()))
	p = b.post("/oauth/dev/sign-in", withValue(p.fields(), "person", "dev/"+name))
	return b.get(p.Header.Get("Location")) // the callback
}

// session returns who the browser is signed in as.
func (b *browser) session() (*oauth.Session, bool) {
	r := must(http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, b.w.url+"/", nil))
	for _, c := range b.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	return b.w.handler.Sessions.Caller(r)
}

func TestPortalSignInGivesASessionAndNoCode(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	if _, ok := b.session(); ok {
		t.Fatal("signed in before signing in")
	}
	p := b.signIn("alice", "/admin?tab=1")
	if p.StatusCode != http.StatusSeeOther || p.Header.Get("Location") != "/admin?tab=1" {
		t.Fatalf("got %d %q\n%s", p.StatusCode, p.Header.Get("Location"), p.body)
	}
	s, ok := b.session()
	if !ok || s.Identity.Subject != "dev/alice" || w.count("code.issued") != 0 {
		t.Errorf("session = %+v, %v", s, ok)
	}
	if p := b.get("/sign-in?return=/x"); p.Header.Get("Location") != "/x" {
		t.Errorf("signed in already, got %d %q", p.StatusCode, p.Header.Get("Location"))
	}
}

// Row 77: a session cookie that was planted beforehand is worth nothing afterwards.
func TestSessionIsNewAfterSignIn_77(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	planted := strings.Repeat("A", 43)
	b.setCookie("drawbridge-session", planted)
	b.signIn("bob", "/")
	first := b.cookie("drawbridge-session")
	if first == planted || first == "" {
		t.Errorf("session cookie = %q", first)
	}
}

// operations.md G4: eight hours idle, twenty-four in all.
func TestSessionEnds(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	b.signIn("bob", "/")
	for range 3 {
		w.advance(7 * time.Hour)
		if _, ok := b.session(); !ok {
			t.Fatal("a session in use ended early")
		}
	}
	w.advance(4 * time.Hour)
	if _, ok := b.session(); ok {
		t.Error("a session is older than 24 hours")
	}
	b.signIn("bob", "/")
	w.advance(8*time.Hour + time.Minute)
	if _, ok := b.session(); ok {
		t.Error("a session was idle for more than 8 hours")
	}
}

func TestSignOutNeedsItsForm(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	b.signIn("bob", "/")
	w.wantPage(b.post("/sign-out", url.Values{}), http.StatusForbidden)
	r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/", nil))
	for _, c := range b.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	form := url.Values{"token": {w.handler.Sessions.FormToken(r)}}
	w.wantPage(b.post("/sign-out", form, "Origin", "https://evil.test"), http.StatusForbidden)
	if _, ok := b.session(); !ok {
		t.Fatal("a forged form signed out")
	}
	form.Set("post_logout_redirect_uri", "https://evil.test/\r\nX: y")
	p := b.post("/sign-out", form)
	if p.StatusCode != http.StatusSeeOther || p.Header.Get("Location") != "/" { // row 78
		t.Errorf("got %d %q", p.StatusCode, p.Header.Get("Location"))
	}
	if _, ok := b.session(); ok {
		t.Error("still signed in")
	}
}

// Row 78: with Entra the browser ends the session there too, and comes back here and nowhere else.
func TestSignOutLeadsThroughEntra_78(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := w.browser()
	page := b.get("/sign-in?return=/servers/orders")
	w.wantPage(page, http.StatusOK)
	if !strings.Contains(page.body, "Continue with Microsoft") {
		t.Errorf("no provider button:\n%s", page.body)
	}
	p := b.post("/sign-in", page.fields())
	for strings.Contains(p.Header.Get("Location"), "/oauth") {
		p = b.get(p.Header.Get("Location"))
	}
	if p.Header.Get("Location") != "/servers/orders" {
		t.Fatalf("got %d %q\n%s", p.StatusCode, p.Header.Get("Location"), p.body)
	}
	r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/", nil))
	for _, c := range b.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	out := b.post("/sign-out", url.Values{"token": {w.handler.Sessions.FormToken(r)}, "post_logout_redirect_uri": {"https://evil.test"}})
	want := w.entra.URL + "/72f988bf-0000-4000-8000-00000000000a/oauth2/v2.0/logout?post_logout_redirect_uri=" + url.QueryEscape(w.url+"/")
	if got := w.handler.SignOutSource(); got != w.entra.URL {
		t.Errorf("SignOutSource = %q, want %q", got, w.entra.URL)
	}
	if out.Header.Get("Location") != want {
		t.Errorf("sign-out leads to %q, want %q", out.Header.Get("Location"), want)
	}
}

// `return` is a path of ours, whatever is tried.
func TestReturnIsAPathOfOurs(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	for _, bad := range []string{"https://evil.test/", "//evil.test/", `/\evil.test`, "/\t/evil.test", "/\r\nX: y", "evil", "javascript:alert(1)", "", "/sign-in?return=/", "/oauth/consent", "/" + strings.Repeat("a", 3000)} {
		if p := w.browser().signIn("bob", bad); p.Header.Get("Location") != "/" {
			t.Errorf("return=%q led to %d %q", bad, p.StatusCode, p.Header.Get("Location"))
		}
	}
	for _, good := range []string{"/", "/admin", "/servers/orders?x=%2F%2Fevil.test"} {
		if p := w.browser().signIn("bob", good); p.Header.Get("Location") != good {
			t.Errorf("return=%q led to %d %q", good, p.StatusCode, p.Header.Get("Location"))
		}
	}
}

// The dev page is bound to the browser and to its form, like everything else.
func TestDevPageIsGuarded(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	p := b.follow(b.authorize(w.query()))
	for _, want := range []string{"Development sign-in", "anyone on this computer can be anyone", ">alice</button>", ">bob</button>", "Gateway.Admin", "no roles"} {
		if !strings.Contains(p.body, want) {
			t.Errorf("page has no %q", want)
		}
	}
	form := withValue(p.fields(), "person", "dev/alice")
	w.wantPage(w.browser().get(p.Request.URL.String()), http.StatusForbidden)
	w.wantPage(w.browser().post("/oauth/dev/sign-in", form), http.StatusForbidden)
	w.wantPage(b.post("/oauth/dev/sign-in", form, "Origin", "https://evil.test"), http.StatusForbidden)
	w.wantPage(b.post("/oauth/dev/sign-in", withValue(form, "token", "x")), http.StatusForbidden)
	w.wantPage(b.post("/oauth/dev/sign-in", withValue(form, "person", "dev/mallory")), http.StatusBadRequest)
	w.wantPage(b.get("/oauth/dev/sign-in"), http.StatusBadRequest)
	if p := b.follow(b.post("/oauth/dev/sign-in", form)); p.StatusCode != http.StatusOK {
		t.Errorf("the right form: %d\n%s", p.StatusCode, p.body)
	}
	w.wantPage(b.post("/oauth/dev/sign-in", form), http.StatusBadRequest)

	e := newWorld(t, worldOptions{})
	if p := e.browser().get("/oauth/dev/sign-in?state=x"); p.StatusCode != http.StatusNotFound {
		t.Errorf("dev page with Entra: %d", p.StatusCode)
	}
}

// §3.4: only the methods of the table.
func TestOtherMethodsAreRefused(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	for path, method := range map[string]string{"/oauth/callback": http.MethodPost, "/oauth/consent": http.MethodDelete, "/oauth/authorize": http.MethodPut, "/sign-out": http.MethodGet} {
		p := b.send(must(http.NewRequestWithContext(t.Context(), method, w.url+path, nil)))
		if p.StatusCode != http.StatusMethodNotAllowed || p.Header.Get("Allow") == "" {
			t.Errorf("%s %s: %d, Allow %q", method, path, p.StatusCode, p.Header.Get("Allow"))
		}
	}
}
