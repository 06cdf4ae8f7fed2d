package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// get opens the stream of a legacy session: what the server says outside any request (§2, E8).
func (x *exchange) get() {
	header := versionOf(x.r.Header)
	if !asksForStream(x.r.Header) {
		x.notAllowed(allMethods)
		return
	}
	if isModern(header) {
		x.notAllowed(modernMethods)
		return
	}
	if err := x.openSession(x.r.Header[sessionHeader], header); err != nil {
		x.fail(err)
		return
	}
	switch to, err := x.relays(); {
	case err != nil:
		x.fail(err)
		return
	case to != nil:
		x.relayGet(to)
		return
	}
	if id := x.r.Header.Get(lastEventID); id != "" && !strings.HasPrefix(id, changesPrefix) {
		x.resume(id)
		return
	}
	everything := Interest{Tools: true, Prompts: true, Resources: true}
	x.serveListener(&opening{want: everything, changes: []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)})
}

// opening is how a stream begins and ends.
type opening struct {
	want Interest
	id   []byte // of the subscription; nil on GET streams
	// changes is what the stream carries when the caller's view changed.
	changes []byte
}

// listen serves subscriptions/listen (§7.1): acknowledged first, then changes, each naming the subscription (L1).
func (x *exchange) listen() {
	m := x.message
	want, err := interestOf(m)
	if err != nil {
		x.fail(err)
		return
	}
	o := &opening{id: x.id(), want: want}
	if o.want.Tools {
		o.changes = tagged([]byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`), o.id)
	}
	x.serveListener(o)
}

// interestOf reads what a client wants to hear. Names count as they are spelt, as everywhere (mcp.md §4): what is spelt
// differently is one of the names that we do not know, and is left out of the acknowledgement.
func interestOf(m *Message) (want Interest, err error) {
	if !m.IsObject(m.Notifications) {
		return want, InvalidParams("params.notifications must be an object")
	}
	flags := map[string]*bool{"toolsListChanged": &want.Tools, "promptsListChanged": &want.Prompts, "resourcesListChanged": &want.Resources}
	for _, one := range m.Members(m.Notifications) {
		value := string(m.Bytes(one.Val))
		flag := flags[one.Key]
		switch {
		case one.Key == "resourceSubscriptions":
			if want.URIs, err = addressesIn(m, one.Val); err != nil {
				return want, err
			}
		case flag == nil || value == "null":
		case value == "true" || value == "false":
			*flag = value == "true"
		default:
			return want, InvalidParams("params.notifications.%s must be true or false", one.Key)
		}
	}
	return want, nil
}

func addressesIn(m *Message, at strictjson.Span) ([]string, error) {
	if text := m.Bytes(at); text[0] != '[' && string(text) != "null" {
		return nil, InvalidParams("params.notifications.resourceSubscriptions must be a list of addresses")
	}
	list := m.Elements(at)
	if len(list) > maxURIs {
		return nil, InvalidParams("params.notifications.resourceSubscriptions: at most %d addresses", maxURIs)
	}
	var uris []string
	for _, one := range list {
		uri, ok := m.Text(one)
		if !ok {
			return nil, InvalidParams("params.notifications.resourceSubscriptions must be a list of addresses")
		}
		uris = append(uris, uri)
	}
	return uris, nil
}

// acknowledgement is the first event of a listen stream: what of the client's wishes it carries.
func (o *opening) acknowledgement(agreed Interest) []byte {
	text, _ := json.Marshal(agreed)
	return tagged([]byte(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":`+string(text)+`}}`), o.id)
}

// last is the result that ends a listen stream in good order; nil on GET streams.
func (o *opening) last(x *exchange) []byte {
	if o.id == nil {
		return nil
	}
	return x.resultBody([]byte(`{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":` + string(o.id) + `}}`))
}

// serveListener keeps a stream open until the client leaves, stream_max is over, the token expires, or somebody ends it
// (L6). The goroutine of the request is the stream's writer.
func (x *exchange) serveListener(o *opening) {
	ctx, cancel := context.WithTimeout(x.r.Context(), x.streamTime())
	defer cancel()
	owner, _ := ownerOf(x.caller)
	l := &listener{
		x: x, key: callerKey{x.name, owner}, queue: newQueue(), end: cancel,
		changes: o.changes, view: x.server.View(x.caller),
	}
	if !x.begin(ctx, o, l) {
		return
	}
	if !x.hub.add(l, x.limits.ListensPerCaller) {
		x.fail(stopping())
		return
	}
	defer x.hub.remove(l)
	if x.session != "" && missed(x.r.Header, l.view) {
		l.mu.Lock()
		l.tell()
		l.mu.Unlock()
	}
	// The snapshot may have been swapped between the look at the view and the registration.
	x.h.check(l)
	x.eraHeader()
	s := newWriter(x.w, l.queue)
	s.alive = x.stillThere
	defer s.release()
	defer x.noteLost(l.queue)
	if s.open() != nil {
		return
	}
	s.run(ctx)
	if last := o.last(x); last != nil && x.r.Context().Err() == nil {
		_ = s.write([]event{{kind: answerEvent, data: last}})
	}
}

// begin asks the server to tell, and acknowledges. What the server says meanwhile comes behind the acknowledgement.
func (x *exchange) begin(ctx context.Context, o *opening, l *listener) bool {
	early := &early{to: l.queue, id: o.id}
	agreed, err := x.listensTo(ctx, o.want, early.tell)
	if err != nil {
		x.fail(err)
		return false
	}
	if o.id != nil {
		l.queue.put(event{kind: answerEvent, data: o.acknowledgement(agreed)})
	}
	early.pass()
	return true
}

// early holds back what a server tells until the client was told that it is heard (L1: the acknowledgement is first).
type early struct {
	to *queue
	id []byte

	mu      sync.Mutex
	passing bool
	held    []event
	bytes   int // of held
}

func (e *early) tell(notification json.RawMessage) {
	one := event{kind: plainEvent, data: notification}
	if e.id != nil {
		if one.data = tagged(notification, e.id); one.data == nil {
			return
		}
	}
	if of := changeOf(notification); of != "" { // of what else there is a slow reader loses some (E5)
		one.kind, one.of = changeEvent, of
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.passing {
		e.to.put(one)
	} else if len(e.held) < queueEvents && e.bytes+len(one.data) <= queueBytes {
		e.held, e.bytes = append(e.held, one), e.bytes+len(one.data)
	}
}

// changeOf is the method of a notification that a list changed; "" for all others, whatever they speak of.
func changeOf(notification json.RawMessage) string {
	if !bytes.Contains(notification, []byte("list_changed")) {
		return ""
	}
	m, err := strictjson.Decode(notification, strictjson.Limits{Upstream: true})
	if err != nil || m.Kind != strictjson.Notification {
		return ""
	}
	switch m.Method {
	case "notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/resources/list_changed":
		return m.Method
	}
	return ""
}

func (e *early) pass() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.passing = true
	for _, one := range e.held {
		e.to.put(one)
	}
	e.held = nil
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
