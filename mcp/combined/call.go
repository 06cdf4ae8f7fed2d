package combined

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// callTool answers tools/call: who may, which source, by what name there (C3, C9).
func (s *Server) callTool(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	m := r.Message
	name, ok := m.Text(m.Name)
	if !ok {
		return nil, edge.InvalidParams("params.name must be a string")
	}
	if err := s.Check(r.Caller, name); err != nil {
		return nil, err
	}
	src := s.sourceOf(name)
	one, err := src.find(ctx, r, toolsList, name)
	switch {
	case err != nil:
		return s.unreachable(ctx, r, err) // no call goes out before the tool was seen in a list (Q7)
	case one == nil:
		return nil, access.Unknown(name)
	}
	identity.RequestFrom(ctx).Note(slog.String("tool", name))
	if s.cfg.Hold != nil && !src.Made {
		if text, held := s.cfg.Hold.Held(name); held {
			return s.toolError(text, r.Modern), nil
		}
	}
	if m.Task.Present() && !r.Modern && !src.Made && !src.offers(ctx, r, "tasks") {
		return nil, edge.MethodNotFound("tools/call as a task") // B8
	}
	result, err := handled(ctx, src, src.addressed(r, one))
	s.noteTask(r.Caller, src, name, result)
	if !src.Made {
		identity.RequestFrom(ctx).Note(slog.String("tool", name)) // the source knows it by another name
	}
	return result, err
}

// getPrompt answers prompts/get. Prompts have no access rules of their own (A6).
func (s *Server) getPrompt(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	name, ok := r.Message.Text(r.Message.Name)
	if !ok {
		return nil, edge.InvalidParams("params.name must be a string")
	}
	src := s.sourceOf(name)
	if src == nil {
		return nil, edge.InvalidParams("unknown prompt: %s", mcp.Clip(name))
	}
	one, err := src.find(ctx, r, promptsList, name)
	switch {
	case err != nil:
		return nil, notAsked(err)
	case one == nil:
		return nil, edge.InvalidParams("unknown prompt: %s", mcp.Clip(name))
	}
	return handled(ctx, src, src.addressed(r, one))
}

// sourceOf returns the source that a public name belongs to, or nil.
func (s *Server) sourceOf(name string) *source {
	as, ok := prefixOf(name)
	if !ok {
		return nil
	}
	return s.byAs[as]
}

// addressed is the request as the source is to read it: its own name in the body and in Mcp-Name (C3). A source made here
// knows the public names.
func (src *source) addressed(r *edge.Request, one *item) *edge.Request {
	q := src.request(r)
	if one.own != one.public {
		q.Message = q.Message.WithText(q.Message.Name, one.own)
		q.HTTP = renamed(r.HTTP, one.own)
	}
	return q
}

// renamed is the request with another name in Mcp-Name, where there is one; every other header stays.
func renamed(r *http.Request, name string) *http.Request {
	if r == nil || len(r.Header["Mcp-Name"]) == 0 {
		return r
	}
	other := *r
	other.Header = make(http.Header, len(r.Header))
	for key, values := range r.Header {
		other.Header[key] = values
	}
	other.Header["Mcp-Name"] = []string{headerForm(name)}
	return &other
}

// headerForm writes a name as a header can carry it (H6).
func headerForm(name string) string {
	plain := strings.TrimSpace(name) == name && !strings.HasPrefix(name, "=?base64?") &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' })
	if plain {
		return name
	}
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(name)) + "?="
}

// unreachable is a call whose source cannot say what tools it has: models read the errors of tools, hosts swallow those of
// the protocol (§9.3).
func (s *Server) unreachable(ctx context.Context, r *edge.Request, err error) (json.RawMessage, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	identity.RequestFrom(ctx).Note(slog.String("error", "source_unavailable"))
	text := "upstream is unavailable"
	if e := (*edge.Error)(nil); errors.As(err, &e) && e.Code != edge.CodeInternal {
		text = e.Msg
	} else if errors.Is(err, errHangs) {
		text = "the upstream did not answer within " + answerTime.String()
	}
	return s.toolError(text, r.Modern), nil
}

// notAsked is unreachable for everything but tools.
func notAsked(err error) error {
	var e *edge.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, errHangs):
		return &edge.Error{
			Status: http.StatusGatewayTimeout, Code: edge.CodeServer, Msg: "the upstream did not answer within " + answerTime.String(), Err: err,
		}
	}
	return unavailable(err)
}

// toolError is a result that says what went wrong.
func (s *Server) toolError(text string, modern bool) json.RawMessage {
	said, _ := json.Marshal(text)
	b := append([]byte(`{"content":[{"type":"text","text":`), said...)
	b = append(b, `}],"isError":true`...)
	if !modern {
		return append(b, '}')
	}
	b = append(b, `,"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":`...)
	return append(append(b, s.info...), "}}"...)
}
