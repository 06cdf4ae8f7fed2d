package tokens

import (
	"container/list"
	"context"
	"hash/maphash"
	"math"
	"runtime"
	"sync"
	"unicode/utf8"
)

const (
	defaultLimit = 1 << 20   // bytes that are counted exactly per request
	largeRequest = 64 << 10  // bytes from which a request counts as large
	memoFrom     = 1 << 10   // bytes from which a system prompt is remembered
	memoSize     = 4096      // system prompts
	leastPerByte = 1.0 / 4.0 // tokens per byte, at least, beyond the limit
)

// Counter counts for requests: exactly up to a limit, no more at once than there are cores, so that a few giant prompts
// do not slow the rest (TK-9). It is safe for concurrent use.
type Counter struct {
	limit int
	slots chan struct{} // one for each core
	large chan struct{} // fewer: while there are two cores, large requests leave one to the small
	seed  maphash.Seed
	memo  memo
}

// NewCounter returns a Counter that counts the first limit bytes of each request exactly; 0 means 1 MiB.
func NewCounter(limit int) *Counter {
	if limit <= 0 {
		limit = defaultLimit
	}
	cores := runtime.GOMAXPROCS(0)
	return &Counter{
		limit: limit,
		slots: make(chan struct{}, cores),
		large: make(chan struct{}, max(1, cores-1)),
		seed:  maphash.MakeSeed(),
	}
}

// Tally is the count of one request, for one goroutine. End it, or its place stays taken.
type Tally struct {
	Family Family
	// Estimated says that the request was longer than the limit, so that not every token was counted.
	Estimated bool

	counter       *Counter
	large         bool
	bytes, tokens int // counted exactly so far
}

// Begin waits for a place to count a request of about so many bytes. It fails only when ctx ends.
func (c *Counter) Begin(ctx context.Context, f Family, bytes int) (*Tally, error) {
	t := &Tally{Family: f, counter: c, large: bytes >= largeRequest}
	if t.large {
		if err := take(ctx, c.large); err != nil {
			return nil, err
		}
	}
	if err := take(ctx, c.slots); err != nil {
		if t.large {
			<-c.large
		}
		return nil, err
	}
	return t, nil
}

func take(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// End gives the place back. Further calls do nothing.
func (t *Tally) End() {
	if t.counter == nil {
		return
	}
	<-t.counter.slots
	if t.large {
		<-t.counter.large
	}
	t.counter = nil
}

// Count returns the tokens of one text of the request. Beyond the limit it goes by the ratio of tokens to bytes seen so
// far, and by no less than one token for four bytes.
func (t *Tally) Count(text string) int {
	exact := text
	if left := t.counter.limit - t.bytes; len(text) > left {
		for left > 0 && !utf8.RuneStart(text[left]) {
			left--
		}
		exact = text[:max(left, 0)]
	}
	n := t.Family.Count(exact)
	t.bytes, t.tokens = t.bytes+len(exact), t.tokens+n
	rest := len(text) - len(exact)
	if rest == 0 {
		return n
	}
	t.Estimated = true
	ratio := leastPerByte
	if t.bytes > 0 {
		ratio = max(ratio, float64(t.tokens)/float64(t.bytes))
	}
	return n + int(math.Ceil(float64(rest)*ratio))
}

// CountSystem is Count for a system prompt: a long one comes with every request of an application, so its count is
// remembered (TK-11).
func (t *Tally) CountSystem(text string) int {
	if len(text) < memoFrom || !t.Family.Exact() {
		return t.Count(text)
	}
	key := memoKey{t.Family.Encoding, len(text), maphash.String(t.counter.seed, text)}
	if n, ok := t.counter.memo.get(key); ok {
		return n
	}
	n := t.Count(text)
	if !t.Estimated {
		t.counter.memo.put(key, n)
	}
	return n
}

// memoKey stands for a text by its length and a seeded hash, which nobody outside can aim at.
type memoKey struct {
	enc    Encoding
	length int
	hash   uint64
}

type memoEntry struct {
	key memoKey
	n   int
}

// memo keeps the counts that were asked for last. The zero value is empty.
type memo struct {
	mu      sync.Mutex
	entries map[memoKey]*list.Element
	recent  list.List // of memoEntry, the last used first
}

func (m *memo) get(key memoKey) (int, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[key]
	if !ok {
		return 0, false
	}
	m.recent.MoveToFront(e)
	return e.Value.(memoEntry).n, true
}

func (m *memo) put(key memoKey, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.entries[key]; ok {
		return
	}
	if m.entries == nil {
		m.entries = make(map[memoKey]*list.Element)
	}
	m.entries[key] = m.recent.PushFront(memoEntry{key, n})
	if m.recent.Len() > memoSize {
		last := m.recent.Back()
		delete(m.entries, m.recent.Remove(last).(memoEntry).key)
	}
}
