package main

import (
	"fmt"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/search"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// combinedServer is several sources as pages see them: the tools of its APIs, and those of upstreams that were seen.
type combinedServer struct {
	*combined.Server
	bridges []*bridge.Server
	parts   []func(c *identity.Caller) []bridge.ToolInfo // in the order of `from` (C6)
	stored  []stored
	access  map[string]ToolAccessConfig
}

// ToolInfos implements mcpServer.
func (s combinedServer) ToolInfos(c *identity.Caller) []bridge.ToolInfo {
	var infos []bridge.ToolInfo
	for _, part := range s.parts {
		for _, t := range part(c) {
			if s.MayUse(c, t.Name) {
				t.Scope = s.access[t.Name].Scope
				infos = append(infos, t)
			}
		}
	}
	return infos
}

// known is what search takes the list for before it was seen.
func (s combinedServer) known(c *identity.Caller) []search.Tool {
	var list []search.Tool
	for _, b := range s.bridges {
		for _, t := range bridgedTools(b.Definitions(c)) {
			if s.MayUse(c, t.Name) {
				list = append(list, t)
			}
		}
	}
	for _, part := range s.stored {
		list = append(list, part.known(c)...)
	}
	return list
}

// prefix is what stands before the names of a part in a combined server (mcp.md §1).
func (f *FromConfig) prefix() string {
	switch {
	case f.As != "":
		return f.As
	case f.API != "":
		return combined.PrefixFor(f.API)
	default:
		return combined.PrefixFor(f.Upstream)
	}
}

// isCombined reports whether a server is made of several parts, so that names have prefixes.
func (s *ServerConfig) isCombined() bool { return len(s.From) > 1 }

// publicName is how a server calls a tool of one of its parts (C1).
func (s *ServerConfig) publicName(f *FromConfig, tool string) string {
	if !s.isCombined() {
		return tool
	}
	return combined.PublicName(f.prefix(), tool)
}

// buildCombined makes one MCP server of several parts. Who may use which tool is decided there, by its public name (C9).
func (b *builder) buildCombined(cfg *Config, sc ServerConfig, apis map[string]*api, prev *snapshot, s *snapshot) (mcpServer, error) {
	made := combinedServer{access: sc.Access.Tools}
	tools := map[string]combined.Tool{}
	for name, access := range sc.Access.Tools {
		tools[name] = combined.Tool{Roles: access.Roles, Scope: access.Scope}
	}
	var sources []combined.Source
	for i := range sc.From {
		from := &sc.From[i]
		if from.Upstream != "" {
			source, err := b.buildUpstreamSource(cfg, &sc, from, s)
			if err != nil {
				return nil, fmt.Errorf("from[%d]: %w", i, err)
			}
			sources = append(sources, source)
			seen := stored{b.upstreams.books.of(sc.Name, sc.UpstreamTools), from.prefix() + "__", sc.Access.Tools}
			made.stored, made.parts = append(made.stored, seen), append(made.parts, seen.infos)
			continue
		}
		server, err := b.buildAPISource(cfg, &sc, from, apis, s)
		if err != nil {
			return nil, fmt.Errorf("from[%d]: %w", i, err)
		}
		made.bridges, made.parts = append(made.bridges, server), append(made.parts, server.ToolInfos)
		sources = append(sources, combined.Source{As: from.prefix(), Title: apis[from.API].document.Title, Server: server, Made: true})
	}
	var before *combined.Server
	if prev != nil {
		if p, ok := behind(prev.servers[sc.Name]).(combinedServer); ok {
			before = p.Server
		}
	}
	var err error
	made.Server, err = combined.New(combined.Config{
		Hold: b.holdOf(&sc),
		Name: sc.Name, Title: sc.Title, Version: sc.Version, Description: sc.Description, Instructions: sc.Instructions,
		Sources: sources, Tools: tools, Access: accessTo(sc.Access.Roles), Match: entitled, Challenge: b.stepUp,
		ListTTL: sc.ListTTL, Page: sc.Page, Keep: cfg.Limits.SessionIdle, Keyring: b.ring, Previous: before, Log: b.log,
	})
	if err != nil {
		return nil, err
	}
	return b.searching(&sc, made, prev, s), nil
}

// holdOf returns what holds changed tools of upstreams back; nil where there are none.
func (b *builder) holdOf(sc *ServerConfig) combined.Hold {
	for i := range sc.From {
		if sc.From[i].Upstream != "" {
			return hold{b.upstreams.books.of(sc.Name, sc.UpstreamTools)}
		}
	}
	return nil
}

// buildAPISource makes a bridge for one part. Its tools bear their public names from the start, so that policies, caches
// and records know no others; roles and scopes are the combined server's.
func (b *builder) buildAPISource(cfg *Config, sc *ServerConfig, from *FromConfig, apis map[string]*api, s *snapshot) (*bridge.Server, error) {
	tools, err := b.bridgeTools(cfg, sc, from, apis, s)
	if err != nil {
		return nil, err
	}
	for i := range tools {
		tools[i].Roles, tools[i].Scope = nil, ""
	}
	return bridge.New(bridge.Config{
		Name: sc.Name, Title: sc.Title, Version: sc.Version, Description: sc.Description, Tools: tools, ListTTL: sc.ListTTL, Shared: true,
		Keyring: b.ring, Doer: &road{next: s.pipeline, policies: s.policies}, Log: b.log,
	})
}
