package entra_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
)

// oauth.md §2: tenants are listed, and every fault is told at once.
func TestConfigFaults(t *testing.T) {
	good := entra.EntraConfig{ClientID: "11111111-aaaa-4bbb-8ccc-000000000001", Authority: "https://login.microsoftonline.com", Graph: "https://graph.microsoft.com"}
	good.Credential.Secret.Source = "env:ENTRA_SECRET"
	with := func(tenants ...string) entra.EntraConfig {
		c := good
		for _, id := range tenants {
			c.Tenants = append(c.Tenants, entra.Tenant{ID: id})
		}
		return c
	}
	const tenant = "72f988bf-0000-4000-8000-00000000000a"
	for _, tc := range []struct {
		name string
		cfg  entra.Config
		want []string
	}{
		{"good", entra.Config{Provider: "entra", Entra: with(tenant)}, nil},
		{"none", entra.Config{Provider: "entra", Entra: with()}, []string{"entra.tenants"}},
		{"common", entra.Config{Provider: "entra", Entra: with("common")}, []string{"entra.tenants[0]"}},
		{"organizations", entra.Config{Provider: "entra", Entra: with("Organizations")}, []string{"entra.tenants[0]"}},
		{"consumers", entra.Config{Provider: "entra", Entra: with("consumers")}, []string{"entra.tenants[0]"}},
		{"wildcard and name", entra.Config{Provider: "entra", Entra: with("*", "contoso.com")}, []string{"entra.tenants[0]", "entra.tenants[1]"}},
		{"personal accounts", entra.Config{Provider: "entra", Entra: with("9188040D-6c67-4c5b-b112-36a304b66dad")}, []string{"entra.tenants[0]"}},
		{"twice", entra.Config{Provider: "entra", Entra: with(tenant, strings.ToUpper(tenant))}, []string{"entra.tenants[1]"}},
		{"nothing", entra.Config{Provider: "entra"}, []string{"entra.tenants", "entra.client_id", "entra.authority", "entra.graph", "entra.credential"}},
		{"plain http issuer", entra.Config{Provider: "oidc", OIDC: entra.OIDCConfig{Issuer: "http://idp.example", ClientID: "x"}}, []string{"oidc.issuer"}},
		{"oidc", entra.Config{Provider: "oidc", OIDC: entra.OIDCConfig{Issuer: "https://idp.example/realms/a", ClientID: "x"}}, nil},
		{"dev without people", entra.Config{Provider: "dev"}, []string{"dev.people"}},
		{"dev with bad names", entra.Config{Provider: "dev", Dev: entra.DevConfig{People: []entra.Person{{Name: "a/b"}, {Name: "a"}, {Name: "a"}}}}, []string{"dev.people[0]", "dev.people[2]"}},
		{"no provider", entra.Config{}, []string{"provider"}},
		{"another provider", entra.Config{Provider: "ldap"}, []string{"provider"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.cfg.Validate()
			if (err == nil) != (tc.want == nil) {
				t.Fatalf("Validate = %v", err)
			}
			for _, path := range tc.want {
				if !strings.Contains(err.Error(), path+":") && !strings.Contains(err.Error(), path+".") {
					t.Errorf("Validate = %v, want a fault at %s", err, path)
				}
			}
		})
	}
}

// Row 145: the dev provider refuses to start off loopback.
func TestDevProviderNeedsLoopback_145(t *testing.T) {
	cfg := entra.DevConfig{People: []entra.Person{{Name: "alice"}}}
	for _, bad := range []string{"https://gw.example", "http://10.0.0.1:8080", "http://localhost.evil.test", "http://0.0.0.0:8080", ""} {
		_, err := entra.NewDev(cfg, entra.Options{PublicURL: bad})
		if err == nil || err.Error() != "sign_in.provider: dev works only with a loopback public_url" {
			t.Errorf("NewDev(%q) = %v", bad, err)
		}
	}
	for _, good := range []string{"http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "https://localhost"} {
		if _, err := entra.NewDev(cfg, entra.Options{PublicURL: good}); err != nil {
			t.Errorf("NewDev(%q) = %v", good, err)
		}
	}
}

// §11.13: a code is good once, for its own transaction, for a minute.
func TestDevCodes(t *testing.T) {
	dev, err := entra.NewDev(entra.DevConfig{People: []entra.Person{{Name: "alice", Roles: []string{"b", "a", "a"}, Claims: map[string]any{"department": "x"}}}}, entra.Options{PublicURL: "http://localhost"})
	if err != nil {
		t.Fatal(err)
	}
	issue := func() string {
		c, err := dev.Issue("state", "dev/alice")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	tx := &oauth.Transaction{UpstreamState: "state"}
	c := issue()
	id, up, err := dev.Exchange(t.Context(), tx, c)
	if err != nil || id.Subject != "dev/alice" || id.Tenant != "dev" || strings.Join(id.Roles, " ") != "a b" || id.Claims["department"] != "x" {
		t.Fatalf("Exchange = %+v, %v", id, err)
	}
	if _, _, err := dev.Exchange(t.Context(), tx, c); code(err) != oauth.InvalidToken {
		t.Errorf("second Exchange = %v", err)
	}
	if _, _, err := dev.Exchange(t.Context(), &oauth.Transaction{UpstreamState: "other"}, issue()); code(err) != oauth.InvalidToken {
		t.Errorf("other transaction: %v", err)
	}
	if _, err := dev.Issue("state", "dev/mallory"); err == nil {
		t.Error("a code for nobody")
	}
	if _, _, err := dev.Refresh(t.Context(), id, up); err != nil {
		t.Errorf("Refresh = %v", err)
	}
	id.Subject = "dev/gone"
	if _, _, err := dev.Refresh(t.Context(), id, up); code(err) != oauth.InvalidGrant {
		t.Errorf("Refresh of somebody gone = %v", err)
	}
}
