package edge

import (
	"context"
	"sync"
	"time"
)

// hub knows the open streams that belong to no request: GET streams of legacy sessions, subscriptions/listen.
type hub struct {
	mu       sync.Mutex
	open     map[*listener]struct{}
	sessions map[string]*listener      // the GET stream of a session; at most one (E8)
	callers  map[callerKey][]*listener // oldest first
	closed   bool                      // stopping: no new ones
}

type callerKey struct{ server, owner string }

// listener is one open stream.
type listener struct {
	x       *exchange
	key     callerKey
	queue   *queue
	end     context.CancelFunc
	leave   func()        // ends it when its calls are over; nil: it carries none
	changes []byte        // the tools/list_changed notification as this stream carries it; nil: not wanted
	resumed bool          // a relay's stream that goes on, perhaps one of a call: it takes nothing over
	plain   bool          // a relay's: ids on it are the upstream's
	gone    chan struct{} // closed when a relay's stream has left the upstream; nil otherwise

	mu    sync.Mutex
	view  string    // what the client was last told of, or is about to be
	told  int       // changes
	last  time.Time // one was told
	later bool      // one is going to be
}

// changesEvery is how far apart two changes of the same kind are told: a reload may change what a caller sees in several
// steps, as parts of a combined server come back one by one, and is told once (L4).
const changesEvery = time.Second

func (b *hub) init() {
	b.open, b.sessions, b.callers = map[*listener]struct{}{}, map[string]*listener{}, map[callerKey][]*listener{}
}

// add registers l; false when the gateway is stopping. A second GET stream takes over from the first (E8), and the
// caller's oldest stream ends when there are more than most.
func (b *hub) add(l *listener, most int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	if old := b.sessions[l.x.session]; l.x.session != "" && old != nil && !l.resumed {
		b.drop(old)
		old.end()
	}
	if same := b.callers[l.key]; len(same) >= most {
		oldest := same[0]
		b.drop(oldest)
		oldest.end()
	}
	b.open[l] = struct{}{}
	b.callers[l.key] = append(b.callers[l.key], l)
	if l.x.session != "" && !l.resumed {
		b.sessions[l.x.session] = l
	}
	return true
}

func (b *hub) remove(l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(l)
}

func (b *hub) drop(l *listener) {
	if _, ok := b.open[l]; !ok {
		return
	}
	delete(b.open, l)
	if b.sessions[l.x.session] == l {
		delete(b.sessions, l.x.session)
	}
	left := b.callers[l.key][:0:0]
	for _, other := range b.callers[l.key] {
		if other != l {
			left = append(left, other)
		}
	}
	if b.callers[l.key] = left; len(left) == 0 {
		delete(b.callers, l.key)
	}
}

func (b *hub) endSession(session string) {
	b.endWhere(func(l *listener) bool { return session != "" && l.x.session == session })
}

func (b *hub) endWhere(match func(*listener) bool) {
	for _, l := range b.all() {
		if match(l) {
			l.end()
		}
	}
}

func (b *hub) all() []*listener {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]*listener, 0, len(b.open))
	for l := range b.open {
		list = append(list, l)
	}
	return list
}

func (h *Handler) changed() {
	for _, l := range h.init().hub.all() {
		h.check(l)
	}
}

// check compares what the client of l was told of with the current snapshot (L3, L4, A5).
func (h *Handler) check(l *listener) {
	server, state := h.Lookup(l.x.name)
	if state != Serving {
		l.end()
		return
	}
	if ok, _ := server.Allowed(l.x.caller); !ok {
		l.end()
		return
	}
	view := server.View(l.x.caller)
	l.mu.Lock()
	defer l.mu.Unlock()
	if view == l.view {
		return
	}
	l.view = view
	l.tell()
}

// tell sends list_changed, at once unless it did a moment ago. mu is held.
func (l *listener) tell() {
	if l.changes == nil || l.later {
		return
	}
	if wait := changesEvery - time.Since(l.last); !l.last.IsZero() && wait > 0 {
		l.later = true
		time.AfterFunc(wait, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.later = false
			l.send()
		})
		return
	}
	l.send()
}

// send puts list_changed into the queue. The id on a GET stream names the view, so that a client that returns with it is up
// to date. mu is held.
func (l *listener) send() {
	l.last = time.Now()
	e := event{kind: changeEvent, data: l.changes, of: "notifications/tools/list_changed"}
	if l.x.session != "" && !l.plain {
		e.id = changesID(l.view, l.told)
	}
	l.told++
	l.queue.put(e)
}

func (h *Handler) endGrant(grant string) {
	s := h.init()
	if grant == "" {
		return
	}
	_ = s.sessions.EndGrant(context.Background(), grant, s.now())
	s.hub.endWhere(func(l *listener) bool { return l.x.caller.GrantID == grant })
}

func (h *Handler) close() {
	b := &h.init().hub
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	for _, l := range b.all() {
		if l.leave != nil {
			l.leave()
		} else {
			l.end()
		}
	}
}
