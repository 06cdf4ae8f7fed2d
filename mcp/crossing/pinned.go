package crossing

import (
	"context"
	"encoding/json"

	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
)

// tools is the upstream's list of tools, compared with what was approved (Q7); withheld are those of it that are not shown.
func (s *Server) tools(ctx context.Context, r *edge.Request) (all *upstream.List, withheld map[string]bool, err error) {
	all, err = s.cfg.Leg.List(ctx, behalf(r), "tools/list")
	if err != nil || s.cfg.Pins == nil {
		return all, nil, err
	}
	seen := make([]pins.Definition, 0, len(all.Items))
	for _, item := range all.Items {
		if m, at, ok := opened(item); ok {
			if name, ok := m.Text(m.Member(at, "name")); ok {
				seen = append(seen, pins.Definition{Name: name, Wire: item})
			}
		}
	}
	withheld, err = s.cfg.Pins.SeeAs(ctx, "", string(edge.Offers(r.Capabilities)), seen, true)
	return all, withheld, err
}

// approved decides whether a call of a tool may go up: not before the tool was seen in a list since the start (Q7), and not
// while it is held. answer is what the client gets instead; nil: it may.
func (s *Server) approved(ctx context.Context, r *edge.Request, name string) (answer json.RawMessage, err error) {
	if s.cfg.Pins == nil {
		return nil, nil
	}
	if !s.cfg.Pins.Known(name) {
		if _, _, err := s.tools(ctx, r); err != nil {
			if text, ok := upstream.Failed(err); ok {
				return failure(text, r.Modern), nil
			}
			return nil, err
		}
		if !s.cfg.Pins.Known(name) {
			return nil, access.Unknown(name)
		}
	}
	if text, held := s.cfg.Pins.Held(name); held {
		return failure(text, r.Modern), nil
	}
	return nil, nil
}
