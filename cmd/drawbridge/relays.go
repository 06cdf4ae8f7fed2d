package main

import (
	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// mcpServer is a server of either kind, as pages and tokens see it.
type mcpServer interface {
	edge.Server
	ToolInfos(c *identity.Caller) []bridge.ToolInfo
}

// relayed is an upstream as pages see it. Its tools are known to its own clients only.
type relayed struct{ *relay.Server }

// ToolInfos implements mcpServer.
func (relayed) ToolInfos(*identity.Caller) []bridge.ToolInfo { return nil }

// upstreamOf returns the part of a server that is an upstream, or nil for a server made of APIs.
func upstreamOf(sc *ServerConfig) *FromConfig {
	if len(sc.From) == 1 && sc.From[0].Upstream != "" {
		return &sc.From[0]
	}
	return nil
}

// buildRelay makes an MCP server of an upstream.
func (b *builder) buildRelay(cfg *Config, sc ServerConfig, from *FromConfig, s *snapshot) (mcpServer, error) {
	tools := map[string]relay.Tool{}
	for name, access := range sc.Access.Tools {
		tools[name] = relay.Tool{Roles: access.Roles, Scope: access.Scope}
	}
	server, err := relay.New(relay.Config{
		Name: sc.Name, Instructions: sc.Instructions, Upstream: from.Upstream, Era: relay.Era(from.Era), Tools: tools,
		Access: accessTo(sc.Access.Roles), Match: entitled, Challenge: b.stepUp, Timeout: backendTimeout(cfg, from.Upstream),
		Policies: func(tool string) *proxy.Policies { return s.policies.tool(sc.Name, tool, "") },
		Limits:   relay.Limits{Body: cfg.Limits.UpstreamBody, Depth: cfg.Limits.JSONDepth},
		Memory:   b.upstreams, Doer: &road{next: s.pipeline, policies: s.policies}, Version: version, Log: b.log,
	})
	if err != nil {
		return nil, err
	}
	return relayed{server}, nil
}
