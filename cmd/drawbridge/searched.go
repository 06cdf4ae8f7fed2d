package main

import (
	"context"
	"errors"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/crossing"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
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
	switch s := s.(type) {
	case searched:
		return s.behind
	case searchedRelay:
		return s.behind
	}
	return s
}

// searching puts search in front of a server, where its configuration asks for it.
func (b *builder) searching(sc *ServerConfig, of mcpServer, s *snapshot) mcpServer {
	if search.Mode(sc.ToolSearch) == search.Off {
		return of
	}
	cfg := search.Config{Mode: search.Mode(sc.ToolSearch), Above: sc.SearchAbove, Server: of, Admit: admitting(sc.Name, s), Log: b.log}
	switch of := of.(type) {
	case *bridge.Server:
		cfg.Tools = func(_ context.Context, r *edge.Request) ([]search.Tool, error) {
			var list []search.Tool
			for _, d := range of.Definitions(r.Caller) {
				list = append(list, search.Tool{Name: d.Name, Wire: d.Wire, Tags: d.Tags, Source: d.API, Path: d.Path})
			}
			return list, nil
		}
	case combinedServer:
		cfg.PerCaller, cfg.TTL = true, max(sc.ListTTL, 5*time.Second)
		cfg.Tools = func(ctx context.Context, r *edge.Request) ([]search.Tool, error) {
			return combinedTools(ctx, of.Server, r)
		}
		cfg.Check = func(r *edge.Request, tool string) error { return of.Check(r.Caller, tool) }
	default:
		return of
	}
	return searched{search.New(cfg), of}
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

// searchedRelay is an upstream whose list is searched. While it is, messages are understood instead of passed on as bytes.
type searchedRelay struct {
	*search.Server
	relay  *relay.Server
	behind mcpServer
}

// ToolInfos implements mcpServer.
func (s searchedRelay) ToolInfos(c *identity.Caller) []bridge.ToolInfo { return s.behind.ToolInfos(c) }

// Pass implements edge.Relay.
func (s searchedRelay) Pass(ctx context.Context, r *edge.Request) (*edge.Passed, error) {
	return s.relay.Pass(ctx, r)
}

// Crosses implements edge.Crosser.
func (s searchedRelay) Crosses(ctx context.Context, r *edge.Request) (bool, error) {
	if s.Searched(ctx, r) {
		return true, nil
	}
	return s.relay.Crosses(ctx, r)
}

// searchingRelay puts search in front of an upstream that is to be searched. With `auto` a relay moves bytes: whether its
// list is long is for its clients to see.
func (b *builder) searchingRelay(sc *ServerConfig, server *relay.Server, other *crossing.Server, s *snapshot) mcpServer {
	of := relayed{server}
	if search.Mode(sc.ToolSearch) != search.On {
		return of
	}
	made := search.New(search.Config{
		Server: server, Mode: search.On, Above: sc.SearchAbove, PerCaller: true, TTL: max(sc.ListTTL, 5*time.Second), Log: b.log,
		Admit: admitting(sc.Name, s), Check: func(r *edge.Request, tool string) error { return other.Check(r.Caller, tool) },
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
	return searchedRelay{made, server, of}
}
