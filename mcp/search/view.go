package search

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// view is one list of tools, for everybody who sees the same, with what is needed to search it.
type view struct {
	searched bool
	tools    []Tool
	byName   map[string]int

	mu   sync.Mutex
	tail []byte // what ends a modern list; nil: not asked for yet
	meta []byte

	begun atomic.Bool
	build sync.Once
	index *openapi.Index
	facts []facts
}

// facts are what find_tools says of a tool, read from its definition once.
type facts struct {
	title, description string
	arguments          []string // optional ones end in ?
	readOnly           bool
}

// seen is what was found last of one caller's list, or of one view of the wrapped server. The list itself is its view's.
type seen struct {
	own         string // what the wrapped server called the view
	hash        string // of the list
	tools, size int
	named       bool // has a tool of its own that is named like one of the three
	at          time.Time
}

func newSeen(own string, tools []Tool, at time.Time) seen {
	e := seen{own: own, hash: hashOf(tools), tools: len(tools), size: len(`{"tools":[]}`) - 1, at: at}
	for _, t := range tools {
		e.size += len(t.Wire) + 1
		e.named = e.named || slices.Contains(Names(), t.Name)
	}
	return e
}

// searches decides whether such a list is searched, under the bounds of this server: a tool of the server's own that is named
// like one of the three wins (F8).
func (s *Server) searches(e seen) bool {
	return e.tools > 0 && !e.named && (s.cfg.Mode == On || s.cfg.Mode == Auto && s.cfg.Above.passed(e.tools, e.size))
}

// viewOf returns what the caller sees, from the list of the wrapped server. Lists that are the same share one view.
func (s *Server) viewOf(ctx context.Context, r *edge.Request) (*view, error) {
	if s.cfg.Mode == Off {
		return &view{}, nil
	}
	if v, ok := s.fresh(r.Caller, s.cfg.Server.View(r.Caller)); ok {
		return v.ahead(), nil
	}
	return s.asked(ctx, r)
}

// asked is viewOf without a look at what was found before.
func (s *Server) asked(ctx context.Context, r *edge.Request) (*view, error) {
	own := s.cfg.Server.View(r.Caller)
	tools, err := s.cfg.Tools(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.found(r.Caller, own, tools).ahead(), nil
}

// fresh returns the view that was found out lately; ok is false when it has to be found out anew.
func (s *Server) fresh(c *identity.Caller, own string) (v *view, ok bool) {
	e, ok := s.seen.Get(s.keyOf(c, own))
	if !ok || e.own != own || s.cfg.Remote && !s.now().Before(e.at.Add(s.cfg.TTL)) {
		return nil, false
	}
	return s.views.Get(e.hash)
}

// lately reports whether the list was searched when it was found last, however long ago, or as it can be told without asking.
func (s *Server) lately(c *identity.Caller) bool {
	if s.cfg.Mode == Off {
		return false
	}
	if !s.cfg.Remote {
		v, err := s.viewOf(context.Background(), &edge.Request{Caller: c})
		return err == nil && v.searched
	}
	if e, ok := s.seen.Get(s.keyOf(c, "")); ok {
		return s.searches(e)
	}
	return s.cfg.Known != nil && s.searches(newSeen("", s.cfg.Known(c), time.Time{}))
}

func (s *Server) found(c *identity.Caller, own string, tools []Tool) *view {
	key, e := s.keyOf(c, own), newSeen(own, tools, s.now())
	s.seen.Delete(key)
	s.seen.Make(key, func() (seen, int) { return e, 0 })
	return s.made(e, tools)
}

// made is the view of a list, which callers who see the same share.
func (s *Server) made(e seen, tools []Tool) *view {
	return s.views.Make(e.hash, func() (*view, int) { return newView(tools, s.searches(e)), e.size })
}

// keyOf is by whom a list is known: by everybody of the same view, or by one caller alone.
func (s *Server) keyOf(c *identity.Caller, own string) string {
	if !s.cfg.Remote {
		return own
	}
	return string(c.Kind) + "\x00" + c.Subject + "\x00" + c.Subscription.ID
}

func hashOf(tools []Tool) string {
	h := sha256.New()
	for _, t := range tools {
		fmt.Fprintf(h, "%d:", len(t.Wire))
		h.Write(t.Wire)
	}
	return string(h.Sum(nil))
}

func newView(tools []Tool, searched bool) *view {
	v := &view{searched: searched, tools: tools, byName: make(map[string]int, len(tools))}
	for i, t := range tools {
		v.byName[t.Name] = i
	}
	return v
}

// ahead has the index built with the list, so that the first search finds it there (F4).
func (v *view) ahead() *view {
	if v.searched && v.begun.CompareAndSwap(false, true) {
		go v.made()
	}
	return v
}

// made builds the index once; whoever needs it meanwhile waits.
func (v *view) made() *view {
	v.build.Do(func() {
		v.facts = make([]facts, len(v.tools))
		entries := make([]*openapi.Tool, len(v.tools))
		for i, t := range v.tools {
			var schema json.RawMessage
			v.facts[i], schema = read(t.Wire)
			entries[i] = &openapi.Tool{
				Name: t.Name, Title: v.facts[i].title, Description: v.facts[i].description, Tags: t.Tags, Path: t.Path, InputSchema: schema,
			}
		}
		v.index = openapi.NewIndex(entries)
	})
	return v
}

// read takes from a definition what a search result shows.
func read(wire json.RawMessage) (f facts, schema json.RawMessage) {
	d, ok := opened(wire)
	if !ok {
		return f, nil // what cannot be read is not shown
	}
	f.title, _ = d.Text(d.Member(d.Result, "title"))
	f.description, _ = d.Text(d.Member(d.Result, "description"))
	annotations := d.Member(d.Result, "annotations")
	if f.title == "" {
		f.title, _ = d.Text(d.Member(annotations, "title"))
	}
	f.readOnly = string(d.Bytes(d.Member(annotations, "readOnlyHint"))) == "true"
	schema = d.Bytes(d.Member(d.Result, "inputSchema"))
	f.arguments = argumentsOf(schema)
	return f, schema
}

// argumentsOf names the arguments: those that are required, then those that may be left out, with a question mark; each in
// the order of the schema.
func argumentsOf(schema json.RawMessage) []string {
	m, ok := opened(schema)
	if !ok {
		return nil
	}
	required := map[string]bool{}
	for _, one := range m.Elements(m.Member(m.Result, "required")) {
		if name, ok := m.Text(one); ok {
			required[name] = true
		}
	}
	var names, optional []string
	for _, p := range m.Members(m.Member(m.Result, "properties")) {
		if required[p.Key] {
			names = append(names, p.Key)
		} else {
			optional = append(optional, p.Key+"?")
		}
	}
	return append(names, optional...)
}

// short keeps a description short, on one line (§14).
func short(text string) string {
	const most = 200
	text = strings.Join(strings.Fields(text), " ")
	if len([]rune(text)) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
