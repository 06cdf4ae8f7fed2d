package main

import (
	"context"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/console"
	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
)

// strayRules are the entries of access.tools that name no tool of an MCP server elsewhere, as far as its list was seen. For
// tools of APIs that is a fault of the configuration (mcp.md §1); here only the list can tell, and a name that is misspelt
// would leave the tool that was meant to everybody without a word.
func (g *gateway) strayRules(ctx context.Context, s *snapshot) ([]console.StrayRule, error) {
	var list []console.StrayRule
	for i := range s.cfg.MCPServers {
		sc := &s.cfg.MCPServers[i]
		book := g.builder.upstreams.books.find(sc.Name)
		if book == nil || len(sc.Access.Tools) == 0 {
			continue
		}
		all, err := book.All(ctx)
		if err != nil {
			return nil, err
		}
		names := map[string]bool{}
		for _, p := range all {
			names[p.Tool] = true
		}
		for _, name := range sortedKeys(sc.Access.Tools) {
			if !names[name] && seenPartOf(sc, name, names) {
				list = append(list, console.StrayRule{Server: sc.Name, Tool: name, Near: label(strictyaml.Suggest(name, sortedKeys(names)))})
			}
		}
	}
	return list, nil
}

// seenPartOf reports whether a tool of that name would be one of an upstream whose list was seen.
func seenPartOf(sc *ServerConfig, name string, seen map[string]bool) bool {
	for i := range sc.From {
		f := &sc.From[i]
		prefix := ""
		if sc.isCombined() {
			prefix = f.prefix() + "__"
		}
		if f.Upstream == "" || !strings.HasPrefix(name, prefix) {
			continue
		}
		for one := range seen {
			if strings.HasPrefix(one, prefix) {
				return true
			}
		}
	}
	return false
}

// warnOfStrayRules says at a start and at a reload what the console shows of them at any time.
func (g *gateway) warnOfStrayRules(ctx context.Context, s *snapshot) {
	list, err := g.strayRules(ctx, s)
	if err != nil {
		return // the log has it from whoever needs the pins
	}
	for _, r := range list {
		g.log.WarnContext(ctx, "access.tools names no tool that this server has", "server", r.Server, "tool", r.Tool, "near", r.Near)
	}
}
