package search

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

// What a relay needs, which passes bytes on and reads only what it must: lists, handshakes, and calls of the three tools.

// Instead returns what stands in place of tools in the caller's list, of which they are one page; more says that others
// follow. nil: they stand. A list that is seen to be short is not asked for again.
func (s *Server) Instead(ctx context.Context, r *edge.Request, tools []json.RawMessage, more bool) []byte {
	whole := !more && !r.Message.Cursor.Present()
	if s.cfg.Mode == Off {
		return nil
	}
	if s.cfg.Mode == Auto && whole && !s.cfg.Above.passed(len(tools), sizeOf(tools)) {
		s.found(r.Caller, s.cfg.Server.View(r.Caller), nil)
		return nil
	}
	v, err := s.viewOf(ctx, r)
	if least := len(tools) + count(more); err == nil && !v.searched && len(v.tools) < least {
		v, err = s.asked(ctx, r) // what was found lately is no longer so
	}
	if err != nil || !v.searched {
		return nil // the list itself is at hand
	}
	return []byte(offered)
}

func count(one bool) int {
	if one {
		return 1
	}
	return 0
}

func sizeOf(tools []json.RawMessage) int {
	size := len(`{"tools":[]}`) - 1
	for _, t := range tools {
		size += len(t) + 1
	}
	return size
}

// Instruct returns the server's instructions with a sentence about searching, where the caller's list was seen to be long
// (F7). Nobody is asked for it: a handshake does not wait for a list.
func (s *Server) Instruct(r *edge.Request, text string) string {
	if !s.lately(r.Caller) {
		return text
	}
	return instructed(text)
}

// Begin looks at a call on its way to the upstream. One of find_tools and describe_tool is answered by result; call_tool by
// result when its arguments are wrong, else inner goes up in its place. With neither, the call goes up as it came.
func (s *Server) Begin(ctx context.Context, r *edge.Request) (result json.RawMessage, inner *edge.Request, err error) {
	name, ok := r.Message.Text(r.Message.Name)
	if !ok || !slices.Contains(Names(), name) || s.cfg.Mode == Off {
		return nil, nil, nil
	}
	if err := s.check(r, name); err != nil {
		return nil, nil, err
	}
	v, err := s.viewOf(ctx, r)
	if err != nil || !v.searched {
		return nil, nil, nil // what cannot be listed now is the upstream's to say
	}
	if name != callTool {
		result, err = s.look(ctx, r, name)
		return result, nil, err
	}
	inner, wrong, err := s.unwrapped(ctx, r, v)
	if wrong != "" {
		return s.answer(ctx, r, v, wrong, nil, true), nil, err
	}
	return nil, inner, err
}

// Amend returns what adds the tool's schema to the result of a call that call_tool stands for, when it says that the call
// failed (F6); nil where the arguments do not plainly misfit, so that nothing has to be read.
func (s *Server) Amend(inner *edge.Request) func(result json.RawMessage) json.RawMessage {
	v, ok := s.fresh(inner.Caller, s.cfg.Server.View(inner.Caller))
	if !ok {
		return nil
	}
	m := inner.Message
	name, _ := m.Text(m.Name)
	i, ok := v.byName[name]
	if !ok || !misfits(schemaOf(v.tools[i]), m.Bytes(m.Arguments)) {
		return nil
	}
	return func(result json.RawMessage) json.RawMessage {
		return withSchema(result, v.tools[i], m.Bytes(m.Arguments))
	}
}
