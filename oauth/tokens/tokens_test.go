package tokens_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	publicURL = "https://gw.example.com"
	orders    = publicURL + "/mcp/orders"
)

// rig is one replica with an issuer and a verifier over a store.
type rig struct {
	now      time.Time
	ring     *secret.Keyring
	store    *oauthtest.Memory
	issuer   *tokens.Issuer
	verifier *tokens.Verifier
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), store: &oauthtest.Memory{}}
	r.ring = newRing(t, r.now)
	clock := func() time.Time { return r.now }
	r.issuer = &tokens.Issuer{Issuer: publicURL, Keyring: r.keyring, Now: clock}
	r.verifier = r.replica()
	r.store.PutGrant(oauth.Grant{ID: "grant-1", ClientID: "dcr_x", Expires: r.now.Add(720 * time.Hour), Identity: oauth.Identity{
		Subject: "t/o", Groups: []string{"g1"}, Claims: map[string]any{"department": "sales"},
	}})
	return r
}

func (r *rig) keyring() *secret.Keyring { return r.ring }

// replica is another process over the same store.
func (r *rig) replica() *tokens.Verifier {
	return &tokens.Verifier{Issuer: publicURL, Keyring: r.keyring, Grants: r.store, Now: func() time.Time { return r.now }}
}

func newRing(t testing.TB, now time.Time) *secret.Keyring {
	t.Helper()
	ring, err := secret.NewKeyring(now)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func access() tokens.Access {
	return tokens.Access{
		Audience: orders, Subject: "t/o", ClientID: "dcr_x", GrantID: "grant-1", Scopes: []string{"orders.delete", "mcp:orders"},
		Roles: []string{"b", "a"}, Tenant: "t", Name: "Ada", AuthTime: time.Unix(1700000000, 0),
	}
}

func (r *rig) issue(t testing.TB, a tokens.Access) tokens.Issued {
	t.Helper()
	issued, err := r.issuer.Issue(a)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func part(t *testing.T, token string, n int) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAnAccessTokenHasExactlyTheClaimsOfTheTable(t *testing.T) {
	r := newRig(t)
	issued := r.issue(t, access())
	if h := part(t, issued.Token, 0); len(h) != 3 || h["alg"] != "ES256" || h["typ"] != "at+jwt" || h["kid"] != r.ring.Signing().ID {
		t.Errorf("header = %v", h)
	}
	c := part(t, issued.Token, 1)
	want := map[string]any{
		"iss": publicURL, "aud": orders, "sub": "t/o", "client_id": "dcr_x", "scope": "mcp:orders orders.delete",
		"iat": float64(r.now.Unix()), "nbf": float64(r.now.Unix()), "exp": float64(r.now.Add(time.Hour).Unix()), "gid": "grant-1",
		"tid": "t", "auth_time": float64(1700000000), "name": "Ada",
	}
	for name, v := range want {
		if name == "aud" {
			if list, ok := c["aud"].([]any); ok && len(list) == 1 { // an array of one would be legal, but the table says a string
				t.Errorf("aud is an array")
			}
		}
		if fmt.Sprint(c[name]) != fmt.Sprint(v) {
			t.Errorf("%s = %v, want %v", name, c[name], v)
		}
	}
	if fmt.Sprint(c["roles"]) != "[a b]" {
		t.Errorf("roles = %v, want sorted", c["roles"])
	}
	if jti, err := base64.RawURLEncoding.DecodeString(c["jti"].(string)); err != nil || len(jti) != 16 {
		t.Errorf("jti = %v, want 128 bits", c["jti"])
	}
	known := append(slices.Collect(maps.Keys(want)), "roles", "jti")
	for name := range c {
		if !slices.Contains(known, name) {
			t.Errorf("unexpected claim %s", name)
		}
	}
	plain := access()
	plain.Roles, plain.Tenant, plain.Name, plain.AuthTime = nil, "", "", time.Time{}
	c = part(t, r.issue(t, plain).Token, 1)
	for _, name := range []string{"roles", "tid", "name", "auth_time"} {
		if _, ok := c[name]; ok {
			t.Errorf("%s is there although unknown", name)
		}
	}
}

func TestAnAccessTokenNeverOutlivesItsGrantAndHoldsAtMost100Roles(t *testing.T) {
	r := newRig(t)
	a := access()
	a.NotAfter = r.now.Add(10 * time.Minute)
	a.Roles = nil
	for i := range 150 {
		a.Roles = append(a.Roles, fmt.Sprintf("role-%03d", i))
	}
	issued := r.issue(t, a)
	if issued.TTL != 10*time.Minute || !issued.Expires.Equal(a.NotAfter) {
		t.Errorf("ttl = %s, expires %s", issued.TTL, issued.Expires)
	}
	if roles := part(t, issued.Token, 1)["roles"].([]any); len(roles) != 100 {
		t.Errorf("%d roles", len(roles))
	}
}

func TestVerifyGivesTheCallerWithWhatTheGrantKeeps(t *testing.T) {
	r := newRig(t)
	token := r.issue(t, access()).Token
	for _, state := range []string{"cold", "warm"} {
		c, err := r.verifier.Verify(t.Context(), token, orders)
		if err != nil {
			t.Fatalf("%s: %v", state, err)
		}
		if c.Kind != identity.Person || c.Subject != "t/o" || c.ClientID != "dcr_x" || c.GrantID != "grant-1" || c.Audience != orders ||
			!c.HasRole("a") || !c.HasScope("orders.delete") || c.Tenant != "t" || c.Name != "Ada" || c.Claims["department"] != "sales" ||
			!slices.Equal(c.Groups, []string{"g1"}) || !c.Expires.Equal(r.now.Add(time.Hour)) {
			t.Errorf("%s: caller = %+v", state, c)
		}
		c.Subject = "changed" // a caller is the receiver's own
	}
}

func TestAServiceClientIsAnAppWithoutAGrantRecord(t *testing.T) {
	r := newRig(t)
	a := access()
	a.Subject, a.ClientID, a.GrantID = tokens.ServiceSubject("ci"), "ci", "no-record"
	c, err := r.verifier.Verify(t.Context(), r.issue(t, a).Token, orders)
	if err != nil || c.Kind != identity.App {
		t.Fatalf("Verify = %+v, %v", c, err)
	}
	r.verifier.Blocked = func(context.Context, string) (bool, error) { return true, nil }
	r.now = r.now.Add(6 * time.Second)
	wantInvalid(t, r.verifier, r.issue(t, a).Token, orders)
}

func wantInvalid(t *testing.T, v *tokens.Verifier, token, audience string) {
	t.Helper()
	for range 2 { // what is refused is not remembered as good
		_, err := v.Verify(t.Context(), token, audience)
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != oauth.InvalidToken || e.Description != "the access token is not valid" {
			t.Fatalf("Verify = %v, want invalid_token with the one public text", err)
		}
	}
}

// forged is a token with chosen header and claims.
type forged struct {
	method jwt.SigningMethod
	key    any
	header map[string]any
	claims jwt.MapClaims
}

func (r *rig) forge() forged {
	k := r.ring.Signing()
	return forged{
		method: jwt.SigningMethodES256, key: k.Private, header: map[string]any{"typ": "at+jwt", "kid": k.ID},
		claims: jwt.MapClaims{
			"iss": publicURL, "aud": orders, "sub": "t/o", "client_id": "dcr_x", "scope": "mcp:orders", "gid": "grant-1", "jti": "j",
			"iat": r.now.Unix(), "nbf": r.now.Unix(), "exp": r.now.Add(time.Hour).Unix(),
		},
	}
}

func (f forged) sign(t *testing.T) string {
	t.Helper()
	token := jwt.NewWithClaims(f.method, f.claims)
	for name, v := range f.header {
		token.Header[name] = v
		if v == nil {
			delete(token.Header, name)
		}
	}
	signed, err := token.SignedString(f.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestVerifyAcceptsTheLegalVariants(t *testing.T) {
	r := newRig(t)
	for name, change := range map[string]func(*forged){
		"as issued":                func(*forged) {},
		"application/at+jwt":       func(f *forged) { f.header["typ"] = "application/AT+JWT" },
		"aud as array of one":      func(f *forged) { f.claims["aud"] = []string{orders} },
		"nbf 59 s ahead":           func(f *forged) { f.claims["nbf"] = r.now.Add(59 * time.Second).Unix() },
		"iat 59 s ahead":           func(f *forged) { f.claims["iat"] = r.now.Add(59 * time.Second).Unix() },
		"foreign key headers":      func(f *forged) { f.header["jku"], f.header["x5u"], f.header["jwk"] = "https://evil.test", "x", "y" },
		"a last second before exp": func(f *forged) { f.claims["exp"] = r.now.Add(time.Second).Unix() },
	} {
		t.Run(name, func(t *testing.T) {
			f := r.forge()
			change(&f)
			if _, err := r.verifier.Verify(t.Context(), f.sign(t), orders); err != nil {
				t.Errorf("Verify = %v", err)
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	r := newRig(t)
	public, err := r.ring.Signing().Private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	other := newRing(t, r.now).Signing()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*forged){
		"117 other server":     func(f *forged) { f.claims["aud"] = publicURL + "/mcp/other" },
		"117 llm":              func(f *forged) { f.claims["aud"] = publicURL + "/llm" },
		"117 two audiences":    func(f *forged) { f.claims["aud"] = []string{orders, publicURL + "/llm"} },
		"117 audience prefix":  func(f *forged) { f.claims["aud"] = orders + "/" },
		"118 raw Entra token":  func(f *forged) { f.method, f.key, f.header["typ"] = jwt.SigningMethodRS256, rsaKey, "JWT" },
		"119 none":             func(f *forged) { f.method, f.key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType },
		"119 HS256 public key": func(f *forged) { f.method, f.key = jwt.SigningMethodHS256, public },
		"119 other curve":      func(f *forged) { f.method, f.key = jwt.SigningMethodES384, p384 },
		"119 typ JWT":          func(f *forged) { f.header["typ"] = "JWT" },
		"119 typ absent":       func(f *forged) { f.header["typ"] = nil },
		"119 identity statement": func(f *forged) {
			f.header["typ"] = "drawbridge-identity+jwt" // llm.md CR-5b: same key, other purpose
		},
		"120 unknown kid":   func(f *forged) { f.header["kid"] = "unknown" },
		"120 no kid":        func(f *forged) { f.header["kid"] = nil },
		"120 path kid":      func(f *forged) { f.header["kid"] = "../../etc/passwd" },
		"120 SQL kid":       func(f *forged) { f.header["kid"] = "' OR 1=1" },
		"120 kid no string": func(f *forged) { f.header["kid"] = 7 },
		"120 crit":          func(f *forged) { f.header["crit"] = []string{"exp"} },
		"120 foreign key, our kid": func(f *forged) {
			f.key = other.Private
		},
		"120 jwk header with the key that signed": func(f *forged) {
			f.key, f.header["kid"], f.header["jwk"] = other.Private, other.ID, map[string]any{"kty": "EC"}
		},
		"121 expired":                func(f *forged) { f.claims["exp"] = r.now.Unix() },
		"121 no exp":                 func(f *forged) { delete(f.claims, "exp") },
		"121 nbf ahead":              func(f *forged) { f.claims["nbf"] = r.now.Add(61 * time.Second).Unix() },
		"121 iat ahead":              func(f *forged) { f.claims["iat"] = r.now.Add(61 * time.Second).Unix() },
		"121 iss slash":              func(f *forged) { f.claims["iss"] = publicURL + "/" },
		"121 iss one character":      func(f *forged) { f.claims["iss"] = "https://gw.example.con" },
		"125 grant that nobody made": func(f *forged) { f.claims["gid"] = "unknown" },
		"no gid":                     func(f *forged) { delete(f.claims, "gid") },
	} {
		t.Run(name, func(t *testing.T) {
			f := r.forge()
			change(&f)
			wantInvalid(t, r.verifier, f.sign(t), orders)
		})
	}
	code, _ := tokens.NewCode()
	good := r.forge().sign(t)
	flipped := good[:len(good)-10] + "AAAAA" + good[len(good)-5:]
	for name, token := range map[string]string{
		"119 refresh token": tokens.NewRefresh().Token, "119 code": code, "empty": "", "dots": "..", "long": strings.Repeat("a", 8193),
		"signature flipped": flipped, "signature cut": good[:len(good)-1], "padding": good + "=",
	} {
		t.Run(name, func(t *testing.T) { wantInvalid(t, r.verifier, token, orders) })
	}
}

func TestARememberedTokenIsRefusedForAnotherResource_117(t *testing.T) {
	r := newRig(t)
	token := r.issue(t, access()).Token
	if _, err := r.verifier.Verify(t.Context(), token, orders); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, r.verifier, token, publicURL+"/llm")
}

func TestARememberedTokenExpires_121(t *testing.T) {
	r := newRig(t)
	token := r.issue(t, access()).Token
	if _, err := r.verifier.Verify(t.Context(), token, orders); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(time.Hour)
	wantInvalid(t, r.verifier, token, orders)
}

func TestARememberedTokenGoesWithItsKey_120(t *testing.T) {
	r := newRig(t)
	token := r.issue(t, access()).Token
	if _, err := r.verifier.Verify(t.Context(), token, orders); err != nil {
		t.Fatal(err)
	}
	r.ring = newRing(t, r.now)
	wantInvalid(t, r.verifier, token, orders)
}

func TestARevokedGrantEndsItsTokens_125(t *testing.T) {
	r := newRig(t)
	other := r.replica()
	token := r.issue(t, access()).Token
	for _, v := range []*tokens.Verifier{r.verifier, other} {
		if _, err := v.Verify(t.Context(), token, orders); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.store.RevokeGrant(t.Context(), "grant-1", "test", r.now); err != nil {
		t.Fatal(err)
	}
	r.verifier.Drop("grant-1")
	wantInvalid(t, r.verifier, token, orders) // here at once
	r.now = r.now.Add(5 * time.Second)
	wantInvalid(t, other, token, orders) // elsewhere within 5 s
}

func TestARevocationByAnybodyCountsHereAtOnce_125(t *testing.T) {
	r := newRig(t)
	store := tokens.Watch(r.store, r.verifier)
	token := r.issue(t, access()).Token
	if _, err := r.verifier.Verify(t.Context(), token, orders); err != nil {
		t.Fatal(err)
	}
	r.store.Fail(errors.New("down"))
	if err := store.RevokeGrant(t.Context(), "grant-1", "test", r.now); err == nil {
		t.Fatal("a revocation that was not stored")
	}
	if _, err := r.verifier.Verify(t.Context(), token, orders); err != nil {
		t.Error("a revocation that failed counts")
	}
	r.store.Fail(nil)
	if err := store.RevokeGrant(t.Context(), "grant-1", "test", r.now); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, r.verifier, token, orders)
}

func TestABlockedClientEndsItsTokens_125(t *testing.T) {
	r := newRig(t)
	blocked := false
	r.verifier.Blocked = func(_ context.Context, id string) (bool, error) { return blocked && id == "dcr_x", nil }
	token := r.issue(t, access()).Token
	if _, err := r.verifier.Verify(t.Context(), token, orders); err != nil {
		t.Fatal(err)
	}
	blocked = true
	r.now = r.now.Add(5 * time.Second)
	wantInvalid(t, r.verifier, token, orders)
}

func TestWhileTheStoreIsDownWhatIsKnownDecides(t *testing.T) {
	r := newRig(t)
	fresh := r.replica()
	token := r.issue(t, access()).Token
	r.store.PutGrant(oauth.Grant{ID: "grant-2", Revoked: r.now, Expires: r.now.Add(time.Hour)})
	dead := access()
	dead.GrantID = "grant-2"
	revoked := r.issue(t, dead).Token
	if _, err := r.verifier.Verify(t.Context(), token, orders); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, r.verifier, revoked, orders)
	r.store.Fail(errors.New("database is down"))
	for range 5 {
		r.now = r.now.Add(6 * time.Second)
		if _, err := r.verifier.Verify(t.Context(), token, orders); err != nil {
			t.Errorf("a good token while the store is down: %v", err)
		}
		wantInvalid(t, r.verifier, revoked, orders)
	}
	_, err := fresh.Verify(t.Context(), token, orders)
	var e *oauth.Error
	if !errors.As(err, &e) || e.Code != oauth.TemporarilyUnavailable || e.HTTPStatus() != 503 || e.Retry() != 5*time.Second {
		t.Errorf("a replica that has read nothing = %v, want 503 and Retry-After 5", err)
	}
}

func TestTheJWKSHasPublicMembersOnly_136(t *testing.T) {
	r := newRig(t)
	doc, err := tokens.JWKS(r.ring)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(doc, &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("JWKS = %s, %v", doc, err)
	}
	key := set.Keys[0]
	names := slices.Sorted(maps.Keys(key))
	if !slices.Equal(names, []string{"alg", "crv", "kid", "kty", "use", "x", "y"}) {
		t.Errorf("members = %v", names)
	}
	if key["kty"] != "EC" || key["crv"] != "P-256" || key["use"] != "sig" || key["alg"] != "ES256" || len(key["x"]) != 43 || len(key["y"]) != 43 {
		t.Errorf("key = %v", key)
	}
}

func TestOpaqueTokensHaveTheirForms(t *testing.T) {
	code, hash := tokens.NewCode()
	if got, ok := tokens.CodeHash(code); !ok || got != hash || !strings.HasPrefix(code, "dbc_") || len(code) != 47 {
		t.Errorf("code %q: %q, %v", code, got, ok)
	}
	fresh := tokens.NewRefresh()
	parsed, ok := tokens.ParseRefresh(fresh.Token)
	if !ok || parsed != fresh || !parsed.Matches(fresh.SecretHash) || parsed.Matches(hash) || strings.Contains(fresh.SecretHash, fresh.Token[27:]) {
		t.Errorf("refresh token %+v, %v", parsed, ok)
	}
	for _, bad := range []string{"", "dbr_", "dbr_.", fresh.Token[1:], fresh.Token[:len(fresh.Token)-1], fresh.Token + "x", code} {
		if _, ok := tokens.ParseRefresh(bad); ok {
			t.Errorf("ParseRefresh(%q) accepted", bad)
		}
	}
	if s := tokens.NewClientSecret(); !strings.HasPrefix(s, "dbs_") || len(s) != 47 {
		t.Errorf("client secret %q", s)
	}
}

func FuzzVerify(f *testing.F) {
	r := newRig(f)
	good := r.issue(f, access()).Token
	f.Add(good)
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		_, err := r.verifier.Verify(t.Context(), token, orders)
		if err == nil && token != good {
			t.Errorf("accepted %q", token)
		}
	})
}

func BenchmarkVerifyWarm(b *testing.B) {
	r := newRig(b)
	token := r.issue(b, access()).Token
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.verifier.Verify(context.Background(), token, orders); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkVerifyCold(b *testing.B) {
	r := newRig(b)
	token := r.issue(b, access()).Token
	b.ReportAllocs()
	for b.Loop() {
		fresh := r.replica()
		if _, err := fresh.Verify(context.Background(), token, orders); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIssue(b *testing.B) {
	r := newRig(b)
	for b.Loop() {
		r.issue(b, access())
	}
}
