package combined

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Server is several servers behind one address. Immutable apart from what it remembers of its sources.
type Server struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	keep    time.Duration
	sources []*source // in the order of `from` (C6)
	byAs    map[string]*source
	rules   *access.Rules
	private bool // lists are not the same for everybody, whatever the sources say (T5)

	views  *listing.Kept[*view]
	held   *listing.Kept[*view] // of the server before this one (T6); nil: none
	abouts *listing.Kept[[]byte]
	tokens *tokens
	tasks  *tasks

	info []byte // serverInfo
}

// New builds a combined server. Its sources are not asked for anything yet.
func New(cfg Config) (*Server, error) {
	s := &Server{
		cfg: cfg, log: cfg.Log, now: cfg.Now, keep: cfg.Keep, byAs: map[string]*source{}, rules: access.New(access.Config{Server: cfg.Name, Tools: cfg.Tools, Match: cfg.Match, Challenge: cfg.Challenge}),
		views: listing.NewKept[*view](maxViews, maxViewBytes), abouts: listing.NewKept[[]byte](256, 1<<20), tokens: newTokens(), tasks: newTasks(),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.keep <= 0 {
		s.keep = defaultKeep
	}
	if cfg.Keyring == nil {
		return nil, fmt.Errorf("server %s: lists need keys", cfg.Name)
	}
	if len(cfg.Sources) == 0 {
		return nil, fmt.Errorf("server %s: made of nothing", cfg.Name)
	}
	s.private = !cfg.Shared || s.rules.Any()
	for _, t := range cfg.Tools {
		s.private = s.private || t.Scope != ""
	}
	for _, of := range cfg.Sources {
		if err := s.add(of); err != nil {
			return nil, fmt.Errorf("server %s: %w", cfg.Name, err)
		}
	}
	if p := cfg.Previous; p != nil {
		s.held, s.tasks = p.views, p.tasks
		s.cfg.Previous = nil // or every reload would keep all that went before it
	}
	s.info = serverInfo(cfg)
	return s, nil
}

func (s *Server) add(of Source) error {
	switch {
	case of.Server == nil:
		return fmt.Errorf("source %q has no server", of.As)
	case !ValidPrefix(of.As):
		return fmt.Errorf("source %q: a prefix is 1 to 32 lower case letters, digits and - between them", of.As)
	case s.byAs[of.As] != nil:
		return fmt.Errorf("source %q is there twice", of.As)
	}
	src := newSource(s, of)
	s.sources, s.byAs[of.As] = append(s.sources, src), src
	s.private = s.private || of.Personal
	return nil
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

// View implements edge.Server: what the configuration makes of the sources for this caller. What a source changes by
// itself it tells its listeners. Lists that a source may keep for one person alone are nobody else's view, so that whoever
// remembers something by view does not show it to others (T4).
func (s *Server) View(c *identity.Caller) string {
	h := sha256.New()
	for _, src := range s.sources {
		fmt.Fprintf(h, "%s\x00%q\n", src.As, src.Server.View(c))
		if !src.Made {
			fmt.Fprintf(h, "of %q\n", ownerOf(c))
		}
	}
	h.Write([]byte(s.rules.Key(c)))
	if s.cfg.Hold != nil {
		h.Write([]byte(s.cfg.Hold.Editions(func(tool string) bool { return s.MayUse(c, tool) })))
	}
	return string(h.Sum(nil))
}

// Handle implements edge.Server.
func (s *Server) Handle(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	switch method := r.Message.Method; method {
	case "tools/call":
		return s.callTool(ctx, r)
	case toolsList, promptsList, resourcesList, templatesList:
		return s.answerList(ctx, r, method)
	case "prompts/get":
		return s.getPrompt(ctx, r)
	case "resources/read":
		return s.resource(ctx, r)
	case "completion/complete":
		return s.complete(ctx, r)
	case "tasks/get", "tasks/update", "tasks/cancel":
		return s.task(ctx, r)
	default:
		return s.handleEra(ctx, r, method)
	}
}

// handleEra answers what only clients of one era ask.
func (s *Server) handleEra(ctx context.Context, r *edge.Request, method string) (json.RawMessage, error) {
	if r.Modern {
		if method == "server/discover" {
			return s.discover(ctx, r)
		}
		return nil, edge.MethodNotFound(method)
	}
	switch method {
	case "initialize":
		return s.initialize(ctx, r)
	case "ping":
		return json.RawMessage("{}"), nil
	case "logging/setLevel":
		return s.setLevel(ctx, r)
	case "resources/subscribe", "resources/unsubscribe":
		return s.resource(ctx, r)
	case "tasks/result":
		return s.task(ctx, r)
	}
	return nil, edge.MethodNotFound(method)
}

// unavailable is what a client hears when no source works, in the words of §9.3.
func unavailable(err error) error {
	return &edge.Error{Status: http.StatusBadGateway, Code: edge.CodeServer, Msg: "upstream is unavailable", Err: err}
}

// handled runs a source. The end of an upstream's session is not the end of the client's.
func handled(ctx context.Context, src *source, r *edge.Request) (json.RawMessage, error) {
	result, err := src.Server.Handle(ctx, r)
	if errors.Is(err, edge.ErrUpstreamSession) {
		return nil, unavailable(err)
	}
	return result, err
}
