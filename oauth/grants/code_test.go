package grants_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

func TestACodeBecomesTokens(t *testing.T) {
	r := newRig(t)
	a := r.signIn(t)
	if a.text("scope") != "mcp:orders" || a.body["expires_in"] != float64(3600) || !strings.HasPrefix(a.text("refresh_token"), "dbr_") {
		t.Errorf("answer = %s", a.raw)
	}
	r.wantGood(t, a.text("access_token"))
	client, err := r.store.Client(t.Context(), publicID)
	if err != nil || client.LastUsed.IsZero() {
		t.Errorf("client %+v, %v: a used client must never be evicted", client, err)
	}
	if r.events.count("token.issued") != 1 {
		t.Error("no audit event")
	}
	r.wantNoSecretsLogged(t)
}

func TestAClientWithoutTheRefreshGrantGetsNoRefreshToken(t *testing.T) {
	r := newRig(t)
	c, err := r.store.Client(t.Context(), publicID)
	if err != nil {
		t.Fatal(err)
	}
	c.GrantTypes = []string{oauth.GrantAuthorizationCode}
	if err := r.store.PutClient(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if a := r.signIn(t); a.body["refresh_token"] != nil {
		t.Errorf("answer = %s", a.raw)
	}
}

func TestPKCEAtTheTokenEndpoint(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(url.Values)
		codes  []string
	}{
		"26 verifier missing":                   {del("code_verifier"), []string{oauth.InvalidGrant}},
		"27 verifier is the challenge":          {set("code_verifier", challenge), []string{oauth.InvalidGrant}},
		"28 wrong verifier":                     {set("code_verifier", strings.Repeat("a", 43)), []string{oauth.InvalidGrant}},
		"28 short verifier":                     {set("code_verifier", verifier[:42]), []string{oauth.InvalidRequest}},
		"28 long verifier":                      {set("code_verifier", strings.Repeat("a", 129)), []string{oauth.InvalidRequest}},
		"28 non-ASCII verifier":                 {set("code_verifier", strings.Repeat("ä", 43)), []string{oauth.InvalidRequest}},
		"37 victim's code, attacker's verifier": {set("code_verifier", strings.Repeat("x", 64)), []string{oauth.InvalidGrant}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			wantError(t, r.redeem(t, r.code(publicID), tc.change), tc.codes...)
		})
	}
}

func TestAWrongGuessSpendsTheCode(t *testing.T) {
	for name, change := range map[string]func(url.Values){
		"26 no verifier":   del("code_verifier"),
		"28 verifier":      set("code_verifier", strings.Repeat("a", 43)),
		"31 client":        set("client_id", otherID),
		"32 redirect_uri":  set("redirect_uri", "http://127.0.0.1:1/other"),
		"32 redirect port": set("redirect_uri", "http://127.0.0.1:51235/callback"),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			code := r.code(publicID)
			wantError(t, r.redeem(t, code, change), oauth.InvalidGrant)
			wantError(t, r.redeem(t, code), oauth.InvalidGrant)
		})
	}
}

func TestAReplayedCodeEndsItsTokens_29(t *testing.T) {
	r := newRig(t)
	code := r.code(publicID)
	a := r.redeem(t, code)
	wantOK(t, a)
	wantError(t, r.redeem(t, code), oauth.InvalidGrant)
	r.wantDead(t, a.text("access_token"))
	wantError(t, r.refresh(t, a.text("refresh_token")), oauth.InvalidGrant)
	if r.events.count("code.reused") != 1 {
		t.Error("no audit event code.reused")
	}
	r.wantNoSecretsLogged(t, code)
}

func TestAStrangersReplayRevokesNothing_29(t *testing.T) {
	r := newRig(t)
	code := r.code(publicID)
	a := r.redeem(t, code)
	wantError(t, r.redeem(t, code, set("client_id", otherID)), oauth.InvalidGrant)
	r.wantGood(t, a.text("access_token"))
}

func TestAReplayAfterADayRevokesNothing_29(t *testing.T) {
	r := newRig(t)
	code := r.code(publicID)
	a := r.redeem(t, code)
	r.pass(25 * time.Hour)
	wantError(t, r.redeem(t, code), oauth.InvalidGrant)
	wantOK(t, r.refresh(t, a.text("refresh_token")))
}

func TestOneOf50RedemptionsSucceeds_30(t *testing.T) {
	r := newRig(t)
	code := r.code(publicID)
	statuses := make([]int, 50)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() { statuses[i] = r.redeem(t, code).status })
	}
	wg.Wait()
	good := 0
	for _, s := range statuses {
		switch s {
		case http.StatusOK:
			good++
		case http.StatusBadRequest:
		default:
			t.Errorf("status %d", s)
		}
	}
	if good != 1 {
		t.Errorf("%d of 50 succeeded, want 1", good)
	}
}

func TestACodeOfAnotherClientIsRefused_31(t *testing.T) {
	r := newRig(t)
	wantError(t, r.redeem(t, r.code(publicID), set("client_id", otherID)), oauth.InvalidGrant)
	form := redeemForm(r.code(publicID))
	form.Del("client_id")
	wantError(t, r.post(t, "/oauth/token", form, withBasic(basicID, clientSecret)), oauth.InvalidGrant)
}

func TestTheRedirectURIMayBeAbsent_33(t *testing.T) {
	r := newRig(t)
	wantOK(t, r.redeem(t, r.code(publicID), del("redirect_uri")))
}

func TestACodeExpires_34(t *testing.T) {
	r := newRig(t)
	code := r.code(publicID)
	r.pass(time.Minute)
	wantError(t, r.redeem(t, code), oauth.InvalidGrant)
}

func TestACodeIsRedeemedOnAnyReplica_35(t *testing.T) {
	r := newRig(t)
	other, _ := r.replica()
	r.server = r.serve(t, other)
	a := r.redeem(t, r.code(publicID))
	wantOK(t, a)
	r.wantGood(t, a.text("access_token"))
}

func TestTheResourceOfACode_36(t *testing.T) {
	for resource, code := range map[string]string{
		publicURL + "/mcp/billing": oauth.InvalidTarget, "https://evil.test/mcp/orders": oauth.InvalidTarget, "orders": oauth.InvalidTarget,
		orders + "#x": oauth.InvalidTarget, orders: "", orders + "/": "", "HTTPS://GW.EXAMPLE.COM:443/mcp/orders": "", orders + "/sse": "",
	} {
		t.Run(resource, func(t *testing.T) {
			r := newRig(t)
			a := r.redeem(t, r.code(publicID), set("resource", resource))
			if code != "" {
				wantError(t, a, code)
				return
			}
			wantOK(t, a)
		})
	}
}

func TestUnknownAndMalformedCodes(t *testing.T) {
	r := newRig(t)
	for _, code := range []string{"x", "dbc_", "dbc_" + strings.Repeat("a", 43), "dbc_" + strings.Repeat("a", 60)} {
		wantError(t, r.redeem(t, code), oauth.InvalidGrant)
	}
	wantError(t, r.redeem(t, ""), oauth.InvalidRequest)
}

func TestARevokedOrUnusableGrantGivesNothingForItsCode(t *testing.T) {
	for name, change := range map[string]func(*oauth.Grant, *oauth.Code){
		"revoked": func(g *oauth.Grant, _ *oauth.Code) { g.Revoked, g.Reason = g.Created, "disconnected" },
		"role": func(g *oauth.Grant, c *oauth.Code) {
			g.Resource, c.Resource = publicURL+"/mcp/billing", publicURL+"/mcp/billing"
		},
		"retired": func(g *oauth.Grant, c *oauth.Code) {
			g.Resource, c.Resource = publicURL+"/mcp/gone", publicURL+"/mcp/gone"
		},
		"no grant": func(_ *oauth.Grant, c *oauth.Code) { c.GrantID = "gone" },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			wantError(t, r.redeem(t, r.code(publicID, change)), oauth.InvalidGrant)
		})
	}
}

func TestScopesThatRolesDoNotAllowAreRemoved_17(t *testing.T) {
	r := newRig(t)
	wide := func(g *oauth.Grant, _ *oauth.Code) { g.Scopes = []string{"mcp:orders", "orders.delete"} }
	if a := r.signIn(t, wide); a.text("scope") != "mcp:orders" {
		t.Errorf("scope = %q", a.text("scope"))
	}
	with := func(g *oauth.Grant, _ *oauth.Code) { g.Identity.Roles = []string{"role:orders.delete"} }
	if a := r.signIn(t, wide, with); a.text("scope") != "mcp:orders orders.delete" {
		t.Errorf("scope = %q", a.text("scope"))
	}
}

func TestTheHundredAndFirstGrantEndsTheOldest_Ceilings(t *testing.T) {
	r := newRig(t)
	oldest := r.signIn(t)
	other := r.redeem(t, r.code(otherID), set("client_id", otherID))
	for range 99 {
		r.pass(time.Second)
		r.signIn(t)
	}
	r.wantGood(t, oldest.text("access_token"))
	r.pass(time.Second)
	r.signIn(t)
	r.wantDead(t, oldest.text("access_token"))
	r.wantGood(t, other.text("access_token"))
}
