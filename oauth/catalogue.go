package oauth

import (
	"context"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Resource is something a token can be for (oauth.md §7.1), as the broker needs to know it.
type Resource struct {
	URI    string // canonical: {public_url}/mcp/{server}, {public_url}/llm, …
	Name   string // "orders", "llm"
	Title  string
	Server bool   // an MCP server
	Public bool   // visibility public: its scope is listed in the metadata
	Scope  string // base scope: mcp:{server}, llm, …
	// Documentation is a link for people; "" none.
	Documentation string
	// Scopes are the step-up scopes tools need beside the base scope, in plain words for the consent page.
	Scopes []ScopeInfo
	// Tools lists what a person with these rights would get, for the consent page.
	Tools func(c *identity.Caller) []ToolInfo
	// Usable reports whether the caller's roles, groups or identity let them use the resource at all; when not, need
	// names what is missing, for people.
	Usable func(c *identity.Caller) (ok bool, need string)
	// Allowed reports whether the caller's roles let them have this scope.
	Allowed func(c *identity.Caller, scope string) bool
}

// ScopeInfo describes one step-up scope.
type ScopeInfo struct {
	Name string
	Text string // in plain words
	Risk string // read, change, delete
}

// ToolInfo describes one tool on the consent page.
type ToolInfo struct {
	Name, Title, Description string
	Risk                     string // read, change, delete
	Scope                    string // step-up scope it needs; ""
}

// Catalogue answers what resources exist, always from the current configuration snapshot.
type Catalogue interface {
	// Resource returns the resource with this canonical URI; retired servers are not there.
	Resource(uri string) (Resource, bool)
	// Resources lists all of them in a stable order.
	Resources() []Resource
}

// Provider is an identity provider (oauth.md §11.1).
type Provider interface {
	// Tenants lists what to choose from before AuthURL; one or none: no choice is offered.
	Tenants() []Tenant
	// AuthURL returns where the browser goes. The transaction has Tenant, UpstreamState, Nonce and Verifier.
	AuthURL(ctx context.Context, t *Transaction, o AuthOptions) (string, error)
	// Exchange redeems the provider's code and checks who signed in (oauth.md §11.3, §11.4). Errors are *Error as
	// oauth.md §10.2 maps them.
	Exchange(ctx context.Context, t *Transaction, code string) (Identity, Upstream, error)
	// Refresh checks with the provider that the person is still good (oauth.md §11.7). *Error with InvalidGrant: no
	// longer; TemporarilyUnavailable: unknown, keep what is stored.
	Refresh(ctx context.Context, id Identity, u Upstream) (Identity, Upstream, error)
	// MapError turns the error parameter of a callback into ours (oauth.md §10.2).
	MapError(code, description string) *Error
	// Issuer returns what iss must be in a callback that carries one, for this transaction.
	Issuer(t *Transaction) string
}

// Tenant is an organization people may sign in with.
type Tenant struct {
	ID, Name string
	Domains  []string
}

// AuthOptions are the few things of an authorization request that may reach the provider.
type AuthOptions struct {
	SelectAccount bool   // after "use another account"
	LoginHint     string // "" none
}
