package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Server is one MCP server made of REST operations. Immutable apart from what it remembers of lists.
type Server struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	tools   []*tool
	byName  map[string]*tool
	rules   *access.Rules
	version [sha256.Size]byte
	views   *views
	held    *held // the catalogue before this one (T6); nil: none

	info     []byte // serverInfo
	tailSize int    // about how much ends a result
	tail     []byte // what ends every modern list
	discover []byte // result of server/discover
	empty    map[string][2][]byte
	library  *library
}

// New builds a server: everything that can be made ahead of a call is made here.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, log: cfg.Log, now: cfg.Now, byName: make(map[string]*tool, len(cfg.Tools))}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if cfg.Doer == nil || cfg.Keyring == nil {
		return nil, fmt.Errorf("server %s: a bridge needs a pipeline and keys", cfg.Name)
	}
	for i := range cfg.Tools {
		if err := s.add(cfg.Tools[i]); err != nil {
			return nil, fmt.Errorf("server %s: %w", cfg.Name, err)
		}
	}
	s.seal()
	return s, nil
}

func (s *Server) add(t Tool) error {
	if t.Tool == nil {
		return fmt.Errorf("tool %q has no operation", t.Name)
	}
	if t.Name == "" {
		t.Name = t.Tool.Name
	}
	if !mcp.ValidToolName(t.Name) {
		return fmt.Errorf("tool %q: a name is 1 to 128 letters, digits, _, . and -", t.Name)
	}
	if s.byName[t.Name] != nil {
		return fmt.Errorf("tool %q is there twice", t.Name)
	}
	made := newTool(t)
	s.tools = append(s.tools, made)
	s.byName[t.Name] = made
	return nil
}

// seal makes what depends on all tools: the version of the catalogue and the fixed answers.
func (s *Server) seal() {
	h := sha256.New()
	private := !s.cfg.Shared
	conditions := make(map[string]access.Tool, len(s.tools))
	for _, t := range s.tools {
		h.Write(t.wire)
		fmt.Fprintf(h, "\n%q %q\n", slices.Sorted(slices.Values(t.Roles)), t.Scope)
		private = private || len(t.Roles) > 0 || t.Scope != ""
		conditions[t.Name] = access.Tool{Roles: t.Roles, Scope: t.Scope}
	}
	s.rules = access.New(access.Config{Server: s.cfg.Name, Tools: conditions, Match: s.cfg.Match, Challenge: s.cfg.Challenge})
	h.Sum(s.version[:0])
	s.views = newViews(s.tools, s.rules)
	if p := s.cfg.Previous; p != nil {
		// An unchanged catalogue keeps the one before it, so that two different ones are held (T6).
		if s.held = (&held{p.version, p.views}); p.version == s.version {
			s.held = p.held
		}
		s.cfg.Previous = nil // or every reload would keep all that went before it
	}
	s.info = s.serverInfo()
	s.tailSize = len(completeHead) + len(s.info) + 2
	s.tail = s.modernTail(private)
	s.discover = s.discoverResult()
	s.empty = map[string][2][]byte{}
	for method, member := range map[string]string{
		"prompts/list": "prompts", "resources/list": "resources", "resources/templates/list": "resourceTemplates",
	} {
		body := `{"` + member + `":[]`
		s.empty[method] = [2][]byte{[]byte(body + "}"), append([]byte(body), s.tail...)}
	}
	s.library = newLibrary(s.cfg)
}

// serverInfo is how the server names itself (B4).
func (s *Server) serverInfo() []byte {
	b := append([]byte(`{"name":`), quoted(s.cfg.Name)...)
	b = appendMember(b, "title", s.cfg.Title)
	b = appendMember(b, "version", versionOf(s.cfg))
	b = appendMember(b, "description", s.cfg.Description)
	return append(b, '}')
}

func versionOf(cfg Config) string {
	if cfg.Version == "" {
		return "0.0.0"
	}
	return cfg.Version
}

func (s *Server) modernTail(private bool) []byte {
	scope := "public"
	if private {
		scope = "private"
	}
	return fmt.Appendf(nil, `,"resultType":"complete","ttlMs":%d,"cacheScope":%q,"_meta":{"io.modelcontextprotocol/serverInfo":%s}}`,
		s.cfg.ListTTL.Milliseconds(), scope, s.info)
}

func (s *Server) discoverResult() []byte {
	versions, _ := json.Marshal(edge.Supported())
	b := fmt.Appendf(nil, `{"supportedVersions":%s,"capabilities":{"tools":{"listChanged":true}}`, versions)
	b = appendMember(b, "instructions", s.cfg.Instructions)
	return append(b, s.tail...)
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

// View implements edge.Server.
func (s *Server) View(c *identity.Caller) string { return string(s.viewOf(c).hash[:]) }

// Handle implements edge.Server (B1).
func (s *Server) Handle(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	method := r.Message.Method
	switch {
	case method == "tools/call":
		return s.callTool(ctx, r)
	case method == "tools/list":
		return s.list(r)
	case method == "ping" && !r.Modern:
		return json.RawMessage("{}"), nil
	case method == "server/discover" && r.Modern:
		return s.discover, nil
	case strings.HasSuffix(method, "/list"):
		// Many clients ask for lists that were not advertised (B3).
		if r.Message.Cursor.Present() { // of an empty list there never was one (T6, T8)
			return nil, badCursor()
		}
		if body, ok := s.empty[method]; ok && r.Modern {
			return body[1], nil
		} else if ok {
			return body[0], nil
		}
	case !r.Modern && (method == "initialize" || method == "logging/setLevel" || method == "completion/complete"):
		return s.library.serve(ctx, r)
	}
	return nil, edge.MethodNotFound(method)
}
