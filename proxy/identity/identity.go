// Package identity says who is calling, in one struct that every room reads, and carries it together with the facts of
// the HTTP request through a context. It stands alone: it knows nothing of tokens, keys or sessions; those who verify
// them (oauth/resource) make a Caller, and everybody behind them trusts it.
//
//	credential ─ oauth/resource ─▶ Caller ─▶ mcp, llm ─▶ proxy (policies, records)
package identity

import "time"

// Kind is how a caller proved who they are. The values are those of caller.kind in policy expressions.
type Kind string

const (
	Anonymous Kind = "anonymous" // no credential; only where a server allows it
	Person    Kind = "person"    // an access token that speaks for a signed-in person
	App       Kind = "app"       // an access token of a service client (client_credentials)
	Key       Kind = "key"       // a subscription key
)

// Caller is who is calling. The zero value is an anonymous caller without rights.
type Caller struct {
	Kind     Kind
	Subject  string         // {tid}/{oid} with Entra, {issuer host}/{sub} generic, dev/{name}, client:{id} for services; "" for keys
	Name     string         // for showing only; never compared
	Tenant   string         // tid; "" when unknown
	ClientID string         // the OAuth client; "" for keys
	Roles    []string       // sorted
	Groups   []string       // only when some rule names a group
	Scopes   []string       // of the access token, sorted
	Claims   map[string]any // claims kept with the grant (oauth.md §2); nil for keys and services
	GrantID  string         // gid of the access token; what a revocation names
	Expires  time.Time      // when the credential ends; zero for keys
	Audience string         // the resource the token is for; "" for keys

	Subscription Subscription // the zero value when the caller has none
}

// Subscription is what a key belongs to.
type Subscription struct {
	ID      string // stable; derived from the name for configured subscriptions, so that every replica has the same
	Name    string
	Product string
}

// HasRole reports whether the caller holds role, compared exactly.
func (c *Caller) HasRole(role string) bool { return contains(c.Roles, role) }

// HasScope reports whether the caller's token carries scope, compared exactly.
func (c *Caller) HasScope(scope string) bool { return contains(c.Scopes, scope) }

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
