package search

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// call answers the three tools; every other name is the server's own affair.
func (s *Server) call(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	name, ok := r.Message.Text(r.Message.Name)
	if !ok || !slices.Contains(Names(), name) {
		return s.cfg.Server.Handle(ctx, r)
	}
	if err := s.check(r, name); err != nil {
		return nil, err
	}
	if name != callTool {
		return s.look(ctx, r, name)
	}
	v, err := s.viewOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if !v.searched {
		return s.cfg.Server.Handle(ctx, r)
	}
	return s.through(ctx, r, v)
}

// look answers find_tools and describe_tool. The policies come first: what they say must be the whole answer, and finding
// out whether the list is searched may take long enough for a stream to begin (§3 row 14).
func (s *Server) look(ctx context.Context, r *edge.Request, name string) (json.RawMessage, error) {
	v, known := s.fresh(r.Caller, s.cfg.Server.View(r.Caller))
	if !known && !s.cfg.Remote {
		var err error
		if v, err = s.viewOf(ctx, r); err != nil {
			return nil, err
		}
		known = true
	}
	if known && !v.searched {
		return s.cfg.Server.Handle(ctx, r)
	}
	done, err := s.admit(ctx, r, name)
	if err != nil {
		return nil, err
	}
	if v, err = s.viewOf(ctx, r); err != nil || !v.searched {
		if done(true); err != nil {
			return nil, err
		}
		return s.cfg.Server.Handle(ctx, r)
	}
	own := s.find
	if name == describeTool {
		own = s.describe
	}
	result, err := own(ctx, r, v.made())
	done(err != nil)
	return result, err
}

// check refuses what call_tool would be refused for, while a refusal still is the whole answer: finding out whether the list
// is searched may take long enough for a stream to begin (A2).
func (s *Server) check(r *edge.Request, name string) error {
	if name != callTool || s.cfg.Check == nil || s.cfg.Mode == Off {
		return nil
	}
	if v, ok := s.fresh(r.Caller, s.cfg.Server.View(r.Caller)); ok && !v.searched {
		return nil
	}
	if tool, ok := r.Message.Text(r.Message.Member(r.Message.Arguments, "name")); ok && !slices.Contains(Names(), tool) {
		return s.cfg.Check(r, tool)
	}
	return nil
}

func (s *Server) admit(ctx context.Context, r *edge.Request, tool string) (done func(failed bool), err error) {
	if s.cfg.Admit == nil {
		return func(bool) {}, nil
	}
	return s.cfg.Admit(ctx, r, tool)
}

// through is call_tool: a tools/call of the inner name, which the server judges and runs like any other (F2).
func (s *Server) through(ctx context.Context, r *edge.Request, v *view) (json.RawMessage, error) {
	inner, wrong, err := s.unwrapped(ctx, r, v)
	switch {
	case err != nil:
		return nil, err
	case wrong != "":
		return s.answer(ctx, r, v, wrong, nil, true), nil
	}
	result, err := s.cfg.Server.Handle(ctx, inner)
	if err != nil {
		return nil, err
	}
	name, _ := inner.Message.Text(inner.Message.Name)
	if i, ok := v.byName[name]; ok {
		result = withSchema(result, v.tools[i], inner.Message.Bytes(inner.Message.Arguments))
	}
	return result, nil
}

// unwrapped is the call that call_tool stands for; wrong says what is wrong with its arguments.
func (s *Server) unwrapped(ctx context.Context, r *edge.Request, v *view) (inner *edge.Request, wrong string, err error) {
	m := r.Message
	name, ok := m.Text(m.Member(m.Arguments, "name"))
	if !ok {
		return nil, `argument "name" is required`, nil
	}
	if slices.Contains(Names(), name) {
		return nil, "", edge.InvalidParams("call_tool cannot call %s", name)
	}
	arguments := m.Member(m.Arguments, "arguments")
	if string(m.Bytes(arguments)) == "null" {
		arguments = strictjson.Span{}
	}
	if arguments.Present() && !m.IsObject(arguments) {
		return nil, `argument "arguments" must be an object`, nil
	}
	if inner, err = s.inner(r, v, name, m.Bytes(arguments)); err == nil {
		identity.RequestFrom(ctx).Note(slog.String("via", callTool))
	}
	return inner, "", err
}

// inner makes the request that call_tool stands for: everything of the outer one but name and arguments, and the headers
// that say what the body says.
func (s *Server) inner(r *edge.Request, v *view, name string, arguments []byte) (*edge.Request, error) {
	m := r.Message
	if arguments == nil {
		arguments = []byte("{}")
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	body := splice.Apply(m.Body, splice.Members(m, m.Params, map[string][]byte{"name": quoted, "arguments": arguments}))
	made, err := strictjson.Decode(body, strictjson.Limits{Depth: 512, Members: 10_000_000})
	if err != nil {
		return nil, edge.InvalidParams("params.arguments cannot be read")
	}
	inner := *r
	inner.Message = made
	if i, ok := v.byName[name]; ok && r.Modern && r.HTTP != nil {
		inner.HTTP = withHeaders(r.HTTP, name, v.tools[i].Wire, arguments)
	}
	return &inner, nil
}

// withHeaders is the HTTP request as a client that called the tool itself would have sent it (H5, H8).
func withHeaders(r *http.Request, name string, wire, arguments json.RawMessage) *http.Request {
	clean := *r
	clean.Header = r.Header.Clone()
	for key := range clean.Header {
		if strings.HasPrefix(key, paramheader.Prefix) {
			delete(clean.Header, key)
		}
	}
	clean.Header["Mcp-Name"] = []string{paramheader.Value(name)}
	if d, ok := opened(wire); ok {
		paramheader.Write(paramheader.Declared(d.Bytes(d.Member(d.Result, "inputSchema"))), arguments, clean.Header)
	}
	return &clean
}

// answer is a tool's result.
func (s *Server) answer(ctx context.Context, r *edge.Request, v *view, text string, structured json.RawMessage, failed bool) json.RawMessage {
	quoted, _ := json.Marshal(text)
	b := append(append([]byte(`{"content":[{"type":"text","text":`), quoted...), `}]`...)
	if structured != nil {
		b = append(append(b, `,"structuredContent":`...), structured...)
	}
	if failed {
		b = append(b, `,"isError":true`...)
	}
	if r.Modern {
		b = append(b, `,"resultType":"complete"`...)
		if _, meta := s.tail(ctx, r, v); meta != nil {
			b = append(append(b, `,"_meta":`...), meta...)
		}
	}
	return append(b, '}')
}

// about adds a sentence to the instructions where the list is searched. A list that has to be asked for is while the server
// says what it is.
func (s *Server) about(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	listed := make(chan *view, 1)
	look := func() {
		v, err := s.viewOf(ctx, r)
		if err != nil {
			v = &view{} // what cannot be listed now can be asked for
		}
		listed <- v
	}
	if s.cfg.Remote {
		go func() {
			defer func() {
				if p := recover(); p != nil { // B11: nothing but this look is lost
					s.log.ErrorContext(ctx, "panic in tool search", "server", s.Name(), "panic", p)
					listed <- &view{}
				}
			}()
			look()
		}()
	}
	result, err := s.cfg.Server.Handle(ctx, r)
	if err != nil {
		return nil, err
	}
	if !s.cfg.Remote {
		look()
	}
	if v := <-listed; !v.searched {
		return result, nil
	}
	m, ok := opened(result)
	if !ok {
		return result, nil
	}
	text, _ := m.Text(m.Member(m.Result, "instructions"))
	quoted, _ := json.Marshal(instructed(text))
	whole := splice.Apply(m.Body, splice.Members(m, m.Result, map[string][]byte{"instructions": quoted}))
	return whole[m.Result.Start : len(whole)-1], nil
}

// instructed is a text with the sentence about searching. What was within the limit (mcp.md §1) stays so.
func instructed(text string) string {
	const between = "\n\n"
	if text = strings.TrimSpace(text); text == "" {
		return sentence
	}
	whole := []rune(text)
	if room := mcp.MaxInstructions - len(between+sentence); len(whole) > room && len(whole) <= mcp.MaxInstructions {
		text = string(whole[:room-1]) + "…"
	}
	return text + between + sentence
}
