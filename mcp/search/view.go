package search

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/openapi"
)

// view is one list of tools, for everybody who sees the same, with what is needed to search it.
type view struct {
	searched bool
	tools    []Tool
	byName   map[string]int

	mu   sync.Mutex
	tail []byte // what ends a modern list; nil: not asked for yet
	meta []byte

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

// viewOf returns what the caller sees, from the list of the wrapped server. Lists that are the same share one view.
func (s *Server) viewOf(ctx context.Context, r *edge.Request) (*view, error) {
	if s.cfg.Mode == Off {
		return &view{}, nil
	}
	key := s.viewKey(r)
	if v, ok := s.known(key); ok {
		return v, nil
	}
	tools, err := s.cfg.Tools(ctx, r)
	if err != nil {
		return nil, err
	}
	v := s.views.Make(hashOf(tools), func() (*view, int) { return s.newView(tools) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fresh) >= maxViews {
		clear(s.fresh)
	}
	s.fresh[key] = freshView{v, s.now()}
	return v, nil
}

func (s *Server) viewKey(r *edge.Request) string {
	key := s.cfg.Server.View(r.Caller)
	if s.cfg.PerCaller {
		key += "\x00" + string(r.Caller.Kind) + "\x00" + r.Caller.Subject + "\x00" + r.Caller.Subscription.ID
	}
	return key
}

// known returns the view that was found out lately.
func (s *Server) known(key string) (*view, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.fresh[key]
	return k.view, ok && (s.cfg.TTL <= 0 || s.now().Before(k.at.Add(s.cfg.TTL)))
}

func hashOf(tools []Tool) string {
	h := sha256.New()
	for _, t := range tools {
		fmt.Fprintf(h, "%d:", len(t.Wire))
		h.Write(t.Wire)
	}
	return string(h.Sum(nil))
}

// newView decides whether this list is searched: a tool of the server's own that is named like one of the three wins (F8).
func (s *Server) newView(tools []Tool) (*view, int) {
	v := &view{tools: tools, byName: make(map[string]int, len(tools))}
	size := 0
	for i, t := range tools {
		v.byName[t.Name] = i
		size += len(t.Wire) + 1
	}
	long := len(tools) > s.cfg.Above.Tools || int64(size) > s.cfg.Above.Bytes
	v.searched = len(tools) > 0 && (s.cfg.Mode == On || s.cfg.Mode == Auto && long) && !slices.ContainsFunc(Names(), func(name string) bool {
		_, own := v.byName[name]
		return own
	})
	if v.searched {
		go v.made() // with the list, so that the first search finds it there (F4)
	}
	return v, size
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
	var d struct {
		Title       string          `json:"title"`
		Description string          `json:"description"`
		InputSchema json.RawMessage `json:"inputSchema"`
		Annotations struct {
			Title    string `json:"title"`
			ReadOnly bool   `json:"readOnlyHint"`
		} `json:"annotations"`
	}
	_ = json.Unmarshal(wire, &d) // what cannot be read is not shown
	f = facts{title: d.Title, description: d.Description, readOnly: d.Annotations.ReadOnly}
	if f.title == "" {
		f.title = d.Annotations.Title
	}
	f.arguments = argumentsOf(d.InputSchema)
	return f, d.InputSchema
}

// argumentsOf names the arguments in the order of the schema, those that may be left out with a question mark.
func argumentsOf(schema json.RawMessage) []string {
	m, ok := opened(schema)
	if !ok {
		return nil
	}
	var required []string
	for _, one := range m.Elements(m.Member(m.Result, "required")) {
		if name, ok := m.Text(one); ok {
			required = append(required, name)
		}
	}
	var names []string
	for _, p := range m.Members(m.Member(m.Result, "properties")) {
		if !slices.Contains(required, p.Key) {
			p.Key += "?"
		}
		names = append(names, p.Key)
	}
	return names
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
