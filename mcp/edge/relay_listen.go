package edge

import (
	"context"
	"net/http"
)

// relayGet opens the upstream's stream for what belongs to no request, or goes on with one (E7, E8).
func (x *exchange) relayGet(to Relay) {
	changes := []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	if x.r.Header.Get(lastEventID) != "" {
		changes = nil // it may be the stream of a call
	}
	x.relayListener(to, changes)
}

// relayListen passes subscriptions/listen on (L5). What a reload changes of the caller's view is told on it too (L4).
func (x *exchange) relayListen(to Relay) {
	want, _ := interestOf(x.message) // the upstream judges it
	var changes []byte
	if want.Tools {
		changes = tagged([]byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`), x.id())
	}
	x.relayListener(to, changes)
}

// relayListener keeps a stream of the upstream open until one of the four sides ends it: client, upstream, time, or we.
func (x *exchange) relayListener(to Relay, changes []byte) {
	ctx, cancel := context.WithTimeout(x.r.Context(), x.streamTime())
	defer cancel()
	owner, _ := ownerOf(x.caller)
	l := &listener{
		x: x, key: callerKey{x.name, owner}, queue: newQueue(), end: cancel, changes: changes, view: x.server.View(x.caller),
		resumed: x.r.Header.Get(lastEventID) != "", plain: true, gone: make(chan struct{}),
	}
	before := x.hub.streamOf(x.session)
	if !x.hub.add(l, x.limits.ListensPerCaller) {
		x.fail(stopping())
		return
	}
	defer close(l.gone)
	defer x.hub.remove(l)
	if before != nil && before.gone != nil && !l.resumed {
		select { // the upstream has room for one, too: the first one must have left it
		case <-before.gone:
		case <-ctx.Done():
		}
	}
	p, err := x.pass(ctx, to)
	defer p.Close()
	switch {
	case err != nil:
		x.failPassed(err)
	case p.Status == http.StatusMethodNotAllowed:
		x.notAllowed("POST, DELETE, OPTIONS")
	case p.Stream:
		x.h.check(l) // the snapshot may have been swapped between the look at the view and the registration
		x.relayStream(ctx, p, l)
	case p.Result != nil:
		x.writeResult(p.Result)
	default:
		x.relayBody(ctx, p)
	}
}

func stopping() *Error {
	return &Error{Code: CodeServer, Status: http.StatusServiceUnavailable, Msg: "the gateway is stopping; try again",
		Header: http.Header{"Retry-After": {"5"}}}
}

// ownQueue is what we have to say on a stream; for a stream of a call nothing.
func (l *listener) ownQueue() *queue {
	if l == nil {
		return &queue{}
	}
	return l.queue
}

// streamOf is the GET stream of a session, or nil.
func (b *hub) streamOf(session string) *listener {
	b.mu.Lock()
	defer b.mu.Unlock()
	if session == "" {
		return nil
	}
	return b.sessions[session]
}
