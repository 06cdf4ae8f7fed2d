package proxy

import "time"

// budget bounds tries on the same backend, so that a struggling one is not finished off by its own callers: 10 % of the
// calls of the last 10 s, and at least 3 in a second are free (llm.md RE-5).
type budget struct{ calls, second ring }

func newBudget() *budget {
	return &budget{calls: newRing(10 * time.Second), second: newRing(time.Second)}
}

// call notes a first try.
func (b *budget) call(now time.Time) { b.calls.call(now) }

// take asks for one more try on the same backend. Retries stand in the rings as failures.
func (b *budget) take(now time.Time) bool {
	_, recent := b.second.sums(now)
	calls, retries := b.calls.sums(now)
	if recent >= 3 && (retries+1)*10 > calls {
		return false
	}
	b.second.fail(now)
	b.calls.fail(now)
	return true
}
