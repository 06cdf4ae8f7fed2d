package proxy

import (
	"context"
	"net/http"
	"sync"
)

// Phase is where on the road a policy runs (llm.md §1). The order is the pipeline's, not the file's.
type Phase int

const (
	PhaseShape    Phase = iota // PX-4: set_header, remove_header, set_argument, max_tokens, route, require
	PhaseCalls                 // PX-5: rate_limit, quota
	PhaseSafety                // PX-6: content_safety on requests
	PhaseCache                 // PX-7: cache, then semantic_cache; a hit skips PhaseTokens and sending
	PhaseTokens                // PX-8: token_limit, token_quota, cost_budget: all or none
	PhaseResponse              // set_header and remove_header with on: response, emit_metric, log; never refuses
	Phases                     // how many there are
)

// Policy decides about calls. Admit may refuse a call (a *Error), answer it (Verdict.Answer) or let it pass; what it
// reserved is given back or spent by Verdict.Settle, which the pipeline runs exactly once for every verdict it got,
// however the call ends: also when a later policy refuses (then with Ending EndRefused).
type Policy interface {
	Admit(ctx context.Context, call *Call) (Verdict, error)
}

// Verdict is what a policy says about a call it did not refuse. The zero value lets the call pass.
type Verdict struct {
	// Answer, when not nil, is what the caller gets instead of a backend's answer (cache hits).
	Answer *CacheEntry
	// Kind says how Answer was found: hit or semantic; or miss when the policy looked in vain.
	Kind string
	// Settle learns how the call ended; nil: nothing to settle.
	Settle func(Outcome)
	// Header adds headers to the answer; it is read when the headers go out, so it may tell settled numbers. nil: none.
	Header func(h http.Header)
	// Hold is what limits hold for the call: Settle, Header and what is left, in one. nil: nothing.
	Hold Hold
}

// Hold is a reservation of limits.
type Hold interface {
	// Settle learns how the call ended, once.
	Settle(o Outcome)
	// Header adds what the limits tell; it may be asked before and after Settle.
	Header(h http.Header)
	// Left is what the tightest limit leaves, for remaining.tokens and remaining.calls; -1: none is told.
	Left() int64
}

// Batcher is a policy that decides together with its neighbours of the same phase: limits reserve all or none
// (llm.md PX-13), and the refusal that counts is chosen among all of them (ER-24). The pipeline asks the first policy of
// PhaseCalls and of PhaseTokens, with the whole phase as batch.
type Batcher interface {
	Policy
	AdmitAll(ctx context.Context, call *Call, batch []Policy) (Verdict, error)
	// Peek gives the headers of limits that were not asked, because a cache answered: they show their counters as they
	// are (TL-16). nil: none.
	Peek(ctx context.Context, call *Call, batch []Policy) func(h http.Header)
}

// Responder is a policy of PhaseResponse: it changes the headers of an answer or a refusal just before they go out
// (HD-3). It cannot refuse.
type Responder interface {
	Policy
	Respond(ctx context.Context, call *Call, r *Response, h http.Header)
}

// Response is what response policies see.
type Response struct {
	Status     int
	Header     http.Header // what goes to the caller, before response policies
	Refusal    string      // code of a refusal, or ""
	RetryAfter int         // seconds told with a refusal; 0: none
	Tokens     int64       // what the tightest token limit leaves; -1: none applied
	Calls      int64       // … of calls
}

// Policies are compiled policies in the order in which they run inside each phase: everything, workspace, product,
// llm or server, model or tool. Immutable.
type Policies struct{ ByPhase [Phases][]Policy }

// Join returns the policies of several scopes as one, in the order given; nil entries are skipped.
func Join(scopes ...*Policies) *Policies {
	var all Policies
	for _, s := range scopes {
		if s == nil {
			continue
		}
		for p := range s.ByPhase {
			all.ByPhase[p] = append(all.ByPhase[p], s.ByPhase[p]...)
		}
	}
	return &all
}

func once(f func(Outcome)) func(Outcome) {
	var o sync.Once
	return func(out Outcome) { o.Do(func() { f(out) }) }
}
