package relay

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
)

// see compares the tools of a page with what was approved; withheld are those that it must not show. Only a list of one page
// is known to be whole; before one of many is looked at the whole list is, since what stands on other pages was not added
// later (Q6).
func (x *exchange) see(m *strictjson.Message, tools []strictjson.Span) (withheld map[string]bool, err error) {
	if x.s.cfg.Pins == nil {
		return nil, nil
	}
	seen := make([]pins.Definition, 0, len(tools))
	for _, t := range tools {
		if name, ok := m.Text(m.Member(t, "name")); ok {
			seen = append(seen, pins.Definition{Name: name, Wire: m.Bytes(t)})
		}
	}
	whole := x.asksFor("tools/list") && !x.r.Message.Cursor.Present() && !m.Member(m.Result, "nextCursor").Present()
	ctx := x.r.HTTP.Context()
	if !whole && !x.s.cfg.Pins.Complete("") {
		if err := x.lookAtList(ctx); err != nil {
			return nil, fmt.Errorf("look at the whole list: %w", err)
		}
	}
	if withheld, err = x.s.cfg.Pins.SeeAs(ctx, "", string(edge.Offers(x.r.Capabilities)), seen, whole); err != nil {
		return nil, fmt.Errorf("compare tools with what was approved: %w", err)
	}
	return withheld, nil
}

// approved decides whether a call of a tool may go up (Q3, Q7); the result is what the client gets instead, nil: it may.
func (x *exchange) approved(ctx context.Context) (*edge.Passed, error) {
	p := x.s.cfg.Pins
	if p == nil {
		return nil, nil
	}
	if !p.Known(x.tool) {
		if err := x.lookAtList(ctx); err != nil {
			if text, ok := upstream.Failed(err); ok {
				return x.failed(0, text, err)
			}
			return nil, err
		}
		if !p.Known(x.tool) {
			return nil, access.Unknown(x.tool)
		}
	}
	if text, held := p.Held(x.tool); held {
		return x.failed(0, text, nil)
	}
	return nil, nil
}

// lookAtList reads the whole list once, whoever asked for a tool that was not seen yet.
func (x *exchange) lookAtList(ctx context.Context) error {
	list, err := x.s.cfg.Leg.List(ctx, behalf(x.r), "tools/list")
	if err != nil {
		return err
	}
	seen, tools := make([]pins.Definition, 0, len(list.Items)), make([]upstream.Tool, 0, len(list.Items))
	for _, item := range list.Items {
		if name, ok := nameOf(item); ok {
			seen = append(seen, pins.Definition{Name: name, Wire: item})
			tools = append(tools, upstream.Tool{Name: name, Wire: item})
		}
	}
	x.s.cfg.Leg.Learn(behalf(x.r), tools, list.TTL)
	_, err = x.s.cfg.Pins.SeeAs(ctx, "", string(edge.Offers(x.r.Capabilities)), seen, true)
	return err
}

// nameOf reads a tool's name by its very key: "Name" is another one, to whoever reads as carefully as clients do.
func nameOf(definition json.RawMessage) (name string, ok bool) {
	var all map[string]json.RawMessage
	ok = json.Unmarshal(definition, &all) == nil && all["name"] != nil && json.Unmarshal(all["name"], &name) == nil
	return name, ok
}
