package search

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Mode is mcp_servers[].tool_search.
type Mode string

const (
	Auto Mode = "auto" // when the caller's list is long
	On   Mode = "on"
	Off  Mode = "off"
)

// Above says when Auto switches. Zero values mean the defaults of the contract.
type Above struct {
	// Tools in the caller's list; with more of them search is offered.
	Tools int `yaml:"tools" default:"60"`
	// Size of the caller's list; a larger one is replaced.
	Bytes int64 `yaml:"bytes" default:"64KiB" unit:"size"`
}

// Validate reports what is wrong with a; it changes nothing.
func (a Above) Validate() error {
	if a.Tools < 0 || a.Bytes < 0 {
		return errors.New("search_above: must not be negative")
	}
	return nil
}

func (a Above) orDefaults() Above {
	if a.Tools <= 0 {
		a.Tools = 60
	}
	if a.Bytes <= 0 {
		a.Bytes = 64 << 10
	}
	return a
}

func (a Above) passed(tools, bytes int) bool { return tools > a.Tools || int64(bytes) > a.Bytes }

// Tool is one tool of the caller's list.
type Tool struct {
	Name   string
	Wire   json.RawMessage // the definition as tools/list shows it
	Tags   []string
	Source string // API or upstream; ""
	Path   string // of the operation; ""
}

// Config is what a Server wraps.
type Config struct {
	Server edge.Server
	// Tools returns the caller's whole list: what roles and holds leave of it.
	Tools func(ctx context.Context, r *edge.Request) ([]Tool, error)
	// Admit puts a call of find_tools or describe_tool under the server's policies, like any other call (mcp.md §3 row 14);
	// done ends it. nil: there are none.
	Admit func(ctx context.Context, r *edge.Request, tool string) (done func(failed bool), err error)
	// Check refuses a tool that the caller may not call, before anything is asked of anybody (A1, A2). nil: the server does.
	Check func(r *edge.Request, tool string) error
	Mode  Mode
	Above Above
	// Ahead are lists that callers will see for certain: their index is built with the server (F4).
	Ahead [][]Tool

	// Remote says that Tools may have to ask elsewhere, and that its answer may be the caller's own whatever the view of
	// Server says (T4). What was found out last is used where nobody waits for an answer.
	Remote bool
	TTL    time.Duration // how long a Remote list is used
	// Known returns what is known of a Remote list without asking anybody; nil: nothing.
	Known func(c *identity.Caller) []Tool
	// Previous is the server of the same name in the snapshot that this one replaces: what it found out stays known, so that
	// a reload that changes nothing is nobody's news (L4). nil: none.
	Previous *Server

	Log *slog.Logger     // nil: discarded
	Now func() time.Time // nil: time.Now
}

// Server is a server whose long lists are searched.
type Server struct {
	cfg   Config
	log   *slog.Logger
	now   func() time.Time
	views *listing.Kept[*view] // by hash of the list
	seen  *listing.Kept[seen]  // by view of the wrapped server, or by caller
}

const (
	maxViews = 256
	maxBytes = 256 << 20
	maxSeen  = 50_000 // callers; what they see alike is kept once
)

// New wraps a server.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, log: cfg.Log, now: cfg.Now, views: listing.NewKept[*view](maxViews, maxBytes), seen: listing.NewKept[seen](maxSeen, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.cfg.Above = cfg.Above.orDefaults()
	if p := cfg.Previous; p != nil && cfg.Remote && p.cfg.Remote {
		s.seen = p.seen
	}
	s.cfg.Previous = nil // or every reload would keep all that went before it
	for _, tools := range cfg.Ahead {
		if v := s.made(newSeen("", tools, s.now()), tools); v.searched {
			v.made()
		}
	}
	s.cfg.Ahead = nil
	return s
}

// Name implements edge.Server.
func (s *Server) Name() string { return s.cfg.Server.Name() }

// Allowed implements edge.Server.
func (s *Server) Allowed(c *identity.Caller) (ok bool, need string) { return s.cfg.Server.Allowed(c) }

// View implements edge.Server: a list that becomes long enough to be searched is another list (F7). Nobody is asked for it:
// what a source changes by itself it tells its listeners.
func (s *Server) View(c *identity.Caller) string {
	own := s.cfg.Server.View(c)
	if s.lately(c) {
		own += "\x00searched"
	}
	return own
}

// Handle implements edge.Server.
func (s *Server) Handle(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	switch r.Message.Method {
	case "tools/call":
		return s.call(ctx, r)
	case "tools/list":
		return s.list(ctx, r)
	case "initialize", "server/discover":
		return s.about(ctx, r)
	default:
		return s.cfg.Server.Handle(ctx, r)
	}
}

// list answers with the three tools, or lets the server answer.
func (s *Server) list(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	v, err := s.viewOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if !v.searched {
		return s.cfg.Server.Handle(ctx, r)
	}
	if r.Message.Cursor.Present() {
		return nil, edge.InvalidParams("cursor is not valid; start the list again")
	}
	if !r.Modern {
		return json.RawMessage(`{"tools":` + offered + `}`), nil
	}
	tail, _ := s.tail(ctx, r, v)
	return append(append([]byte(`{"tools":`+offered), tail...), '}'), nil
}

// tail are the members of a modern list beside its tools, as the server itself writes them for this view: how long it holds,
// for whom, and whose it is. meta is its _meta.
func (s *Server) tail(ctx context.Context, r *edge.Request, v *view) (tail, meta []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tail != nil {
		return v.tail, v.meta
	}
	const otherwise = `,"resultType":"complete","ttlMs":0,"cacheScope":"private"`
	ask := *r
	var err error
	ask.Message, err = edge.Decode([]byte(`{"jsonrpc":"2.0","id":0,"method":"tools/list"}`), edge.Limits{}.OrDefaults())
	if err != nil {
		return []byte(otherwise), nil
	}
	result, err := s.cfg.Server.Handle(ctx, &ask)
	if err != nil {
		return []byte(otherwise), nil
	}
	m, ok := opened(result)
	if !ok {
		return []byte(otherwise), nil
	}
	for _, one := range m.Members(m.Result) {
		if one.Key != "tools" && one.Key != "nextCursor" {
			v.tail = append(append(append(append(v.tail, ','), m.Bytes(one.KeyAt)...), ':'), m.Bytes(one.Val)...)
		}
		if one.Key == "_meta" {
			v.meta = append([]byte(nil), m.Bytes(one.Val)...)
		}
	}
	return v.tail, v.meta
}

// opened makes a result a message, so that its parts can be found.
func opened(result []byte) (*strictjson.Message, bool) {
	b := append(append([]byte(`{"jsonrpc":"2.0","id":0,"result":`), result...), '}')
	m, err := strictjson.Decode(b, strictjson.Limits{Upstream: true, Depth: 512, Members: 10_000_000})
	return m, err == nil && m.IsObject(m.Result)
}

// Listen implements edge.Teller.
func (s *Server) Listen(ctx context.Context, r *edge.Request, want edge.Interest, tell func(json.RawMessage)) (edge.Interest, error) {
	if t, ok := s.cfg.Server.(edge.Teller); ok {
		return t.Listen(ctx, r, want, tell)
	}
	return edge.Interest{Tools: want.Tools}, nil
}

// Notified implements edge.Notified.
func (s *Server) Notified(ctx context.Context, r *edge.Request) {
	if n, ok := s.cfg.Server.(edge.Notified); ok {
		n.Notified(ctx, r)
	}
}

// Left implements edge.Leaver.
func (s *Server) Left(ctx context.Context, session string) {
	if l, ok := s.cfg.Server.(edge.Leaver); ok {
		l.Left(ctx, session)
	}
}
