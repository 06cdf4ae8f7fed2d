package combined

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// book is one thing that a source tells of itself, as it told it last: to everybody, or to one caller (T3, T4).
//
//	get ─ fresh? ─▶ value          else ─ one asks, the others wait (≤ 5 s) ─▶ value, or the last good one (C5)
type book[V any] struct {
	src  *source
	keep time.Duration
	now  func() time.Time
	ask  func(ctx context.Context, r *edge.Request) (told[V], error)
	fail func(ctx context.Context, err error) // a source that could not be asked
	// byOffers says that the source may tell clients another thing which can be asked other questions.
	byOffers bool

	mu      sync.Mutex
	version int       // raised when the source says that something changed
	slow    time.Time // the source is not asked before; it let us wait in vain
	entries *listing.Kept[*entry[V]]
}

// told is what a source answered.
type told[V any] struct {
	value   V
	ttl     time.Duration
	private bool // for this caller only
	size    int  // bytes that the value takes up, about
}

// entry is what one caller, or everybody, was told. All but flight is guarded by the book's mutex.
type entry[V any] struct {
	has     bool
	value   V
	view    string    // what the source called the caller's view
	version int       // of the book
	until   time.Time // fresh until then
	good    time.Time // when it was told
	flight  *flight[V]
}

// flight is one question on its way; who else wants to know waits for it.
type flight[V any] struct {
	ctx   context.Context
	done  chan struct{}
	value V
	err   error
}

// Bounds of what is remembered of each list of each source: callers with lists of their own, and bytes of these. Equal lists
// share memory and are counted all the same.
const (
	maxEntries    = 4096
	maxEntryBytes = 256 << 20
)

var (
	errHangs = errors.New("the source did not answer in time")
	errEnded = errors.New("the caller did not wait")
)

func newBook[V any](src *source, keep time.Duration, now func() time.Time) *book[V] {
	return &book[V]{src: src, keep: keep, now: now, entries: listing.NewKept[*entry[V]](maxEntries, maxEntryBytes)}
}

// ownerOf names the caller as private lists are kept apart: by person and client, or by subscription.
func ownerOf(c *identity.Caller) string {
	if c == nil {
		return "nobody"
	}
	if c.Kind == identity.Key {
		return "key:" + c.Subscription.ID
	}
	return c.Subject + "\x00" + c.ClientID
}

// reader is where what a caller is told stands: under a key of the caller's own, or under that of everybody whose client
// offers the same.
type reader struct{ own, all string }

func (b *book[V]) reader(r *edge.Request) reader {
	if b.src.Made {
		return reader{}
	}
	offers, owner := "", ownerOf(r.Caller)
	if b.byOffers {
		offers = string(edge.Offers(r.Capabilities))
	}
	if offers == "" || offers == "{}" {
		return reader{own: owner}
	}
	return reader{offers + "\x00" + owner, offers}
}

// find returns what the caller was told, or what everybody is.
func (b *book[V]) find(by reader) *entry[V] {
	if !b.src.Made {
		if e, ok := b.entries.Get(by.own); ok && e.has {
			return e
		}
		if b.src.Personal {
			return nil
		}
	}
	e, _ := b.entries.Get(by.all)
	return e
}

// fresh reports whether what was told still holds, in the caller's present view of the source.
func (b *book[V]) fresh(e *entry[V], view string) bool {
	if e == nil || !e.has {
		return false
	}
	return b.src.Made || e.version == b.version && b.now().Before(e.until) && e.view == view
}

// view is asked for before the mutex is taken: a source may tell us something while it holds a lock of its own.
func (b *book[V]) view(c *identity.Caller) string {
	if b.src.Made {
		return ""
	}
	return b.src.Server.View(c)
}

// peek returns what is known without asking; fresh says that asking would tell nothing new.
func (b *book[V]) peek(r *edge.Request) (value V, known, fresh bool) {
	by, view := b.reader(r), b.view(r.Caller)
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.find(by)
	if e == nil || !e.has {
		return value, false, false
	}
	if b.fresh(e, view) {
		return e.value, true, true
	}
	return e.value, b.now().Before(e.good.Add(b.keep)), false
}

// get returns what the source says now, or the last good answer when it fails; an error when there is none.
func (b *book[V]) get(ctx context.Context, r *edge.Request) (value V, err error) {
	return b.since(ctx, r, time.Time{})
}

// since is get, but nothing told before t is good enough unless the source fails.
func (b *book[V]) since(ctx context.Context, r *edge.Request, t time.Time) (value V, err error) {
	by, view := b.reader(r), b.view(r.Caller)
	b.mu.Lock()
	if e := b.find(by); b.fresh(e, view) && (b.src.Made || !e.good.Before(t)) {
		b.mu.Unlock()
		return e.value, nil
	}
	f, err := b.start(ctx, r, by, view)
	b.mu.Unlock()
	if f != nil {
		value, err = f.wait(ctx)
	}
	if err == nil {
		return value, nil
	}
	if !errors.Is(err, errEnded) {
		b.fail(ctx, err)
	}
	last, known, _ := b.peek(r)
	if known {
		return last, nil
	}
	return value, err
}

// start asks the source, unless somebody who would be told the same does already. The mutex is held.
func (b *book[V]) start(ctx context.Context, r *edge.Request, by reader, view string) (*flight[V], error) {
	e := b.entries.Make(by.own, func() (*entry[V], int) { return &entry[V]{}, 0 })
	switch {
	case e.flight != nil && e.flight.ctx.Err() != nil:
		return nil, errHangs // still at it after its time: one such question is enough
	case e.flight != nil:
		return e.flight, nil
	case b.now().Before(b.slow):
		return nil, errHangs
	}
	// The question outlives its asker: others may wait for the answer.
	askCtx, cancel := context.WithTimeout(context.WithoutCancel(aside(ctx)), answerTime)
	f := &flight[V]{ctx: askCtx, done: make(chan struct{})}
	e.flight = f
	version := b.version
	go func() {
		defer cancel()
		answer, err := b.guarded(askCtx, r)
		b.mu.Lock()
		defer b.mu.Unlock()
		e.flight = nil
		if err != nil {
			if askCtx.Err() != nil {
				b.slow = b.now().Add(knockAgain)
			}
		} else {
			b.keepAnswer(by, e, answer, version, view)
		}
		f.value, f.err = answer.value, err
		close(f.done)
	}()
	return f, nil
}

// keepAnswer puts an answer where those find it who may. What was everybody's and is private now, nobody else is shown.
func (b *book[V]) keepAnswer(by reader, e *entry[V], answer told[V], version int, view string) {
	switch private := answer.private || b.src.Personal; {
	case b.src.Made:
	case private:
		b.entries.Delete(by.all)
	default:
		b.entries.Delete(by.own)
		by.own, e = by.all, &entry[V]{}
	}
	now := b.now()
	b.slow = time.Time{}
	e.has, e.value, e.view, e.version = true, answer.value, view, version
	e.until, e.good = now.Add(answer.ttl), now
	b.entries.Delete(by.own)
	b.entries.Make(by.own, func() (*entry[V], int) { return e, answer.size })
}

// guarded asks; a panic in a source is that source's failure and nothing else (B11).
func (b *book[V]) guarded(ctx context.Context, r *edge.Request) (answer told[V], err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return b.ask(ctx, r)
}

func (f *flight[V]) wait(ctx context.Context) (value V, err error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-f.ctx.Done():
		select {
		case <-f.done:
			return f.value, f.err
		default:
			return value, errHangs
		}
	case <-ctx.Done():
		return value, errEnded
	}
}

// expire says that what was told is no longer so; it stays the last good answer.
func (b *book[V]) expire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.version++
}
