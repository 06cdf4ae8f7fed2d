package grants_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

func TestRefreshRotates(t *testing.T) {
	r := newRig(t)
	first := r.signIn(t)
	second := r.refresh(t, first.text("refresh_token"))
	wantOK(t, second)
	if second.text("refresh_token") == first.text("refresh_token") || second.text("refresh_token") == "" {
		t.Errorf("refresh token = %q", second.text("refresh_token"))
	}
	r.wantGood(t, second.text("access_token"))
	third := r.refresh(t, second.text("refresh_token"))
	wantOK(t, third)
	r.wantNoSecretsLogged(t, first.text("refresh_token"))
	if r.events.count("token.refreshed") != 2 {
		t.Error("audit events are missing")
	}
}

func TestAMalformedRefreshTokenIsRefused_103(t *testing.T) {
	r := newRig(t)
	good := r.signIn(t).text("refresh_token")
	flipped := good[:len(good)-2] + "zz"
	if flipped == good {
		flipped = good[:len(good)-2] + "yy"
	}
	for name, token := range map[string]string{
		"flipped": flipped, "cut": good[:len(good)-1], "of another installation": tokens.NewRefresh().Token, "access token": "eyJ.e30.x",
		"code": "dbc_" + strings.Repeat("a", 43),
	} {
		t.Run(name, func(t *testing.T) { wantError(t, r.refresh(t, token), oauth.InvalidGrant) })
	}
	wantError(t, r.refresh(t, ""), oauth.InvalidRequest)
	wantOK(t, r.refresh(t, good)) // guessing harmed nobody
}

func TestReuseAfterTheGraceEndsTheFamily_104(t *testing.T) {
	r := newRig(t)
	first := r.signIn(t)
	second := r.refresh(t, first.text("refresh_token"))
	r.pass(31 * time.Second)
	wantError(t, r.refresh(t, first.text("refresh_token")), oauth.InvalidGrant)
	wantError(t, r.refresh(t, second.text("refresh_token")), oauth.InvalidGrant)
	r.wantDead(t, first.text("access_token"))
	r.wantDead(t, second.text("access_token"))
	if r.events.count("token.reuse_detected") != 1 {
		t.Error("no audit event token.reuse_detected")
	}
}

func TestReuseWithinTheGraceAfterTheSuccessorWasUsedEndsTheFamily_104(t *testing.T) {
	r := newRig(t)
	first := r.signIn(t)
	second := r.refresh(t, first.text("refresh_token"))
	third := r.refresh(t, second.text("refresh_token"))
	wantOK(t, third)
	wantError(t, r.refresh(t, first.text("refresh_token")), oauth.InvalidGrant)
	wantError(t, r.refresh(t, third.text("refresh_token")), oauth.InvalidGrant)
}

func TestWithoutGraceEveryReuseEndsTheFamily_104(t *testing.T) {
	r := newRig(t)
	r.cfg.RefreshGrace = 0
	first := r.signIn(t)
	wantOK(t, r.refresh(t, first.text("refresh_token")))
	wantError(t, r.refresh(t, first.text("refresh_token")), oauth.InvalidGrant)
	r.wantDead(t, first.text("access_token"))
}

func TestFiftyRefreshesAtOnceGetOneSuccessorAndAskTheProviderOnce_105(t *testing.T) {
	r := newRig(t)
	r.pass(time.Minute)
	token := r.signIn(t).text("refresh_token")
	r.pass(time.Minute)
	answers := make([]reply, 50)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = r.refresh(t, token) })
	}
	wg.Wait()
	for i, a := range answers {
		if a.status != 200 || a.text("refresh_token") != answers[0].text("refresh_token") {
			t.Fatalf("answer %d: %d, successor differs: %v", i, a.status, a.text("refresh_token") != answers[0].text("refresh_token"))
		}
		r.wantGood(t, a.text("access_token"))
	}
	if r.provider.calls != 1 {
		t.Errorf("the provider was asked %d times, want once", r.provider.calls)
	}
	wantOK(t, r.refresh(t, answers[0].text("refresh_token")))
}

func TestALostAnswerIsRepeated_106(t *testing.T) {
	r := newRig(t)
	first := r.signIn(t)
	second := r.refresh(t, first.text("refresh_token"))
	r.pass(30 * time.Second)
	again := r.refresh(t, first.text("refresh_token"))
	wantOK(t, again)
	if again.text("refresh_token") != second.text("refresh_token") {
		t.Error("another successor")
	}
	if r.events.count("token.graced") != 1 {
		t.Error("no audit event token.graced")
	}
}

func TestAnotherClientsRefreshTokenIsRefusedAndTheFamilyLives_107(t *testing.T) {
	r := newRig(t)
	token := r.signIn(t).text("refresh_token")
	wantError(t, r.refresh(t, token, set("client_id", otherID)), oauth.InvalidGrant)
	wantOK(t, r.refresh(t, token))
	wantError(t, r.refresh(t, token, set("client_id", otherID)), oauth.InvalidGrant) // a used one neither
	wantOK(t, r.refresh(t, token))
}

func TestScopeOfARefresh_108(t *testing.T) {
	r := newRig(t)
	wide := func(g *oauth.Grant, _ *oauth.Code) {
		g.Scopes = []string{"mcp:orders", "orders.delete"}
		g.Identity.Roles = []string{"role:orders.delete"}
	}
	r.provider.roles = []string{"role:orders.delete"}
	token := r.signIn(t, wide).text("refresh_token")
	wantError(t, r.refresh(t, token, set("scope", "mcp:orders orders.delete llm")), oauth.InvalidScope)
	narrow := r.refresh(t, token, set("scope", " mcp:orders offline_access"))
	wantOK(t, narrow)
	if narrow.text("scope") != "mcp:orders" {
		t.Errorf("scope = %q, want narrower", narrow.text("scope"))
	}
	if whole := r.refresh(t, narrow.text("refresh_token")); whole.text("scope") != "mcp:orders orders.delete" {
		t.Errorf("scope = %q: the grant must not get narrower", whole.text("scope"))
	}
}

func TestAnotherResourceAtRefresh_109(t *testing.T) {
	r := newRig(t)
	token := r.signIn(t).text("refresh_token")
	wantError(t, r.refresh(t, token, set("resource", publicURL+"/llm")), oauth.InvalidTarget)
	wantOK(t, r.refresh(t, token, set("resource", orders+"/")))
}

func TestRefreshAfterTheEndOfTheGrant_110(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *rig, reply){
		"revocation": func(t *testing.T, r *rig, a reply) {
			form := map[string][]string{"token": {a.text("access_token")}, "client_id": {publicID}}
			if got := r.post(t, "/oauth/revoke", form); got.status != 200 {
				t.Fatalf("revoke = %d", got.status)
			}
		},
		"block": func(t *testing.T, r *rig, _ reply) {
			c, err := r.store.Client(t.Context(), publicID)
			if err != nil {
				t.Fatal(err)
			}
			c.Status = oauth.Blocked
			if err := r.store.PutClient(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		},
		"sign-out everywhere": func(t *testing.T, r *rig, _ reply) {
			list, err := r.store.GrantsOf(t.Context(), "t/ada", r.now)
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			if err := r.store.RevokeGrant(t.Context(), list[0].ID, "sign_out", r.now); err != nil {
				t.Fatal(err)
			}
		},
		"111 absolute end":   func(_ *testing.T, r *rig, _ reply) { r.pass(720 * time.Hour) },
		"server retired":     func(_ *testing.T, r *rig, _ reply) { r.cat[0].URI = publicURL + "/mcp/renamed" },
		"59 role removed":    func(_ *testing.T, r *rig, _ reply) { r.cat[0].Usable = r.cat[1].Usable },
		"59 person disabled": func(_ *testing.T, r *rig, _ reply) { r.provider.err = &oauth.Error{Code: oauth.InvalidGrant} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a := r.signIn(t)
			end(t, r, a)
			wantError(t, r.refresh(t, a.text("refresh_token")), oauth.InvalidGrant)
		})
	}
}

func TestRefreshEndsWithTheGrantHoweverOftenItRotates_111(t *testing.T) {
	r := newRig(t)
	token := r.signIn(t).text("refresh_token")
	for range 3 {
		r.pass(200 * time.Hour)
		a := r.refresh(t, token)
		wantOK(t, a)
		token = a.text("refresh_token")
	}
	r.pass(120 * time.Hour)
	wantError(t, r.refresh(t, token), oauth.InvalidGrant)
}

func TestAProvidersNoEndsTheGrant_59(t *testing.T) {
	r := newRig(t)
	a := r.signIn(t)
	r.provider.err = &oauth.Error{Code: oauth.InvalidGrant, Description: "disabled"}
	wantError(t, r.refresh(t, a.text("refresh_token")), oauth.InvalidGrant)
	r.wantDead(t, a.text("access_token"))
	r.provider.err = nil
	wantError(t, r.refresh(t, a.text("refresh_token")), oauth.InvalidGrant)
}

func TestNewRolesCountFromTheNextRefresh_59(t *testing.T) {
	r := newRig(t)
	a := r.signIn(t)
	r.provider.roles = []string{"Writer"}
	b := r.refresh(t, a.text("refresh_token"))
	wantOK(t, b)
	c, err := r.verifier.Verify(t.Context(), b.text("access_token"), orders)
	if err != nil || c.HasRole("Reader") || !c.HasRole("Writer") {
		t.Errorf("roles = %v, %v", c, err)
	}
	grants, err := r.store.GrantsOf(t.Context(), "t/ada", r.now)
	if err != nil || len(grants) != 1 || grants[0].Upstream.RefreshToken != "upstream" || grants[0].Upstream.AccessToken != "next" {
		t.Errorf("grants = %+v, %v: an absent upstream refresh token must keep the old one", grants, err)
	}
}

func TestAProviderOutageEndsNothing_58(t *testing.T) {
	for name, fault := range map[string]error{
		"unavailable": &oauth.Error{Code: oauth.TemporarilyUnavailable}, "some network fault": errors.New("connection reset"),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a := r.signIn(t)
			r.provider.err = fault
			r.pass(59 * time.Minute)
			b := r.refresh(t, a.text("refresh_token"))
			wantOK(t, b) // with the stored roles
			r.pass(time.Minute)
			c := r.refresh(t, b.text("refresh_token"))
			wantError(t, c, oauth.TemporarilyUnavailable)
			if c.header.Get("Retry-After") != "5" {
				t.Errorf("Retry-After = %q", c.header.Get("Retry-After"))
			}
			r.provider.err = nil
			wantOK(t, r.refresh(t, b.text("refresh_token"))) // still good
		})
	}
}

func TestTroubleWithOurOwnCredentialIsNobodysFault(t *testing.T) {
	r := newRig(t)
	a := r.signIn(t)
	r.provider.err = &oauth.Error{Code: oauth.ServerError, Err: errors.New("AADSTS7000215")}
	wantError(t, r.refresh(t, a.text("refresh_token")), oauth.TemporarilyUnavailable)
	r.provider.err = nil
	wantOK(t, r.refresh(t, a.text("refresh_token")))
}

func TestARecentCheckIsReusedButSigningInIsNone(t *testing.T) {
	r := newRig(t)
	a := r.signIn(t)
	for i, pause := range []time.Duration{time.Second, 9 * time.Second, time.Second, 11 * time.Second} {
		r.pass(pause)
		b := r.refresh(t, a.text("refresh_token"))
		wantOK(t, b)
		a = b
		if want := []int{1, 1, 2, 3}[i]; r.provider.calls != want {
			t.Errorf("after refresh %d the provider was asked %d times, want %d", i+1, r.provider.calls, want)
		}
	}
}

func TestAStoreThatIsDownIs503_112(t *testing.T) {
	r := newRig(t)
	code := r.code(publicID)
	a := r.signIn(t)
	r.store.Fail(errors.New("database is locked"))
	for _, answer := range []reply{r.redeem(t, code), r.refresh(t, a.text("refresh_token"))} {
		wantError(t, answer, oauth.TemporarilyUnavailable)
		if answer.header.Get("Retry-After") != "5" || strings.Contains(answer.raw, "locked") {
			t.Errorf("answer = %v %s", answer.header, answer.raw)
		}
	}
	r.store.Fail(nil)
	wantOK(t, r.redeem(t, code))
	wantOK(t, r.refresh(t, a.text("refresh_token")))
}

func TestAnAccessTokenOfARefreshNeverOutlivesTheGrant(t *testing.T) {
	r := newRig(t)
	a := r.signIn(t)
	r.pass(720*time.Hour - 10*time.Minute)
	if b := r.refresh(t, a.text("refresh_token")); b.body["expires_in"] != float64(600) {
		t.Errorf("answer = %s", b.raw)
	}
}

func TestTokensOfAnotherInstallationAreForeign_103(t *testing.T) {
	r := newRig(t)
	a := r.signIn(t)
	ring, err := secret.NewKeyring(r.now)
	if err != nil {
		t.Fatal(err)
	}
	r.ring = ring
	r.wantDead(t, a.text("access_token"))
}
