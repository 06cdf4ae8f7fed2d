package relay

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Server is one MCP server elsewhere, as callers here see it. Immutable.
type Server struct {
	cfg   Config
	log   *slog.Logger
	now   func() time.Time
	rules []string // names of tools with roles, sorted
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
	for name, t := range cfg.Tools {
		if len(t.Roles) > 0 {
			s.rules = append(s.rules, name)
		}
		s.cfg.Private = s.cfg.Private || t.Scope != ""
	}
	slices.Sort(s.rules)
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
	for _, name := range s.rules {
		if !s.mayUse(c, name) {
			view.WriteString("\x00" + name)
		}
	}
	if s.cfg.Pins != nil {
		view.WriteString("\x00\x00" + s.cfg.Pins.Version())
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
		return x.edit(ctx, x.cut, r.Modern || len(s.rules) > 0 || s.cfg.Pins != nil || s.cfg.Search != nil)
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
	if x.s.cfg.Search != nil {
		result, inner, err := x.s.cfg.Search.Begin(ctx, x.r)
		switch {
		case err != nil:
			return nil, err
		case result != nil:
			return &edge.Passed{Status: http.StatusOK, Header: http.Header{}, Result: result}, nil
		case inner != nil:
			x.r = inner
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
	return x.forward(ctx)
}

// mayCall decides about a tool by its decoded name, from the current configuration, on every call (A3).
func (x *exchange) mayCall(ctx context.Context) error {
	name, ok := x.r.Message.Text(x.r.Message.Name)
	if !ok {
		return edge.InvalidParams("params.name must be a string")
	}
	if !x.s.known(name) || !x.s.mayUse(x.r.Caller, name) {
		return edge.InvalidParams("unknown tool: %s", clip(name)) // A1, J11
	}
	x.tool = name
	identity.RequestFrom(ctx).Note(slog.String("tool", name))
	if scope := x.s.cfg.Tools[name].Scope; scope != "" && !x.r.Caller.HasScope(scope) {
		return x.s.insufficientScope(x.r.Caller, scope)
	}
	return nil
}

// mayUse reports whether the caller sees and may call the tool (A1); one decision for list and call (A4).
func (s *Server) mayUse(c *identity.Caller, tool string) bool {
	roles := s.cfg.Tools[tool].Roles
	if len(roles) == 0 {
		return true
	}
	if s.cfg.Match != nil {
		return s.cfg.Match(c, roles)
	}
	return slices.ContainsFunc(roles, func(r string) bool { return c.HasRole(strings.TrimPrefix(r, "role:")) })
}

// insufficientScope asks for a wider token before anything is sent (A2, oauth.md §8.3).
func (s *Server) insufficientScope(c *identity.Caller, scope string) error {
	challenge := `Bearer error="insufficient_scope", scope="` + scope + `"`
	if s.cfg.Challenge != nil {
		challenge = s.cfg.Challenge(c, s.cfg.Name, scope)
	}
	return &edge.Error{
		Status: http.StatusForbidden, Code: edge.CodeInvalidRequest, OAuth: "insufficient_scope",
		Msg: "this tool needs the scope " + scope, Header: http.Header{"Www-Authenticate": {challenge}},
	}
}

// clip keeps what is repeated to a caller short.
func clip(s string) string {
	const most = 128
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
