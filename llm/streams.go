package llm

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// errShutdown is the cause with which Cut cancels.
var errShutdown = proxy.ErrShutdown

// Exchanges whose caller has gone are read on for so long, and so many of them at once (TO-6).
const (
	drainFor    = 30 * time.Second
	drainAtMost = 100
)

// streams knows every exchange that runs, so that Cut finds it. The zero value is ready.
type streams struct {
	mu       sync.Mutex
	closed   bool
	draining int
	running  *running // the first of a list
}

// running is the context of an exchange: its request's, until somebody has to wait for its end or Cut ends it. Most
// exchanges are over before either happens, and a context that can be cancelled costs more than the list that Cut needs.
type running struct {
	context.Context // of the request

	making sync.Mutex
	own    atomic.Pointer[cancellable] // nil: not needed yet

	prev, next *running // owner: streams.mu
}

type cancellable struct {
	context.Context
	cancel context.CancelCauseFunc
}

// Done implements context.Context.
func (e *running) Done() <-chan struct{} { return e.need().Done() }

// Err implements context.Context.
func (e *running) Err() error {
	if own := e.own.Load(); own != nil {
		return own.Err()
	}
	return e.Context.Err()
}

// Value implements context.Context; the cause of the end is a value too.
func (e *running) Value(key any) any {
	if own := e.own.Load(); own != nil {
		return own.Value(key)
	}
	return e.Context.Value(key)
}

// need makes what can be cancelled.
func (e *running) need() *cancellable {
	if own := e.own.Load(); own != nil {
		return own
	}
	e.making.Lock()
	defer e.making.Unlock()
	if own := e.own.Load(); own != nil {
		return own
	}
	own := &cancellable{}
	own.Context, own.cancel = context.WithCancelCause(e.Context)
	e.own.Store(own)
	return own
}

// track returns the context of an exchange, which ends with the caller, or with drain some time later, and with Cut.
// release must be called when the exchange is over.
func (s *streams) track(r *http.Request, drain bool) (ctx context.Context, release func()) {
	e := &running{Context: r.Context()}
	forget := func() bool { return true }
	if drain {
		e.Context = context.WithoutCancel(e.Context)
		cancel := e.need().cancel
		forget = context.AfterFunc(r.Context(), func() { s.drain(e, cancel, context.Cause(r.Context())) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		e.need().cancel(errShutdown)
	}
	if e.next = s.running; e.next != nil {
		e.next.prev = e
	}
	s.running = e
	return e, func() {
		forget()
		s.forget(e)
		if own := e.own.Load(); own != nil {
			own.cancel(nil)
		}
	}
}

func (s *streams) forget(e *running) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.prev == nil {
		s.running = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil // whoever still holds the context holds no other exchange by it
}

// drain lets an exchange go on for a while without its caller, unless too many do.
func (s *streams) drain(ctx context.Context, cancel context.CancelCauseFunc, cause error) {
	s.mu.Lock()
	full := s.draining >= drainAtMost
	if !full {
		s.draining++
	}
	s.mu.Unlock()
	if full {
		cancel(cause)
		return
	}
	timer := time.AfterFunc(drainFor, func() { cancel(cause) })
	context.AfterFunc(ctx, func() {
		timer.Stop()
		s.mu.Lock()
		s.draining--
		s.mu.Unlock()
	})
}

func (s *streams) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for e := s.running; e != nil; e = e.next {
		e.need().cancel(errShutdown)
	}
}
