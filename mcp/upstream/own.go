package upstream

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// own is the GET stream of a session that may be asked something. Servers are free to put a question there instead of on the
// stream of the call that it belongs to; since such a session has one call at a time, it is known whose it is.
type own struct {
	cancel context.CancelFunc
	left   chan struct{} // closed when nobody reads any more

	mu      sync.Mutex
	current *exchange
}

// streamWithin is how long a session waits for its stream to begin. Some servers send nothing of it, not even its status,
// before they have something to say on it, and some proxies hold it back: a call does not wait for these.
const streamWithin = 2 * time.Second

// listen opens the stream and waits until it is: a question that comes before would be lost. An upstream that has none says
// so with 405.
func (s *session) listen(ctx context.Context) {
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stopWaiting := context.AfterFunc(ctx, cancel)
	late := time.AfterFunc(streamWithin, cancel)
	w, err := s.l.open(reading, (&sending{l: s.l, on: s.on.quiet(), http: http.MethodGet, header: s.header(), listen: true, quiet: true}).call(reading))
	if inTime, waited := late.Stop(), stopWaiting(); !inTime || !waited || err != nil {
		if err == nil {
			w.close(false)
		}
		cancel()
		return
	}
	if none, err := w.begin(); none || err != nil || w.events == nil {
		w.close(true)
		cancel()
		return
	}
	s.own = &own{cancel: cancel, left: make(chan struct{})}
	go func() {
		defer close(s.own.left)
		s.own.read(s, w)
		w.close(true)
	}()
}

// read hands questions and notifications to the call that has the session. When the stream ends, questions come by the
// streams of calls only.
func (o *own) read(s *session, w *wire) {
	for {
		m, err := w.next()
		if err != nil {
			return
		}
		if m.Kind == strictjson.Notification {
			s.l.heard(m)
		}
		o.mu.Lock()
		x := o.current
		switch {
		case x != nil && m.Kind == strictjson.Request:
			x.question(m)
		case x != nil && m.Kind == strictjson.Notification:
			x.notify(m)
		}
		o.mu.Unlock()
		if x == nil && m.Kind == strictjson.Request {
			s.refuse(w.ctx, m)
		}
	}
}

// refuse answers a question that belongs to no call.
func (s *session) refuse(ctx context.Context, q *strictjson.Message) {
	var err error
	if q.Method != "ping" {
		err = edge.MethodNotFound(q.Method)
	}
	if answer, err := reply(q, json.RawMessage("{}"), err); err == nil {
		_ = s.send(ctx, answer)
	}
}

// serve gives the stream to a call, and takes it back.
func (s *session) serve(x *exchange) (done func()) {
	if s.line != nil {
		return s.line.serve(x)
	}
	if s.own == nil {
		return func() {}
	}
	s.own.mu.Lock()
	s.own.current = x
	s.own.mu.Unlock()
	return func() {
		s.own.mu.Lock()
		s.own.current = nil
		s.own.mu.Unlock()
	}
}

// hush closes the stream.
func (s *session) hush() {
	if s.line != nil {
		s.line.hangUp()
	}
	if s.own != nil {
		s.own.cancel()
		<-s.own.left
	}
}
