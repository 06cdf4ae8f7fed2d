package proxy

import (
	"sync"
	"time"
)

const ringSlots = 20

// ring counts calls and failures in a sliding interval of 20 slots.
type ring struct {
	slot time.Duration

	mu    sync.Mutex
	now   int64 // index of the newest slot since the epoch
	slots [ringSlots]struct{ calls, failed int }
}

func newRing(within time.Duration) ring { return ring{slot: max(within/ringSlots, 1)} }

func (r *ring) call(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at(now).calls++
}

// fail notes a failure and returns the sums of the interval.
func (r *ring) fail(now time.Time) (calls, failed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at(now).failed++
	for _, s := range r.slots {
		calls += s.calls
		failed += s.failed
	}
	return calls, failed
}

// sums returns the sums of the interval.
func (r *ring) sums(now time.Time) (calls, failed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at(now)
	for _, s := range r.slots {
		calls += s.calls
		failed += s.failed
	}
	return calls, failed
}

func (r *ring) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.slots[:])
}

// at returns the slot of now, after emptying those that time has passed over. A clock that jumps back counts into the
// newest slot.
func (r *ring) at(now time.Time) *struct{ calls, failed int } {
	index := now.UnixNano() / int64(r.slot)
	for i := max(r.now+1, index-ringSlots+1); i <= index; i++ {
		r.slots[i%ringSlots] = struct{ calls, failed int }{}
	}
	r.now = max(r.now, index)
	return &r.slots[r.now%ringSlots]
}
