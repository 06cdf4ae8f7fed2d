package identity

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Request holds the facts of one incoming HTTP request that rooms below the listener need: its id, the caller's address
// and the attributes that end up on its one log line. The listener makes it; handlers add to it as they learn more.
type Request struct {
	ID       string    // x-request-id of the answer: ours, or on /llm the caller's when it is well formed
	ClientID string    // the caller's own x-request-id when well formed, else ""; for the log only
	IP       string    // the peer, or the first untrusted hop counted from the right behind trusted proxies
	Time     time.Time // of arrival, UTC

	sent atomic.Bool

	mu    sync.Mutex
	attrs []slog.Attr
	room  [18]slog.Attr // for attrs, so that most requests need no memory beside this struct
}

// Note adds attributes to the request's log line (operations.md §4.1). The last value of a key counts. Safe for
// concurrent use, and on a nil Request, where it does nothing.
func (r *Request) Note(attrs ...slog.Attr) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range attrs {
		r.note(a)
	}
}

func (r *Request) note(a slog.Attr) {
	for i := range r.attrs {
		if r.attrs[i].Key == a.Key {
			r.attrs[i] = a
			return
		}
	}
	if a.Value.Kind() == slog.KindString && a.Value.String() == "" {
		return // an empty text says nothing, and hides nothing here
	}
	if r.attrs == nil {
		r.attrs = r.room[:0]
	}
	r.attrs = append(r.attrs, a)
}

// MarkSent notes that a backend is being asked for the tool that the request calls: access, arguments and policies have let
// it pass. Safe on a nil Request.
func (r *Request) MarkSent() {
	if r != nil && !r.sent.Load() {
		r.sent.Store(true)
	}
}

// Sent reports whether MarkSent was called. A nil Request has no memory and says yes.
func (r *Request) Sent() bool { return r == nil || r.sent.Load() }

// Attrs returns a copy of what was noted so far, in the order in which the keys first came.
func (r *Request) Attrs() []slog.Attr { return r.AppendAttrs(nil) }

// AppendAttrs appends what was noted so far to attrs.
func (r *Request) AppendAttrs(attrs []slog.Attr) []slog.Attr {
	if r == nil {
		return attrs
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(attrs, r.attrs...)
}

type requestKey struct{}

// WithRequest returns a context that carries r.
func WithRequest(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestFrom returns the request that ctx carries, or nil; all methods of Request work on nil.
func RequestFrom(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// RequestID returns the id of the request that ctx carries, or "".
func RequestID(ctx context.Context) string {
	if r := RequestFrom(ctx); r != nil {
		return r.ID
	}
	return ""
}
