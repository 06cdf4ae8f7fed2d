package crossing

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
)

const (
	maxRounds  = 10 // of questions in one call (§11.2)
	maxAtOnce  = 32 // questions of one round
	firstLevel = "info"
)

// toModern serves a legacy client from a modern upstream. What the upstream requires as input is asked on the stream of the
// call, all at once, and the call is repeated with the answers (§11.2).
func (s *Server) toModern(ctx context.Context, r *edge.Request, up *upstream.Request) (json.RawMessage, error) {
	if up.On.LogLevel == "" {
		up.On.LogLevel = firstLevel // a legacy server may log unasked, and clients of that time expect it
	}
	params := up.Params
	for range maxRounds + 1 {
		m, err := s.cfg.Leg.Do(ctx, up)
		if err != nil {
			return nil, err
		}
		if m.Error.Present() {
			return nil, s.legacyError(r, upstream.Error(m))
		}
		if kind, _ := m.Text(m.Member(m.Result, "resultType")); kind != "input_required" {
			return legacyContent(r, m.Bytes(m.Result)), nil
		}
		answers, err := s.askAll(ctx, r, m)
		if err != nil {
			return nil, err
		}
		members := map[string][]byte{"inputResponses": answers}
		if state := m.Member(m.Result, "requestState"); state.Present() {
			members["requestState"] = m.Bytes(state)
		}
		up.Params = with(objectOr(params), members)
	}
	return nil, &edge.Error{Status: http.StatusOK, Code: edge.CodeServer, Msg: fmt.Sprintf("the upstream asked for input more than %d times", maxRounds)}
}

// needs are the capabilities that clients must have declared to be asked.
var needs = map[string]string{"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}

// askAll puts every input request to the client and returns the answers by their keys.
func (s *Server) askAll(ctx context.Context, r *edge.Request, m *strictjson.Message) ([]byte, error) {
	wanted := m.Members(m.Member(m.Result, "inputRequests"))
	if len(wanted) > maxAtOnce {
		return nil, &edge.Error{Status: http.StatusOK, Code: edge.CodeServer, Msg: "the upstream asks for too much at once"}
	}
	for _, one := range wanted {
		method, _ := m.Text(m.Member(one.Val, "method"))
		if need := needs[method]; need == "" || r.Ask == nil || !declares(r.Capabilities, need) {
			return nil, notOffered(method)
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	answers, errs := make([]json.RawMessage, len(wanted)), make([]error, len(wanted))
	var wg sync.WaitGroup
	for i, one := range wanted {
		wg.Go(func() {
			method, _ := m.Text(m.Member(one.Val, "method"))
			if answers[i], errs[i] = askOne(ctx, r, method, m.Bytes(m.Member(one.Val, "params"))); errs[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	b := []byte{'{'}
	for i, one := range wanted {
		if answers[i] == nil {
			return nil, firstOf(errs)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, m.Bytes(one.KeyAt)...), ':'), answers[i]...)
	}
	return append(b, '}'), nil
}

// firstOf returns the error that came from a client rather than from having stopped the others.
func firstOf(errs []error) error {
	var any error
	for _, err := range errs {
		if err == nil {
			continue
		}
		if e, ok := err.(*edge.Error); ok {
			return e
		}
		any = err
	}
	return any
}

// askOne returns what the client answered: an acceptance, a refusal or a cancellation is an answer; an error is none.
func askOne(ctx context.Context, r *edge.Request, method string, params json.RawMessage) (json.RawMessage, error) {
	answer, err := r.Ask(ctx, method, params)
	if err != nil {
		return nil, err
	}
	if answer.Error.Present() {
		e := upstream.Error(answer)
		return nil, &edge.Error{Status: http.StatusOK, Code: edge.CodeServer, Msg: "the client could not answer " + method + ": " + mcp.Clip(e.Msg), Upstream: true}
	}
	return answer.Bytes(answer.Result), nil
}

func notOffered(method string) *edge.Error {
	kind := needs[method]
	if kind == "" {
		kind = mcp.Clip(method)
	}
	return &edge.Error{Status: http.StatusOK, Code: edge.CodeInvalidRequest, Msg: "the upstream asks for " + kind + ", which the client does not offer"}
}

// declares reports whether capabilities name one of this key.
func declares(capabilities json.RawMessage, name string) bool {
	m, at, ok := opened(capabilities)
	return ok && m.IsObject(m.Member(at, name))
}

// linksSince is the first revision that knows links to resources as content.
const linksSince = "2025-06-18"

// legacyContent is a result as a client of an old revision reads it: a link to a resource, which it does not know, is a text.
// Members it does not know stay: legacy results are open objects (§11.2).
func legacyContent(r *edge.Request, result []byte) json.RawMessage {
	if r.Revision >= linksSince || !strings.Contains(string(result), "resource_link") {
		return result
	}
	m, at, ok := opened(result)
	if !ok {
		return result
	}
	var texts []splice.Piece
	for _, item := range m.Elements(m.Member(at, "content")) { // of a tool
		texts = append(texts, linkAsText(m, item)...)
	}
	for _, message := range m.Elements(m.Member(at, "messages")) { // of a prompt
		texts = append(texts, linkAsText(m, m.Member(message, "content"))...)
	}
	if texts == nil {
		return result
	}
	whole := splice.Apply(m.Body, texts)
	return whole[at.Start : len(whole)-1]
}

func linkAsText(m *strictjson.Message, item strictjson.Span) []splice.Piece {
	if kind, _ := m.Text(m.Member(item, "type")); kind != "resource_link" {
		return nil
	}
	name, _ := m.Text(m.Member(item, "name"))
	uri, _ := m.Text(m.Member(item, "uri"))
	return []splice.Piece{{At: item, With: append(append([]byte(`{"type":"text","text":`), quote(name+": "+uri)...), '}')}}
}
