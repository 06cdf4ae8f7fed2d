package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// reply is the answer to one request in the making: JSON when it is ready soon, else an event stream (E1). The handler's
// goroutine makes the result; the writer's goroutine, once there is one, alone writes.
type reply struct {
	x   *exchange
	ctx context.Context

	mu      sync.Mutex
	decided bool // the form of the answer is: a stream, or JSON being written
	queue   *queue
	tape    *tape         // of a legacy stream; nil on modern ones
	done    chan struct{} // closed when the writer has ended
}

// call serves a request and answers it.
func (x *exchange) call() {
	s := x.beginCall()
	defer s.end()
	a := &x.reply
	a.x, a.ctx = x, s.ctx
	if x.jsonOnly {
		s.watch(nil)
	} else {
		s.watch(a)
	}
	result, err := x.handle(s.ctx, a)
	a.finish(result, err)
}

// handle runs the server; a is nil where nothing can be sent ahead of the answer. A panic in one call is that call's
// internal error and nothing else (B11).
func (x *exchange) handle(ctx context.Context, a *reply) (result json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			x.log.ErrorContext(ctx, "panic in mcp call", "server", x.name, "method", x.message.Method,
				"request_id", identity.RequestID(ctx), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			result, err = nil, &Error{Code: CodeInternal, Msg: "internal error", Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	r := x.described()
	if a != nil {
		r.Notify, r.Ask = a.notify, a.asks()
	}
	return x.server.Handle(ctx, r)
}

func (x *exchange) setLogLevel(level string) {
	if x.session != "" {
		_ = x.sessions.Touch(context.WithoutCancel(x.r.Context()), x.session, x.now(), level)
		x.streams.find(x.session).setLogLevel(level)
	}
}

// notify sends ahead of the answer, which makes the answer a stream.
func (a *reply) notify(message json.RawMessage, progress bool) {
	if a.x.jsonOnly {
		return
	}
	kind := plainEvent
	if progress {
		kind = progressEvent
	}
	a.say(event{kind: kind, data: message})
}

// say puts an event on the stream, which it starts.
func (a *reply) say(e event) {
	a.stream()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queue != nil {
		a.put(e)
	}
}

// put sends an event on a stream that was started; a legacy one is kept for a client that comes back (E7).
func (a *reply) put(e event) {
	if a.tape != nil {
		e = a.x.tapes.add(a.tape, e)
	}
	a.queue.put(e)
}

// stream turns the answer into an event stream, unless its form is decided.
func (a *reply) stream() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.decided || context.Cause(a.ctx) != nil {
		return
	}
	a.decided, a.queue, a.done = true, newQueue(), make(chan struct{})
	if a.x.session != "" {
		a.tape = a.x.tapes.start(a.x.session)
	}
	a.x.eraHeader()
	s := newWriter(a.x.w, a.queue)
	s.alive = a.x.touch
	go func() { // the head too: a reader that does not take it must not hold the call
		defer close(a.done)
		if s.open() == nil {
			s.run(a.x.r.Context())
		}
	}()
}

// touch keeps the session of an open stream from being idle (S7).
func (x *exchange) touch() bool {
	if x.session != "" {
		_ = x.sessions.Touch(context.WithoutCancel(x.r.Context()), x.session, x.now(), "")
	}
	return true
}

// finish sends the answer as the last thing. A cancelled call gets none (B6).
func (a *reply) finish(result json.RawMessage, err error) {
	a.mu.Lock()
	streaming := a.decided
	a.decided = true
	a.mu.Unlock()
	cancelled := errors.Is(context.Cause(a.ctx), errCancelled)
	if err != nil && restarting(a.ctx) {
		err = errRestarting
	}
	if streaming {
		if !cancelled {
			a.put(event{kind: answerEvent, data: a.x.answerBody(result, err)})
		}
		if a.tape != nil {
			a.x.tapes.end(a.tape)
		}
		a.queue.close()
		<-a.done
		a.x.noteLost(a.queue)
		return
	}
	switch {
	case cancelled:
		a.empty()
	case err != nil:
		a.x.fail(err)
	default:
		a.x.writeResult(result)
	}
}

// noteLost says on the request's line how much its reader was too slow for (E5).
func (x *exchange) noteLost(q *queue) {
	if n := q.lost(); n > 0 {
		identity.RequestFrom(x.r.Context()).Note(slog.Int("events_dropped", n))
	}
}

// empty ends a cancelled request without a message: a stream without events, or 202 where none may be sent.
func (a *reply) empty() {
	if a.x.jsonOnly {
		a.x.w.WriteHeader(http.StatusAccepted)
		return
	}
	s := newWriter(a.x.w, nil)
	defer s.release()
	_ = s.open()
}

func (x *exchange) answerBody(result json.RawMessage, err error) []byte {
	if err == nil {
		return x.resultBody(result)
	}
	e := x.asError(err)
	x.note(e)
	return x.errorBody(e)
}
