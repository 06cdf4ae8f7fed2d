package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Deps is what a Pipeline needs of others. The zero value works: nothing is recorded, the log is the default one.
type Deps struct {
	Recorder Recorder
	Log      *slog.Logger
	Observer Observer
	Now      func() time.Time // nil means time.Now
	// Affinity compiles the expression of a pool (policy.CompileText does); nil: pools with one are refused.
	Affinity func(expression string) (func(context.Context, *Call) (string, error), error)
	// Transport replaces the transport of a backend; nil: a pooled one of our own. For tests.
	Transport func(BackendConfig) http.RoundTripper
}

// Observer learns what happens on the road, for metrics. Calls come from many goroutines and must not block.
type Observer interface {
	// Attempt is one try; outcome is 2xx, 3xx, 4xx, 5xx, timeout, refused or reset.
	Attempt(backend, outcome string, took time.Duration)
	// Retry is one more try at backend; reason is a status, connect, reset or timeout.
	Retry(backend, reason string)
	// Breaker tells the state: 0 closed, 1 half-open, 2 open.
	Breaker(backend string, state int)
}

// Pipeline is the one road to any backend. It is immutable; a reload makes the next one over the same State.
type Pipeline struct {
	deps     Deps
	currency string
	agent    string
	hygiene  *Hygiene
	targets  map[string]*target
	roads    map[string]*road
	keys     map[stateKey]bool // what it uses of the State
}

// New builds the road to the backends and pools of cfg. Breakers, counters and connections of backends whose
// definition is unchanged come from state (llm.md BR-12, operations.md R5). All faults are joined in the error.
func New(cfg Config, state *State, deps Deps) (*Pipeline, error) { return build(cfg, state, deps) }

// Backend returns the backend of that name, as Build sees it.
func (p *Pipeline) Backend(name string) (*Backend, bool) {
	r, ok := p.roads[name]
	if !ok {
		return nil, false
	}
	return r.backend, true
}

// HasTarget reports whether name is a backend or a pool, for references of models, APIs and routes.
func (p *Pipeline) HasTarget(name string) bool { _, ok := p.targets[name]; return ok }

// Members returns the backends behind a backend or pool name, in the order of the configuration.
func (p *Pipeline) Members(name string) []*Backend {
	t, ok := p.targets[name]
	if !ok {
		return nil
	}
	list := make([]*Backend, len(t.members))
	for i := range t.members {
		list[i] = t.members[i].road.backend
	}
	return list
}

// Do takes a call down the road: policies, choice of the backend, credential, sending, retries before the first byte.
//
// On success the caller reads and closes Answer.Body and calls Answer.Settle once. On failure the error is a *Error,
// and the call is already settled and recorded.
func (p *Pipeline) Do(ctx context.Context, call *Call) (*Answer, error) {
	return newRun(p, call).do(ctx)
}
