package main

import (
	"context"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/console"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// consoleServers is what portal and console show of the MCP servers.
func consoleServers(s *snapshot) []console.Server {
	var list []console.Server
	for _, sc := range s.cfg.MCPServers {
		server := s.servers[sc.Name]
		if server == nil {
			continue
		}
		title, url := sc.Title, resourceOf(s.cfg.PublicURL, sc.Name)
		if title == "" {
			title = sc.Name
		}
		may := usable(sc.Access.Roles)
		list = append(list, console.Server{
			Name: sc.Name, Title: title, Description: sc.Description, Version: sc.Version, Owner: sc.Owner, Public: sc.Visibility == "public",
			URL: url, Connect: connectSnippets(newConnection(s.cfg.PublicURL, sc.Name, title, sc.Description)),
			Allowed: func(c *identity.Caller) bool { ok, _ := may(c); return ok },
			Tools: func(c *identity.Caller) []console.Tool {
				var tools []console.Tool
				for _, t := range server.ToolInfos(c) {
					tools = append(tools, console.Tool{Name: t.Name, Description: firstLine(t.Description), Risk: t.Risk})
				}
				return tools
			},
		})
	}
	return list
}

func (g *gateway) consoleStatus(ctx context.Context, s *snapshot) console.Status {
	st := console.Status{Version: version, Instance: g.instance, Config: g.config, Started: g.started}
	if st.Config == "" {
		st.Config = "the try command"
	}
	database := "good"
	if g.store.Ping(ctx) != nil {
		database = "does not answer"
	}
	st.Checks = []console.Check{{Name: "Database", State: database}, {Name: "Sign-in", State: providerName(s.cfg.SignIn.Provider)}}
	st.Strays, _ = g.strayRules(ctx, s) // where the pins cannot be read, the page of them fails and says so
	for _, m := range s.models.All() {
		st.Models = append(st.Models, console.Model{Name: m.Name, Target: m.Target, Provider: string(m.Provider)})
	}
	for _, a := range s.cfg.APIs {
		for _, k := range s.documents[a.Name].Skipped {
			st.Skipped = append(st.Skipped, console.Skipped{API: a.Name, Method: k.Method, Path: k.Path, Reason: k.Reason})
		}
	}
	return st
}

// firstLine is the first line of a text, cut for lists at 200 characters.
func firstLine(s string) string {
	for i, r := range s {
		if r == '\n' {
			return s[:i]
		}
		if i >= 200 {
			return s[:i] + "…"
		}
	}
	return s
}

// connectSnippets are the ways to connect that the portal shows; "json" is what /connect/{server}.json answers.
func connectSnippets(c connection) []console.Snippet {
	j := c.JSON()
	list := []console.Snippet{
		{Client: "VS Code", Text: j.Commands.VSCode, Link: j.Links.VSCodeMarkdown},
		{Client: "Claude Code", Text: j.Commands.ClaudeCode},
		{Client: "Cursor (.cursor/mcp.json)", Text: indented(j.Files.Cursor)},
		{Client: "MCP Inspector", Text: j.Commands.Inspector},
	}
	if text, err := c.Render("json"); err == nil {
		list = append(list, console.Snippet{Client: "json", Text: text})
	}
	return list
}
