// Package access decides who sees and may call which tool of a server (mcp.md §13).
//
//	access.tools of the configuration ─ New ─▶ Rules ─┬ Key: what of the lists a caller fulfils, for views (T2)
//	                                                  ├ Sees, MayUse: list, search, completion (A4)
//	                                                  └ Check: a call, before anything is asked of anybody (A1, A2)
//
// Every kind of server asks here, so that there is one decision: by the decoded name, from the current configuration, on
// every call (A3).
package access

import (
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Tool is the conditions of one tool. The zero value is everybody's who may use the server.
type Tool struct {
	Roles []string // who sees and calls it; empty: everybody who may use the server
	Scope string   // needed to call it; "": none
}

// Config is what the rules are made of.
type Config struct {
	Server string // mcp_servers[].name, for challenges
	Tools  map[string]Tool
	// Match reports whether the caller is one of entries (role:…, group:…, user:…, or a bare role). nil: bare roles.
	Match func(c *identity.Caller, entries []string) bool
	// Challenge makes the WWW-Authenticate value of a 403 when a call needs a scope the token lacks (A2, oauth.md §8.3).
	// nil: without resource_metadata.
	Challenge func(c *identity.Caller, server, scope string) string
}

// Rules are the conditions of a server's tools. Immutable.
type Rules struct {
	cfg    Config
	lists  [][]string     // distinct
	byTool map[string]int // place in lists; tools for everybody are not in it
}

// New makes rules of the configuration.
func New(cfg Config) *Rules {
	r := &Rules{cfg: cfg, byTool: map[string]int{}}
	names := make([]string, 0, len(cfg.Tools))
	for name := range cfg.Tools {
		names = append(names, name)
	}
	slices.Sort(names) // the same configuration makes the same keys, on every replica
	for _, name := range names {
		roles := cfg.Tools[name].Roles
		if len(roles) == 0 {
			continue
		}
		sorted := slices.Sorted(slices.Values(roles))
		at := slices.IndexFunc(r.lists, func(l []string) bool { return slices.Equal(l, sorted) })
		if at < 0 {
			at = len(r.lists)
			r.lists = append(r.lists, sorted)
		}
		r.byTool[name] = at
	}
	return r
}

// Any reports whether some tools are not everybody's.
func (r *Rules) Any() bool { return len(r.lists) > 0 }

// Names returns the tools that are not everybody's, sorted.
func (r *Rules) Names() []string {
	names := make([]string, 0, len(r.byTool))
	for name := range r.byTool {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Key tells which lists the caller fulfils, one byte for each: ten thousand people with two role sets have two keys (T2).
func (r *Rules) Key(c *identity.Caller) string {
	if len(r.lists) == 0 {
		return ""
	}
	key := make([]byte, len(r.lists))
	for i, roles := range r.lists {
		if r.matches(c, roles) {
			key[i] = 1
		}
	}
	return string(key)
}

// Sees reports whether callers with this key see the tool.
func (r *Rules) Sees(key, tool string) bool {
	list, ruled := r.byTool[tool]
	return !ruled || key[list] == 1
}

// MayUse reports whether the caller sees and may call the tool of this name, should there be one (A1).
func (r *Rules) MayUse(c *identity.Caller, tool string) bool {
	list, ruled := r.byTool[tool]
	return !ruled || r.matches(c, r.lists[list])
}

// Check refuses a call that the caller may not make, while a refusal still is the whole answer: with the words for a tool
// that does not exist when it is not theirs (A1), with a challenge when the token lacks the tool's scope (A2). Keys have no
// scopes to widen, but the answer is true for them too.
func (r *Rules) Check(c *identity.Caller, tool string) error {
	if !r.MayUse(c, tool) {
		return Unknown(tool)
	}
	return r.Scope(c, tool)
}

// Scope refuses a call whose token lacks the tool's scope (A2).
func (r *Rules) Scope(c *identity.Caller, tool string) error {
	scope := r.cfg.Tools[tool].Scope
	if scope == "" || c.HasScope(scope) {
		return nil
	}
	challenge := `Bearer error="insufficient_scope", scope="` + scope + `"`
	if r.cfg.Challenge != nil {
		challenge = r.cfg.Challenge(c, r.cfg.Server, scope)
	}
	return &edge.Error{
		Status: http.StatusForbidden, Code: edge.CodeInvalidRequest, OAuth: "insufficient_scope",
		Msg: "this tool needs the scope " + scope, Header: http.Header{"Www-Authenticate": {challenge}},
	}
}

func (r *Rules) matches(c *identity.Caller, roles []string) bool {
	if r.cfg.Match != nil {
		return r.cfg.Match(c, roles)
	}
	return slices.ContainsFunc(roles, func(role string) bool { return c.HasRole(strings.TrimPrefix(role, "role:")) })
}

// Unknown is the answer to a call of a tool that does not exist, as far as the caller may know.
func Unknown(tool string) error { return edge.InvalidParams("unknown tool: %s", mcp.Clip(tool)) }
