package combined

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// Listen implements edge.Teller: every source that has something to tell is heard, and tells it in its own words. Which of
// them share a stream upstream is theirs to know (L5).
func (s *Server) Listen(ctx context.Context, r *edge.Request, want edge.Interest, tell func(json.RawMessage)) (edge.Interest, error) {
	ctx = aside(ctx)
	heard := make([]edge.Interest, len(s.sources))
	wants := s.split(ctx, r, want)
	w := &watch{s: s, ctx: ctx, r: r, tell: tell}
	w.begin()
	var wait sync.WaitGroup
	for i, src := range s.sources {
		t, ok := src.Server.(edge.Teller)
		if !ok {
			continue
		}
		wait.Go(func() { heard[i] = src.listen(ctx, t, r, wants[i], w) })
	}
	wait.Wait()
	agreed := edge.Interest{Tools: want.Tools} // a reload may change them, whatever the sources do
	for _, one := range heard {
		agreed.Prompts = agreed.Prompts || one.Prompts && want.Prompts
		agreed.Resources = agreed.Resources || one.Resources && want.Resources
	}
	for _, uri := range want.URIs {
		if slices.ContainsFunc(heard, func(one edge.Interest) bool { return slices.Contains(one.URIs, uri) }) {
			agreed.URIs = append(agreed.URIs, uri)
		}
	}
	return agreed, nil
}

// split gives each source its part of what is wanted: changes of lists from all of them, updates of a resource from the
// one that is asked for it (C2).
func (s *Server) split(ctx context.Context, r *edge.Request, want edge.Interest) []edge.Interest {
	parts := make([]edge.Interest, len(s.sources))
	for i := range parts {
		parts[i] = edge.Interest{Tools: want.Tools, Prompts: want.Prompts, Resources: want.Resources}
	}
	if len(want.URIs) == 0 {
		return parts
	}
	holders, _ := s.holders(ctx, r, want.URIs) // what nobody has is not acknowledged
	for i, src := range holders {
		if at := slices.Index(s.sources, src); at >= 0 {
			parts[at].URIs = append(parts[at].URIs, want.URIs[i])
		}
	}
	return parts
}

const (
	listenAgain  = 5 * time.Second // after a source could not be heard; then twice as long each time
	listenAtMost = time.Minute
)

// listen begins with one source. One that cannot be heard now is left out, and tried again while the client listens: its
// stream may stay open for an hour.
func (src *source) listen(ctx context.Context, t edge.Teller, r *edge.Request, want edge.Interest, w *watch) edge.Interest {
	agreed, err := src.hear(ctx, t, r, want, w)
	if err != nil && ctx.Err() == nil {
		src.failed(ctx, err)
		src.listenLater(ctx, listenAgain, func() error {
			agreed, err := src.hear(ctx, t, r, want, w)
			if err == nil {
				w.missed(src, agreed)
			}
			return err
		})
	}
	return agreed
}

// listenLater tries after a while, and then again. No goroutine waits for it (X5).
func (src *source) listenLater(ctx context.Context, wait time.Duration, try func() error) {
	var stop func() bool
	begun := make(chan struct{})
	timer := time.AfterFunc(wait, func() {
		<-begun
		stop()
		if ctx.Err() != nil {
			return
		}
		if err := try(); err != nil && ctx.Err() == nil {
			src.failed(ctx, err)
			src.listenLater(ctx, min(2*wait, listenAtMost), try)
		}
	})
	stop = context.AfterFunc(ctx, func() { timer.Stop() })
	close(begun)
}

// hear asks a source to tell, and waits a little for what it agrees to.
func (src *source) hear(ctx context.Context, t edge.Teller, r *edge.Request, want edge.Interest, w *watch) (edge.Interest, error) {
	own, cancel := context.WithCancelCause(ctx) // lives as long as the listener
	type answer struct {
		agreed edge.Interest
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		got := answer{err: errHangs}
		defer func() { answered <- got }()
		defer src.caught(ctx)
		got.agreed, got.err = t.Listen(own, r, want, func(notification json.RawMessage) {
			if own.Err() == nil {
				w.said(src, notification)
			}
		})
	}()
	late := time.NewTimer(answerTime)
	defer late.Stop()
	err := errHangs
	select {
	case got := <-answered:
		if got.err == nil {
			context.AfterFunc(ctx, func() { cancel(nil) })
			return got.agreed, nil
		}
		err = got.err
	case <-late.C:
	case <-ctx.Done():
	}
	cancel(err)
	return edge.Interest{}, err
}

// watch is one listener: what the sources say reaches it, changes it cannot see do not (L3).
type watch struct {
	s    *Server
	ctx  context.Context
	r    *edge.Request
	tell func(json.RawMessage)

	mu      sync.Mutex
	seen    listing.Key // tools that the client could last see
	known   bool
	looking bool // somebody compares
	again   bool // and has to once more
}

// begin notes what the client can see now, as far as that is known.
func (w *watch) begin() {
	if !w.s.rules.Any() {
		return
	}
	for _, src := range w.s.sources {
		if _, known, _ := src.lists[toolsList].peek(w.r); !known {
			return
		}
	}
	w.look()
}

// said is one notification of a source. Names in it are the source's own (C3).
func (w *watch) said(src *source, notification json.RawMessage) {
	m, err := strictjson.Decode(notification, strictjson.Limits{Upstream: true, Depth: maxDepth, Members: maxMembers})
	if err != nil {
		src.failed(w.ctx, err)
		return
	}
	if w.s.othersTask(w.r.Caller, m) {
		return
	}
	switch m.Method {
	case "notifications/tools/list_changed":
		src.lists[toolsList].expire()
		if w.s.rules.Any() { // it may be a tool that this caller does not see
			w.compare(notification)
			return
		}
	case "notifications/prompts/list_changed":
		src.lists[promptsList].expire()
	case "notifications/resources/updated": // of an address that another source is asked for it knows nothing (C2)
		if uri, ok := m.Text(m.URI); ok {
			if of, _ := w.s.lookUp(w.r, []string{uri}); of[0] != nil && of[0] != src {
				return
			}
		}
	case "notifications/resources/list_changed":
		src.lists[resourcesList].expire()
		src.lists[templatesList].expire()
	}
	w.tell(notification)
}

// missed tells what may have changed while a source could not be heard.
func (w *watch) missed(src *source, agreed edge.Interest) {
	for method, heard := range map[string]bool{
		"notifications/tools/list_changed": agreed.Tools, "notifications/prompts/list_changed": agreed.Prompts,
		"notifications/resources/list_changed": agreed.Resources,
	} {
		if heard {
			w.said(src, json.RawMessage(`{"jsonrpc":"2.0","method":"`+method+`"}`))
		}
	}
}

// compare tells of a change if the caller sees it. It must not hold up the source, so somebody else looks.
func (w *watch) compare(notification json.RawMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.looking {
		w.again = true
		return
	}
	w.looking = true
	go func() {
		for {
			changed := w.look()
			w.mu.Lock()
			more := w.again
			w.again, w.looking = false, more
			w.mu.Unlock()
			if changed && w.ctx.Err() == nil {
				w.tell(notification)
			}
			if !more || w.ctx.Err() != nil {
				return
			}
		}
	}()
}

// look reads the caller's list anew and reports whether it differs from the last one. Without an answer it may.
func (w *watch) look() (changed bool) {
	v, _, err := w.s.viewOf(w.ctx, w.r, toolsList)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.known = false
		return true
	}
	changed = !w.known || v.hash != w.seen
	w.seen, w.known = v.hash, true
	return changed
}
