package edge

import (
	"context"
	"errors"
	"sync"
	"time"
)

// legacyGrace is how long a call of a legacy client goes on after its connection broke: closing is not cancelling there (E6).
const legacyGrace = 30 * time.Second

// errCancelled is the cause of a context that notifications/cancelled ended: nothing more is sent for the call.
var errCancelled = errors.New("cancelled by the client")

// calls are the calls of legacy sessions in flight. Ids mean something only inside their session (E10).
type calls struct {
	mu   sync.Mutex
	open map[callKey]*inflight // the newest with this id
}

type callKey struct{ session, id string }

type inflight struct {
	cancel context.CancelCauseFunc
	older  *inflight // with the same id; clients should not have two
}

func (c *calls) init() { c.open = map[callKey]*inflight{} }

func (c *calls) add(key callKey, cancel context.CancelCauseFunc) *inflight {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &inflight{cancel, c.open[key]}
	c.open[key] = f
	return f
}

func (c *calls) remove(key callKey, f *inflight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	newest := c.open[key]
	switch {
	case newest == f && f.older == nil:
		delete(c.open, key)
	case newest == f:
		c.open[key] = f.older
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
	c.open[callKey{session, id}].cancelAll()
}

func (c *calls) endSession(session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
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

// callContext is the context a call runs in. A modern call ends with its connection; a legacy one goes on for a while,
// and ends at once when it is cancelled by its id.
func (x *exchange) callContext() (ctx context.Context, end func()) {
	if x.modern {
		ctx, cancel := context.WithTimeout(x.r.Context(), x.limits.StreamMax)
		return ctx, cancel
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(x.r.Context()))
	late := time.AfterFunc(x.limits.StreamMax, func() { cancel(context.DeadlineExceeded) })
	gone := context.AfterFunc(x.r.Context(), func() {
		grace := time.AfterFunc(legacyGrace, func() { cancel(context.Canceled) })
		context.AfterFunc(ctx, func() { grace.Stop() })
	})
	key := callKey{x.session, callID(x.message, x.message.ID)}
	f := x.calls.add(key, cancel)
	return ctx, func() {
		gone()
		x.calls.remove(key, f)
		late.Stop()
		cancel(nil)
	}
}
