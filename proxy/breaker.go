package proxy

import (
	"sync"
	"sync/atomic"
	"time"
)

// Breaker states, with the numbers that metrics show (llm.md BR-11).
const (
	breakerClosed   = 0
	breakerHalfOpen = 1
	breakerOpen     = 2
)

// steady is how long a breaker must have been closed before its next opening may be shorter than the last (PL-8).
const steady = 3 * time.Second

// breaker keeps calls away from a backend that fails (llm.md §10.2). A nil breaker lets everything through.
type breaker struct {
	rule breakerRule

	closed atomic.Bool // mirrors state == breakerClosed, so that the usual look costs no lock

	mu       sync.Mutex
	state    int
	until    time.Time     // when an open breaker may be probed
	probing  bool          // half-open: one request is under way
	closedAt time.Time     // when a probe closed it last; zero: never
	lastTrip time.Duration // of the last opening
	failures []time.Time   // ring of the last failures, as many as open the breaker
	next     int           // index in failures
	share    ring          // calls and failures, for percentage
}

// breakerRule is BreakerConfig with its defaults filled in.
type breakerRule struct {
	failures, percentage, minCalls int
	within, trip, maxTrip          time.Duration
	statuses                       *statusSet
	retryAfter                     bool
}

func newBreaker(rule breakerRule) *breaker {
	b := &breaker{rule: rule, failures: make([]time.Time, rule.failures), share: newRing(rule.within)}
	b.closed.Store(true)
	return b
}

// ready reports whether a request could go through now, and if not how long the breaker stays open.
func (b *breaker) ready(now time.Time) (bool, time.Duration) {
	if b == nil || b.closed.Load() {
		return true, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.readyLocked(now)
}

func (b *breaker) readyLocked(now time.Time) (bool, time.Duration) {
	switch {
	case b.state == breakerClosed:
		return true, 0
	case now.Before(b.until):
		return false, b.until.Sub(now)
	default:
		return !b.probing, 0
	}
}

// pass is what a request holds while it is under way: whoever got one ends it once.
type pass struct {
	b     *breaker
	probe bool
}

// enter takes a request through; false: the breaker is open, or another request probes it. changed is the new state,
// or -1.
func (b *breaker) enter(now time.Time) (p pass, changed int, ok bool) {
	if b == nil {
		return pass{}, -1, true
	}
	if b.closed.Load() {
		b.call(now)
		return pass{b: b}, -1, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok, _ := b.readyLocked(now); !ok {
		return pass{}, -1, false
	}
	if b.state == breakerClosed {
		b.call(now)
		return pass{b: b}, -1, true
	}
	b.probing = true
	changed = -1
	if b.state == breakerOpen {
		b.state, changed = breakerHalfOpen, breakerHalfOpen
	}
	return pass{b: b, probe: true}, changed, true
}

func (b *breaker) call(now time.Time) {
	if b.rule.percentage > 0 {
		b.share.call(now)
	}
}

// succeed ends a request that got an answer; the new state, or -1.
func (p pass) succeed(now time.Time) (changed int) {
	if p.b == nil || !p.probe {
		return -1
	}
	b := p.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state, b.probing, b.closedAt = breakerClosed, false, now
	clear(b.failures)
	b.share.reset()
	b.closed.Store(true)
	return breakerClosed
}

// undecided ends a request that says nothing about the backend: its caller has gone. The next one probes (BR-8).
func (p pass) undecided() {
	if p.b == nil || !p.probe {
		return
	}
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.probing = false
}

// fail ends a request that failed. told is the wait that the answer asked for, 0 when it asked for none.
func (p pass) fail(now time.Time, told time.Duration) (changed int) {
	if p.b == nil {
		return -1
	}
	b := p.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.probe {
		b.open(now, told)
		return breakerOpen
	}
	if b.state != breakerClosed {
		return -1 // a request from before the opening: already known
	}
	if !b.count(now) {
		return -1
	}
	b.open(now, told)
	return breakerOpen
}

// count notes a failure and reports whether it opens the breaker.
func (b *breaker) count(now time.Time) bool {
	if b.rule.percentage > 0 {
		calls, failed := b.share.fail(now)
		if calls >= b.rule.minCalls && failed*100 >= b.rule.percentage*calls {
			return true
		}
	}
	n := len(b.failures)
	if n == 0 {
		return false
	}
	b.failures[b.next] = now
	b.next = (b.next + 1) % n
	oldest := b.failures[b.next]
	return !oldest.IsZero() && now.Sub(oldest) <= b.rule.within
}

func (b *breaker) open(now time.Time, told time.Duration) {
	trip := b.rule.trip
	if told > 0 && b.rule.retryAfter {
		trip = min(max(told, 100*time.Millisecond), b.rule.maxTrip) // BR-6
	}
	if !b.closedAt.IsZero() && now.Sub(b.closedAt) < steady {
		trip = max(trip, b.lastTrip)
	}
	b.state, b.probing, b.until, b.lastTrip = breakerOpen, false, now.Add(trip), trip
	clear(b.failures)
	b.share.reset()
	b.closed.Store(false)
}
