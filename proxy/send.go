package proxy

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// send chooses a member, tries it, and goes on to another while that may still cure the call (llm.md §10.4).
func (r *run) send(ctx context.Context) (*Answer, error) {
	t, ok := r.p.targets[r.call.Target]
	if !ok {
		return nil, &Error{Kind: Internal, Code: "no_such_backend", Type: "server_error", Msg: "The gateway's configuration names no such backend."}
	}
	now := r.p.deps.Now()
	r.affinity = t.affinityOf(ctx, r)
	index, pass, wait, ok := t.choose(now, 0, r.affinity)
	if !ok {
		return nil, unavailable(wait)
	}
	r.sentAt = now
	if r.call.Tool != "" { // lists and handshakes go ahead of the call that may still be refused
		identity.RequestFrom(ctx).MarkSent()
	}
	t.members[index].road.core.budget.call(now)
	renewed := false
	for ; ; now = r.p.deps.Now() {
		attempt := r.try(ctx, t.members[index].road, pass, now)
		r.tried |= 1 << index
		if !attempt.failed || ctx.Err() != nil {
			if again := attempt.unauthorized() && !renewed; !again {
				return r.result(ctx, attempt)
			}
			renewed = true // CR-6: once more with a new credential, at the same backend
			if pass, ok = attempt.road.enter(r.p.deps.Now()); !ok {
				return r.result(ctx, attempt)
			}
			attempt.discard()
			continue
		}
		next, nextPass, ok := r.next(ctx, t, index, attempt)
		if !ok {
			return r.result(ctx, attempt)
		}
		attempt.discard()
		index, pass = next, nextPass
	}
}

// unavailable is the refusal when every breaker is open (BR-9, PL-7).
func unavailable(wait time.Duration) *Error {
	return &Error{
		Kind: Unavailable, Code: "no_backend_available", Type: "upstream_error",
		Msg: "No backend is available. Try again later.", RetryAfter: max(wait, time.Second),
	}
}

// result hands the last try to the caller: it decides what they see (RE-7).
func (r *run) result(ctx context.Context, t *try) (*Answer, error) {
	if t.err != nil {
		return nil, t.err
	}
	return r.answerOf(ctx, t), nil
}

// next decides whether a failed try is followed by another, and where: another available member at once, else the same
// after a wait (RE-4).
func (r *run) next(ctx context.Context, t *target, index int, failed *try) (int, pass, bool) {
	if r.attempts >= t.attempts || !failed.retryable(r.call.Idempotent) {
		return 0, pass{}, false
	}
	now := r.p.deps.Now()
	if i, p, _, ok := t.choose(now, r.tried, r.affinity); ok {
		r.retried(t.members[i].road, failed)
		return i, p, true
	}
	road := t.members[index].road
	pause := failed.told
	switch {
	case pause == 0:
		pause = time.Duration(float64(100*time.Millisecond<<min(r.attempts-1, 10)) * (0.8 + 0.4*rand.Float64())) //nolint:gosec // jitter
	case pause > road.retry.maxWait:
		return 0, pass{}, false
	}
	if r.start.Add(road.total).Before(now.Add(pause)) { // RE-9
		return 0, pass{}, false
	}
	if ready, _ := road.core.breaker.ready(now); !ready || !road.core.budget.take(now) {
		return 0, pass{}, false
	}
	if !sleep(ctx, pause) {
		return 0, pass{}, false
	}
	p, ok := road.enter(r.p.deps.Now())
	if ok {
		r.retried(road, failed)
	}
	return index, p, ok
}

func (r *run) retried(to *road, failed *try) {
	if r.p.deps.Observer != nil {
		r.p.deps.Observer.Retry(to.backend.Name, failed.reason())
	}
}

// sleep waits, and ends with the caller.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sameOrigin reports whether two requests would go to the same scheme, host and port.
func (b *Backend) sameOrigin(req *http.Request) bool {
	return req.URL.Scheme == b.URL.Scheme && req.URL.Host == b.URL.Host && req.URL.User == nil
}
