package policy

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// reservation is what all limits of one phase hold for one call: taken in one step, ended in one step (PX-13).
type reservation struct {
	env   *Env
	call  *proxy.Call
	facts facts
	wants []want     // never grows once held: counters point into it
	locks []*counter // distinct, in the order in which they are locked

	prompt     int64 // tokens the reservation was made for
	completion int64
	bounded    bool // prompt is a bound, and can be counted
	counted    bool // an exact count was made (TL-19)

	counting sync.Once
	exact    int // what counting found
	ended    sync.Once

	fewWants [few]want // room for most calls, so that a reservation is one allocation
	fewLocks [few]*counter
}

const few = 3

// count counts the prompt, at most once, from whatever goroutine needs it first.
func (r *reservation) count() int64 {
	r.counting.Do(func() { r.exact = r.call.Prompt.Exact() })
	return int64(r.exact)
}

// hold is one amount at one counter. Owner: counter.mu.
type hold struct {
	res    *reservation
	want   *want
	stamp  int64
	amount int64

	bound      bool // made by a cheap bound: in the list of the counter
	prev, next *hold
}

// AdmitAll decides for all limits of a phase at once.
func (l *limit) AdmitAll(ctx context.Context, call *proxy.Call, batch []proxy.Policy) (proxy.Verdict, error) {
	r, err := l.env.gather(ctx, call, batch)
	if err != nil || r == nil {
		return proxy.Verdict{}, err
	}
	if err := r.reserve(ctx); err != nil {
		return proxy.Verdict{}, err
	}
	for i := range r.wants {
		l.env.decided(r.wants[i].limit.label, "admitted")
	}
	return proxy.Verdict{Hold: r}, nil
}

// Peek shows the counters as they are.
func (l *limit) Peek(ctx context.Context, call *proxy.Call, batch []proxy.Policy) func(h http.Header) {
	r, err := l.env.gather(ctx, call, batch)
	if err != nil || r == nil {
		return nil
	}
	return r.Header
}

// gather finds the limits that apply and their counters.
func (e *Env) gather(ctx context.Context, call *proxy.Call, batch []proxy.Policy) (*reservation, error) {
	r := &reservation{env: e, call: call, facts: facts{env: e, call: call}}
	r.wants = r.fewWants[:0]
	if len(batch) > few {
		r.wants = make([]want, 0, len(batch))
	}
	for _, p := range batch {
		l, ok := p.(*limit)
		if !ok {
			continue // phases of limits hold nothing else
		}
		if l.ofTokens() && r.completion == 0 {
			r.completion = e.completion(call)
			r.prompt = int64(call.Prompt.Bound)
			r.facts.tokens = tokens{prompt: r.prompt, completion: r.completion}
		}
		w, applies, err := l.prepare(ctx, &r.facts)
		if err != nil {
			return nil, err
		}
		if applies {
			r.wants = append(r.wants, w)
		}
	}
	if len(r.wants) == 0 {
		return nil, nil
	}
	r.order()
	return r, nil
}

// order sorts the counters, so that two calls never wait for each other's locks.
func (r *reservation) order() {
	r.locks = r.fewLocks[:0]
	for i := range r.wants {
		r.locks = append(r.locks, r.wants[i].counter)
	}
	if len(r.locks) == 1 {
		return
	}
	slices.SortFunc(r.locks, func(a, b *counter) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	r.locks = slices.Compact(r.locks)
}

func (r *reservation) lock() {
	for _, c := range r.locks {
		c.mu.Lock()
	}
}

func (r *reservation) unlock() {
	for _, c := range r.locks {
		c.mu.Unlock()
	}
}

// reserve asks all counters at once. While a cheap bound fits, nothing is counted; before any refusal bounds are
// replaced by exact counts, ours and those of calls in flight, and all is asked once more (TL-11).
func (r *reservation) reserve(ctx context.Context) error {
	tokens := r.wants[0].limit.ofTokens()
	if tokens {
		r.bounded = r.call.Prompt.Exact != nil
		if r.wantsExact() {
			r.countExact()
		}
		if err := r.size(ctx); err != nil {
			return err
		}
	}
	refused := r.attempt()
	if len(refused) == 0 {
		return nil
	}
	if tokens {
		r.sharpen(refused)
		if err := r.size(ctx); err != nil {
			return err
		}
		if refused = r.attempt(); len(refused) == 0 {
			return nil
		}
	}
	return r.refuse(refused)
}

func (r *reservation) wantsExact() bool {
	for i := range r.wants {
		if r.wants[i].limit.estimate == EstimateExact {
			return true
		}
	}
	return false
}

func (r *reservation) countExact() {
	if r.bounded {
		r.prompt, r.bounded, r.counted = r.count(), false, true
	}
}

// size says how much each limit needs: prompt and completion, and never more than the whole limit, so that a large cap
// cannot lock a caller out (TL-8).
func (r *reservation) size(ctx context.Context) error {
	f := &r.facts
	for i := range r.wants {
		w := &r.wants[i]
		if w.limit.estimate == EstimateNone {
			w.need = 0
			continue
		}
		prompt, err := w.limit.amount(ctx, f, tokens{prompt: r.prompt}, nil)
		if err != nil {
			return err
		}
		if prompt > w.limit.most && r.bounded {
			r.countExact() // a refusal is never caused by a bound
			return r.size(ctx)
		}
		all, err := w.limit.amount(ctx, f, tokens{prompt: r.prompt, completion: r.completion}, nil)
		if err != nil {
			return err
		}
		if w.need = all; prompt <= w.limit.most {
			w.need = min(all, w.limit.most)
		}
	}
	return nil
}

// refusal is a limit that does not let the call pass.
type refusal struct {
	want  *want
	left  int64
	wait  time.Duration
	until time.Time // calendar: when the window ends
	never bool      // more than the whole limit (TL-12)
}

// attempt reserves at all counters, or at none.
func (r *reservation) attempt() (refused []refusal) {
	now := r.env.deps.Now()
	r.lock()
	defer r.unlock()
	taken := 0
	for i := range r.wants {
		w := &r.wants[i]
		c, l := w.counter, w.limit
		c.advance(&l.win, now)
		if no, ok := w.check(now); !ok {
			if !l.shadow {
				refused = append(refused, no)
				continue
			}
			r.env.decided(l.label, "shadow")
		}
		w.hold.stamp, w.hold.amount = c.add(w.need)
		w.hold.res, w.hold.want = r, w
		taken++
	}
	if len(refused) == 0 {
		r.keepBounds()
		return nil
	}
	if taken > 0 {
		r.giveBack(refused)
	}
	return refused
}

func (w *want) check(now time.Time) (refusal, bool) {
	c, l := w.counter, w.limit
	need := w.need
	if l.estimate == EstimateNone {
		need = 1 // nothing is reserved; a limit that is used up lets nobody pass
	}
	if c.sum+need <= l.most {
		return refusal{}, true
	}
	no := refusal{want: w, left: max(l.most-c.sum, 0)}
	if !l.sliding() {
		no.until = l.win.end(c.stamp)
	}
	if need > l.most {
		no.never = l.sliding()
		no.wait = c.wait(&l.win, now, l.most, l.most)
		return no, false
	}
	no.wait = c.wait(&l.win, now, need, l.most)
	return no, false
}

// keepBounds lists what was reserved by a bound, so that a later call can have it counted.
func (r *reservation) keepBounds() {
	if !r.bounded {
		return
	}
	for i := range r.wants {
		w := &r.wants[i]
		if w.limit.estimate == EstimateNone || !w.limit.ofTokens() {
			continue
		}
		w.hold.bound = true
		w.hold.next = w.counter.bounds
		if w.hold.next != nil {
			w.hold.next.prev = &w.hold
		}
		w.counter.bounds = &w.hold
	}
}

// giveBack undoes an attempt of which a part was refused.
func (r *reservation) giveBack(refused []refusal) {
	for i := range r.wants {
		w := &r.wants[i]
		if !slices.ContainsFunc(refused, func(no refusal) bool { return no.want == w }) {
			w.counter.adjust(w.hold.stamp, w.hold.amount, 0)
			w.hold.amount = 0
		}
	}
}

// sharpen replaces bounds by exact counts: our own, and those of calls in flight at the counters that refused.
func (r *reservation) sharpen(refused []refusal) {
	r.countExact()
	for _, no := range refused {
		c := no.want.counter
		var pending []*reservation
		c.mu.Lock()
		for h := c.bounds; h != nil; h = h.next {
			pending = append(pending, h.res)
		}
		c.mu.Unlock()
		for _, other := range pending {
			other.recount()
		}
	}
}

// recount replaces this call's bounds by the exact count, at all its counters. Counting happens outside the locks.
func (r *reservation) recount() {
	prompt := r.count()
	f := &facts{env: r.env, call: r.call}
	r.lock()
	defer r.unlock()
	for i := range r.wants {
		w := &r.wants[i]
		if !w.hold.bound {
			continue
		}
		all, err := w.limit.amount(context.Background(), f, tokens{prompt: prompt, completion: r.completion}, nil)
		if err != nil {
			continue
		}
		w.hold.amount = w.counter.adjust(w.hold.stamp, w.hold.amount, min(all, w.hold.amount))
		w.hold.drop()
	}
}

// drop takes a hold out of its counter's list of bounds. Callers hold counter.mu.
func (h *hold) drop() {
	if !h.bound {
		return
	}
	h.bound = false
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		h.want.counter.bounds = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	}
	h.prev, h.next = nil, nil
}
