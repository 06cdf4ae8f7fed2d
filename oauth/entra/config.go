package entra

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Config is `sign_in`: who signs people in.
type Config struct {
	// Which identity provider people sign in with.
	Provider string `yaml:"provider" enum:"entra,oidc,dev"`
	// Microsoft Entra ID.
	Entra EntraConfig `yaml:"entra"`
	// Any other OpenID Connect provider.
	OIDC OIDCConfig `yaml:"oidc"`
	// A page where one picks a person; works only with a loopback public_url.
	Dev DevConfig `yaml:"dev"`
}

// EntraConfig is `sign_in.entra`.
type EntraConfig struct {
	// Who may sign in: tenant GUIDs, or {id, name, domains}. No wildcard.
	Tenants []Tenant `yaml:"tenants"`
	// Application (client) ID of Drawbridge's app registration.
	ClientID string `yaml:"client_id"`
	// How Drawbridge proves who it is: env:NAME or file:PATH of the client secret.
	Credential Credential `yaml:"credential"`
	// Login host; another one for national clouds and tests.
	Authority string `yaml:"authority" default:"https://login.microsoftonline.com"`
	// Microsoft Graph, asked for groups that do not fit into a token.
	Graph string `yaml:"graph" default:"https://graph.microsoft.com"`
	// Scope of Drawbridge's own API in Entra; without it on-behalf-of and group overage do not work.
	APIScope string `yaml:"api_scope"`
	// false: people whose home tenant is another one are refused.
	Guests bool `yaml:"guests" default:"true"`
	// auto: groups are asked for only when a rule names one; off: never.
	Groups string `yaml:"groups" default:"auto" enum:"auto,off"`
	// A refresh within this time of the last good one of the same person does not ask Entra again.
	Recheck time.Duration `yaml:"recheck" default:"10s"`
	// ID token claims kept with the grant, readable as caller.claims; at most 10.
	Claims []string `yaml:"claims"`
}

// Tenant is an organization whose people may sign in: a GUID, or {id, name, domains}.
type Tenant struct {
	// Directory (tenant) ID, a GUID.
	ID string `yaml:"id"`
	// Shown where people choose their organization.
	Name string `yaml:"name"`
	// Mail domains; a login hint that ends in one skips the choice.
	Domains []string `yaml:"domains"`
}

// UnmarshalText takes the short form, the GUID alone.
func (t *Tenant) UnmarshalText(text []byte) error { t.ID = string(text); return nil }

// Credential is a client secret by reference, or one of the ways without a stored secret.
type Credential struct {
	Secret secret.Reference `yaml:"-"`
	// PEM file with key and certificate.
	Certificate secret.Reference `yaml:"certificate"`
	// The token of a Kubernetes service account (AZURE_FEDERATED_TOKEN_FILE).
	WorkloadIdentity bool `yaml:"workload_identity"`
	// system, or the client ID of a user-assigned managed identity.
	ManagedIdentity string `yaml:"managed_identity"`

	written bool // the short form was there; a reference that did not resolve is one fault, not two
}

// UnmarshalText takes the short form: env:NAME or file:PATH of a client secret.
func (c *Credential) UnmarshalText(text []byte) error {
	c.written = true
	return c.Secret.UnmarshalText(text)
}

// ways counts how many credentials are configured, whether or not their references could be resolved.
func (c *Credential) ways() int {
	n := 0
	for _, set := range []bool{c.written || c.Secret.Source != "" || !c.Secret.IsZero(), c.Certificate.Source != "" || !c.Certificate.IsZero(), c.WorkloadIdentity, c.ManagedIdentity != ""} {
		if set {
			n++
		}
	}
	return n
}

// OIDCConfig is `sign_in.oidc`.
type OIDCConfig struct {
	// Issuer; its discovery document must name exactly this text.
	Issuer string `yaml:"issuer"`
	// The client ID that the provider knows Drawbridge by.
	ClientID string `yaml:"client_id"`
	// env:NAME or file:PATH of the client secret; none for a public client.
	Credential secret.Reference `yaml:"credential"`
	// Claim that holds roles; a dotted path reaches into objects.
	RolesClaim string `yaml:"roles_claim" default:"roles"`
	// Claim that holds groups.
	GroupsClaim string `yaml:"groups_claim" default:"groups"`
	// Claim that identifies a person for good.
	SubjectClaim string `yaml:"subject_claim" default:"sub"`
	// Scopes asked for; openid is always among them. Default: openid, profile, email, offline_access.
	Scopes []string `yaml:"scopes"`
	// ID token claims kept with the grant, readable as caller.claims; at most 10.
	Claims []string `yaml:"claims"`
}

// DevConfig is `sign_in.dev`.
type DevConfig struct {
	// The people to pick from.
	People []Person `yaml:"people"`
}

// Person is somebody of the dev provider.
type Person struct {
	// Name; also the subject, dev/{name}.
	Name string `yaml:"name" required:"true"`
	// Roles this person has.
	Roles []string `yaml:"roles"`
	// Groups this person is in.
	Groups []string `yaml:"groups"`
	// Claims kept with the grant, readable as caller.claims.
	Claims map[string]any `yaml:"claims"`
}

// PersonalTenant is the tenant of personal Microsoft accounts: anybody on earth, so nobody in particular.
const PersonalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

var (
	guidPattern   = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	personPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)
)

func isGUID(s string) bool { return guidPattern.MatchString(s) }

// Validate reports every fault of the chosen provider's settings, each with its path below sign_in. It changes nothing.
func (c *Config) Validate() error {
	switch c.Provider {
	case "entra":
		return c.Entra.validate()
	case "oidc":
		return c.OIDC.validate()
	case "dev":
		return c.Dev.validate()
	case "":
		return errors.New("provider: must be entra, oidc or dev")
	}
	return fmt.Errorf("provider: unknown provider %q", c.Provider)
}

func (c *EntraConfig) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("entra."+format, args...)) }
	if len(c.Tenants) == 0 {
		fault("tenants: name at least one tenant")
	}
	seen := map[string]bool{}
	for i, t := range c.Tenants {
		id := strings.ToLower(t.ID)
		switch {
		case slices.Contains([]string{"common", "organizations", "consumers", "*"}, id):
			fault("tenants[%d]: %q would let in any organization; list tenant GUIDs", i, t.ID)
		case id == PersonalTenant:
			fault("tenants[%d]: the tenant of personal accounts is not an organization", i)
		case !isGUID(id):
			fault("tenants[%d]: must be a GUID", i)
		case seen[id]:
			fault("tenants[%d]: named twice", i)
		}
		seen[id] = true
	}
	if !isGUID(c.ClientID) {
		fault("client_id: must be a GUID")
	}
	if err := checkOrigin(c.Authority); err != nil {
		fault("authority: %w", err)
	}
	if u, err := url.Parse(c.Graph); err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !secureScheme(u) {
		fault("graph: must be an https URL")
	}
	if c.Credential.ways() != 1 {
		fault("credential: name exactly one way: a client secret, certificate, workload_identity or managed_identity")
	}
	if len(c.Claims) > maxClaims {
		fault("claims: at most %d", maxClaims)
	}
	return errors.Join(faults...)
}

func (c *OIDCConfig) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("oidc."+format, args...)) }
	if u, err := url.Parse(c.Issuer); err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || !secureScheme(u) {
		fault("issuer: must be an https URL")
	}
	if c.ClientID == "" {
		fault("client_id: must not be empty")
	}
	if len(c.Claims) > maxClaims {
		fault("claims: at most %d", maxClaims)
	}
	return errors.Join(faults...)
}

func (c *DevConfig) validate() error {
	var faults []error
	if len(c.People) == 0 {
		faults = append(faults, errors.New("dev.people: name at least one person"))
	}
	seen := map[string]bool{}
	for i, p := range c.People {
		switch {
		case !personPattern.MatchString(p.Name):
			faults = append(faults, fmt.Errorf("dev.people[%d].name: must be 1 to 64 of letters, digits and ._@-", i))
		case seen[p.Name]:
			faults = append(faults, fmt.Errorf("dev.people[%d].name: %s is there twice", i, p.Name))
		}
		seen[p.Name] = true
	}
	return errors.Join(faults...)
}

// checkOrigin accepts https origins, and http ones on loopback for tests and local fakes.
func checkOrigin(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return errors.New("must be an origin such as https://login.microsoftonline.com")
	}
	if !secureScheme(u) {
		return errors.New("must be https")
	}
	return nil
}
