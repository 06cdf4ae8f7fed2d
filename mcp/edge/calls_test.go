package edge

import (
	"context"
	"errors"
	"testing"
)

// Cancelling names calls of one session only, and all of them that share an id; what has ended is gone (B6, E10).
func TestCancellingReachesTheCallsOfOneSessionAndID(t *testing.T) {
	var c calls
	c.init()
	type call struct {
		ctx context.Context
		f   *inflight
	}
	begin := func(session, id string) call {
		ctx, cancel := context.WithCancelCause(t.Context())
		f := &inflight{cancel: cancel, key: callKey{session, id}}
		c.add(f)
		return call{ctx, f}
	}
	first, second, third := begin("s", "1"), begin("s", "1"), begin("s", "1")
	elsewhere, other := begin("t", "1"), begin("s", "2")
	c.remove(second.f)
	c.cancel("s", "1")
	for name, want := range map[string]struct {
		call
		cancelled bool
	}{"first": {first, true}, "ended": {second, false}, "third": {third, true}, "another session": {elsewhere, false}, "another id": {other, false}} {
		if got := errors.Is(context.Cause(want.ctx), errCancelled); got != want.cancelled {
			t.Errorf("%s: cancelled %v, want %v", name, got, want.cancelled)
		}
	}
	c.endSession("s")
	if !errors.Is(context.Cause(other.ctx), errCancelled) || elsewhere.ctx.Err() != nil {
		t.Error("the end of a session ends other calls than its own")
	}
	for _, done := range []call{third, first, elsewhere, other} {
		c.remove(done.f)
	}
	if len(c.open) != 0 {
		t.Errorf("%d calls are still known", len(c.open))
	}
}
