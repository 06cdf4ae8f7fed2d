package combined

import (
	"context"
	"encoding/json"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

// complete passes completion/complete to the source of the prompt or template it is about. What is about nothing that the
// caller may see is answered like what does not exist (A4).
func (s *Server) complete(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	m := r.Message
	ref := m.Member(m.Params, "ref")
	kind, ok := m.Text(m.Member(ref, "type"))
	if !ok {
		return nil, edge.InvalidParams("params.ref.type must be a string")
	}
	switch kind {
	case "ref/prompt":
		return s.completePrompt(ctx, r)
	case "ref/resource":
		uri, ok := m.Text(m.Member(ref, "uri"))
		if !ok {
			return nil, edge.InvalidParams("params.ref.uri must be a string")
		}
		src, err := s.shaperOf(ctx, r, uri)
		if err != nil {
			return nil, err
		}
		return handled(ctx, src, src.request(r))
	}
	return nil, edge.InvalidParams("params.ref.type must be ref/prompt or ref/resource")
}

func (s *Server) completePrompt(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	m := r.Message
	at := m.Member(m.Member(m.Params, "ref"), "name")
	name, ok := m.Text(at)
	if !ok {
		return nil, edge.InvalidParams("params.ref.name must be a string")
	}
	var one *item
	src := s.sourceOf(name)
	if src != nil {
		var err error
		if one, err = src.find(ctx, r, promptsList, name); err != nil {
			return nil, notAsked(err)
		}
	}
	if one == nil {
		return nil, edge.InvalidParams("unknown prompt: %s", mcp.Clip(name))
	}
	if one.own != one.public {
		named := *r
		named.Message = m.WithText(at, one.own)
		r = &named
	}
	return handled(ctx, src, src.request(r))
}

// shaperOf returns the source that has this template, or else the resource of this address.
func (s *Server) shaperOf(ctx context.Context, r *edge.Request, uri string) (*source, error) {
	parts, _, err := s.gather(ctx, r, templatesList)
	if err != nil {
		return nil, err
	}
	for i, p := range parts {
		if p != nil && p.byKey[uri] != nil {
			return s.sources[i], nil
		}
	}
	return s.holderOf(ctx, r, uri)
}
