package resource_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/oauth/resource"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	publicURL = "https://gw.example.com"
	orders    = publicURL + "/mcp/orders"
	billing   = publicURL + "/mcp/billing"
	llm       = publicURL + "/llm"

	ordersChallenge = `Bearer resource_metadata="https://gw.example.com/.well-known/oauth-protected-resource/mcp/orders", scope="mcp:orders"`
	badToken        = `, error="invalid_token", error_description="the access token is not valid"`
	llmChallenge    = `Bearer realm="drawbridge", resource_metadata="https://gw.example.com/.well-known/oauth-protected-resource/llm", scope="llm"`

	activeKey    = "dev-key-0123456789"
	suspendedKey = "suspended-0123456789"
)

type rig struct {
	now   time.Time
	ring  *secret.Keyring
	store *oauthtest.Memory
	cat   oauthtest.Catalogue
	issue func(audience string, change ...func(*tokens.Access)) string
	auth  *resource.Authenticator
	keys  *resource.Keys
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), store: &oauthtest.Memory{}}
	var err error
	if r.ring, err = secret.NewKeyring(r.now); err != nil {
		t.Fatal(err)
	}
	r.cat = oauthtest.Catalogue{
		oauthtest.Server(publicURL, "orders", nil, "orders.delete", "orders.read"), oauthtest.Server(publicURL, "billing", []string{"Accountant"}), oauthtest.LLM(publicURL),
	}
	clock, keyring := func() time.Time { return r.now }, func() *secret.Keyring { return r.ring }
	issuer := &tokens.Issuer{Issuer: publicURL, Keyring: keyring, Now: clock}
	r.issue = func(audience string, change ...func(*tokens.Access)) string {
		res, _ := r.cat.Resource(audience)
		a := tokens.Access{Audience: audience, Subject: "t/ada", ClientID: "dcr_x", GrantID: "grant", Scopes: []string{res.Scope}}
		for _, f := range change {
			f(&a)
		}
		issued, err := issuer.Issue(a)
		if err != nil {
			t.Fatal(err)
		}
		return issued.Token
	}
	r.store.PutGrant(oauth.Grant{ID: "grant", Expires: r.now.Add(time.Hour)})
	r.keys, err = resource.NewKeys(r.ring, []resource.Subscription{
		{Name: "ci", Product: "team-a", Grants: []string{"llm:gpt-4o", "mcp:orders"}, Keys: []secret.Value{secret.New(activeKey), secret.New("second-key-0123456789")}},
		{Name: "sus", Product: "team-a", State: resource.StateSuspended, Keys: []secret.Value{secret.New(suspendedKey)}},
		{Name: "req", Product: "team-a", State: resource.StateRequested, Keys: []secret.Value{secret.New("requested-0123456789")}},
		{Name: "rej", Product: "team-a", State: resource.StateRejected, Keys: []secret.Value{secret.New("rejected-0123456789")}},
		{Name: "can", Product: "team-a", State: resource.StateCancelled, Keys: []secret.Value{secret.New("cancelled-0123456789")}},
		{Name: "exp", Product: "team-a", Expires: r.now, Keys: []secret.Value{secret.New("expired-01234567890")}},
		{Name: "all", Product: "team-b", Grants: []string{"mcp:*"}, Keys: []secret.Value{secret.New("everything-0123456789")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.auth = &resource.Authenticator{
		PublicURL: publicURL, Catalogue: r.cat, Now: clock, Keys: func() *resource.Keys { return r.keys },
		Verifier: &tokens.Verifier{Issuer: publicURL, Keyring: keyring, Grants: r.store, Now: clock},
	}
	return r
}

// ask sends headers given as name, value pairs and returns who it was or what was answered.
func (r *rig) ask(t testing.TB, uri string, o resource.Options, headers ...string) (*identity.Caller, *httptest.ResponseRecorder) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp/orders?access_token=query&api-key="+activeKey, strings.NewReader("access_token=form"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	caller, ok := r.auth.Require(w, req, uri, o)
	if ok != (caller != nil) {
		t.Fatal("exactly one result")
	}
	return caller, w
}

func wantRefusal(t *testing.T, w *httptest.ResponseRecorder, status int, code, challenge string) {
	t.Helper()
	var body map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("body %q: %v", w.Body, err)
	}
	if w.Code != status || body["error"] != code {
		t.Fatalf("answer %d %s, want %d %s", w.Code, w.Body, status, code)
	}
	if got := w.Header().Values("WWW-Authenticate"); challenge == "" && len(got) != 0 || challenge != "" && (len(got) != 1 || got[0] != challenge) {
		t.Errorf("challenge = %q\n      want %q", got, challenge)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("a refusal may be stored")
	}
}

func TestATokenGivesItsCaller(t *testing.T) {
	r := newRig(t)
	for _, scheme := range []string{"Bearer", "bearer", "BEARER", "bEaReR"} { // row 122
		c, w := r.ask(t, orders, resource.Options{}, "Authorization", scheme+" "+r.issue(orders))
		if c == nil || c.Subject != "t/ada" || c.Kind != identity.Person {
			t.Errorf("%s: %+v %d", scheme, c, w.Code)
		}
	}
	if c, _ := r.ask(t, orders+"/sse", resource.Options{}, "Authorization", "Bearer "+r.issue(orders)); c == nil {
		t.Error("the old transport's address is the same server")
	}
	if c, _ := r.ask(t, llm, resource.Options{SubscriptionKeys: true}, "Authorization", "Bearer "+r.issue(llm)); c == nil {
		t.Error("a token at /llm")
	}
}

func TestWithoutACredentialTheChallengeHasNoError_116(t *testing.T) {
	r := newRig(t)
	_, w := r.ask(t, orders, resource.Options{})
	wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, ordersChallenge)
	_, w = r.ask(t, orders, resource.Options{}, "Authorization", "Basic dTpw")
	wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, ordersChallenge)
	_, w = r.ask(t, orders, resource.Options{}, "Authorization", "")
	wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, ordersChallenge)
	_, w = r.ask(t, orders+"/sse", resource.Options{})
	wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, strings.Replace(ordersChallenge, `/mcp/orders"`, `/mcp/orders/sse"`, 1))
	_, w = r.ask(t, llm, resource.Options{SubscriptionKeys: true}) // KEY-10
	wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, llmChallenge)
}

func TestATokenIsGoodAtItsOwnResourceOnly_117(t *testing.T) {
	r := newRig(t)
	accountant := func(a *tokens.Access) { a.Roles = []string{"Accountant"} }
	for _, tc := range []struct{ at, token string }{
		{orders, r.issue(billing, accountant)}, {orders, r.issue(llm)}, {orders, r.issue(orders + "/sse")}, {orders, r.issue(publicURL)},
	} {
		_, w := r.ask(t, tc.at, resource.Options{}, "Authorization", "Bearer "+tc.token)
		wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, ordersChallenge+badToken)
	}
	_, w := r.ask(t, llm, resource.Options{SubscriptionKeys: true}, "Authorization", "Bearer "+r.issue(orders))
	wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, llmChallenge+badToken)
}

func TestHowABearerTokenIsSent_119_122(t *testing.T) {
	r := newRig(t)
	good := r.issue(orders)
	code, _ := tokens.NewCode()
	for name, value := range map[string]string{
		"119 refresh token": "Bearer " + tokens.NewRefresh().Token, "119 code": "Bearer " + code, "two spaces": "Bearer  " + good, "trailing space": "Bearer " + good + " ",
		"nothing": "Bearer ", "only scheme": "Bearer", "comma": "Bearer " + good + ",x", "not b64": "Bearer ä", "padding only": "Bearer ===",
		"122 16 KiB": "Bearer " + strings.Repeat("a", 16<<10), "8193": "Bearer " + strings.Repeat("a", 8193), "tab": "Bearer\t" + good, "quoted": `Bearer "` + good + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			_, w := r.ask(t, orders, resource.Options{}, "Authorization", value)
			if name == "tab" { // another scheme, so no credential
				wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, ordersChallenge)
				return
			}
			wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, ordersChallenge+badToken)
		})
	}
	for _, o := range []resource.Options{{}, {SubscriptionKeys: true}} { // row 122: two headers, even equal ones
		_, w := r.ask(t, orders, o, "Authorization", "Bearer "+good, "Authorization", "Bearer "+good)
		wantRefusal(t, w, http.StatusBadRequest, oauth.InvalidRequest, `Bearer error="invalid_request"`)
	}
	if _, w := r.ask(t, orders, resource.Options{}, "X-Api-Key", good); w.Code != http.StatusUnauthorized {
		t.Errorf("a token in another header = %d", w.Code)
	}
}

func TestScopesAndRolesAreThoseOfNow_123(t *testing.T) {
	r := newRig(t)
	_, w := r.ask(t, orders, resource.Options{}, "Authorization", "Bearer "+r.issue(orders, func(a *tokens.Access) { a.Scopes = []string{"orders.read"} }))
	want := `Bearer error="insufficient_scope", scope="mcp:orders", resource_metadata="https://gw.example.com/.well-known/oauth-protected-resource/mcp/orders"`
	wantRefusal(t, w, http.StatusForbidden, oauth.InsufficientScope, want)

	caller := &identity.Caller{Scopes: []string{"mcp:orders", "orders.gone", "orders.read"}, Roles: []string{"role:orders.read"}}
	got := r.auth.InsufficientScope(orders, caller, "orders.delete").Challenge
	want = `Bearer error="insufficient_scope", scope="mcp:orders orders.delete orders.read", resource_metadata="https://gw.example.com/.well-known/oauth-protected-resource/mcp/orders"`
	if got != want {
		t.Errorf("step-up challenge = %s\n               want %s", got, want)
	}

	token := "Bearer " + r.issue(billing)
	_, w = r.ask(t, billing, resource.Options{}, "Authorization", token)
	wantRefusal(t, w, http.StatusForbidden, resource.Forbidden, "")
	if !strings.Contains(w.Body.String(), "you need one of the roles") {
		t.Errorf("body = %s", w.Body)
	}
	if c, _ := r.ask(t, billing, resource.Options{LeaveRoles: true}, "Authorization", token); c == nil {
		t.Error("the face wanted to answer missing roles itself")
	}
}

func TestARevokedGrantIsRefusedAndATroubledStoreIsNot401_125(t *testing.T) {
	r := newRig(t)
	token := "Bearer " + r.issue(orders)
	r.store.Fail(errors.New("down"))
	_, w := r.ask(t, orders, resource.Options{}, "Authorization", token)
	wantRefusal(t, w, http.StatusServiceUnavailable, oauth.TemporarilyUnavailable, "")
	if w.Header().Get("Retry-After") != "5" {
		t.Errorf("Retry-After = %q", w.Header().Get("Retry-After"))
	}
	r.store.Fail(nil)
	if c, _ := r.ask(t, orders, resource.Options{}, "Authorization", token); c == nil {
		t.Error("a good token")
	}
	if err := r.store.RevokeGrant(t.Context(), "grant", "test", r.now); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(5 * time.Second)
	_, w = r.ask(t, orders, resource.Options{}, "Authorization", token)
	wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, ordersChallenge+badToken)
}

func TestAnUnknownResourceIs404(t *testing.T) {
	r := newRig(t)
	_, w := r.ask(t, publicURL+"/mcp/gone", resource.Options{})
	wantRefusal(t, w, http.StatusNotFound, "not_found", "")
}

func TestSignInAgainIsAChallenge(t *testing.T) {
	w := httptest.NewRecorder()
	newRig(t).auth.SignInAgain(orders, "mcp:orders").Write(w)
	wantRefusal(t, w, http.StatusUnauthorized, "insufficient_user_authentication",
		ordersChallenge+`, error="insufficient_user_authentication", error_description="sign in again to continue"`)
}

func TestKeysInEveryHeader_KEY1(t *testing.T) {
	r := newRig(t)
	for name, headers := range map[string][]string{
		"bearer": {"Authorization", "Bearer " + activeKey}, "api-key": {"api-key", activeKey}, "x-api-key": {"X-API-KEY", activeKey},
		"apim": {"ocp-apim-subscription-key", activeKey}, "subscription": {"Subscription-Key", activeKey}, "google": {"x-goog-api-key", activeKey},
		"trimmed": {"api-key", " " + activeKey + " "}, "second key": {"api-key", "second-key-0123456789"},
		"websocket":  {"Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key." + activeKey + ", openai-beta.realtime-v1"},
		"same twice": {"api-key", activeKey, "Authorization", "Bearer " + activeKey},
	} {
		t.Run(name, func(t *testing.T) {
			c, w := r.ask(t, llm, resource.Options{SubscriptionKeys: true}, headers...)
			if c == nil || c.Kind != identity.Key || c.Subscription.Name != "ci" || c.Subscription.Product != "team-a" || c.Subject != "" ||
				c.Subscription.ID != resource.ConfiguredID("ci") {
				t.Errorf("caller %+v, answer %d %s", c, w.Code, w.Body)
			}
		})
	}
}

func TestCredentialsThatDisagree_KEY2(t *testing.T) {
	r := newRig(t)
	token := r.issue(llm)
	for name, headers := range map[string][]string{
		"two keys": {"api-key", activeKey, "x-api-key", suspendedKey}, "token and key": {"Authorization", "Bearer " + token, "api-key", activeKey},
		"one header twice": {"api-key", activeKey, "api-key", suspendedKey},
	} {
		t.Run(name, func(t *testing.T) {
			_, w := r.ask(t, llm, resource.Options{SubscriptionKeys: true}, headers...)
			wantRefusal(t, w, http.StatusBadRequest, oauth.InvalidRequest, `Bearer error="invalid_request"`)
			if !strings.Contains(w.Body.String(), "more than one credential was presented") {
				t.Errorf("body = %s", w.Body)
			}
		})
	}
	if c, _ := r.ask(t, llm, resource.Options{SubscriptionKeys: true}, "Authorization", "Bearer "+token, "api-key", token); c == nil {
		t.Error("the same token twice")
	}
	if c, _ := r.ask(t, orders, resource.Options{}, "Authorization", "Bearer "+r.issue(orders), "api-key", activeKey); c == nil {
		t.Error("where keys are not taken their headers mean nothing")
	}
}

func TestAKeyWithDotsIsNoToken_KEY2(t *testing.T) {
	r := newRig(t)
	keys, err := resource.NewKeys(r.ring, []resource.Subscription{{Name: "dots", Keys: []secret.Value{secret.New("a.b.c-0123456789")}}})
	if err != nil {
		t.Fatal(err)
	}
	r.keys = keys
	if c, w := r.ask(t, llm, resource.Options{SubscriptionKeys: true}, "Authorization", "Bearer a.b.c-0123456789"); c == nil {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
}

func TestStatesOfASubscription_KEY5(t *testing.T) {
	r := newRig(t)
	var unknown string
	for _, key := range []string{"unknown-0123456789", "rejected-0123456789", "cancelled-0123456789", "expired-01234567890", strings.Repeat("k", 600), "ä", "dbk_x"} {
		_, w := r.ask(t, llm, resource.Options{SubscriptionKeys: true}, "api-key", key)
		wantRefusal(t, w, http.StatusUnauthorized, resource.InvalidKey, llmChallenge)
		if unknown == "" {
			unknown = w.Body.String()
		}
		if w.Body.String() != unknown || strings.Contains(w.Body.String(), key) {
			t.Errorf("%s: body %s differs from %s", key, w.Body, unknown)
		}
	}
	for key, text := range map[string]string{suspendedKey: "subscription is suspended", "requested-0123456789": "subscription is waiting for approval"} {
		_, w := r.ask(t, llm, resource.Options{SubscriptionKeys: true}, "api-key", key)
		wantRefusal(t, w, http.StatusForbidden, resource.SubscriptionNotActive, "")
		if !strings.Contains(w.Body.String(), text) {
			t.Errorf("body = %s", w.Body)
		}
	}
}

func TestKeysAtAnMCPServer_P4_KEY6(t *testing.T) {
	r := newRig(t)
	o := resource.Options{SubscriptionKeys: true}
	if c, _ := r.ask(t, orders, o, "api-key", activeKey); c == nil {
		t.Error("granted server")
	}
	if c, _ := r.ask(t, billing, o, "api-key", "everything-0123456789"); c == nil {
		t.Error("mcp:*")
	}
	_, w := r.ask(t, billing, o, "api-key", activeKey)
	wantRefusal(t, w, http.StatusForbidden, resource.Forbidden, "")
	_, w = r.ask(t, orders, resource.Options{}, "Authorization", "Bearer "+activeKey)
	wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, ordersChallenge+badToken)
}

// oauth.md §8.3, row 119: at a server that takes keys too, a bearer token that is none is still told invalid_token, so
// that clients sign in again; a wrong key in a header of its own is a wrong key.
func TestAWrongBearerAtAServerWithKeysIsABadToken_119(t *testing.T) {
	r := newRig(t)
	o := resource.Options{SubscriptionKeys: true}
	for _, bearer := range []string{"x", "dbr_abc.def", "dbc_" + strings.Repeat("A", 43), strings.Repeat("k", 9000), "a b"} {
		_, w := r.ask(t, orders, o, "Authorization", "Bearer "+bearer)
		wantRefusal(t, w, http.StatusUnauthorized, oauth.InvalidToken, ordersChallenge+badToken)
	}
	for _, sent := range [][]string{{"api-key", "wrong-0123456789"}, {"api-key", "wrong-0123456789", "Authorization", "Basic eA=="}} {
		_, w := r.ask(t, orders, o, sent...)
		wantRefusal(t, w, http.StatusUnauthorized, resource.InvalidKey, ordersChallenge)
	}
}

func TestWrongKeysAreSlowedDownAndRightOnesNever_KEY9(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.auth.Now = nil
		o := resource.Options{SubscriptionKeys: true}
		took := func(key string) time.Duration {
			start := time.Now()
			r.ask(t, llm, o, "api-key", key)
			return time.Since(start)
		}
		for range 20 {
			if d := took("wrong-0123456789"); d != 0 {
				t.Fatalf("an early failure took %s", d)
			}
		}
		if d := took("wrong-0123456789"); d != 250*time.Millisecond {
			t.Errorf("a late failure took %s", d)
		}
		if d := took(activeKey); d != 0 {
			t.Errorf("a right key took %s", d)
		}
		time.Sleep(time.Minute)
		if d := took("wrong-0123456789"); d != 0 {
			t.Errorf("a failure a minute later took %s", d)
		}
	})
}

func TestKeysOfTheConfiguration_KEY3(t *testing.T) {
	r := newRig(t)
	for name, list := range map[string][]resource.Subscription{
		"short":             {{Name: "a", Keys: []secret.Value{secret.New("fifteen-chars-x")}}},
		"long":              {{Name: "a", Keys: []secret.Value{secret.New(strings.Repeat("x", 513))}}},
		"space":             {{Name: "a", Keys: []secret.Value{secret.New("has a space 0123456789")}}},
		"empty":             {{Name: "a", Keys: []secret.Value{{}}}},
		"three":             {{Name: "a", Keys: []secret.Value{secret.New("key-one-0123456789"), secret.New("key-two-0123456789"), secret.New("key-three-0123456789")}}},
		"two subscriptions": {{Name: "a", Keys: []secret.Value{secret.New("shared-0123456789")}}, {Name: "b", Keys: []secret.Value{secret.New("shared-0123456789")}}},
	} {
		_, err := resource.NewKeys(r.ring, list)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if err != nil && (strings.Contains(err.Error(), "0123456789") || strings.Contains(err.Error(), "fifteen")) {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
	if resource.ConfiguredID("a") == resource.ConfiguredID("b") || resource.ConfiguredID("a") != resource.ConfiguredID("a") {
		t.Error("ids of configured subscriptions must be stable and distinct")
	}
}

func TestAMadeKeyCanBeRecognised_P3(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		key := resource.NewKey()
		if len(key) != 49 || !strings.HasPrefix(key, "dbk_") || !resource.WellFormedKey(key) || seen[key] {
			t.Fatalf("key %q", key)
		}
		seen[key] = true
		if resource.WellFormedKey(key[:20] + "!" + key[21:]) {
			t.Errorf("%q with a wrong character is well formed", key)
		}
	}
}

func TestRequireBearerHandsTheCallerOnAndNeverChallengesAPreflight(t *testing.T) {
	r := newRig(t)
	var got *identity.Caller
	h := r.auth.RequireBearer(orders, resource.Options{}, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { got = resource.CallerFrom(req.Context()) }))
	send := func(method, auth string) int {
		req := httptest.NewRequestWithContext(t.Context(), method, "/mcp/orders", nil)
		req.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w.Code
	}
	if code := send(http.MethodPost, "Bearer "+r.issue(orders)); code != 200 || got == nil || got.Subject != "t/ada" {
		t.Errorf("%d, %+v", code, got)
	}
	if code := send(http.MethodPost, ""); code != http.StatusUnauthorized {
		t.Errorf("no token = %d", code)
	}
	if code := send(http.MethodOptions, ""); code != 200 {
		t.Errorf("preflight = %d", code)
	}
}

func FuzzBearer(f *testing.F) {
	r := newRig(f)
	for _, s := range []string{"Bearer x", "Bearer a.b.c", "bearer  x", "Basic x", "Bearer", "", "Bearer \x00", "Bearer eyJhbGciOiJub25lIn0.e30."} {
		f.Add(s, activeKey)
	}
	f.Fuzz(func(t *testing.T, authorization, key string) {
		for _, o := range []resource.Options{{}, {SubscriptionKeys: true}} {
			ctx := identity.WithRequest(context.Background(), &identity.Request{IP: tokens.NewGrantID()}) // nobody waits for KEY-9
			req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
			req.Header["Authorization"], req.Header["Api-Key"] = []string{authorization}, []string{key}
			caller, refusal := r.auth.Authenticate(req, orders, o)
			if (caller == nil) == (refusal == nil) {
				t.Fatal("exactly one result")
			}
			if refusal != nil && strings.ContainsAny(refusal.Challenge, "\r\n") {
				t.Errorf("challenge %q", refusal.Challenge)
			}
			if caller != nil && caller.Kind != identity.Key {
				t.Errorf("%q got in as %+v", authorization, caller)
			}
		}
	})
}

func BenchmarkAuthenticateToken(b *testing.B) {
	r := newRig(b)
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", nil)
	req.Header.Set("Authorization", "Bearer "+r.issue(orders))
	b.ReportAllocs()
	for b.Loop() {
		if _, refusal := r.auth.Authenticate(req, orders, resource.Options{}); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

func BenchmarkAuthenticateKey(b *testing.B) {
	r := newRig(b)
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", nil)
	req.Header.Set("Api-Key", activeKey)
	b.ReportAllocs()
	for b.Loop() {
		if _, refusal := r.auth.Authenticate(req, llm, resource.Options{SubscriptionKeys: true}); refusal != nil {
			b.Fatal(refusal)
		}
	}
}
