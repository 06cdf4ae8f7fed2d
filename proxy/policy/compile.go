package policy

import (
	"log/slog"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// Scope is where a list of policies stands. Its kind and name are part of the name of every counter (llm.md CT-1).
type Scope struct {
	Kind ScopeKind
	Name string // of the product, server, model …; of a tool: SERVER/TOOL; "" for Everything and AllModels
}

// ScopeKind is a closed set, in the order in which scopes run (llm.md PX-12).
type ScopeKind string

const (
	Everything ScopeKind = "global"
	Workspace  ScopeKind = "workspace"
	Product    ScopeKind = "product"
	AllModels  ScopeKind = "llm"
	Server     ScopeKind = "server"
	Tool       ScopeKind = "tool"
	Model      ScopeKind = "model"
)

func (s Scope) String() string { return string(s.Kind) + ":" + s.Name }

// Fault is one thing wrong with a list of policies. Path is relative to the list: [2].rate_limit.key.
type Fault struct {
	Path    string
	Message string
	Offset  int // in the text of the expression, in bytes; -1: the fault is not inside an expression
}

// Deps is what policies need of others. The zero value works, with counters and a cache of its own.
type Deps struct {
	Counters *Counters // survive reloads
	Cache    *Cache    // survives reloads
	Log      *slog.Logger
	Observer Observer
	Now      func() time.Time // nil means time.Now

	Region, Instance string // gateway.region, gateway.instance

	// Target reports whether a name is a backend or a pool, for route; nil: every name is.
	Target func(name string) bool
	// Priced reports whether every model in the scope has a price, for cost_budget; nil: yes.
	Priced func(Scope) bool
}

// Observer learns what policies decided, for metrics. It must not block.
type Observer interface {
	// Decision is admitted, refused, shadow, local, warned or error.
	Decision(policy, decision string)
	// CacheResult is hit, semantic, miss, bypass or error.
	CacheResult(policy, result string)
}

// Compile checks one list of policies and makes it ready to run. All faults of the list are found; with any, the
// policies are nil.
func Compile(entries []Entry, scope Scope, env *Env) (*proxy.Policies, []Fault) {
	return compile(entries, scope, env)
}
