package policy

import (
	"fmt"
	"log/slog"
	"time"

	"cel.dev/cel-go/cel"

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

	Fragments map[string][]Entry // by name, for `fragment:`

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
	c := &compiler{env: env, scope: scope, out: &proxy.Policies{}}
	c.list(entries, "", "", nil)
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	return c.out, nil
}

// compiler collects what one list becomes, and what is wrong with it.
type compiler struct {
	env    *Env
	scope  Scope
	out    *proxy.Policies
	faults []Fault

	at    string // [2].rate_limit
	label string
	place string // of counters and caches
	when  *program
	ids   map[string]bool
}

func (c *compiler) fault(field, message string) {
	path := c.at
	if field != "" {
		path += "." + field
	}
	c.faults = append(c.faults, Fault{Path: path, Message: message, Offset: -1})
}

func (c *compiler) add(phase proxy.Phase, p proxy.Policy) {
	c.out.ByPhase[phase] = append(c.out.ByPhase[phase], p)
}

// entry compiles one entry at path; outer is the when of the fragments around it.
func (c *compiler) entry(path string, e *Entry, outer string) {
	c.at, c.when = path, nil
	found := builds(e)
	if len(found) != 1 {
		c.fault("", "must name exactly one policy")
		return
	}
	name := found[0].name
	c.label = fmt.Sprintf("%s%s %s", c.scope, path, name)
	if c.checkID(e.ID); e.ID != "" {
		c.place = c.scope.String() + "#" + e.ID
	} else {
		c.place = c.scope.String() + path
	}
	if when := joinWhen(outer, e.When); when != "" {
		at := onRequest
		if responds(e) {
			at = onResponse
		}
		c.when = c.expr("when", when, at, cel.BoolType)
	}
	c.at += "." + name
	found[0].build(c)
}

// checkID: two entries of a list with one id would share a counter without saying so.
func (c *compiler) checkID(id string) {
	if id == "" {
		return
	}
	if c.ids[id] {
		c.fault("id", fmt.Sprintf("%q is already taken in this list", id))
	}
	if c.ids == nil {
		c.ids = map[string]bool{}
	}
	c.ids[id] = true
}

// built is one policy of an entry: its key and what makes it.
type built struct {
	name  string
	build func(*compiler)
}

// builds lists the policies that an entry names.
func builds(e *Entry) (found []built) {
	add := func(named bool, name string, build func(*compiler)) {
		if named {
			found = append(found, built{name, build})
		}
	}
	unbuilt := func(c *compiler) { c.fault("", "is not available in this version") }
	add(e.SemanticCache != nil, "semantic_cache", unbuilt)
	add(e.ContentSafety != nil, "content_safety", unbuilt)
	add(e.EmitMetric != nil, "emit_metric", unbuilt)
	add(e.Log != nil, "log", unbuilt)
	add(e.RateLimit != nil, "rate_limit", func(c *compiler) { c.rateLimit(e.RateLimit, e.ID) })
	add(e.Quota != nil, "quota", func(c *compiler) { c.quota(e.Quota, e.ID) })
	add(e.TokenLimit != nil, "token_limit", func(c *compiler) { c.tokenLimit(e.TokenLimit, e.ID) })
	add(e.TokenQuota != nil, "token_quota", func(c *compiler) { c.tokenQuota(e.TokenQuota, e.ID) })
	add(e.CostBudget != nil, "cost_budget", func(c *compiler) { c.costBudget(e.CostBudget, e.ID) })
	add(e.MaxTokens != nil, "max_tokens", func(c *compiler) { c.maxTokens(e.MaxTokens) })
	add(e.Cache != nil, "cache", func(c *compiler) { c.cache(e.Cache) })
	add(e.Require != nil, "require", func(c *compiler) { c.require(e.Require) })
	add(e.SetHeader != nil, "set_header", func(c *compiler) { c.setHeader(e.SetHeader) })
	add(e.RemoveHeader != nil, "remove_header", func(c *compiler) { c.removeHeader(e.RemoveHeader) })
	add(e.SetArgument != nil, "set_argument", func(c *compiler) { c.setArgument(e.SetArgument) })
	add(e.Route != nil, "route", func(c *compiler) { c.route(e.Route) })
	return found
}

// responds reports whether an entry runs when the answer is there, so that its expressions may read it.
func responds(e *Entry) bool {
	return e.SetHeader != nil && e.SetHeader.On == "response" || e.RemoveHeader != nil && e.RemoveHeader.On == "response"
}

// expr compiles an expression that may be absent; a fault is noted at field.
func (c *compiler) expr(field, text string, at place, want ...*cel.Type) *program {
	if text == "" {
		return nil
	}
	p, f := c.env.compile(text, at, want...)
	if f != nil {
		c.faults = append(c.faults, Fault{Path: c.at + "." + field, Message: f.message, Offset: f.offset})
	}
	return p
}

func (c *compiler) base() base { return base{env: c.env, label: c.label, when: c.when} }
