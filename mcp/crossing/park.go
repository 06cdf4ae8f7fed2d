package crossing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// toLegacy serves a modern client from a legacy upstream (§11.1). Where the client declared that it can be asked, the call
// runs beside the request: a question of the upstream ends the request with input_required and leaves the call waiting.
func (s *Server) toLegacy(ctx context.Context, r *edge.Request, up *upstream.Request) (json.RawMessage, error) {
	if r.Message.RequestState.Present() {
		return s.goOn(ctx, r)
	}
	if !mayBeAsked(r.Capabilities) {
		m, err := s.cfg.Leg.Do(ctx, up)
		return s.finish(ctx, r, m, err)
	}
	call, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	p := newParked(s.owner(r), r, cancel)
	up.Notify = p.notify
	up.Ask = func(ctx context.Context, q *strictjson.Message) (json.RawMessage, error) {
		if need := needs[q.Method]; need == "" || !declares(r.Capabilities, need) {
			return nil, edge.MethodNotFound(q.Method)
		}
		return p.ask(ctx, q)
	}
	go func() {
		defer close(p.done)
		p.answer, p.err = s.cfg.Leg.Do(call, up)
		cancel(nil)
	}()
	return s.await(ctx, r, p)
}

func mayBeAsked(capabilities json.RawMessage) bool {
	for _, need := range needs {
		if declares(capabilities, need) {
			return true
		}
	}
	return false
}

// await waits for the end of the call or for its first questions, whichever comes first. A client that leaves cancels.
func (s *Server) await(ctx context.Context, r *edge.Request, p *parked) (json.RawMessage, error) {
	select {
	case <-p.done:
		return s.finish(ctx, r, p.answer, p.err)
	case <-ctx.Done():
		p.cancel(context.Cause(ctx))
		<-p.done
		return nil, context.Cause(ctx)
	case <-p.asked:
	}
	timer := time.NewTimer(gather)
	defer timer.Stop()
	select {
	case <-p.done:
		return s.finish(ctx, r, p.answer, p.err)
	case <-timer.C:
	}
	return s.park(r, p)
}

// finish is the end of a call as the modern client sees it.
func (s *Server) finish(ctx context.Context, r *edge.Request, m *strictjson.Message, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	if m.Error.Present() {
		return nil, modernError(r, upstream.Error(m))
	}
	return s.modernResult(ctx, r, m.Bytes(m.Result)), nil
}

// park leaves the call waiting and answers with what the client is asked.
func (s *Server) park(r *edge.Request, p *parked) (json.RawMessage, error) {
	p.detach()
	state, err := s.seal(r, p)
	if err != nil {
		p.cancel(err)
		return nil, err
	}
	questions := p.questions()
	if !s.cfg.Memory.put(p, s.cfg.Park) {
		p.cancel(errStopping)
		return nil, &edge.Error{Status: http.StatusTooManyRequests, Code: edge.CodeServer, Msg: "too many calls wait for answers; answer or leave some of them first"}
	}
	b := append([]byte(`{"resultType":"input_required","inputRequests":`), questions...)
	return append(append(append(b, `,"requestState":`...), quote(state)...), '}'), nil
}

// goOn takes up a parked call with the client's answers (P1 to P3).
func (s *Server) goOn(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	m := r.Message
	text, _ := m.Text(m.RequestState)
	id, turn, err := s.unseal(r, text)
	if err != nil {
		return nil, err
	}
	if m.InputResponses.Present() && !m.IsObject(m.InputResponses) {
		return nil, edge.InvalidParams("params.inputResponses must be an object")
	}
	p := s.cfg.Memory.take(id, turn)
	if p == nil {
		return nil, errState()
	}
	identity.RequestFrom(ctx).MarkSent() // its call is at the upstream already
	p.attach(r)
	return s.await(ctx, r, p)
}

// errState is the one answer to a state that is not the caller's, not of this call, used already or too old: nothing is told
// of the call it may have belonged to (P1).
func errState() *edge.Error {
	return edge.InvalidParams("requestState is not valid; call the tool again")
}

// owner names the person and the client: a second person cannot finish a call, nor another client of the same.
func (s *Server) owner(r *edge.Request) string {
	c := r.Caller
	if c.Kind == identity.Key {
		return "key\x00" + c.Subscription.ID
	}
	return string(c.Kind) + "\x00" + c.Subject + "\x00" + c.ClientID
}

// place is what a state is bound to: server, caller, and what was asked for.
func (s *Server) place(r *edge.Request) string {
	m := r.Message
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(m.Method), m.Bytes(m.Name), m.Bytes(m.URI), same(m.Bytes(m.Arguments))} {
		sum.Write(strconv.AppendInt(nil, int64(len(part)), 10))
		sum.Write([]byte{':'})
		sum.Write(part)
	}
	return s.cfg.Name + "\x00" + s.cfg.Upstream + "\x00" + s.owner(r) + "\x00" + hex.EncodeToString(sum.Sum(nil))
}

// same is JSON without what spelling it differently changes: clients write their arguments anew for the second request.
func same(text []byte) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if len(text) == 0 || d.Decode(&v) != nil {
		return text
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return plain
}

// seal writes the state: which call, which turn, on which replica, and until when.
func (s *Server) seal(r *edge.Request, p *parked) (string, error) {
	until := s.now().Add(s.cfg.Park).UnixMilli()
	text := strings.Join([]string{s.cfg.Memory.replica, p.id, strconv.Itoa(p.turn), strconv.FormatInt(until, 10)}, " ")
	return s.cfg.Keyring.Seal(secret.MCPState, s.place(r), []byte(text))
}

func (s *Server) unseal(r *edge.Request, state string) (id string, turn int, err error) {
	text, err := s.cfg.Keyring.Open(secret.MCPState, s.place(r), state)
	if err != nil {
		return "", 0, errState()
	}
	parts := strings.Fields(string(text))
	if len(parts) != 4 {
		return "", 0, errState()
	}
	turn, err1 := strconv.Atoi(parts[2])
	until, err2 := strconv.ParseInt(parts[3], 10, 64)
	if err1 != nil || err2 != nil || s.now().UnixMilli() > until {
		return "", 0, errState()
	}
	if parts[0] != s.cfg.Memory.replica { // P2: the upstream's stream is elsewhere, or was before a restart
		return "", 0, &edge.Error{Code: edge.CodeServer, Msg: "the call was lost; call the tool again"}
	}
	return parts[1], turn, nil
}
