package main

import (
	"log/slog"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/crossing"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/mcp/search"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// mcpServer is a server of either kind, as pages and tokens see it.
type mcpServer interface {
	edge.Server
	ToolInfos(c *identity.Caller) []bridge.ToolInfo
}

// relayed is an upstream as pages see it.
type relayed struct {
	*relay.Server
	crossed *crossing.Server
	search  *search.Server // nil: its list is never searched
	stored  stored
}

// ToolInfos implements mcpServer.
func (s relayed) ToolInfos(c *identity.Caller) []bridge.ToolInfo { return s.stored.infos(c) }

// upstreamOf returns the part of a server that is an upstream, or nil for a server made of APIs.
func upstreamOf(sc *ServerConfig) *FromConfig {
	if len(sc.From) == 1 && sc.From[0].Upstream != "" {
		return &sc.From[0]
	}
	return nil
}

// upstreams is what is known of MCP upstreams across reloads: eras, lists, sessions that are open, calls that wait.
type upstreams struct {
	legs     *upstream.Memory
	crossing *crossing.Memory
	books    *books
}

// newUpstreams keeps pins in store; changed is told when a tool is held or free again; others names the tools of all servers
// but one.
func newUpstreams(store pins.Store, log *slog.Logger, changed func(), others func(server string) []string) *upstreams {
	return &upstreams{legs: upstream.NewMemory(), crossing: crossing.NewMemory(), books: &books{
		byServer: map[string]*pins.Book{},
		new: func(server string) *pins.Book {
			return &pins.Book{Server: server, Store: store, Log: log, Changed: changed, Others: func() []string { return others(server) }}
		},
	}}
}

// close ends what is open there. For a graceful stop, behind the calls.
func (u *upstreams) close() {
	u.crossing.Close()
	u.legs.Close()
}

// leg is the way to the upstream of one part of a server. Policies and records know its tools by the server's names (C9).
func (b *builder) leg(cfg *Config, sc *ServerConfig, from *FromConfig, s *snapshot) (*upstream.Leg, error) {
	return upstream.New(upstream.Config{
		Server: sc.Name, Backend: from.Upstream, Era: upstream.Era(from.Era), Memory: b.upstreams.legs,
		Doer: &road{next: s.pipeline, policies: s.policies},
		Policies: func(tool string) *proxy.Policies {
			if tool != "" {
				tool = sc.publicName(from, tool)
			}
			return s.policies.tool(sc.Name, tool, "")
		},
		ToolName: func(tool string) string { return sc.publicName(from, tool) },
		ListTTL:  sc.ListTTL, Limits: upstream.Limits{Body: cfg.Limits.UpstreamBody, Depth: cfg.Limits.JSONDepth},
		Timeout: backendTimeout(cfg, from.Upstream), Version: version, Log: b.log,
	})
}

// cross makes the server that understands the upstream's messages, for clients of the other era and for combined servers.
func (b *builder) cross(sc *ServerConfig, from *FromConfig, leg *upstream.Leg, tools map[string]crossing.Tool, book *pins.Book) (*crossing.Server, error) {
	cfg := crossing.Config{
		Name: sc.Name, Instructions: sc.Instructions, Upstream: from.Upstream, Leg: leg, Tools: tools, Access: accessTo(sc.Access.Roles), Match: entitled, Challenge: b.stepUp,
		Page: sc.Page, ListTTL: sc.ListTTL, Keyring: b.ring, Memory: b.upstreams.crossing, Park: from.Park, Log: b.log,
	}
	if book != nil {
		cfg.Pins = book
	}
	return crossing.New(cfg)
}

// buildRelay makes an MCP server of an upstream: bytes for clients of its era, messages for the others.
func (b *builder) buildRelay(cfg *Config, sc ServerConfig, from *FromConfig, prev, s *snapshot) (mcpServer, error) {
	tools, crossed := map[string]relay.Tool{}, map[string]crossing.Tool{}
	for name, access := range sc.Access.Tools {
		tools[name] = relay.Tool{Roles: access.Roles, Scope: access.Scope}
		crossed[name] = crossing.Tool{Roles: access.Roles, Scope: access.Scope}
	}
	leg, err := b.leg(cfg, &sc, from, s)
	if err != nil {
		return nil, err
	}
	book := b.upstreams.books.of(sc.Name, sc.UpstreamTools)
	other, err := b.cross(&sc, from, leg, crossed, book)
	if err != nil {
		return nil, err
	}
	made := relayed{crossed: other, stored: stored{book: book, access: sc.Access.Tools}}
	relaying := relay.Config{
		Name: sc.Name, Instructions: sc.Instructions, Upstream: from.Upstream, Leg: leg, Crossing: other, Pins: book, Tools: tools,
		Private: len(sc.Access.Roles) > 0, Access: accessTo(sc.Access.Roles), Match: entitled, Challenge: b.stepUp, Timeout: backendTimeout(cfg, from.Upstream),
		Policies: func(tool string) *proxy.Policies { return s.policies.tool(sc.Name, tool, "") },
		Limits:   relay.Limits{Body: cfg.Limits.UpstreamBody, Depth: cfg.Limits.JSONDepth},
		Doer:     &road{next: s.pipeline, policies: s.policies}, Log: b.log,
	}
	if made.search = b.searchingRelay(&sc, other, made.stored, prev, s); made.search != nil {
		relaying.Crossing, relaying.Search = made.search, made.search
	}
	if made.Server, err = relay.New(relaying); err != nil {
		return nil, err
	}
	return made, nil
}
