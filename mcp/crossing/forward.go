package crossing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
)

// forward sends a request up in the era the upstream speaks and gives the client an answer of its own era. An upstream that
// changed its era meanwhile was asked nothing yet: once more.
func (s *Server) forward(ctx context.Context, r *edge.Request, tool string) (json.RawMessage, error) {
	for again := false; ; again = true {
		modern, err := s.era(ctx, r)
		if err != nil {
			return nil, err
		}
		result, err := s.cross(ctx, r, tool, modern)
		if errors.Is(err, upstream.ErrEra) && !again {
			continue
		}
		if errors.Is(err, upstream.ErrEra) {
			err = s.noEraFor(r, err)
		}
		return result, err
	}
}

// noEraFor is what a client is told when the upstream refuses the era it says it speaks: a legacy client, who named none, that
// we made a mistake (§11.2).
func (s *Server) noEraFor(r *edge.Request, err error) error {
	if r.Modern {
		return noEra(err)
	}
	s.log.Error("an upstream refused what the gateway made of a request", "server", s.cfg.Name, "method", mcp.Clip(r.Message.Method), "err", err.Error())
	return &edge.Error{Code: edge.CodeInternal, Msg: "internal error", Err: err}
}

func noEra(err error) error {
	return &edge.Error{Status: http.StatusBadGateway, Code: edge.CodeServer, Msg: "the upstream does not say which revisions it speaks", Err: err}
}

// cross is one request in one of the four combinations.
func (s *Server) cross(ctx context.Context, r *edge.Request, tool string, modern bool) (json.RawMessage, error) {
	up := &upstream.Request{
		On: behalf(r), Modern: modern, Method: r.Message.Method, Params: r.Message.Bytes(r.Message.Params), Tool: tool,
		Notify: func(m *strictjson.Message) { pass(r, m) },
	}
	switch {
	case r.Modern && modern:
		return s.plain(ctx, r, up)
	case r.Modern:
		return s.toLegacy(ctx, r, up)
	case modern:
		return s.toModern(ctx, r, up)
	default:
		up.Ask = asks(r)
		return s.plain(ctx, r, up)
	}
}

// pass gives the client a notification of the upstream, as it came.
func pass(r *edge.Request, m *strictjson.Message) {
	if !withheld(r, m) {
		r.Notify(m.Body, m.Method == "notifications/progress")
	}
}

// plain is a request whose answer is of the client's era already.
func (s *Server) plain(ctx context.Context, r *edge.Request, up *upstream.Request) (json.RawMessage, error) {
	m, err := s.cfg.Leg.Do(ctx, up)
	if err != nil {
		return nil, err
	}
	if m.Error.Present() {
		return nil, passed(upstream.Error(m), r.Modern)
	}
	if !r.Modern { // the session upstream is of the newest legacy revision, the client's may be older
		return legacyContent(r, m.Bytes(m.Result)), nil
	}
	return m.Bytes(m.Result), nil
}

// passed is an error of the upstream with the status that its code has in the client's era (§17). Its faults are not ours.
func passed(e *edge.Error, modern bool) *edge.Error {
	e.Upstream = true
	switch {
	case !modern:
		e.Status = http.StatusOK
	case e.Code == edge.CodeMethodNotFound:
		e.Status = http.StatusNotFound
	default:
		e.Status = http.StatusBadRequest
	}
	return e
}

// asks lets a legacy upstream ask a legacy client, on the stream of the call.
func asks(r *edge.Request) func(context.Context, *strictjson.Message) (json.RawMessage, error) {
	if r.Ask == nil {
		return nil
	}
	return func(ctx context.Context, q *strictjson.Message) (json.RawMessage, error) {
		m, err := r.Ask(ctx, q.Method, q.Bytes(q.Params))
		if err != nil {
			return nil, err
		}
		if m.Error.Present() {
			return nil, upstream.Error(m)
		}
		return m.Bytes(m.Result), nil
	}
}

// cacheable are the methods whose modern results say how long they hold (S26 caching).
func cacheable(method string) bool {
	return upstream.Listed(method) != "" || method == "resources/read"
}

// modernResult is a legacy upstream's result as modern clients read it (§11.1).
func (s *Server) modernResult(ctx context.Context, r *edge.Request, result []byte) json.RawMessage {
	members := map[string][]byte{"resultType": []byte(`"complete"`)}
	if cacheable(r.Message.Method) { // lists are made in list; what is read holds for this moment
		members["ttlMs"], members["cacheScope"] = []byte("0"), []byte(`"private"`)
	}
	m, at, ok := opened(result)
	if !ok {
		return result
	}
	if info, err := s.info(ctx, r); err == nil {
		own := map[string][]byte{"io.modelcontextprotocol/serverInfo": s.serverInfo(info)}
		if meta := m.Member(at, "_meta"); m.IsObject(meta) {
			members["_meta"] = with(m.Bytes(meta), own)
		} else {
			members["_meta"] = s.serverMeta(info)
		}
	}
	return with(result, members)
}

// modernError is a legacy upstream's error as modern clients read it (SEP-2164).
func modernError(r *edge.Request, e *edge.Error) *edge.Error {
	const resourceNotFound = -32002
	if e.Code == resourceNotFound {
		e.Code = edge.CodeInvalidParams
		if uri := r.Message.Bytes(r.Message.URI); uri != nil {
			e.Data = with(objectOr(e.Data), map[string][]byte{"uri": uri})
		}
	}
	return passed(e, true)
}

func objectOr(data json.RawMessage) json.RawMessage {
	if _, _, ok := opened(data); ok {
		return data
	}
	return json.RawMessage("{}")
}

// legacyError is a modern upstream's error as legacy clients read it (§11.2).
func (s *Server) legacyError(r *edge.Request, e *edge.Error) *edge.Error {
	const resourceNotFound = -32002
	switch e.Code {
	case edge.CodeInvalidParams:
		if m, at, ok := opened(e.Data); ok && r.Message.Method == "resources/read" && m.Member(at, "uri").Present() {
			e.Code = resourceNotFound
		}
	case edge.CodeMissingCapability:
		e.Code = edge.CodeInvalidRequest
	case edge.CodeHeaderMismatch, edge.CodeUnsupportedVersion:
		s.log.Error("an upstream refused what the gateway made of a request", "server", s.cfg.Name, "method", r.Message.Method, "err", e.Msg)
		return &edge.Error{Code: edge.CodeInternal, Msg: "internal error", Err: fmt.Errorf("the upstream answered %d: %s", e.Code, e.Msg)}
	}
	return passed(e, false)
}
