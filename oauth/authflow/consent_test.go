package authflow_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// The whole line: authorize → provider → callback → consent → code, with what the grant and the code hold.
func TestSignInLine(t *testing.T) {
	for _, tc := range []struct {
		name, person, subject string
		dev                   bool
	}{
		{"dev provider", "alice", "dev/alice", true},
		{"entra", "", "72f988bf-0000-4000-8000-00000000000a/aaaaaaaa-0000-4000-8000-000000000001", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, worldOptions{dev: tc.dev})
			b := w.browser()
			p := b.toConsent(w.query("scope", "orders.delete"), tc.person)
			if n := w.count("code.issued"); n != 0 {
				t.Fatalf("row 42: %d codes before anybody pressed Allow", n)
			}
			q := w.back(b.post("/oauth/consent", withValue(p.fields(), "decision", "approve")), webRedirect)
			if q.Get("state") != "client-state/1" || q.Get("keep") != "1" || !regexp.MustCompile(`^dbc_[A-Za-z0-9_-]{43}$`).MatchString(q.Get("code")) {
				t.Fatalf("client got %v", q)
			}
			sum := sha256.Sum256([]byte(q.Get("code")))
			code, err := w.store.SpendCode(t.Context(), hex.EncodeToString(sum[:]), w.now())
			if err != nil {
				t.Fatal(err)
			}
			grant := must(w.store.Grant(t.Context(), code.GrantID))
			scopes := "mcp:orders"
			if tc.dev { // alice has the role that orders.delete needs, Ada has not
				scopes = "mcp:orders orders.delete"
			}
			if strings.Join(code.Scopes, " ") != scopes || strings.Join(grant.Scopes, " ") != scopes {
				t.Errorf("row 17: scopes %v and %v, want %s", code.Scopes, grant.Scopes, scopes)
			}
			if code.ClientID != "web" || code.RedirectURI != webRedirect || code.CodeChallenge != challenge() || code.Resource != w.url+"/mcp/orders" || !code.Expires.Equal(w.now().Add(time.Minute)) {
				t.Errorf("code = %+v", code)
			}
			if grant.Identity.Subject != tc.subject || grant.Resource != code.Resource || !grant.Expires.Equal(w.now().Add(720*time.Hour)) || grant.Upstream == nil {
				t.Errorf("grant = %+v", grant)
			}
			for _, e := range []string{"signin.ok", "consent.granted", "code.issued"} {
				if w.count(e) != 1 {
					t.Errorf("%d events %s, want one", w.count(e), e)
				}
			}
		})
	}
}

// Rows 61 and 63: a form that another page could have sent changes nothing.
func TestConsentFormIsBelievedOnlyFromItsOwnPage(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	p, other := b.toConsent(w.query(), "bob"), b.toConsent(w.query(), "bob")
	good := withValue(p.fields(), "decision", "approve")
	without := withValue(good, "token", "x")
	without.Del("token")
	for _, tc := range []struct {
		row, name string
		form      url.Values
		headers   []string
	}{
		{"61", "no token", without, nil},
		{"61", "wrong token", withValue(good, "token", "AAAA"), nil},
		{"61", "token of another transaction", withValue(good, "token", other.fields().Get("token")), nil},
		{"61", "no decision", p.fields(), nil},
		{"61", "another decision", withValue(good, "decision", "maybe"), nil},
		{"63", "null origin", good, []string{"Origin", "null"}},
		{"63", "other origin", good, []string{"Origin", "https://evil.test"}},
		{"63", "no origin, no referer", good, []string{"Origin", "", "Sec-Fetch-Site", ""}},
		{"63", "no origin, foreign referer", good, []string{"Origin", "", "Sec-Fetch-Site", "", "Referer", w.url + ".evil.test/"}},
		{"63", "cross-site", good, []string{"Sec-Fetch-Site", "cross-site"}},
		{"63", "same-site", good, []string{"Sec-Fetch-Site", "same-site"}},
		{"63", "json", good, []string{"Content-Type", "application/json"}},
		{"63", "plain text", good, []string{"Content-Type", "text/plain"}},
	} {
		t.Run("row "+tc.row+" "+tc.name, func(t *testing.T) {
			w.wantPage(b.post("/oauth/consent", tc.form, tc.headers...), http.StatusForbidden)
			if n := w.count("code.issued"); n != 0 {
				t.Errorf("%d codes, want none", n)
			}
		})
	}
	twice := withValue(good, "decision", "approve")
	twice.Add("decision", "deny")
	w.wantPage(b.post("/oauth/consent", twice), http.StatusForbidden)
	for _, headers := range [][]string{{"Origin", "", "Sec-Fetch-Site", "", "Referer", w.url + "/oauth/consent"}, nil} {
		if got := b.post("/oauth/consent", good, headers...); got.StatusCode == http.StatusForbidden {
			t.Errorf("own page was refused with %v\n%s", headers, got.body)
		}
	}
}

// Row 75: Deny goes back with an error; the next attempt asks again. Row 76: a second press gets no second code.
func TestDecisionCountsOnce(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	p := b.toConsent(w.query(), "bob")
	w.wantRedirect(b.post("/oauth/consent", withValue(p.fields(), "decision", "deny")), "access_denied")
	w.wantPage(b.post("/oauth/consent", withValue(p.fields(), "decision", "approve")), http.StatusBadRequest)
	p = b.toConsent(w.query(), "bob")
	w.back(b.post("/oauth/consent", withValue(p.fields(), "decision", "approve")), webRedirect)
	w.wantPage(b.post("/oauth/consent", withValue(p.fields(), "decision", "approve")), http.StatusBadRequest)
	w.wantPage(b.get("/oauth/consent?transaction="+p.fields().Get("transaction")), http.StatusBadRequest)
	if n := w.count("code.issued"); n != 1 {
		t.Errorf("%d codes, want one", n)
	}
}

// Row 76: of many presses at once exactly one gets a code.
func TestConcurrentApprovalsGiveOneCode_76(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	form := withValue(b.toConsent(w.query(), "bob").fields(), "decision", "approve")
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { b.post("/oauth/consent", form) })
	}
	all.Wait()
	if n := w.count("code.issued"); n != 1 {
		t.Errorf("%d codes, want one", n)
	}
}

// A page left open too long is of no use.
func TestConsentExpires(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	p := b.toConsent(w.query(), "bob")
	w.advance(11 * time.Minute)
	got := b.post("/oauth/consent", withValue(p.fields(), "decision", "approve"))
	w.wantPage(got, http.StatusBadRequest)
	if !strings.Contains(got.body, "This sign-in took too long.") || w.count("code.issued") != 0 {
		t.Errorf("page says\n%s", got.body)
	}
}

// Rows 64 and 74: headers, and a form-action that lets the redirect through and nothing else.
func TestConsentHeaders(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	for _, tc := range []struct{ client, redirect, targets string }{
		{"web", webRedirect, "https://client.example https:"},
		{"native", "http://127.0.0.1:51234/callback", "http://127.0.0.1:51234 https:"},
		{"cursor", "cursor://anysphere.cursor-mcp/oauth/callback", "cursor: https:"},
		{"https://claude.ai/oauth/mcp-oauth-client-metadata", "https://claude.ai/api/mcp/auth_callback", "https://claude.ai https: claude:"},
	} {
		b := w.browser()
		p := b.toConsent(w.query("client_id", tc.client, "redirect_uri", tc.redirect), "bob")
		checkPageHeaders(t, p)
		if csp := p.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "form-action 'self' "+tc.targets) {
			t.Errorf("%s: Content-Security-Policy = %q", tc.client, csp)
		}
		if q := w.back(b.post("/oauth/consent", withValue(p.fields(), "decision", "approve")), tc.redirect); !q.Has("code") {
			t.Errorf("%s: no code in %v", tc.client, q)
		}
	}
}

// Rows 65 to 68: names are shown harmless, and two clients of one name are told apart.
func TestConsentPageTellsWhoAsks(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	evil := w.clients["web"]
	evil.ID, evil.Name = "evil", "<script>alert(1)</script>\u202eedualC\u200b"+strings.Repeat("x", 10<<10)
	w.clients["evil"] = evil
	show := func(client, redirect string) string {
		return w.browser().toConsent(w.query("client_id", client, "redirect_uri", redirect), "bob").body
	}
	body := show("evil", webRedirect)
	for _, bad := range []string{"<script", "\u202e", "\u200b", strings.Repeat("x", 61)} {
		if strings.Contains(body, bad) {
			t.Errorf("row 65: page has %q", bad)
		}
	}
	if !strings.Contains(body, `<p class="destination">client.example</p>`) {
		t.Errorf("row 65: redirect host is not there:\n%s", body)
	}
	body = show("fake-claude", "https://evil.test/cb")
	if strings.Contains(body, "javascript:") || strings.Contains(body, "169.254") || !strings.Contains(body, `href="https://evil.test/privacy" rel="noreferrer noopener nofollow"`) {
		t.Errorf("rows 66, 67: links or logo:\n%s", body)
	}
	if !strings.Contains(body, "<strong>Unverified</strong>: this application named itself") || !strings.Contains(body, ">evil.test<") {
		t.Errorf("row 68: registered client:\n%s", body)
	}
	elsewhere := w.clients["https://claude.ai/oauth/mcp-oauth-client-metadata"]
	elsewhere.ID, elsewhere.RedirectURIs = "https://claude.ai/other", []string{"https://elsewhere.example/cb"}
	w.clients[elsewhere.ID] = elsewhere
	if body = show(elsewhere.ID, "https://elsewhere.example/cb"); !strings.Contains(body, "another host than the one that was verified") {
		t.Errorf("row 68: a redirect to another host is not marked:\n%s", body)
	}
	body = show("https://claude.ai/oauth/mcp-oauth-client-metadata", "https://claude.ai/api/mcp/auth_callback")
	if !strings.Contains(body, "Verified: claude.ai") || strings.Contains(body, "Unverified") {
		t.Errorf("row 68: document client:\n%s", body)
	}
	for _, want := range []string{"bob", "Use another account", "Use Orders", "<details>", "List orders", `class="risk read"`, `class="risk change"`,
		"at most 30 days", "You can disconnect at", `lang="en"`, "<h1>", "<main", `name="decision" value="deny"`, `name="decision" value="approve"`} {
		if !strings.Contains(body, want) {
			t.Errorf("page has no %q", want)
		}
	}
	if strings.Contains(body, "delete_order") || strings.Contains(body, "<script") || strings.Contains(body, "style=") {
		t.Errorf("page shows a tool that bob does not get, or has script or inline style")
	}
	if strings.Index(body, `value="deny"`) > strings.Index(body, `value="approve"`) {
		t.Error("Deny does not come first by keyboard")
	}
	if !strings.Contains(show("cursor", "cursor://anysphere.cursor-mcp/oauth/callback"), "the application that handles cursor: links") {
		t.Error("custom scheme is not explained")
	}
	if !strings.Contains(show("native", "http://127.0.0.1:1/callback"), "127.0.0.1 on this computer") {
		t.Error("loopback is not explained")
	}
}

// Row 71: a cookie that was tampered with, or is another browser's, or comes twice.
func TestBindingCookie_71_73_77(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	started := b.follow(b.authorize(w.query()))
	before := b.cookie("drawbridge-tx")
	p := b.follow(b.post("/oauth/dev/sign-in", withValue(started.fields(), "person", "dev/bob")))
	after := b.cookie("drawbridge-tx")
	if before == after || after == "" {
		t.Errorf("row 77: cookie %q is not renewed by signing in", after)
	}
	approve := withValue(p.fields(), "decision", "approve")
	for name, value := range map[string]string{"the one from before": before, "tampered": after[:len(after)-1] + "_", "made up": strings.Repeat("A", 43) + "." + strings.Repeat("B", 43),
		"with a prefix": "x" + after, "empty": ""} {
		stranger := w.browser()
		if value != "" {
			stranger.setCookie("drawbridge-tx", value)
		}
		got := stranger.post("/oauth/consent", approve)
		if got.StatusCode != http.StatusForbidden {
			t.Errorf("row 71: %s: %d", name, got.StatusCode)
		}
	}
	twice := w.browser()
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/oauth/consent", strings.NewReader(approve.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", w.url)
	r.Header.Set("Cookie", "drawbridge-tx="+before+"; drawbridge-tx="+after)
	w.wantPage(twice.send(r), http.StatusForbidden)
	if got := b.post("/oauth/consent", approve); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the right browser: %d", got.StatusCode)
	}

	oldest, next := b.authorize(w.query()).Header.Get("Location"), b.authorize(w.query()).Header.Get("Location")
	for range 199 {
		b.authorize(w.query())
	}
	w.wantPage(b.get(oldest), http.StatusBadRequest) // §17: the oldest of the browser went
	w.wantPage(b.get(next), http.StatusOK)
	total := 0
	for _, c := range b.client.Jar.Cookies(must(url.Parse(w.url))) {
		total += len(c.String()) + 2
	}
	if total > 4<<10 {
		t.Errorf("row 73: cookies are %d bytes after 200 sign-ins", total)
	}
}

// Row 77: whoever planted the start of the cookie and then signs in as themselves does not learn what the victim's browser
// holds after the victim signed in.
func TestPlantedCookieIsWorthNothingAfterSignIn_77(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	planted := strings.Repeat("A", 43)
	attacker, victim := w.browser(), w.browser()
	attacker.setCookie("drawbridge-tx", planted)
	victim.setCookie("drawbridge-tx", planted)
	attacker.toConsent(w.query(), "bob")
	p := victim.toConsent(w.query(), "alice")
	if attacker.cookie("drawbridge-tx") == victim.cookie("drawbridge-tx") {
		t.Fatal("the attacker holds the victim's cookie")
	}
	w.wantPage(attacker.post("/oauth/consent", withValue(p.fields(), "decision", "approve")), http.StatusForbidden)
	w.back(victim.post("/oauth/consent", withValue(p.fields(), "decision", "approve")), webRedirect)
}

// Cookie attributes on loopback http and on https (oauth.md §4).
func TestBindingCookieAttributes(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	set := w.browser().authorize(w.query()).Header.Get("Set-Cookie")
	for _, want := range []string{"drawbridge-tx=", "Path=/", "Max-Age=600", "HttpOnly", "SameSite=Lax"} {
		if !strings.Contains(set, want) {
			t.Errorf("cookie %q has no %s", set, want)
		}
	}
	if strings.Contains(set, "Secure") || strings.Contains(set, "__Host-") || strings.Contains(set, "Domain") {
		t.Errorf("cookie on loopback http: %q", set)
	}
	set = httpsAuthorize(t)
	for _, want := range []string{"__Host-drawbridge-tx=", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(set, want) {
			t.Errorf("cookie %q has no %s", set, want)
		}
	}
}

// Row 72: browsers and extensions fetch twice; the first form still works.
func TestConsentPageFetchedTwice_72(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	first := b.toConsent(w.query(), "bob")
	second := b.get("/oauth/consent?transaction=" + first.fields().Get("transaction"))
	if first.fields().Get("token") != second.fields().Get("token") {
		t.Error("the token changed")
	}
	w.back(b.post("/oauth/consent", withValue(first.fields(), "decision", "approve")), webRedirect)
}

// "Use another account" starts again at the provider with a choice of accounts; the old page is dead, and another
// person gets what their own roles allow.
func TestUseAnotherAccount(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	old := b.toConsent(w.query("scope", "mcp:orders orders.delete"), "bob")
	p := b.follow(b.post("/oauth/consent/account", old.fields()))
	p = b.follow(b.post("/oauth/dev/sign-in", withValue(p.fields(), "person", "dev/alice")))
	if !strings.Contains(p.body, "Delete orders") {
		t.Errorf("alice is not offered what she asked for:\n%s", p.body)
	}
	w.wantPage(b.post("/oauth/consent", withValue(old.fields(), "decision", "approve")), http.StatusBadRequest)
	w.back(b.post("/oauth/consent", withValue(p.fields(), "decision", "approve")), webRedirect)

	e := newWorld(t, worldOptions{})
	b = e.browser()
	up := b.post("/oauth/consent/account", b.toConsent(e.query(), "").fields())
	if got := must(url.Parse(up.Header.Get("Location"))).Query().Get("prompt"); got != "select_account" {
		t.Errorf("prompt = %q, want select_account", got)
	}
}

// The configuration may take a right away while the page is open.
func TestApprovalChecksRightsAgain(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	p := b.toConsent(w.query(), "bob")
	w.handler.Catalogue = catalogue{}
	w.wantRedirect(b.post("/oauth/consent", withValue(p.fields(), "decision", "approve")), "invalid_target")
	if n := w.count("code.issued"); n != 0 {
		t.Errorf("%d codes, want none", n)
	}
}

// Rows 38 and 141: no secret of the whole journey is in the log, not even at debug.
func TestNoSecretsInLogs_38_141(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := w.browser()
	up := b.callbackOf(w.query())
	p := b.follow(b.get(up))
	back := w.back(b.post("/oauth/consent", withValue(p.fields(), "decision", "approve")), webRedirect)
	b.get(up)
	b.authorize(w.query("response_type", "token"))
	w.entra.Set(authorizeError("access_denied", "AADSTS65001: secret text of the provider"))
	b.follow(b.authorize(w.query()))
	w.entra.Set(tokenFault(entraRefusal()))
	w.entra.Set(func(s *switches) { s.AuthorizeError = "" })
	b.follow(b.authorize(w.query()))
	logs := w.logs.String()
	if logs == "" {
		t.Fatal("nothing was logged")
	}
	upstream := must(url.Parse(up)).Query()
	for name, s := range map[string]string{"code": back.Get("code"), "upstream code": upstream.Get("code"), "upstream state": upstream.Get("state"),
		"client state": "client-state/1", "form token": p.fields().Get("token"), "cookie": b.cookie("drawbridge-tx"), "client secret": "s3cret-of-the-app",
		"jwt": "eyJ", "refresh": "upstream-refresh", "provider text": "secret text", "challenge": challenge(), "code=": "code=", "dbc_": "dbc_", "mail": "ada@contoso.com"} {
		if s != "" && strings.Contains(logs, s) {
			t.Errorf("log has the %s:\n%s", name, logs)
		}
	}
}

// The style sheet is ours, at an address of its content.
func TestStyleSheetIsImmutable(t *testing.T) {
	w := newWorld(t, worldOptions{dev: true})
	b := w.browser()
	p := b.follow(b.authorize(w.query()))
	m := regexp.MustCompile(`href="(/assets/[^"]+\.css)"`).FindStringSubmatch(p.body)
	if m == nil {
		t.Fatalf("no style sheet:\n%s", p.body)
	}
	css := b.get(m[1])
	if css.StatusCode != 200 || css.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || !strings.HasPrefix(css.Header.Get("Content-Type"), "text/css") {
		t.Errorf("got %d %v", css.StatusCode, css.Header)
	}
	if strings.Contains(css.body, "url(") || strings.Contains(css.body, "@import") {
		t.Error("style sheet loads something")
	}
}

func (b *browser) cookie(name string) string {
	for _, c := range b.client.Jar.Cookies(must(url.Parse(b.w.url))) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setCookie(name, value string) {
	b.client.Jar = must(cookiejar.New(nil))
	b.client.Jar.SetCookies(must(url.Parse(b.w.url)), []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}
