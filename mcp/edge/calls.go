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
	open map[string]map[string][]*inflight // by session, then id
}

type inflight struct{ cancel context.CancelCauseFunc }

func (c *calls) init() { c.open = map[string]map[string][]*inflight{} }

func (c *calls) add(session, id string, cancel context.CancelCauseFunc) *inflight {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := c.open[session]
	if ids == nil {
		ids = map[string][]*inflight{}
		c.open[session] = ids
	}
	f := &inflight{cancel}
	ids[id] = append(ids[id], f)
	return f
}

func (c *calls) remove(session, id string, f *inflight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := c.open[session]
	left := ids[id][:0:0]
	for _, other := range ids[id] {
		if other != f {
			left = append(left, other)
		}
	}
	if len(left) > 0 {
		ids[id] = left
		return
	}
	if delete(ids, id); len(ids) == 0 {
		delete(c.open, session)
	}
}

// cancel ends the calls with this id; an unknown or finished id is ignored (B6).
func (c *calls) cancel(session, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.open[session][id] {
		f.cancel(errCancelled)
	}
}

func (c *calls) endSession(session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, same := range c.open[session] {
		for _, f := range same {
			f.cancel(errCancelled)
		}
	}
}

// callContext is the context a call runs in. A modern call ends with its connection; a legacy one goes on for a while,
// and ends at once when it is cancelled by its id.
func (x *exchange) callContext() (ctx context.Context, end func()) {
	if x.modern {
		ctx, cancel := context.WithTimeout(x.r.Context(), x.limits.StreamMax)
		return ctx, cancel
	}
	deadline, stop := context.WithTimeout(context.WithoutCancel(x.r.Context()), x.limits.StreamMax)
	ctx, cancel := context.WithCancelCause(deadline)
	gone := context.AfterFunc(x.r.Context(), func() {
		grace := time.AfterFunc(legacyGrace, func() { cancel(context.Canceled) })
		context.AfterFunc(ctx, func() { grace.Stop() })
	})
	id := callID(x.message, x.message.ID)
	f := x.calls.add(x.session, id, cancel)
	return ctx, func() {
		gone()
		x.calls.remove(x.session, id, f)
		cancel(nil)
		stop()
	}
}
