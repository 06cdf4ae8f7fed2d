package pins

import (
	"context"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/mcp"
)

// lint warns of texts that are meant for models (Q8): also of what schemas say, which models read like the rest.
func (w *change) lint(ctx context.Context, name string, text []byte) {
	for _, what := range Lint(texts(text), w.others) {
		w.b.Log.WarnContext(ctx, "a tool of an upstream looks wrong", "server", w.b.Server, "tool", mcp.Clip(Visible(name)), "finding", Visible(what))
	}
}

// Finding is what looks wrong in a tool that is pinned or held.
type Finding struct {
	Tool string
	What []string
}

// Findings are what looks wrong in the tools that have not gone, for administrators (Q8).
func (b *Book) Findings(ctx context.Context) ([]Finding, error) {
	all, err := b.All(ctx)
	if err != nil {
		return nil, err
	}
	own := make(map[string]bool, len(all))
	for _, p := range all {
		own[p.Tool] = true
	}
	others := slices.DeleteFunc(b.others(), func(name string) bool { return own[name] }) // servers may have tools of one name
	var list []Finding
	for _, p := range all {
		text := p.Approved
		if p.HeldHash != "" {
			text = p.Held
		}
		if what := Lint(texts(text), others); len(what) > 0 {
			list = append(list, Finding{p.Tool, what})
		}
	}
	return list, nil
}
