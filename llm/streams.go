package llm

import (
	"context"
	"errors"
	"net/http"
)

// errShutdown is the cause with which Cut cancels.
var errShutdown = errors.New("the drain time is over")

// track registers a request until release is called. A request that comes after Cut is cancelled at once.
func (s *streams) track(ctx context.Context, r *http.Request) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		cancel(errShutdown)
		return ctx, func() {}
	}
	if s.running == nil {
		s.running = map[*http.Request]context.CancelCauseFunc{}
	}
	s.running[r] = cancel
	return ctx, func() {
		s.mu.Lock()
		delete(s.running, r)
		s.mu.Unlock()
		cancel(nil)
	}
}

func (s *streams) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, cancel := range s.running {
		cancel(errShutdown)
	}
}
