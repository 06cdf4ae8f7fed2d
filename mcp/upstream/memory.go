package upstream

import (
	"context"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
)

// verdictFor is how long it is remembered what an upstream speaks, and what it says of itself (§16.1).
const verdictFor = 10 * time.Minute

// maxKept bounds what is kept of one kind: keys contain callers.
const maxKept = 4096

// allLists bounds the bytes of lists that were read to their end.
const allLists = 256 << 20

// Memory keeps what is known of upstreams, and the sessions that are open there, across reloads. Safe for concurrent use.
// Close it when the process ends.
type Memory struct {
	verdicts book[Verdict]
	infos    book[*Info]
	lists    book[*List]
	pages    pages
	params   book[map[string][]paramheader.Param] // of tools, by name
	pools    pools
	ears     ears
}

// NewMemory returns an empty memory.
func NewMemory() *Memory {
	m := &Memory{}
	m.lists.size, m.lists.most = (*List).size, allLists
	m.pools.init()
	m.ears.init()
	return m
}

// Close ends the sessions that are open and hears no more. Calls under way go on.
func (m *Memory) Close() {
	m.ears.close()
	m.pools.close()
}

// key names something kept of an upstream.
type key struct{ server, backend, owner, what string }

// book keeps values for a time. Whoever needs one that is not there makes it; others who need the same wait for it (single
// flight). What failed is not kept.
type book[T any] struct {
	size func(T) int // bytes of a value; nil: values are small
	most int         // bytes of all of them

	mu    sync.Mutex
	pages map[key]*page[T]
	bytes int
}

type page[T any] struct {
	key    key
	bytes  int           // of value, as the book counts them; its lock
	making chan struct{} // capacity 1; held by whoever makes the value

	mu      sync.Mutex
	value   T
	expires time.Time
	edition int // counts what was forgotten: a value that was being made meanwhile is old already
}

func (b *book[T]) page(k key) *page[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pages == nil {
		b.pages = map[key]*page[T]{}
	}
	p := b.pages[k]
	if p == nil {
		if len(b.pages) >= maxKept {
			clear(b.pages) // rare; what is lost is asked for again
			b.bytes = 0
		}
		p = &page[T]{key: k, making: make(chan struct{}, 1)}
		b.pages[k] = p
	}
	return p
}

// get returns the value for k, made by make when there is none that holds.
func (b *book[T]) get(ctx context.Context, k key, now func() time.Time, make func(context.Context) (T, time.Duration, error)) (T, error) {
	p := b.page(k)
	if v, ok := p.read(now()); ok {
		return v, nil
	}
	var none T
	select {
	case p.making <- struct{}{}:
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
	defer func() { <-p.making }()
	if v, ok := p.read(now()); ok {
		return v, nil
	}
	edition := p.current()
	v, ttl, err := make(ctx)
	if err != nil {
		return none, err
	}
	if ttl > 0 {
		b.keep(p, v, edition, now().Add(ttl))
	}
	return v, nil
}

// keep writes a value on its page, unless what it was made of was forgotten meanwhile. When all are too large together, the
// others go: an upstream, and callers who have it list by what they offer, choose how many there are and how large.
func (b *book[T]) keep(p *page[T], v T, edition int, expires time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.mu.Lock()
	stale := edition != p.edition
	if !stale {
		p.value, p.expires = v, expires
	}
	p.mu.Unlock()
	if stale || b.size == nil || b.pages[p.key] != p {
		return
	}
	b.count(p, b.size(v))
	if b.bytes <= b.most {
		return
	}
	for _, other := range b.pages {
		if other != p {
			b.drop(other)
		}
	}
}

func (b *book[T]) count(p *page[T], bytes int) {
	b.bytes += bytes - p.bytes
	p.bytes = bytes
}

// drop forgets the value of a page. The lock is held.
func (b *book[T]) drop(p *page[T]) {
	var none T
	p.mu.Lock()
	p.value, p.expires = none, time.Time{}
	p.mu.Unlock()
	b.count(p, 0)
}

func (p *page[T]) current() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.edition
}

func (p *page[T]) read(now time.Time) (T, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.value, now.Before(p.expires)
}

// forget drops every value that match says.
func (b *book[T]) forget(match func(key) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, p := range b.pages {
		if match(k) {
			p.mu.Lock()
			p.edition++
			p.mu.Unlock()
			b.drop(p)
		}
	}
}
