package edge

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// legacyGrace is how long a call of a legacy client goes on after its connection broke: closing is not cancelling there (E6).
const legacyGrace = 30 * time.Second

// errCancelled is the cause of a context that notifications/cancelled ended: nothing more is sent for the call.
var errCancelled = errors.New("cancelled by the client")

// errRestarting is the cause of a context that ended with the drain time, and what the client is told (operations.md §15).
var errRestarting = &Error{Code: CodeServer, Status: http.StatusServiceUnavailable, Msg: proxy.ErrShutdown.Error() + "; try again",
	Header: http.Header{"Retry-After": {"1"}}, Err: proxy.ErrShutdown}

// restarting reports whether a call was ended because the gateway stops.
func restarting(ctx context.Context) bool { return errors.Is(context.Cause(ctx), proxy.ErrShutdown) }

// calls are the calls in flight. Ids of legacy calls mean something only inside their session (E10).
type calls struct {
	mu    sync.Mutex
	young scope                 // those that have not lasted yet, in the order in which they are due: a ring through this one, which is none
	timer *time.Timer           // for the first of them
	wakes time.Time             // when it goes off; zero: it does not
	open  map[callKey]*inflight // the other legacy calls: the newest with this id
	long  map[*inflight]struct{}
	cut   bool // the drain time is over
}

type callKey struct{ session, id string }

type inflight struct {
	cancel context.CancelCauseFunc
	key    callKey   // of a legacy call
	older  *inflight // with the same id; clients should not have two
}

func (c *calls) init() {
	c.open, c.long = map[callKey]*inflight{}, map[*inflight]struct{}{}
	c.young.prev, c.young.next = &c.young, &c.young
}

// lasts notes that a call takes long; over must follow. When the drain time is over already, it ends.
func (c *calls) lasts(f *inflight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.long[f] = struct{}{}
	if c.cut {
		f.cancel(errRestarting)
	}
}

func (c *calls) over(f *inflight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.long, f)
}

// cutAll ends the calls that still run, and those that come to last from now on.
func (c *calls) cutAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for f := range c.long {
		f.cancel(errRestarting)
	}
}

// add makes a call known by its key; remove must follow.
func (c *calls) add(f *inflight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(f)
}

func (c *calls) remove(f *inflight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(f)
}

func (c *calls) put(f *inflight) {
	f.older = c.open[f.key]
	c.open[f.key] = f
}

func (c *calls) drop(f *inflight) {
	newest := c.open[f.key]
	switch {
	case newest == f && f.older == nil:
		delete(c.open, f.key)
	case newest == f:
		c.open[f.key] = f.older
	default:
		for other := newest; other != nil; other = other.older {
			if other.older == f {
				other.older = f.older
			}
		}
	}
}

// cancel ends the calls with this id; an unknown or finished id is ignored (B6).
func (c *calls) cancel(session, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.eachYoung(session, func(s *scope) {
		if s.key().id == id {
			s.entry.cancel(errCancelled)
		}
	})
	c.open[callKey{session, id}].cancelAll()
}

func (c *calls) endSession(session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.eachYoung(session, func(s *scope) { s.entry.cancel(errCancelled) })
	for key, f := range c.open {
		if key.session == session {
			f.cancelAll()
		}
	}
}

func (f *inflight) cancelAll() {
	for ; f != nil; f = f.older {
		f.cancel(errCancelled)
	}
}

// scope is the life of one call. A modern call ends with its connection; a legacy one goes on for a while, and ends at
// once when it is cancelled by its id. Few calls last, so what bounds a long one is set up when it turns out to be one.
type scope struct {
	x     *exchange
	ctx   context.Context
	entry inflight
	slow  *reply // to be a stream once the call counts as long, or nil

	due        time.Time // when it does
	prev, next *scope    // among those that do not yet; the calls'

	mu    sync.Mutex
	ended bool
	late  *time.Timer // once it is a long one
	held  *time.Timer // while a long one may still be refused
	gone  func() bool // stops waiting for the connection to break
}

// beginCall opens the scope of a call; watch starts its clock and must follow.
func (x *exchange) beginCall() *scope {
	s := &x.scope
	s.x = x
	parent := x.r.Context()
	if !x.modern {
		parent = context.WithoutCancel(parent)
	}
	s.ctx, s.entry.cancel = context.WithCancelCause(parent)
	return s
}

func (s *scope) key() callKey { return callKey{s.x.session, callID(s.x.message, s.x.message.ID)} }

// watch makes the answer a stream, if it can be one, once the call takes longer than an answer may (E1), and bounds the call
// from then on.
func (s *scope) watch(slow *reply) {
	s.slow = slow
	s.x.calls.watch(s, min(answerWithin, s.x.limits.StreamMax))
}

// refusedWithin is how old a tool call may be that is refused with its own status. An event stream says 200, so a call that
// access, arguments or policies may still refuse does not become one: a machine under load would answer 200 where an idle one
// says 403. Who waits for longer than this sees the stream, and reads the refusal there.
const refusedWithin = time.Second

// long runs when the call turns out to be a long one.
func (s *scope) long() {
	if s.slow != nil {
		s.open(int(refusedWithin / answerWithin))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	cancel := s.entry.cancel
	s.x.calls.lasts(&s.entry)
	s.late = time.AfterFunc(s.x.limits.StreamMax-min(answerWithin, s.x.limits.StreamMax), func() { cancel(context.DeadlineExceeded) })
	if s.x.modern {
		return
	}
	s.gone = context.AfterFunc(s.x.r.Context(), func() {
		grace := time.AfterFunc(legacyGrace, func() { cancel(context.Canceled) })
		context.AfterFunc(s.ctx, func() { grace.Stop() })
	})
}

// open makes the answer a stream, unless the call may still be refused: then it looks again, so many times.
func (s *scope) open(looks int) {
	if looks == 0 || s.x.message.Method != "tools/call" || identity.RequestFrom(s.ctx).Sent() {
		s.slow.stream()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.held = time.AfterFunc(answerWithin, func() { s.open(looks - 1) })
	}
}

// end ends the scope and all that was set up for it.
func (s *scope) end() {
	s.x.calls.leave(s)
	s.mu.Lock()
	s.ended = true
	if s.late != nil {
		s.x.calls.over(&s.entry)
		s.late.Stop()
	}
	if s.held != nil {
		s.held.Stop()
	}
	if s.gone != nil {
		s.gone()
	}
	s.mu.Unlock()
	s.entry.cancel(nil)
}
