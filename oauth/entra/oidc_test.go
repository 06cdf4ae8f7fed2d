package entra_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// newOIDC uses a tenant of the fake as any OpenID Connect provider.
func newOIDC(t *testing.T, change func(*entra.OIDCConfig)) *bench {
	t.Helper()
	b := &bench{t: t, clock: time.Now().UTC().Truncate(time.Second)}
	b.fake = oauthtest.NewEntra(t, b.now)
	cfg := entra.OIDCConfig{Issuer: b.fake.URL + "/" + oauthtest.Contoso + "/v2.0", ClientID: oauthtest.EntraClient}
	cfg.Credential.Value = secret.New(oauthtest.EntraSecret)
	if change != nil {
		change(&cfg)
	}
	p, err := entra.New(entra.Config{Provider: "oidc", OIDC: cfg}, entra.Options{PublicURL: public, Now: b.now, Client: &http.Client{Timeout: 2 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	b.provider = p
	return b
}

// §11.12: identity is (issuer, subject claim); roles come from a dotted path.
func TestGenericProvider(t *testing.T) {
	b := newOIDC(t, func(c *entra.OIDCConfig) { c.RolesClaim = "realm_access.roles" })
	b.fake.Set(func(s *oauthtest.Switches) {
		s.IDToken = func(f *oauthtest.Forged) {
			f.Claims["realm_access"] = map[string]any{"roles": []string{"b", "a"}}
			f.Claims["groups"] = "one"
		}
	})
	id, up, err := b.signIn()
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(b.fake.URL, "http://")
	if !strings.HasPrefix(id.Subject, host+"/") || strings.Join(id.Roles, " ") != "a b" || strings.Join(id.Groups, " ") != "one" || id.Tenant != "" {
		t.Errorf("identity = %+v", id)
	}
	b.fake.Set(func(s *oauthtest.Switches) { s.NoIDToken = true })
	if next, _, err := b.provider.Refresh(t.Context(), id, up); err != nil || next.Subject != id.Subject {
		t.Errorf("Refresh without ID token = %+v, %v", next, err)
	}
	b.fake.Set(func(s *oauthtest.Switches) { s.Person("Ada", func(p *oauthtest.EntraPerson) { p.Disabled = true }) })
	if _, _, err := b.provider.Refresh(t.Context(), id, up); code(err) != oauth.InvalidGrant {
		t.Errorf("Refresh of a disabled person = %v", err)
	}
}

// Rows 44 to 49: what is not Entra's own is checked for every provider.
func TestGenericProviderRefusesWrongTokens(t *testing.T) {
	b := newOIDC(t, nil)
	for _, p := range oauthtest.Presets(b.now(), "http://127.0.0.1:1/") {
		if strings.Contains(p.Name, "tid") || strings.Contains(p.Name, "oid") || p.Name == "personal tenant" {
			continue // Entra's own claims
		}
		b.fake.Set(func(s *oauthtest.Switches) { s.IDToken = p.Forge })
		if _, _, err := b.signIn(); code(err) != oauth.InvalidToken {
			t.Errorf("row %s %s: %v", p.Row, p.Name, err)
		}
	}
}

// The discovery document must name exactly the configured issuer: /common does not.
func TestDiscoveryOfAnotherIssuerIsRefused(t *testing.T) {
	b := newOIDC(t, nil)
	p, err := entra.New(entra.Config{Provider: "oidc", OIDC: entra.OIDCConfig{Issuer: b.fake.URL + "/common/v2.0", ClientID: "x"}}, entra.Options{PublicURL: public})
	if err != nil {
		t.Fatal(err)
	}
	tx := &oauth.Transaction{UpstreamState: "s", Nonce: "n", Verifier: "v"}
	if _, err := p.AuthURL(t.Context(), tx, oauth.AuthOptions{}); code(err) != oauth.TemporarilyUnavailable {
		t.Errorf("AuthURL = %v", err)
	}
}
