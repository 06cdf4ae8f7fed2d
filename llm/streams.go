package llm

import (
	"context"
	"net/http"
	"sync"
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
	running  map[*http.Request]context.CancelCauseFunc
}

// track returns the context of an exchange, which ends with the caller, or with drain some time later, and with Cut.
// release must be called when the exchange is over.
func (s *streams) track(r *http.Request, drain bool) (ctx context.Context, release func()) {
	parent := r.Context()
	if drain {
		parent = context.WithoutCancel(parent)
	}
	ctx, cancel := context.WithCancelCause(parent)
	forget := func() bool { return true }
	if drain {
		forget = context.AfterFunc(r.Context(), func() { s.drain(ctx, cancel, context.Cause(r.Context())) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		cancel(errShutdown)
	}
	if s.running == nil {
		s.running = map[*http.Request]context.CancelCauseFunc{}
	}
	s.running[r] = cancel
	return ctx, func() {
		forget()
		s.mu.Lock()
		delete(s.running, r)
		s.mu.Unlock()
		cancel(nil)
	}
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
	for _, cancel := range s.running {
		cancel(errShutdown)
	}
}
