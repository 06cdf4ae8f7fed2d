package main

import (
	"context"
	"errors"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/crossing"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/search"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// searched is a server whose long lists are searched (mcp.md §14), as pages see it: its tools are those of the server behind.
type searched struct {
	*search.Server
	behind mcpServer
}

// ToolInfos implements mcpServer.
func (s searched) ToolInfos(c *identity.Caller) []bridge.ToolInfo { return s.behind.ToolInfos(c) }

// behind is the server itself, without what shows its list.
func behind(s mcpServer) mcpServer {
	if s, ok := s.(searched); ok {
		return s.behind
	}
	return s
}

// searchOf is what showed the list of a server until now; nil: nothing did.
func searchOf(prev *snapshot, server string) *search.Server {
	if prev == nil {
		return nil
	}
	switch s := prev.servers[server].(type) {
	case searched:
		return s.Server
	case relayed:
		return s.search
	}
	return nil
}

// searching puts search in front of a server, where its configuration asks for it.
func (b *builder) searching(sc *ServerConfig, of mcpServer, prev, s *snapshot) mcpServer {
	if search.Mode(sc.ToolSearch) == search.Off {
		return of
	}
	cfg := search.Config{Mode: search.Mode(sc.ToolSearch), Above: sc.SearchAbove, Server: of, Admit: admitting(sc.Name, s), Log: b.log}
	switch of := of.(type) {
	case *bridge.Server:
		cfg.Tools = func(_ context.Context, r *edge.Request) ([]search.Tool, error) {
			return bridgedTools(of.Definitions(r.Caller)), nil
		}
		cfg.Ahead = [][]search.Tool{bridgedTools(of.AllDefinitions()), bridgedTools(of.Definitions(&identity.Caller{Kind: identity.Person}))}
	case combinedServer:
		cfg.Remote, cfg.TTL, cfg.Previous = true, max(sc.ListTTL, 5*time.Second), searchOf(prev, sc.Name)
		cfg.Known = of.known
		cfg.Tools = func(ctx context.Context, r *edge.Request) ([]search.Tool, error) {
			return combinedTools(ctx, of.Server, r)
		}
		cfg.Check = func(r *edge.Request, tool string) error { return of.Check(r.Caller, tool) }
	default:
		return of
	}
	return searched{search.New(cfg), of}
}

func bridgedTools(defined []bridge.Definition) []search.Tool {
	list := make([]search.Tool, len(defined))
	for i, d := range defined {
		list[i] = search.Tool{Name: d.Name, Wire: d.Wire, Tags: d.Tags, Source: d.API, Path: d.Path}
	}
	return list
}

// admitting puts searching and describing under the server's policies; they are answered here, so that nothing is sent.
func admitting(server string, s *snapshot) func(context.Context, *edge.Request, string) (func(bool), error) {
	to := &road{next: s.pipeline, policies: s.policies}
	return func(ctx context.Context, r *edge.Request, tool string) (func(bool), error) {
		facts := proxy.RequestFacts{Time: r.Arrived}
		if r.HTTP != nil {
			facts.Method, facts.Path, facts.Header = r.HTTP.Method, r.HTTP.URL.Path, r.HTTP.Header
		}
		if q := identity.RequestFrom(ctx); q != nil {
			facts.IP = q.IP
		}
		answer, err := to.Do(ctx, &proxy.Call{
			ID: identity.RequestID(ctx), Surface: proxy.MCP, Endpoint: tool, Caller: *r.Caller, Request: facts, Server: server, Tool: tool,
			Arguments: r.Message.Bytes(r.Message.Arguments), Local: true, Policies: s.policies.tool(server, tool, ""),
		})
		var refused *proxy.Error
		switch {
		case errors.As(err, &refused):
			return nil, edge.Refused(refused)
		case err != nil:
			return nil, err
		}
		return func(failed bool) {
			outcome := proxy.Outcome{Ending: proxy.EndOK, Status: answer.Status}
			if failed {
				outcome.Ending = proxy.EndError
			}
			answer.Settle(outcome)
		}, nil
	}
}

func combinedTools(ctx context.Context, s *combined.Server, r *edge.Request) ([]search.Tool, error) {
	defined, err := s.Tools(ctx, r)
	if err != nil {
		return nil, err
	}
	list := make([]search.Tool, len(defined))
	for i, d := range defined {
		list[i] = search.Tool{Name: d.Name, Wire: d.Wire, Source: d.Source}
	}
	return list, nil
}

// searchingRelay is what shows the list of an upstream; nil where it is never searched.
func (b *builder) searchingRelay(sc *ServerConfig, other *crossing.Server, of stored, prev, s *snapshot) *search.Server {
	if search.Mode(sc.ToolSearch) == search.Off {
		return nil
	}
	return search.New(search.Config{
		Server: other, Mode: search.Mode(sc.ToolSearch), Above: sc.SearchAbove, Remote: true, TTL: max(sc.ListTTL, 5*time.Second), Log: b.log,
		Previous: searchOf(prev, sc.Name), Admit: admitting(sc.Name, s),
		Check: func(r *edge.Request, tool string) error { return other.Check(r.Caller, tool) }, Known: of.known,
		Tools: func(ctx context.Context, r *edge.Request) ([]search.Tool, error) {
			defined, err := other.Tools(ctx, r)
			if err != nil {
				return nil, err
			}
			list := make([]search.Tool, len(defined))
			for i, d := range defined {
				list[i] = search.Tool{Name: d.Name, Wire: d.Wire}
			}
			return list, nil
		},
	})
}
