package crossing

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Server is one upstream as clients of both eras see it. Immutable; what outlives it is in a Memory.
type Server struct {
	cfg   Config
	log   *slog.Logger
	now   func() time.Time
	rules *access.Rules
	odd   listing.Once // tools that were warned of
}

// New builds a Server.
func New(cfg Config) (*Server, error) {
	if cfg.Leg == nil || cfg.Keyring == nil {
		return nil, fmt.Errorf("server %s: crossing eras needs an upstream and keys", cfg.Name)
	}
	s := &Server{cfg: cfg, log: cfg.Log, now: cfg.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.cfg.Park <= 0 {
		s.cfg.Park = defaultPark
	}
	if s.cfg.Memory == nil {
		s.cfg.Memory = NewMemory()
	}
	s.rules = access.New(access.Config{Server: cfg.Name, Tools: cfg.Tools, Match: cfg.Match, Challenge: cfg.Challenge})
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
// tells by itself.
func (s *Server) View(c *identity.Caller) string {
	var view strings.Builder
	view.WriteString("\x00" + s.rules.Key(c))
	if s.cfg.Pins != nil {
		view.WriteString("\x00\x00" + s.cfg.Pins.Editions(func(tool string) bool { return s.rules.MayUse(c, tool) }))
	}
	return view.String()
}

// behalf is on whose behalf the upstream is asked.
func behalf(r *edge.Request) *upstream.Behalf {
	return &upstream.Behalf{
		Caller: r.Caller, Capabilities: r.Capabilities, ClientInfo: r.ClientInfo, LogLevel: r.LogLevel, HTTP: r.HTTP, Arrived: r.Arrived,
	}
}

// Handle implements edge.Server.
func (s *Server) Handle(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	switch method := r.Message.Method; {
	case method == "initialize" && !r.Modern:
		return s.initialize(ctx, r)
	case method == "server/discover" && r.Modern:
		return s.discover(ctx, r)
	case method == "ping" && !r.Modern:
		return json.RawMessage("{}"), nil
	case method == "logging/setLevel" && !r.Modern:
		return s.setLevel(r)
	case (method == "resources/subscribe" || method == "resources/unsubscribe") && !r.Modern:
		return s.subscribe(ctx, r)
	case upstream.Listed(method) != "":
		return s.list(ctx, r)
	case method == "tools/call":
		return s.callTool(ctx, r)
	default:
		return s.forward(ctx, r, "")
	}
}

// callTool decides about a tool by its decoded name, from the current configuration, on every call (A3).
func (s *Server) callTool(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	m := r.Message
	name, ok := m.Text(m.Name)
	if !ok {
		return nil, edge.InvalidParams("params.name must be a string")
	}
	if err := s.Check(r.Caller, name); err != nil {
		return nil, err
	}
	identity.RequestFrom(ctx).Note(slog.String("tool", name))
	if answer, err := s.approved(ctx, r, name); answer != nil || err != nil {
		return answer, err
	}
	if r.Modern && r.HTTP != nil { // H8: a legacy upstream does not check, and a modern one sees headers of ours
		if err := paramheader.Check(s.cfg.Leg.Declared(ctx, behalf(r), name), m.Bytes(m.Arguments), r.HTTP.Header); err != nil {
			return nil, err
		}
	}
	result, err := s.forward(ctx, r, name)
	if text, ok := upstream.Failed(err); ok {
		return failure(text, r.Modern), nil // models read tool errors, hosts swallow protocol errors (§9.3)
	}
	return result, err
}

// Check refuses a call that the caller may not make, before anything is asked of the upstream (A1, A2).
func (s *Server) Check(c *identity.Caller, tool string) error {
	if !mcp.ValidToolName(tool) {
		return access.Unknown(tool) // J11
	}
	return s.rules.Check(c, tool)
}

// failure is a tool's result that says what went wrong.
func failure(text string, modern bool) json.RawMessage {
	quoted, _ := json.Marshal(text)
	result := `{"content":[{"type":"text","text":` + string(quoted) + `}],"isError":true`
	if modern {
		result += `,"resultType":"complete"`
	}
	return json.RawMessage(result + "}")
}
