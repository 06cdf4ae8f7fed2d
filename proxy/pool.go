package proxy

import (
	"context"
	"math/bits"
	"sync"
	"time"
)

// target is a backend or a pool, ready to choose from (llm.md §10.3).
type target struct {
	name      string
	members   []member // at most 64
	tiers     []tier   // in the order in which they are tried
	leastBusy bool
	attempts  int                                          // all tries of one call
	affinity  func(context.Context, *Call) (string, error) // nil: none
}

type member struct {
	road   *road
	weight int
}

// tier is a group of members among which calls take turns: one priority, the gateway's own region before the others
// (PL-2, PL-9). Members with weight 0 stand in tiers after all others: never unless last (PL-1).
type tier struct {
	mask  uint64
	turns *turns
}

// choose returns an available member that is not in tried, with its breaker entered. When there is none, wait is the
// time until the first breaker may be probed.
//
// With affinity, calls with the same key stay on the same member while it is available (PL-5).
func (t *target) choose(now time.Time, tried uint64, affinity string) (index int, p pass, wait time.Duration, ok bool) {
	wait = -1
	for i := range t.tiers {
		tr := &t.tiers[i]
		for {
			free, w := t.available(tr, now, tried)
			wait = sooner(wait, w)
			if free == 0 {
				break
			}
			index := t.pick(tr, free, tried != 0, affinity)
			if p, ok := t.members[index].road.enter(now); ok {
				return index, p, 0, true
			}
			tried |= 1 << index // another call probes it
		}
	}
	return 0, pass{}, max(wait, 0), false
}

func (t *target) available(tr *tier, now time.Time, tried uint64) (free uint64, wait time.Duration) {
	wait = -1
	for rest := tr.mask &^ tried; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		ready, w := t.members[i].road.core.breaker.ready(now)
		if ready {
			free |= 1 << i
			continue
		}
		wait = sooner(wait, w)
	}
	return free, wait
}

// sooner is the smaller of two waits; negative means unknown.
func sooner(a, b time.Duration) time.Duration {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

func (t *target) pick(tr *tier, free uint64, again bool, affinity string) int {
	if free&(free-1) == 0 {
		return bits.TrailingZeros64(free)
	}
	if affinity != "" {
		return t.rendezvous(free, affinity)
	}
	if t.leastBusy {
		if free = t.idlest(free); free&(free-1) == 0 {
			return bits.TrailingZeros64(free)
		}
	}
	return tr.turns.take(t.members, free, again, !t.leastBusy)
}

// idlest keeps the members with the fewest calls in flight by weight (PL-4).
func (t *target) idlest(free uint64) (best uint64) {
	var least, per int64
	for rest := free; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		busy, weight := t.members[i].road.core.inFlight.Load(), int64(max(t.members[i].weight, 1))
		switch {
		case best == 0 || busy*per < least*weight:
			best, least, per = 1<<i, busy, weight
		case busy*per == least*weight:
			best |= 1 << i
		}
	}
	return best
}

// turns is smooth weighted round robin: over any Σweight consecutive choices among the same members, each is chosen as
// often as its weight says (PL-3). First tries and later ones take turns apart, so that retries leave the rhythm alone.
type turns struct {
	mu     sync.Mutex
	orders [2]struct {
		set     uint64
		current [64]int
	}
}

func (t *turns) take(members []member, free uint64, again, exact bool) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	order := &t.orders[0]
	if again {
		order = &t.orders[1]
	}
	if exact && order.set != free {
		order.set = free
		clear(order.current[:])
	}
	best, total := -1, 0
	for rest := free; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		weight := max(members[i].weight, 1)
		total += weight
		order.current[i] += weight
		if best < 0 || order.current[i] > order.current[best] {
			best = i
		}
	}
	order.current[best] -= total
	return best
}
