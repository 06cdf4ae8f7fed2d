package proxy

import (
	"context"
	"net/http"
	"strconv"
)

// admit runs the policies in the phases' order. A cached answer ends it early: hits are free of tokens (PX-7).
func (r *run) admit(ctx context.Context) (*CacheEntry, error) {
	if r.call.Policies == nil {
		return nil, nil
	}
	for phase := PhaseShape; phase < PhaseResponse; phase++ {
		policies := r.call.Policies.ByPhase[phase]
		if len(policies) == 0 {
			continue
		}
		entry, err := r.admitPhase(ctx, phase, policies)
		if err != nil {
			return nil, err
		}
		if entry != nil {
			r.peek(ctx)
			return entry, nil
		}
	}
	return nil, nil
}

func (r *run) admitPhase(ctx context.Context, phase Phase, policies []Policy) (*CacheEntry, error) {
	if b, ok := policies[0].(Batcher); ok {
		v, err := b.AdmitAll(ctx, r.call, policies)
		if err != nil {
			return nil, err
		}
		r.holds[phase] = v.Hold
		return r.take(v), nil
	}
	for _, p := range policies {
		v, err := p.Admit(ctx, r.call)
		if err != nil {
			return nil, err
		}
		if entry := r.take(v); entry != nil {
			return entry, nil
		}
	}
	return nil, nil
}

func (r *run) take(v Verdict) *CacheEntry {
	if v.Settle != nil {
		r.settles = append(r.settles, v.Settle)
	}
	if v.Header != nil {
		r.headers = append(r.headers, v.Header)
	}
	if v.Kind != "" {
		r.cache = v.Kind
	}
	return v.Answer
}

// peek lets token limits show their counters on a hit (TL-16).
func (r *run) peek(ctx context.Context) {
	policies := r.call.Policies.ByPhase[PhaseTokens]
	if len(policies) == 0 {
		return
	}
	if b, ok := policies[0].(Batcher); ok {
		if h := b.Peek(ctx, r.call, policies); h != nil {
			r.headers = append(r.headers, h)
		}
	}
}

// finish gives an answer its limit headers and lets response policies change what goes out.
func (r *run) finish(ctx context.Context, a *Answer) {
	if !r.tells() {
		a.Limits = noLimits
	} else {
		a.Limits = func() http.Header { return r.limits(ctx, a) }
	}
	if responders := r.responders(); len(responders) > 0 {
		r.respond(ctx, r.response(a.Status, a.Header), a.Header)
	}
}

func noLimits() http.Header { return nil }

// tells reports whether a verdict has headers for the answer.
func (r *run) tells() bool { return len(r.headers) > 0 || r.holds != [Phases]Hold{} }

// tell writes what verdicts have for the answer.
func (r *run) tell(h http.Header) {
	for _, write := range r.headers {
		write(h)
	}
	for _, hold := range r.holds {
		if hold != nil {
			hold.Header(h)
		}
	}
}

func (r *run) limits(ctx context.Context, a *Answer) http.Header {
	h := http.Header{}
	r.tell(h)
	if len(r.responders()) == 0 {
		return h
	}
	// Response policies may rename, replace or remove limit headers too; what they add is in a.Header already.
	changed := h.Clone()
	r.respond(ctx, r.response(a.Status, a.Header), changed)
	for name := range h {
		if values, kept := changed[name]; kept {
			h[name] = values
		} else {
			delete(h, name)
		}
	}
	return h
}

// respondRefusal makes the headers of a refusal final (HD-3).
func (r *run) respondRefusal(ctx context.Context, e *Error) {
	r.refusalHeaders(e)
	if len(r.responders()) == 0 {
		return
	}
	h := http.Header{}
	e.WriteHeader(h)
	before := h.Clone()
	resp := r.response(e.HTTPStatus(), before)
	resp.Refusal = e.Code
	if e.RetryAfter > 0 {
		resp.RetryAfter = int(WholeSeconds(e.RetryAfter))
	}
	r.respond(ctx, resp, h)
	for name := range before {
		if _, kept := h[name]; !kept {
			h[name] = nil // tells WriteHeader to remove it
		}
	}
	e.Header = h
}

// refusalHeaders adds what an answer would have told too: the road taken, and limits that were asked before (RL-9).
func (r *run) refusalHeaders(e *Error) {
	told := http.Header{}
	r.tell(told)
	if e.Backend != "" {
		told["X-Drawbridge-Backend"] = []string{e.Backend}
		told["X-Drawbridge-Attempts"] = []string{strconv.Itoa(r.attempts)}
		if r.cache != "" {
			told["X-Drawbridge-Cache"] = []string{r.cache}
		}
	}
	for name, values := range e.Header {
		told[name] = values
	}
	if len(told) > 0 {
		e.Header = told
	}
}

func (r *run) responders() []Policy {
	if r.call.Policies == nil {
		return nil
	}
	return r.call.Policies.ByPhase[PhaseResponse]
}

func (r *run) response(status int, h http.Header) *Response {
	resp := &Response{Status: status, Header: h.Clone(), Tokens: -1, Calls: -1}
	if hold := r.holds[PhaseTokens]; hold != nil {
		resp.Tokens = hold.Left()
	}
	if hold := r.holds[PhaseCalls]; hold != nil {
		resp.Calls = hold.Left()
	}
	return resp
}

func (r *run) respond(ctx context.Context, resp *Response, h http.Header) {
	for _, p := range r.responders() {
		if responder, ok := p.(Responder); ok {
			responder.Respond(ctx, r.call, resp, h)
		}
	}
}
