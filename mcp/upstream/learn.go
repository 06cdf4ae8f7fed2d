package upstream

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
)

// Tool is a definition as a list shows it.
type Tool struct {
	Name string
	Wire json.RawMessage
}

// Learn takes note of tools in a list that was passed on, for Known. Pages come one by one; ttl is the list's own.
func (l *Leg) Learn(on *Behalf, tools []Tool, ttl time.Duration) {
	p := l.cfg.Memory.params.page(l.passedList(on))
	now := l.now()
	known, ok := p.read(now)
	if !ok {
		known = nil
	}
	known = maps.Clone(known) // whoever reads the old one keeps it
	for _, t := range tools {
		params := paramheader.Declared(schemaOf(t.Wire))
		switch {
		case params != nil && known == nil:
			known = map[string][]paramheader.Param{t.Name: params}
		case params != nil:
			known[t.Name] = params
		default:
			delete(known, t.Name)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.value, p.expires = known, now.Add(max(ttl, paramsFor))
}

// Known returns which arguments of a tool are repeated in headers, by the lists that passed. Without one nothing is known:
// the upstream decides then (H10).
func (l *Leg) Known(on *Behalf, tool string) []paramheader.Param {
	known, ok := l.cfg.Memory.params.page(l.passedList(on)).read(l.now())
	if !ok {
		return nil
	}
	return known[tool]
}

// passedList is apart from what is kept of lists that were read to their end: pages of those that passed may be missing.
func (l *Leg) passedList(on *Behalf) key {
	return key{l.cfg.Server, l.cfg.Backend, l.owner(on), "tools/list passed"}
}

func schemaOf(tool json.RawMessage) json.RawMessage {
	m, err := message(nil, "tool", tool)
	if err != nil {
		return nil
	}
	return m.Bytes(m.Member(m.Params, "inputSchema"))
}
