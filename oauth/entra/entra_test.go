package entra_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const public = "https://gw.example"

// bench is Entra as a provider against the fake, on a clock that a test turns.
type bench struct {
	t        *testing.T
	fake     *oauthtest.Entra
	provider oauth.Provider
	logs     bytes.Buffer

	mu    sync.Mutex
	clock time.Time
}

func newBench(t *testing.T, change func(*entra.EntraConfig, *entra.Options)) *bench {
	t.Helper()
	b := &bench{t: t, clock: time.Now().UTC().Truncate(time.Second)}
	b.fake = oauthtest.NewEntra(t, b.now)
	cfg := entra.EntraConfig{Tenants: []entra.Tenant{{ID: oauthtest.Contoso, Name: "Contoso"}}, ClientID: oauthtest.EntraClient, Authority: b.fake.URL,
		Graph: b.fake.URL + "/graph", APIScope: oauthtest.EntraScope, Guests: true, Groups: "auto", Recheck: 10 * time.Second}
	cfg.Credential.Secret.Value = secret.New(oauthtest.EntraSecret)
	o := entra.Options{PublicURL: public, Now: b.now, Log: slog.New(slog.NewTextHandler(&b.logs, nil)), Client: &http.Client{Timeout: 2 * time.Second}}
	if change != nil {
		change(&cfg, &o)
	}
	p, err := entra.New(entra.Config{Provider: "entra", Entra: cfg}, o)
	if err != nil {
		t.Fatal(err)
	}
	b.provider = p
	return b
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock
}

func (b *bench) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

// signIn goes to the fake and back and redeems the code.
func (b *bench) signIn() (oauth.Identity, oauth.Upstream, error) {
	b.t.Helper()
	tx := &oauth.Transaction{ID: "t", Tenant: oauthtest.Contoso, UpstreamState: "our-state", Nonce: "our-nonce", Verifier: strings.Repeat("v", 43)}
	return b.signInAs(tx)
}

func (b *bench) signInAs(tx *oauth.Transaction) (oauth.Identity, oauth.Upstream, error) {
	b.t.Helper()
	to, err := b.provider.AuthURL(b.t.Context(), tx, oauth.AuthOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, to, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(resp.Header.Get("Location"), public+"/oauth/callback?") {
		b.t.Fatalf("provider redirected to %q", resp.Header.Get("Location"))
	}
	return b.provider.Exchange(b.t.Context(), tx, back.Query().Get("code"))
}

func code(err error) string {
	var e *oauth.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestSignInGivesIdentityAndUpstream(t *testing.T) {
	b := newBench(t, func(c *entra.EntraConfig, _ *entra.Options) { c.Claims = []string{"email", "absent", "iat"} })
	id, up, err := b.signIn()
	if err != nil {
		t.Fatal(err)
	}
	want := oauthtest.Contoso + "/aaaaaaaa-0000-4000-8000-000000000001"
	if id.Subject != want || id.Tenant != oauthtest.Contoso || id.Name != "Ada" || id.Login != "ada@contoso.com" || len(id.Roles) != 1 || id.SID != "sid-Ada" {
		t.Errorf("identity = %+v", id)
	}
	if len(id.Claims) != 1 || id.Claims["email"] != "ada@contoso.com" {
		t.Errorf("kept claims = %v, want email alone", id.Claims)
	}
	if up.RefreshToken == "" || !up.Checked.Equal(b.now()) || !up.Expires.Equal(b.now().Add(time.Hour)) {
		t.Errorf("upstream = %+v", up)
	}
	seen := b.fake.Log("/token")[0]
	if seen.Form.Get("client_secret") == "" || seen.Form.Has("resource") || seen.Form.Get("scope") == "" {
		t.Errorf("token request = %v", seen.Form)
	}
}

// §11.2: a tenant that is not listed is never asked.
func TestUnlistedTenantIsNeverAsked(t *testing.T) {
	b := newBench(t, nil)
	_, err := b.provider.AuthURL(t.Context(), &oauth.Transaction{Tenant: oauthtest.Fabrikam, UpstreamState: "s", Nonce: "n", Verifier: "v"}, oauth.AuthOptions{})
	if code(err) != oauth.AccessDenied {
		t.Errorf("AuthURL = %v", err)
	}
	if _, _, err := b.provider.Exchange(t.Context(), &oauth.Transaction{Tenant: oauthtest.Fabrikam}, "code"); code(err) != oauth.AccessDenied || len(b.fake.Log("")) != 0 {
		t.Errorf("Exchange = %v after %d requests", err, len(b.fake.Log("")))
	}
}

// Row 46: a thousand unknown kids make one fetch per five minutes.
func TestUnknownKeysAreAskedForOncePerFiveMinutes_46(t *testing.T) {
	b := newBench(t, nil)
	b.fake.Set(func(s *oauthtest.Switches) { s.IDToken = func(f *oauthtest.Forged) { f.Header["kid"] = "unknown" } })
	for range 100 {
		if _, _, err := b.signIn(); code(err) != oauth.InvalidToken {
			t.Fatalf("sign-in = %v", err)
		}
	}
	if n := len(b.fake.Log("/keys")); n != 1 {
		t.Errorf("%d key fetches, want 1", n)
	}
	b.advance(5 * time.Minute)
	for range 100 {
		_, _, _ = b.signIn()
	}
	if n := len(b.fake.Log("/keys")); n != 2 {
		t.Errorf("%d key fetches after five minutes, want 2", n)
	}
}

// §11.4: a rotated key is found, and the one it replaced stops counting.
func TestKeyRotation(t *testing.T) {
	b := newBench(t, nil)
	if _, _, err := b.signIn(); err != nil {
		t.Fatal(err)
	}
	b.fake.Rotate()
	b.advance(5 * time.Minute)
	if _, _, err := b.signIn(); err != nil {
		t.Errorf("after rotation: %v", err)
	}
}

// Keys that cannot be had are a passing trouble, and the last good ones serve on.
func TestKeyOutage(t *testing.T) {
	b := newBench(t, nil)
	b.fake.Set(func(s *oauthtest.Switches) { s.JWKS.Status = 500 })
	if _, _, err := b.signIn(); code(err) != oauth.TemporarilyUnavailable {
		t.Errorf("without keys: %v", err)
	}
	b.fake.Set(func(s *oauthtest.Switches) { s.JWKS.Status = 0 })
	b.advance(6 * time.Second)
	if _, _, err := b.signIn(); err != nil {
		t.Errorf("keys are back: %v", err)
	}
	b.fake.Set(func(s *oauthtest.Switches) { s.JWKS.Status = 500 })
	b.advance(25 * time.Hour)
	if _, _, err := b.signIn(); err != nil {
		t.Errorf("with the last good keys: %v", err)
	}
}

// §11.7: the scope is sent again, roles are new, and the person is asked for once in a while only.
func TestRefreshAsksEntraAgain(t *testing.T) {
	b := newBench(t, nil)
	id, up, err := b.signIn()
	if err != nil {
		t.Fatal(err)
	}
	b.fake.Set(func(s *oauthtest.Switches) {
		s.Person("Ada", func(p *oauthtest.EntraPerson) { p.Roles = []string{"Orders.Reader"} })
	})
	next, up2, err := b.provider.Refresh(t.Context(), id, up)
	if err != nil || len(next.Roles) != 1 || next.Roles[0] != "Orders.Reader" || up2.RefreshToken == up.RefreshToken {
		t.Fatalf("Refresh = %+v, %v", next, err)
	}
	last := b.fake.Log("/token")[1]
	if last.Form.Get("grant_type") != "refresh_token" || !strings.Contains(last.Form.Get("scope"), oauthtest.EntraScope) {
		t.Errorf("refresh request = %v", last.Form)
	}
	if _, _, err := b.provider.Refresh(t.Context(), next, up2); err != nil || len(b.fake.Log("/token")) != 2 {
		t.Errorf("within recheck: %v, %d requests", err, len(b.fake.Log("/token")))
	}
	b.advance(11 * time.Second)
	if _, _, err := b.provider.Refresh(t.Context(), next, up2); err != nil || len(b.fake.Log("/token")) != 3 {
		t.Errorf("after recheck: %v, %d requests", err, len(b.fake.Log("/token")))
	}
}

// §9.3: fifty refreshes at once make one request upstream.
func TestConcurrentRefreshesAskOnce(t *testing.T) {
	b := newBench(t, nil)
	id, up, err := b.signIn()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, _, err := b.provider.Refresh(t.Context(), id, up); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(b.fake.Log("/token")); n != 2 {
		t.Errorf("%d token requests, want 2", n)
	}
}

// Rows 57 to 59 and §10.2: only a word about the person ends a grant.
func TestRefreshTellsGoneFromUnknown(t *testing.T) {
	fault := func(f oauthtest.Fault) func(*oauthtest.Switches) {
		return func(s *oauthtest.Switches) { s.Refresh = f }
	}
	for _, tc := range []struct {
		row, name string
		set       func(*oauthtest.Switches)
		want      string
	}{
		{"57", "interaction required", fault(oauthtest.Fault{Code: "interaction_required", Description: "AADSTS50076", Claims: `{"access_token":{}}`}), oauth.InvalidGrant},
		{"58", "500", fault(oauthtest.Fault{Status: 500}), oauth.TemporarilyUnavailable},
		{"58", "429", fault(oauthtest.Fault{Status: 429}), oauth.TemporarilyUnavailable},
		{"58", "junk", fault(oauthtest.Fault{Junk: true}), oauth.TemporarilyUnavailable},
		{"58", "2 MiB", fault(oauthtest.Fault{Huge: true}), oauth.TemporarilyUnavailable},
		{"58", "redirect", fault(oauthtest.Fault{Redirect: "/elsewhere"}), oauth.TemporarilyUnavailable},
		{"58", "throttled in words", fault(oauthtest.Fault{Code: "invalid_grant", Description: "AADSTS50196: loop"}), oauth.TemporarilyUnavailable},
		{"59", "disabled", func(s *oauthtest.Switches) { s.Person("Ada", func(p *oauthtest.EntraPerson) { p.Disabled = true }) }, oauth.InvalidGrant},
		{"59", "gone", func(s *oauthtest.Switches) { s.People = nil }, oauth.InvalidGrant},
		{"59", "expired", fault(oauthtest.Fault{Code: "invalid_grant", Description: "AADSTS700082: expired"}), oauth.InvalidGrant},
		{"§10.2", "our secret expired", fault(oauthtest.Fault{Status: 401, Code: "invalid_client", Description: "AADSTS7000222: expired keys"}), oauth.TemporarilyUnavailable},
		{"§10.2", "our secret is wrong, without a number", fault(oauthtest.Fault{Status: 401, Code: "invalid_client"}), oauth.TemporarilyUnavailable},
		{"§10.2", "consent needed", fault(oauthtest.Fault{Code: "invalid_grant", Description: "AADSTS65001: consent"}), oauth.TemporarilyUnavailable},
		{"§10.2", "anything else", fault(oauthtest.Fault{Code: "invalid_grant", Description: "AADSTS999999"}), oauth.InvalidGrant},
		{"§11.7", "another person", func(s *oauthtest.Switches) {
			s.IDToken = func(f *oauthtest.Forged) { f.Claims["oid"] = "aaaaaaaa-0000-4000-8000-000000000002" }
		}, oauth.InvalidGrant},
		{"§11.7", "a token that does not verify", func(s *oauthtest.Switches) { s.IDToken = func(f *oauthtest.Forged) { f.Claims["aud"] = "x" } }, oauth.InvalidGrant},
	} {
		t.Run("row "+tc.row+" "+tc.name, func(t *testing.T) {
			b := newBench(t, nil)
			id, up, err := b.signIn()
			if err != nil {
				t.Fatal(err)
			}
			b.fake.Set(tc.set)
			if _, _, err := b.provider.Refresh(t.Context(), id, up); code(err) != tc.want {
				t.Errorf("Refresh = %v, want %s", err, tc.want)
			}
			if strings.Contains(tc.name, "our secret") && !strings.Contains(b.logs.String(), "the credential of the Entra application is refused") {
				t.Errorf("log: %s", b.logs.String())
			}
		})
	}
}

// §11.7: who cannot be checked again signs in again.
func TestRefreshWithoutATokenEndsTheGrant(t *testing.T) {
	b := newBench(t, nil)
	id, up, err := b.signIn()
	if err != nil {
		t.Fatal(err)
	}
	up.RefreshToken = ""
	if _, _, err := b.provider.Refresh(t.Context(), id, up); code(err) != oauth.InvalidGrant {
		t.Errorf("Refresh = %v", err)
	}
	up.RefreshToken, up.Tenant = "x", oauthtest.Fabrikam
	if _, _, err := b.provider.Refresh(t.Context(), id, up); code(err) != oauth.InvalidGrant {
		t.Errorf("tenant taken off the list: Refresh = %v", err)
	}
}

// A provider that gives no new refresh token leaves the old one in place.
func TestRefreshKeepsTheOldTokenWhenNoneComes(t *testing.T) {
	b := newBench(t, nil)
	id, up, err := b.signIn()
	if err != nil {
		t.Fatal(err)
	}
	b.fake.Set(func(s *oauthtest.Switches) { s.NoRefreshToken = true })
	if _, next, err := b.provider.Refresh(t.Context(), id, up); err != nil || next.RefreshToken != up.RefreshToken {
		t.Errorf("Refresh = %+v, %v", next, err)
	}
}

// §11.2: a discovery document that sends our secret to another host is refused.
func TestEndpointsMustBeOnTheAuthority(t *testing.T) {
	b := newBench(t, nil)
	b.fake.Set(func(s *oauthtest.Switches) { s.TokenEndpoint = "https://evil.test/token" })
	tx := &oauth.Transaction{Tenant: oauthtest.Contoso, UpstreamState: "s", Nonce: "n", Verifier: "v"}
	if _, err := b.provider.AuthURL(t.Context(), tx, oauth.AuthOptions{}); code(err) != oauth.TemporarilyUnavailable {
		t.Errorf("AuthURL = %v", err)
	}
}

// Row 50: with several tenants listed, a token of one does not speak for another.
func TestTenantOfTheTokenIsThatOfTheTransaction_50(t *testing.T) {
	b := newBench(t, func(c *entra.EntraConfig, _ *entra.Options) {
		c.Tenants = append(c.Tenants, entra.Tenant{ID: oauthtest.Fabrikam})
	})
	for _, p := range append(oauthtest.Presets(b.now(), "http://127.0.0.1:1/"), oauthtest.Preset{Row: "50", Name: "both of the other tenant", Forge: func(f *oauthtest.Forged) {
		f.Claims["tid"] = oauthtest.Fabrikam
		f.Claims["iss"] = b.fake.URL + "/" + oauthtest.Fabrikam + "/v2.0"
	}}) {
		b.fake.Set(func(s *oauthtest.Switches) { s.IDToken = p.Forge })
		if _, _, err := b.signIn(); code(err) != oauth.InvalidToken {
			t.Errorf("row %s %s: %v", p.Row, p.Name, err)
		}
	}
}
