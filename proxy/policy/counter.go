package policy

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	shards      = 64
	maxCounters = 1_000_000 // CT-3
	windowSlots = 60        // RL-2, TL-7
)

// Counters are what limits count, in memory; they survive reloads. One per process.
type Counters struct {
	seed   maphash.Seed
	next   atomic.Uint64
	limit  int // counters per shard
	shards [shards]shard
	means  sync.Map // model → *mean
}

// NewCounters returns empty counters.
func NewCounters() *Counters { return newCounters(maxCounters) }

func newCounters(most int) *Counters {
	c := &Counters{seed: maphash.MakeSeed(), limit: max(most/shards, 1)}
	for i := range c.shards {
		s := &c.shards[i]
		s.byKey = map[counterKey]*counter{}
		s.lru.prev, s.lru.next = &s.lru, &s.lru
	}
	return c
}

// counterKey names a counter: the policy's place and the value of its key (CT-1).
type counterKey struct{ place, key string }

type shard struct {
	mu    sync.Mutex
	byKey map[counterKey]*counter
	lru   counter // ring: next is the most recently used
}

// counter is one sum over time: a sliding window of 60 slots, or one calendar window.
type counter struct {
	id         uint64 // order in which several are locked
	key        counterKey
	prev, next *counter // lru; owner: shard.mu

	mu     sync.Mutex
	stamp  int64                // newest slot, or start of the window in Unix seconds
	sum    int64                // of the window
	warned int64                // stamp of the window in which a budget warned
	slots  *[windowSlots]uint32 // nil: calendar
	bounds *hold                // reservations made by cheap bounds, still in flight (TL-11)
}

// get finds or makes a counter. The least recently used idle ones make room.
func (c *Counters) get(key counterKey, sliding bool) *counter {
	s := &c.shards[maphash.String(c.seed, key.key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byKey[key]; found != nil {
		found.unlink()
		found.linkAfter(&s.lru)
		return found
	}
	if len(s.byKey) >= c.limit {
		s.evict()
	}
	made := &counter{id: c.next.Add(1), key: key}
	if sliding {
		made.slots = new([windowSlots]uint32)
	}
	s.byKey[key] = made
	made.linkAfter(&s.lru)
	return made
}

// evict drops one counter: of the eight least recently used one that counts nothing now, else the last.
func (s *shard) evict() {
	victim := s.lru.prev
	for c, i := victim, 0; i < 8 && c != &s.lru; c, i = c.prev, i+1 {
		c.mu.Lock()
		idle := c.sum == 0 && c.bounds == nil
		c.mu.Unlock()
		if idle {
			victim = c
			break
		}
	}
	victim.unlink()
	delete(s.byKey, victim.key)
}

func (c *counter) unlink() { c.prev.next, c.next.prev = c.next, c.prev }

func (c *counter) linkAfter(at *counter) {
	c.prev, c.next = at, at.next
	at.next.prev = c
	at.next = c
}

// Len returns how many counters are live; for tests and metrics.
func (c *Counters) Len() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.byKey)
		s.mu.Unlock()
	}
	return n
}

// advance empties what time has passed over. w is the policy's window. Callers hold mu.
func (c *counter) advance(w *window, now time.Time) {
	stamp := w.stamp(now)
	if stamp <= c.stamp { // also a clock that jumped back
		return
	}
	if c.slots == nil {
		c.stamp, c.sum = stamp, 0
		return
	}
	for i := max(c.stamp+1, stamp-windowSlots+1); i <= stamp; i++ {
		slot := &c.slots[i%windowSlots]
		c.sum -= int64(*slot)
		*slot = 0
	}
	c.stamp = stamp
}

// add counts n and returns the stamp under which it was counted, and how much was.
func (c *counter) add(n int64) (stamp, added int64) {
	if c.slots == nil {
		c.sum += n
		return c.stamp, n
	}
	slot := &c.slots[c.stamp%windowSlots]
	n = min(n, math.MaxUint32-int64(*slot))
	*slot += uint32(n) //nolint:gosec // bounded above
	c.sum += n
	return c.stamp, n
}

// adjust changes what was counted under a stamp from one amount to another, while it still counts: into the slot of
// admission (TL-10), or the window of admission (TQ-3). It returns the amount that stands.
func (c *counter) adjust(stamp, from, to int64) int64 {
	if c.slots == nil {
		if stamp == c.stamp {
			c.sum += to - from
		}
		return to
	}
	if stamp <= c.stamp-windowSlots {
		return to
	}
	slot := &c.slots[stamp%windowSlots]
	after := min(max(int64(*slot)+to-from, 0), math.MaxUint32)
	to = from + after - int64(*slot)
	c.sum += after - int64(*slot)
	*slot = uint32(after) //nolint:gosec // bounded above
	return to
}

// wait is how long until need fits below limit (RL-8): until enough slots have left, or the window ends.
func (c *counter) wait(w *window, now time.Time, need, limit int64) time.Duration {
	if c.slots == nil {
		return max(w.end(c.stamp).Sub(now), time.Millisecond)
	}
	excess := c.sum + need - limit
	for i := c.stamp - windowSlots + 1; i <= c.stamp; i++ {
		if i < 0 {
			continue
		}
		excess -= int64(c.slots[i%windowSlots])
		if excess <= 0 {
			return max(w.slotStart(i+windowSlots).Sub(now), time.Millisecond)
		}
	}
	return w.length
}

// mean is a running mean of completions (TL-8): where it starts, and how far it may go.
type mean struct{ value atomic.Int64 }

const (
	meanStart, meanLow, meanHigh = 256, 64, 4096
	meanShare                    = 16
)

func (c *Counters) completion(model string) int64 {
	if m, ok := c.means.Load(model); ok {
		return m.(*mean).value.Load()
	}
	return meanStart
}

// learn moves the mean of a model. Models are configured, so that there are few.
func (c *Counters) learn(model string, tokens int64) {
	v, ok := c.means.Load(model)
	if !ok {
		made := &mean{}
		made.value.Store(meanStart)
		v, _ = c.means.LoadOrStore(model, made)
	}
	m := v.(*mean)
	old := m.value.Load()
	step := (tokens - old) / meanShare
	if step == 0 && tokens != old {
		step = sign(tokens - old)
	}
	m.value.CompareAndSwap(old, min(max(old+step, meanLow), meanHigh)) // losing a race loses one sample
}

func sign(n int64) int64 {
	if n < 0 {
		return -1
	}
	return 1
}
