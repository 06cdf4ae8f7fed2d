package relay

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Server is one MCP server elsewhere, as callers here see it. Immutable, but for what it has warned of.
type Server struct {
	cfg   Config
	log   *slog.Logger
	now   func() time.Time
	rules *access.Rules
	odd   listing.Once // tools that were warned of
}

// New builds a relay.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, log: cfg.Log, now: cfg.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	switch {
	case cfg.Doer == nil:
		return nil, fmt.Errorf("server %s: a relay needs a pipeline", cfg.Name)
	case cfg.Upstream == "":
		return nil, fmt.Errorf("server %s: a relay needs an upstream", cfg.Name)
	}
	if s.cfg.Leg == nil {
		return nil, fmt.Errorf("server %s: a relay needs a leg to its upstream", cfg.Name)
	}
	s.cfg.Limits = cfg.Limits.orDefaults()
	s.rules = access.New(access.Config{Server: cfg.Name, Tools: cfg.Tools, Match: cfg.Match, Challenge: cfg.Challenge})
	for _, t := range cfg.Tools {
		s.cfg.Private = s.cfg.Private || t.Scope != ""
	}
	return s, nil
}

// Name implements edge.Server.
func (s *Server) Name() string { return s.cfg.Name }

// Allowed implements edge.Server.
func (s *Server) Allowed(c *identity.Caller) (ok bool, need string) {
	if s.cfg.Access == nil {
		return true, ""
	}
	return s.cfg.Access(c)
}

// View implements edge.Server: which of the tools that are not everybody's the caller sees. What the upstream changes it
// tells its clients itself.
func (s *Server) View(c *identity.Caller) string {
	var view strings.Builder
	view.WriteString(s.cfg.Upstream)
	view.WriteString("\x00" + s.rules.Key(c))
	if s.cfg.Pins != nil {
		view.WriteString("\x00\x00" + s.cfg.Pins.Editions(func(tool string) bool { return s.rules.MayUse(c, tool) }))
	}
	if s.cfg.Search != nil {
		view.WriteString("\x00\x00" + s.cfg.Search.View(c))
	}
	return view.String()
}

// Pass implements edge.Relay.
func (s *Server) Pass(ctx context.Context, r *edge.Request) (*edge.Passed, error) {
	if err := s.sameEra(ctx, r); err != nil {
		return nil, err
	}
	x := &exchange{s: s, r: r}
	m := r.Message
	if m == nil || m.Kind != strictjson.Request {
		return x.forward(ctx)
	}
	switch m.Method {
	case "tools/call":
		return x.call(ctx)
	case "initialize":
		return x.initialize(ctx)
	case "server/discover":
		return x.edit(ctx, x.instruct, s.cfg.Instructions != "" || s.cfg.Search != nil)
	case "tools/list":
		if r.Modern || s.rules.Any() || s.cfg.Pins != nil || s.cfg.Search != nil {
			return x.list(ctx, x.cut)
		}
		return x.list(ctx, nil)
	case "prompts/list", "resources/list", "resources/templates/list":
		return x.list(ctx, nil)
	default:
		return x.forward(ctx)
	}
}

// exchange is one message on its way to the upstream and back.
type exchange struct {
	s    *Server
	r    *edge.Request
	tool string // of tools/call

	refused bool // the upstream does not speak this era
}

// call passes a call on if it may go up; one of the tools with which long lists are searched stands for another (§14).
func (x *exchange) call(ctx context.Context) (*edge.Passed, error) {
	var amend func(json.RawMessage) json.RawMessage
	if x.s.cfg.Search != nil {
		result, inner, err := x.s.cfg.Search.Begin(ctx, x.r)
		switch {
		case err != nil:
			return nil, err
		case result != nil:
			return &edge.Passed{Status: http.StatusOK, Header: http.Header{}, Result: result}, nil
		case inner != nil:
			x.r, amend = inner, x.s.cfg.Search.Amend(inner)
		}
	}
	if err := x.mayCall(ctx); err != nil {
		return nil, err
	}
	if p, err := x.approved(ctx); p != nil || err != nil {
		return p, err
	}
	if err := x.headersAgree(); err != nil {
		return nil, err
	}
	p, err := x.forward(ctx)
	if err != nil || amend == nil {
		return p, err
	}
	return x.amended(p, amend)
}

// mayCall decides about a tool by its decoded name, from the current configuration, on every call (A3).
func (x *exchange) mayCall(ctx context.Context) error {
	name, ok := x.r.Message.Text(x.r.Message.Name)
	if !ok {
		return edge.InvalidParams("params.name must be a string")
	}
	if !x.s.known(name) || !x.s.rules.MayUse(x.r.Caller, name) {
		return access.Unknown(name) // A1, J11
	}
	x.tool = name
	identity.RequestFrom(ctx).Note(slog.String("tool", name))
	return x.s.rules.Scope(x.r.Caller, name)
}
