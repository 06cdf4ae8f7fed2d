package authflow_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
)

// callbackOf goes as far as the provider and returns the address it sends the browser back to, not yet followed.
func (b *browser) callbackOf(q url.Values) string {
	b.w.t.Helper()
	p := b.get(b.authorize(q).Header.Get("Location"))
	to := p.Header.Get("Location")
	if !strings.HasPrefix(to, b.w.url+"/oauth/callback?") {
		b.w.t.Fatalf("provider answered %d %q", p.StatusCode, to)
	}
	return to
}

func (w *world) tokenRequests() int { return len(w.entra.Log("/token")) }

// change returns a URL with query parameters replaced; "-" removes.
func change(raw string, pairs ...string) string {
	u := must(url.Parse(raw))
	q := u.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Row 39: a callback in a browser without the cookie, or with another one, ends the transaction.
func TestCallbackInAnotherBrowserKillsTheTransaction_39(t *testing.T) {
	w := newWorld(t, worldOptions{})
	victim, attacker := w.browser(), w.browser()
	to := attacker.callbackOf(w.query())
	w.wantPage(victim.get(to), http.StatusForbidden) // no cookie at all
	w.wantPage(attacker.get(to), http.StatusBadRequest)
	to = attacker.callbackOf(w.query())
	victim.authorize(w.query()) // now the victim has a cookie of their own
	p := victim.get(to)
	w.wantPage(p, http.StatusForbidden)
	if !strings.Contains(p.body, "This sign-in was started in another browser.") {
		t.Errorf("page says\n%s", p.body)
	}
	w.wantPage(attacker.get(to), http.StatusBadRequest)
	if n := w.tokenRequests(); n != 0 {
		t.Errorf("%d token requests, want none", n)
	}
}

// Row 40: a state is unknown, replayed or expired.
func TestCallbackStateWorksOnceAndInTime_40(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := w.browser()
	to := b.callbackOf(w.query())
	for _, bad := range []string{change(to, "state", "-"), change(to, "state", "nobody"), change(to, "state", "client-state/1"), to + "&state=x"} {
		w.wantPage(b.get(bad), http.StatusBadRequest)
	}
	if p := b.get(to); p.StatusCode != http.StatusSeeOther {
		t.Fatalf("good callback: %d\n%s", p.StatusCode, p.body)
	}
	p := b.get(to)
	w.wantPage(p, http.StatusBadRequest)
	if !strings.Contains(p.body, "This sign-in was already used.") || w.tokenRequests() != 1 {
		t.Errorf("replay made a token request, or says\n%s", p.body)
	}
	to = b.callbackOf(w.query())
	w.advance(11 * time.Minute)
	if p = b.get(to); !strings.Contains(p.body, "This sign-in took too long. Go back to your application and connect again.") {
		t.Errorf("expired says\n%s", p.body)
	}
	w.wantPage(p, http.StatusBadRequest)
}

// Row 41: two clients with one state are independent; the client's state never finds a transaction.
func TestTwoClientsMayChooseOneState_41(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := w.browser()
	one := b.callbackOf(w.query())
	two := b.callbackOf(w.query("client_id", "native", "redirect_uri", "http://127.0.0.1:7777/callback"))
	first, second := b.follow(b.get(one)), b.follow(b.get(two))
	if !strings.Contains(first.body, "client.example") || !strings.Contains(second.body, "127.0.0.1 on this computer") {
		t.Errorf("pages are mixed up:\n%s\n%s", first.body, second.body)
	}
	// Parallel sign-ins of one browser share the cookie: both forms still work.
	for _, p := range []page{first, second} {
		if got := b.post("/oauth/consent", withValue(p.fields(), "decision", "approve")); got.StatusCode != http.StatusSeeOther {
			t.Errorf("approve: %d\n%s", got.StatusCode, got.body)
		}
	}
}

// Row 43: a forged iss ends it before any token request (RFC 9207).
func TestCallbackOfAnotherIssuerMakesNoTokenRequest_43(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := w.browser()
	w.wantPage(b.get(change(b.callbackOf(w.query()), "iss", "https://evil.test")), http.StatusBadRequest)
	w.wantPage(b.get(change(b.callbackOf(w.query()), "iss", "https://evil.test", "error", "access_denied", "code", "-")), http.StatusBadRequest)
	if n := w.tokenRequests(); n != 0 {
		t.Errorf("%d token requests, want none", n)
	}
	if p := b.get(change(b.callbackOf(w.query()), "iss", w.entra.URL+"/"+oauthtest.Contoso+"/v2.0")); p.StatusCode != http.StatusSeeOther {
		t.Errorf("the right iss: %d", p.StatusCode)
	}
	w.wantPage(b.get(change(b.callbackOf(w.query()), "code", "-")), http.StatusBadRequest)
}

// Rows 44 to 50 and 55: ID tokens that are wrong in every way we know of.
func TestWrongIDTokensEndOnAPageWithoutACode(t *testing.T) {
	w := newWorld(t, worldOptions{})
	fetched := false
	evil := serve(t, func(http.ResponseWriter, *http.Request) { fetched = true })
	for _, preset := range oauthtest.Presets(w.now(), evil) {
		t.Run("row "+preset.Row+" "+preset.Name, func(t *testing.T) {
			w.entra.Set(func(s *oauthtest.Switches) { s.IDToken = preset.Forge })
			b := w.browser()
			p := b.follow(b.authorize(w.query()))
			if p.StatusCode != http.StatusBadRequest || strings.Contains(p.Header.Get("Location"), "code=") {
				t.Fatalf("got %d %q, want page 400", p.StatusCode, p.Header.Get("Location"))
			}
			w.wantPage(p, http.StatusBadRequest, "eyJ", evil)
		})
	}
	if fetched {
		t.Error("an address in a token header was fetched")
	}
	if n := len(w.entra.Log("/keys")); n > 1 {
		t.Errorf("row 46: %d key fetches, want one", n)
	}
}

// Rows 53, 56 and 58: what the provider says, in the words of oauth.md §10.2.
func TestProviderAnswersAreMapped(t *testing.T) {
	html := ": <script>alert(1)</script> Trace ID: 1"
	for _, tc := range []struct {
		row, name string
		set       func(*oauthtest.Switches)
		code      string
		text      string
	}{
		{"56", "declined", authorizeError("access_denied", "AADSTS65004"+html), "access_denied", "sign-in was cancelled"},
		{"56", "cancelled", authorizeError("access_denied", "the user closed the page"), "access_denied", "sign-in was cancelled"},
		{"56", "not assigned", authorizeError("invalid_grant", "AADSTS50105"+html), "access_denied", "you are not assigned to this application"},
		{"56", "consent needed", authorizeError("access_denied", "AADSTS65001"+html), "access_denied", "an administrator of Contoso must approve Drawbridge first"},
		{"56", "admin consent needed", authorizeError("x", "AADSTS90094"+html), "access_denied", "an administrator of Contoso must approve Drawbridge first"},
		{"56", "other tenant", authorizeError("invalid_request", "AADSTS50020"), "access_denied", "your organization is not set up here"},
		{"56", "anything else", authorizeError("invalid_request", "AADSTS123456"+html), "access_denied", "sign-in failed (123456)"},
		{"56", "text as code", authorizeError("<b>evil</b>", "no number"), "access_denied", "sign-in failed (unknown)"},
		{"56", "our scopes", authorizeError("invalid_target", "AADSTS9010010"+html), "server_error", "internal error"},
		{"58", "busy", authorizeError("temporarily_unavailable", "AADSTS90033"), "temporarily_unavailable", ""},
		{"58", "token 500", tokenFault(oauthtest.Fault{Status: 500}), "temporarily_unavailable", ""},
		{"58", "token 503", tokenFault(oauthtest.Fault{Status: 503}), "temporarily_unavailable", ""},
		{"58", "token 429", tokenFault(oauthtest.Fault{Status: 429}), "temporarily_unavailable", ""},
		{"58", "token hangs", tokenFault(oauthtest.Fault{Hang: true}), "temporarily_unavailable", ""},
		{"58", "token not JSON", tokenFault(oauthtest.Fault{Junk: true}), "temporarily_unavailable", ""},
		{"58", "token 2 MiB", tokenFault(oauthtest.Fault{Huge: true}), "temporarily_unavailable", ""},
		{"58", "token redirects", tokenFault(oauthtest.Fault{Redirect: "https://evil.test/"}), "temporarily_unavailable", ""},
		{"58", "no id token", func(s *oauthtest.Switches) { s.NoIDToken = true }, "temporarily_unavailable", ""},
		{"58", "keys 500", func(s *oauthtest.Switches) { s.JWKS.Status = 500 }, "temporarily_unavailable", ""},
		{"56", "token refused", tokenFault(oauthtest.Fault{Code: "invalid_grant", Description: "AADSTS50105" + html}), "access_denied", "you are not assigned to this application"},
		{"56", "our secret", tokenFault(oauthtest.Fault{Status: 401, Code: "invalid_client", Description: "AADSTS7000215" + html}), "server_error", "internal error"},
		{"56", "code of another sign-in", func(s *oauthtest.Switches) { s.OtherCode = "1.AXoA-somebody-elses" }, "access_denied", "sign-in failed (9002313)"},
		{"53", "guest", func(s *oauthtest.Switches) { s.Person("Ada", func(p *oauthtest.EntraPerson) { p.Guest = true }) }, "access_denied", "guests may not sign in here"},
		{"59", "disabled", func(s *oauthtest.Switches) { s.Person("Ada", func(p *oauthtest.EntraPerson) { p.Disabled = true }) }, "access_denied", "sign-in failed (50057)"},
	} {
		t.Run("row "+tc.row+" "+tc.name, func(t *testing.T) {
			w := newWorld(t, worldOptions{client: &http.Client{Timeout: 200 * time.Millisecond}})
			w.entra.Set(tc.set)
			b := w.browser()
			q := w.wantRedirect(b.follow(b.authorize(w.query())), tc.code)
			if tc.text != "" && q.Get("error_description") != tc.text {
				t.Errorf("error_description = %q, want %q", q.Get("error_description"), tc.text)
			}
			if strings.Contains(w.logs.String(), "script") {
				t.Errorf("text of the provider is in the log:\n%s", w.logs.String())
			}
		})
	}
}

func authorizeError(code, description string) func(*oauthtest.Switches) {
	return func(s *oauthtest.Switches) { s.AuthorizeError, s.AuthorizeDescription = code, description }
}

func tokenFault(f oauthtest.Fault) func(*oauthtest.Switches) {
	return func(s *oauthtest.Switches) { s.Token = f }
}

// §4.2 row 9: whoever may not use the server is told so, with a way back that carries the error.
func TestPersonWithoutTheRoleGetsAPageThatNamesIt(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := w.browser()
	p := b.follow(b.authorize(w.query("resource", w.url+"/mcp/payroll", "scope", "mcp:payroll")))
	w.wantPage(p, http.StatusForbidden)
	for _, want := range []string{"You are not allowed to use Payroll.", "the role Payroll.User", "Back to Web client", "https://client.example/callback?keep=1&amp;error=access_denied"} {
		if !strings.Contains(p.body, want) {
			t.Errorf("page has no %q:\n%s", want, p.body)
		}
	}
}

// Row 54: a list of groups that is not there never means "no groups".
func TestMissingGroupsDeny_54(t *testing.T) {
	w := newWorld(t, worldOptions{groups: true})
	b := w.browser()
	w.entra.Set(func(s *oauthtest.Switches) { s.Graph.Status = 500 })
	w.wantRedirect(b.follow(b.authorize(w.query())), "temporarily_unavailable")
	w.entra.Set(func(s *oauthtest.Switches) { s.Graph.Status = 403 })
	q := w.wantRedirect(b.follow(b.authorize(w.query())), "access_denied")
	if want := "Drawbridge may not read your groups; ask an administrator to grant GroupMember.Read.All"; q.Get("error_description") != want {
		t.Errorf("error_description = %q", q.Get("error_description"))
	}
	w.entra.Set(func(s *oauthtest.Switches) {
		s.Person("Ada", func(p *oauthtest.EntraPerson) { p.Groups = []string{"g-2", "g-1"} })
	})
	b.toConsent(w.query(), "")
}

// §11.2: several tenants are chosen from on a page of ours; a login hint of a listed domain skips it.
func TestOrganizationIsChosenOnAPageOfOurs(t *testing.T) {
	w := newWorld(t, worldOptions{tenants: []entra.Tenant{{ID: oauthtest.Contoso, Name: "Contoso", Domains: []string{"contoso.com"}}, {ID: oauthtest.Fabrikam, Name: "Fabrikam"}}})
	b := w.browser()
	p := b.authorize(w.query())
	w.wantPage(p, http.StatusOK)
	if csp := p.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "form-action 'self' https://client.example https: "+w.entra.URL) {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	fields := p.fields()
	w.wantPage(b.post("/oauth/organization", withValue(fields, "organization", "9188040d-6c67-4c5b-b112-36a304b66dad")), http.StatusForbidden)
	w.wantPage(b.post("/oauth/organization", withValue(withValue(fields, "token", "x"), "organization", oauthtest.Fabrikam)), http.StatusForbidden)
	w.wantPage(w.browser().post("/oauth/organization", withValue(fields, "organization", oauthtest.Fabrikam)), http.StatusForbidden)
	w.entra.Set(func(s *oauthtest.Switches) { s.Current = "Cleo" })
	chosen := b.post("/oauth/organization", withValue(fields, "organization", oauthtest.Fabrikam))
	if to := chosen.Header.Get("Location"); chosen.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, w.entra.URL+"/"+oauthtest.Fabrikam+"/") {
		t.Fatalf("choice led to %d %q", chosen.StatusCode, to)
	}
	if p := b.follow(chosen); !strings.Contains(p.body, "cleo@fabrikam.com · Fabrikam") {
		t.Errorf("no consent page of Cleo:\n%s", p.body)
	}
	hinted := w.browser().authorize(w.query("login_hint", "ada@contoso.com"))
	if to := hinted.Header.Get("Location"); !strings.HasPrefix(to, w.entra.URL+"/"+oauthtest.Contoso+"/") {
		t.Errorf("hint led to %d %q", hinted.StatusCode, to)
	}
}

// Rows 51 and 52: a person is (tid, oid): neither a shared mail address nor a new name changes that.
func TestPersonIsTenantAndObjectID(t *testing.T) {
	w := newWorld(t, worldOptions{tenants: []entra.Tenant{{ID: oauthtest.Contoso, Name: "Contoso", Domains: []string{"contoso.com"}}, {ID: oauthtest.Fabrikam, Name: "Fabrikam", Domains: []string{"fabrikam.com"}}}})
	subject := func(name, hint string) string {
		w.entra.Set(func(s *oauthtest.Switches) { s.Current = name })
		b := w.browser()
		p := b.toConsent(w.query("login_hint", hint), "")
		b.post("/oauth/consent", withValue(p.fields(), "decision", "approve"))
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.events[len(w.events)-1].Subject
	}
	ada, cleo := subject("Ada", "x@contoso.com"), subject("Cleo", "x@fabrikam.com")
	if ada != oauthtest.Contoso+"/aaaaaaaa-0000-4000-8000-000000000001" || cleo == ada || cleo == "" {
		t.Errorf("row 51: subjects %q and %q", ada, cleo)
	}
	w.entra.Set(func(s *oauthtest.Switches) {
		s.Person("Ada", func(p *oauthtest.EntraPerson) {
			p.Name, p.UPN, p.Email = "Augusta", "augusta@contoso.com", "a@x.example"
		})
	})
	if got := subject("Augusta", "x@contoso.com"); got != ada {
		t.Errorf("row 52: subject = %q, want %q", got, ada)
	}
}

// Two browsers, one script: nothing the attacker begins can be finished by the victim, and the other way round.
func TestTwoBrowsers(t *testing.T) {
	w := newWorld(t, worldOptions{})
	attacker, victim := w.browser(), w.browser()

	// The attacker's request is opened by the victim, who is asked, sees the attacker's client, and says no.
	p := victim.toConsent(w.query("client_id", "fake-claude", "redirect_uri", "https://evil.test/cb"), "")
	if !strings.Contains(p.body, "<strong>Unverified</strong>") || !strings.Contains(p.body, "evil.test") {
		t.Errorf("page does not warn:\n%s", p.body)
	}
	stolen := p.Request.URL.String() // the address leaks to the attacker
	w.wantPage(attacker.get(stolen), http.StatusForbidden)
	w.wantPage(victim.get(stolen), http.StatusBadRequest) // killed

	// The attacker's own consent page posted from the victim's browser (row 62).
	mine := attacker.toConsent(w.query(), "")
	w.wantPage(victim.post("/oauth/consent", withValue(mine.fields(), "decision", "approve")), http.StatusForbidden)
	if got := attacker.post("/oauth/consent", withValue(mine.fields(), "decision", "deny")); w.back(got, webRedirect).Get("error") != "access_denied" {
		t.Errorf("the attacker's transaction changed: %d", got.StatusCode)
	}
	if n := w.count("code.issued"); n != 0 {
		t.Errorf("%d codes, want none", n)
	}
}

var _ oauth.Provider = (*entra.Dev)(nil)
