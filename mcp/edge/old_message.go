package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// serveOldMessage serves POST /mcp/{server}/message (mcp.md §8).
func (h *Handler) serveOldMessage(w http.ResponseWriter, r *http.Request, name string) {
	x := h.oldExchange(w, r, name)
	if err := x.admit(); err != nil {
		if err != errAnswered {
			x.fail(err)
		}
		return
	}
	if r.Method != http.MethodPost {
		x.notAllowed("POST, OPTIONS")
		return
	}
	stream, err := x.readOldMessage()
	if err != nil {
		x.fail(err)
		return
	}
	x.serveOnStream(stream)
}

// readOldMessage runs rows 7 to 12. Accept decides nothing: the answer has no body.
func (x *exchange) readOldMessage() (*oldStream, error) {
	if err := checkContentType(x.r.Header); err != nil {
		return nil, err
	}
	body, err := x.readBody()
	if err != nil {
		return nil, err
	}
	if x.message, err = Decode(body, x.limits); err != nil {
		return nil, err
	}
	if x.message.ProtocolVersion.Present() || isModern(versionOf(x.r.Header)) {
		return nil, refuse(http.StatusBadRequest, CodeInvalidRequest, "this transport is of %s; connect to /mcp/%s to speak %s", oldestRevision, mcp.Clip(x.name), Modern)
	}
	return x.findOldStream()
}

// findOldStream checks the id, which comes in the query and proves nothing: the token does (S1, S2, D2).
func (x *exchange) findOldStream() (*oldStream, error) {
	ids := x.r.URL.Query()["sessionId"]
	if len(ids) == 0 {
		return nil, refuse(http.StatusBadRequest, CodeInvalidRequest, "sessionId is missing; open /mcp/%s/sse first", mcp.Clip(x.name))
	}
	if len(ids) > 1 || !x.signed(ids[0]) {
		return nil, errSession()
	}
	ctx := x.r.Context()
	if err := x.sessions.Touch(ctx, ids[0], x.now(), ""); errors.Is(err, mcp.ErrNoSession) {
		return nil, errSession()
	} else if err != nil {
		return nil, unavailable(err)
	}
	stream := x.streams.find(ids[0])
	if stream == nil { // D3
		return nil, refuse(http.StatusNotFound, CodeSessionNotFound, "the stream is on another replica; configure storage.redis or stickiness")
	}
	x.session = ids[0]
	return stream, x.takeOver(stream)
}

// takeOver reads what the session agreed on.
func (x *exchange) takeOver(stream *oldStream) error {
	stream.mu.Lock()
	defer stream.mu.Unlock()
	x.revision, x.capabilities, x.logLevel = stream.revision, stream.capabilities, stream.logLevel
	if h := versionOf(x.r.Header); h != "" && x.message.Method != "initialize" && h != x.revision { // S6
		return refuse(http.StatusBadRequest, CodeInvalidRequest, "MCP-Protocol-Version is %q, the session's is %q", mcp.Clip(h), x.revision)
	}
	if x.message.Kind == strictjson.Request && (stream.calls >= maxOldCalls || stream.queue.waiting() > maxOldWaiting) {
		return &Error{Code: CodeServer, Status: http.StatusTooManyRequests, Msg: "too many calls at once on this stream; wait for some of them",
			Header: http.Header{"Retry-After": {"1"}}}
	}
	if x.message.Kind == strictjson.Request {
		stream.calls++
	}
	return nil
}

// serveOnStream answers 202, and then does what the message asks for. The connection of the POST serves until the work is
// done, so that its record says how it ended; the client has its answer at once.
func (x *exchange) serveOnStream(stream *oldStream) {
	switch x.message.Kind {
	case strictjson.Request:
		defer stream.finished()
		x.accepted()
		x.callOnStream(stream)
	case strictjson.Notification:
		x.notification()
		if x.message.Method == "notifications/initialized" {
			x.tellOnStream(stream)
		}
	default:
		x.questions.answer(x.session, x.message)
		x.accepted()
	}
}

func (s *oldStream) finished() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls--; s.calls == 0 && s.leaving {
		s.queue.close()
	}
}

// leave ends the stream once the calls on it have been answered: for a graceful stop (operations.md §15).
func (s *oldStream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving = true; s.calls == 0 {
		s.queue.close()
	}
}

func (x *exchange) oldAccepted() {
	const text = "Accepted"
	head := x.w.Header()
	head.Set("Content-Type", "text/plain; charset=utf-8")
	head.Set("Content-Length", strconv.Itoa(len(text)))
	if x.message.Kind == strictjson.Request && x.r.ProtoMajor < 2 {
		// The work goes on behind this answer. On HTTP/1 whatever the client sent next on the same connection, be it the
		// answer to a question of this very call, would not be read before the end of it.
		head.Set("Connection", "close")
	}
	x.w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(x.w, text)
	_ = http.NewResponseController(x.w).Flush()
}

// callOnStream serves a request; its answer goes down the stream. It ends with the stream, not with the POST.
func (x *exchange) callOnStream(stream *oldStream) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(x.r.Context()))
	defer cancel(nil)
	defer context.AfterFunc(stream.ctx, func() { cancel(errCancelled) })()
	f := &inflight{cancel: cancel, key: callKey{x.session, callID(x.message, x.message.ID)}}
	x.calls.add(f)
	defer x.calls.remove(f)
	x.calls.lasts(f)
	defer x.calls.over(f)
	if x.message.Method == "initialize" {
		if err := x.agree(stream); err != nil {
			stream.queue.put(event{kind: answerEvent, data: x.answerBody(nil, err)})
			return
		}
	}
	a := &reply{x: x, ctx: ctx, decided: true, queue: stream.queue}
	result, err := x.handle(ctx, a)
	if err != nil && restarting(ctx) {
		err = errRestarting
	}
	if !errors.Is(context.Cause(ctx), errCancelled) { // B6
		stream.queue.put(event{kind: answerEvent, data: x.answerBody(result, err)})
	}
}

// agree keeps what the handshake decided: the revision (S11) and what the client can do.
func (x *exchange) agree(stream *oldStream) error {
	m := x.message
	asked, ok := m.Text(m.ProtocolVersionParam)
	if !ok {
		return InvalidParams("params.protocolVersion must be a string")
	}
	if x.revision = LatestLegacy; isLegacy(asked) {
		x.revision = asked
	}
	x.capabilities = nil
	if caps := m.Bytes(m.CapabilitiesParam); len(caps) <= mcp.MaxClientState {
		x.capabilities = append(json.RawMessage(nil), caps...)
	}
	stream.mu.Lock()
	stream.revision, stream.capabilities = x.revision, x.capabilities
	stream.mu.Unlock()
	name, _ := m.Text(m.Member(m.ClientInfoParam, "name"))
	if name = mcp.Clip(name); x.streams.first(name, x.now()) { // D5
		x.log.InfoContext(x.r.Context(), "a client uses the transport of 2024-11-05, which is deprecated since 2025-03-26", "client", name, "server", x.name)
	}
	return nil
}

// tellOnStream begins to tell what the server says outside calls, once the client is ready for it (S12).
func (x *exchange) tellOnStream(stream *oldStream) {
	stream.begin.Do(func() {
		tell := &early{to: stream.queue, passing: true}
		if _, err := x.listensTo(stream.ctx, Interest{Tools: true, Prompts: true, Resources: true}, tell.tell); err != nil {
			x.log.InfoContext(x.r.Context(), "the server tells nothing on an old stream", "server", x.name, "err", err.Error())
		}
	})
}
