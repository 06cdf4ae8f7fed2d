package oauth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Modes of dynamic registration and of client documents (oauth.md §6.2).
const (
	Open    = "open"    // usable at once
	Approve = "approve" // waits for an administrator
	Closed  = "closed"  // off, and not advertised
)

// Config is the `oauth:` section of the configuration file.
type Config struct {
	// How long an access token is good.
	AccessTokenTTL time.Duration `yaml:"access_token_ttl" default:"1h"`
	// How long a person's consent is good, whatever is done with it: after this time they sign in again.
	RefreshTokenTTL time.Duration `yaml:"refresh_token_ttl" default:"720h"`
	// Dynamic client registration (RFC 7591): open, approve (an administrator decides) or closed.
	Registration string `yaml:"registration" default:"open" enum:"open,approve,closed"`
	// Client ID metadata documents, where the client's id is an https address: open, approve or closed.
	ClientDocuments string `yaml:"client_documents" default:"open" enum:"open,approve,closed"`
	// When not empty, client documents are accepted from these hosts only: claude.ai, or *.example.com for everything below.
	ClientDocumentHosts []string `yaml:"client_document_hosts"`
	// Clients set up by the operator.
	Clients []ClientConfig `yaml:"clients"`
	// How long an authorization code is good; at most 10m.
	CodeTTL time.Duration `yaml:"code_ttl" default:"60s"`
	// How long sign-in and consent together may take.
	TransactionTTL time.Duration `yaml:"transaction_ttl" default:"10m"`
	// How long a used refresh token still gives its successor again, for answers that got lost; at most 120s.
	RefreshGrace time.Duration `yaml:"refresh_grace" default:"30s" zero:"off"`
	// How many registered clients that never got a code are kept.
	MaxClients int `yaml:"max_clients" default:"10000"`
	// When people are asked for consent: always, or remember for 90 days what they allowed.
	Consent string `yaml:"consent" default:"always" enum:"always,remember"`
}

// ClientConfig is a client set up by the operator.
type ClientConfig struct {
	// The client id.
	ID string `yaml:"id" required:"true"`
	// The client secret; without one the client is public.
	Secret secret.Reference `yaml:"secret" secret:"strong"`
	// Grant types: authorization_code, refresh_token, client_credentials. Empty: authorization_code and refresh_token
	// when there are redirect URIs.
	Grants []string `yaml:"grants"`
	// What it may name as resource with client_credentials, and introspect: names of MCP servers, llm, admin, registry.
	Servers []string `yaml:"servers"`
	// Where people are sent back to; with them the client may use authorization_code.
	RedirectURIs []string `yaml:"redirect_uris"`
	// The name people see on the consent page.
	Name string `yaml:"name"`
	// Roles a client_credentials client acts with.
	Roles []string `yaml:"roles"`
	// How it authenticates: client_secret_basic, client_secret_post or none. Empty: either way with a secret, else none.
	Auth string `yaml:"auth" enum:"client_secret_basic,client_secret_post,none"`
	// Tokens of other issuers the client authenticates with instead of a secret.
	Federated []FederatedConfig `yaml:"federated" available:"false"`
}

// FederatedConfig is one identity of another issuer that stands for a client.
type FederatedConfig struct {
	// The issuer's https address.
	Issuer string `yaml:"issuer" required:"true"`
	// The sub of its tokens.
	Subject string `yaml:"subject" required:"true"`
	// The aud of its tokens; empty: the token endpoint.
	Audience string `yaml:"audience"`
}

// Client returns the domain record of a configured client.
func (c *ClientConfig) Client() Client {
	client := Client{
		ID: c.ID, Kind: Preregistered, Status: Approved, Name: c.Name, RedirectURIs: c.RedirectURIs,
		AuthMethod: c.Auth, GrantTypes: c.Grants, Servers: c.Servers, Roles: c.Roles,
	}
	if client.Name == "" {
		client.Name = c.ID
	}
	if len(client.GrantTypes) == 0 && len(c.RedirectURIs) > 0 {
		client.GrantTypes = []string{GrantAuthorizationCode, GrantRefreshToken}
	}
	if c.Secret.IsZero() {
		client.AuthMethod = AuthNone
		return client
	}
	sum := sha256.Sum256([]byte(c.Secret.Reveal()))
	client.SecretHash = sum[:]
	return client
}

// Grant types and ways of client authentication.
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"

	AuthNone  = "none"
	AuthBasic = "client_secret_basic"
	AuthPost  = "client_secret_post"
)

// Validate reports everything that the shape of the file cannot say, each as "path: message" with the path below
// `oauth`, joined. It changes nothing.
func (c *Config) Validate() error {
	var faults []error
	report := func(path, message string) { faults = append(faults, errors.New(path+": "+message)) }
	if c.AccessTokenTTL <= 0 || c.AccessTokenTTL > 24*time.Hour {
		report("access_token_ttl", "must be more than 0 and at most 24h")
	}
	if c.RefreshTokenTTL < c.AccessTokenTTL {
		report("refresh_token_ttl", "must not be shorter than access_token_ttl")
	}
	if c.CodeTTL <= 0 || c.CodeTTL > 10*time.Minute {
		report("code_ttl", "must be more than 0 and at most 10m")
	}
	if c.TransactionTTL <= 0 || c.TransactionTTL > time.Hour {
		report("transaction_ttl", "must be more than 0 and at most 1h")
	}
	if c.RefreshGrace < 0 || c.RefreshGrace > 2*time.Minute {
		report("refresh_grace", "must be 0 to 120s")
	}
	if c.MaxClients < 1 {
		report("max_clients", "must be at least 1")
	}
	for i, h := range c.ClientDocumentHosts {
		if !hostPattern.MatchString(h) {
			report(fmt.Sprintf("client_document_hosts[%d]", i), "must be a host in lower case, or *.host")
		}
	}
	ids := map[string]bool{}
	for i := range c.Clients {
		client := &c.Clients[i]
		at := fmt.Sprintf("clients[%d]", i)
		if ids[client.ID] {
			report(at+".id", "is used twice")
		}
		ids[client.ID] = true
		client.check(func(path, message string) { report(at+"."+path, message) })
	}
	return errors.Join(faults...)
}

var (
	hostPattern     = regexp.MustCompile(`^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$`)
	clientIDPattern = regexp.MustCompile(`^[\x21-\x7E]{1,128}$`)
)

func (c *ClientConfig) check(report func(path, message string)) {
	if !clientIDPattern.MatchString(c.ID) {
		report("id", "must be 1 to 128 visible ASCII characters")
	}
	confidential := c.Secret.Source != "" || !c.Secret.IsZero()
	switch {
	case confidential && c.Auth == AuthNone:
		report("auth", "none does not go with a secret")
	case !confidential && c.Auth != "" && c.Auth != AuthNone:
		report("auth", "needs a secret")
	}
	if !c.Secret.IsZero() && len(c.Secret.Reveal()) < 16 {
		report("secret", "must have at least 16 characters")
	}
	for i, g := range c.Grants {
		if g != GrantAuthorizationCode && g != GrantRefreshToken && g != GrantClientCredentials {
			report(fmt.Sprintf("grants[%d]", i), "must be authorization_code, refresh_token or client_credentials")
		}
	}
	if slices.Contains(c.Grants, GrantAuthorizationCode) && len(c.RedirectURIs) == 0 {
		report("redirect_uris", "authorization_code needs at least one")
	}
	if slices.Contains(c.Grants, GrantClientCredentials) {
		if !confidential {
			report("secret", "client_credentials needs one")
		}
		if len(c.Servers) == 0 {
			report("servers", "client_credentials needs at least one")
		}
	}
}

// CheckPublicURL reports why raw cannot be public_url: it must be an origin, https or loopback http (oauth.md §2). The
// issuer, every audience and every redirect are built from it byte by byte, so nothing is normalised here.
func CheckPublicURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || raw != u.Scheme+"://"+u.Host {
		return errors.New("must be an origin such as https://gw.example.com")
	}
	if u.Scheme == "http" && !IsLoopbackHost(u.Hostname()) {
		return errors.New("http is allowed for loopback only")
	}
	return nil
}
