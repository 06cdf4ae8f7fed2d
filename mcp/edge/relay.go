package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Relay is a Server that passes messages on to an upstream and hands back what came, byte for byte (mcp.md §9). The edge
// checks, keeps the session and writes; Handle is never called.
type Relay interface {
	Server
	// Pass sends one message on, or a GET or DELETE when r.Message is nil. An error is what the client is told, as of
	// Handle; ErrUpstreamSession ends the client's session. A Passed must be closed.
	Pass(ctx context.Context, r *Request) (*Passed, error)
}

// ErrUpstreamSession says that the upstream no longer knows the session: ours ends with it (§9.3).
var ErrUpstreamSession = errors.New("the upstream ended the session")

// ErrCrosses is a Crosser's answer to initialize when its upstream turns out not to speak the client's era: the edge serves
// the client by translation then.
var ErrCrosses = errors.New("the client's era has to be translated")

// Passed is what an upstream answered. Its headers are those that may reach the client (§9.2).
type Passed struct {
	Status int
	Header http.Header
	// Result is an answer that the relay made itself: what the client's request gets as its result. Body is nil then.
	Result json.RawMessage
	// Body is the answer, read as it comes. Errors of it are what the client is told; nil: there is none.
	Body io.ReadCloser
	// HangUp ends a read of Body that waits, from another goroutine; nil: reads do not wait. Body is closed afterwards.
	HangUp func()
	// Stream says that Body is an event stream, each event at most MaxEvent bytes long (0: 32 MiB).
	Stream   bool
	MaxEvent int
	Length   int64 // of Body when it is no stream; -1: unknown

	// Session and Revision are what the upstream chose in its answer to initialize; Session may be "".
	Session, Revision string
}

// Close ends the exchange with the upstream. Safe on nil.
func (p *Passed) Close() {
	if p != nil && p.Body != nil {
		_ = p.Body.Close()
	}
}

// relay serves one message of a client of a Relay, in place of the edge's own answers.
func (x *exchange) relay(to Relay) {
	m := x.message
	switch {
	case m.Kind != strictjson.Request:
		x.relayAside(to)
	case m.Method == "initialize":
		x.relayInitialize(to)
	case m.Method == "subscriptions/listen" && x.modern:
		x.relayListen(to)
	case m.Method == "ping" && x.session == "" && !x.modern: // S5: there is no session to ask upstream in
		x.writeResult([]byte("{}"))
	default:
		s := x.beginCall()
		defer s.end()
		s.watch(nil)
		p, err := x.pass(s.ctx, to)
		x.relayAnswer(s.ctx, p, err)
	}
}

// relayAside passes on what wants no answer: notifications, and answers to the upstream's own requests.
func (x *exchange) relayAside(to Relay) {
	m := x.message
	if m.Method == "notifications/cancelled" && !x.modern {
		x.calls.cancel(x.session, callID(m, m.RequestID)) // nothing more is sent, whatever the upstream makes of it (E6)
	}
	p, err := x.pass(x.r.Context(), to)
	defer p.Close()
	switch {
	case err != nil:
		x.failPassed(err)
	case p.Status >= http.StatusBadRequest:
		x.relayBody(x.r.Context(), p)
	default:
		x.accepted()
	}
}

// pass runs the relay. A panic in one call is that call's internal error and nothing else (B11).
func (x *exchange) pass(ctx context.Context, to Relay) (p *Passed, err error) {
	defer func() {
		if v := recover(); v != nil {
			x.log.ErrorContext(ctx, "panic in mcp relay", "server", x.name, "request_id", identity.RequestID(ctx),
				"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			p, err = nil, &Error{Code: CodeInternal, Msg: "internal error", Err: fmt.Errorf("panic: %v", v)}
		}
	}()
	return to.Pass(ctx, x.described())
}

// relayInitialize passes the handshake on and opens a session beside the upstream's (S1, S11).
func (x *exchange) relayInitialize(to Relay) {
	m := x.message
	asked, ok := m.Text(m.ProtocolVersionParam)
	if !ok {
		x.fail(InvalidParams("params.protocolVersion must be a string"))
		return
	}
	if versionOf(x.r.Header) != asked {
		// The handshake has no such header (§5: any). An upstream that refuses what it says must not be taken, for everybody,
		// for one that does not speak this era.
		x.r.Header.Del(versionHeader)
	}
	p, err := x.pass(x.r.Context(), to)
	defer p.Close()
	if errors.Is(err, ErrCrosses) {
		x.initialize()
		return
	}
	if err != nil {
		x.failPassed(err)
		return
	}
	if p.Revision != "" { // else the upstream refused
		x.revision, x.upstream = p.Revision, p.Session
		if err := x.createSession(); err != nil {
			x.fail(err)
			return
		}
		x.w.Header().Set(sessionHeader, x.session)
	}
	x.relayBody(x.r.Context(), p)
}

// relayDelete tells the upstream that its session is over; whatever it says, ours is (S4).
func (x *exchange) relayDelete(to Relay) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), goodbyeWithin)
	defer cancel()
	p, err := x.pass(ctx, to)
	if p.Close(); err != nil {
		x.log.InfoContext(ctx, "the upstream was not told of a session's end", "server", x.name, "err", err.Error())
	}
}

// relayAnswer gives the client what the upstream answered.
func (x *exchange) relayAnswer(ctx context.Context, p *Passed, err error) {
	defer p.Close()
	switch {
	case errors.Is(context.Cause(ctx), errCancelled):
		(&reply{x: x}).empty() // B6
	case err != nil && restarting(ctx):
		x.fail(errRestarting)
	case err != nil:
		x.failPassed(err)
	case p.Result != nil:
		x.writeResult(p.Result)
	case p.Stream:
		x.relayStream(ctx, p, nil)
	default:
		x.relayBody(ctx, p)
	}
}

// failPassed answers what went wrong; a session that the upstream ended ends here too, before it is answered (S4).
func (x *exchange) failPassed(err error) {
	if errors.Is(err, ErrUpstreamSession) {
		if x.session != "" {
			_ = x.sessions.End(context.WithoutCancel(x.r.Context()), x.session, x.now())
			x.leave()
		}
		err = errSession()
	}
	x.fail(err)
}

// passedHeader writes the headers of the upstream's answer over ours.
func (x *exchange) passedHeader(p *Passed) {
	x.eraHeader()
	for name, values := range p.Header {
		x.w.Header()[name] = values
	}
}
