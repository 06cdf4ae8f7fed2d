package edge

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// get opens the stream of a legacy session: what the server says outside any request (§2, E8).
func (x *exchange) get() {
	header := x.r.Header.Get(versionHeader)
	if isModern(header) {
		x.notAllowed(modernMethods)
		return
	}
	if !asksForStream(x.r.Header) {
		x.notAllowed(allMethods)
		return
	}
	if err := x.openSession(x.r.Header[sessionHeader], header); err != nil {
		x.fail(err)
		return
	}
	if to, ok := x.server.(Relay); ok {
		x.relayGet(to)
		return
	}
	if id := x.r.Header.Get(lastEventID); id != "" && !strings.HasPrefix(id, changesPrefix) {
		x.resume(id)
		return
	}
	x.serveListener(nil, []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`), nil)
}

// wanted is the filter of subscriptions/listen.
type wanted struct {
	Tools bool `json:"toolsListChanged"`
}

// listen serves subscriptions/listen (§7.1): acknowledged first, then changes, each naming the subscription (L1). Of the
// kinds a client may ask for, a server made of tools has one (L2).
func (x *exchange) listen() {
	m := x.message
	if !m.IsObject(m.Notifications) {
		x.fail(InvalidParams("params.notifications must be an object"))
		return
	}
	var want wanted
	if err := json.Unmarshal(m.Bytes(m.Notifications), &want); err != nil {
		x.fail(InvalidParams("params.notifications: toolsListChanged must be true or false"))
		return
	}
	meta := `"_meta":{"io.modelcontextprotocol/subscriptionId":` + string(x.id()) + `}`
	agreed, changes := `{}`, []byte(nil)
	if want.Tools {
		agreed = `{"toolsListChanged":true}`
		changes = []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{` + meta + `}}`)
	}
	ack := `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":` + agreed + `,` + meta + `}}`
	last := x.resultBody([]byte(`{"resultType":"complete",` + meta + `}`))
	x.serveListener([]byte(ack), changes, last)
}

// serveListener keeps a stream open until the client leaves, stream_max is over, the token expires, or somebody ends it
// (L6). The goroutine of the request is the stream's writer.
func (x *exchange) serveListener(first, changes, last []byte) {
	ctx, cancel := context.WithTimeout(x.r.Context(), x.streamTime())
	defer cancel()
	owner, _ := ownerOf(x.caller)
	l := &listener{
		x: x, key: callerKey{x.name, owner}, queue: newQueue(), end: cancel,
		changes: changes, view: x.server.View(x.caller),
	}
	if first != nil {
		l.queue.put(event{kind: answerEvent, data: first})
	}
	if !x.hub.add(l, x.limits.ListensPerCaller) {
		x.fail(stopping())
		return
	}
	defer x.hub.remove(l)
	if x.session != "" && missed(x.r.Header, l.view) {
		l.tell()
	}
	// The snapshot may have been swapped between the look at the view and the registration.
	x.h.check(l)
	x.eraHeader()
	s := newWriter(x.w, l.queue)
	s.alive = x.stillThere
	s.open()
	s.run(ctx)
	if last != nil && x.r.Context().Err() == nil {
		_ = s.write([]event{{kind: answerEvent, data: last}})
	}
}

// stillThere keeps the session in use, and ends the stream when the session was ended elsewhere.
func (x *exchange) stillThere() bool {
	if x.session == "" {
		return true
	}
	return x.sessions.Touch(x.r.Context(), x.session, x.now(), "") == nil
}

// streamTime is how long a stream may stay open.
func (x *exchange) streamTime() time.Duration {
	most := x.limits.StreamMax
	if x.caller.Expires.IsZero() {
		return most
	}
	return min(most, x.caller.Expires.Sub(x.now()))
}
