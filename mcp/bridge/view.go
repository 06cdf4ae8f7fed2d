package bridge

import (
	"container/list"
	"crypto/sha256"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const (
	maxViews     = 1000
	maxViewBytes = 64 << 20
)

// view is what callers with the same rights see: a set of tools and the bytes of its lists (T2).
type view struct {
	tools []*tool
	hash  [sha256.Size]byte // over the tools as they stand in the list

	mu    sync.Mutex
	pages map[pageKey][]byte
}

type pageKey struct {
	offset int
	modern bool
}

// views remembers views by the rules they fulfil: ten thousand people with two role sets are two views. The least
// recently used ones go when there are many.
type views struct {
	all   []*tool
	rules *access.Rules

	mu    sync.Mutex
	byKey map[string]*list.Element // of *keyed
	byUse *list.List               // most recent first
	bytes int
}

type keyed struct {
	key   string
	view  *view
	bytes int
}

// held is an earlier catalogue whose cursors still go on (T6).
type held struct {
	version [sha256.Size]byte
	views   *views
}

func newViews(all []*tool, rules *access.Rules) *views {
	return &views{all: all, rules: rules, byKey: map[string]*list.Element{}, byUse: list.New()}
}

// viewOf returns the caller's view: one decision for list, call and everything else that shows tools (A4).
func (s *Server) viewOf(c *identity.Caller) *view { return s.views.get(s.rules.Key(c)) }

func (v *views) get(key string) *view {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e, ok := v.byKey[key]; ok {
		v.byUse.MoveToFront(e)
		return e.Value.(*keyed).view
	}
	made := newView(v.all, v.rules, key)
	v.byKey[key] = v.byUse.PushFront(&keyed{key: key, view: made})
	v.shrink()
	return made
}

func newView(all []*tool, rules *access.Rules, key string) *view {
	made := &view{pages: map[pageKey][]byte{}}
	h := sha256.New()
	for _, t := range all {
		if !rules.Sees(key, t.Name) {
			continue
		}
		made.tools = append(made.tools, t)
		h.Write(t.wire)
		h.Write([]byte{'\n'})
	}
	h.Sum(made.hash[:0])
	return made
}

// grown counts the bytes of a page that was just made.
func (v *views) grown(of *view, bytes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for e := v.byUse.Front(); e != nil; e = e.Next() {
		if k := e.Value.(*keyed); k.view == of {
			k.bytes += bytes
			v.bytes += bytes
			break
		}
	}
	v.shrink()
}

func (v *views) shrink() {
	for v.byUse.Len() > 1 && (v.byUse.Len() > maxViews || v.bytes > maxViewBytes) {
		k := v.byUse.Remove(v.byUse.Back()).(*keyed)
		delete(v.byKey, k.key)
		v.bytes -= k.bytes
	}
}

// byHash returns the view a cursor was made for, if it is still remembered.
func (v *views) byHash(start []byte) *view {
	v.mu.Lock()
	defer v.mu.Unlock()
	for e := v.byUse.Front(); e != nil; e = e.Next() {
		if k := e.Value.(*keyed); string(k.view.hash[:len(start)]) == string(start) {
			return k.view
		}
	}
	return nil
}

// ToolInfos lists the tools the caller sees, in the order of tools/list.
func (s *Server) ToolInfos(c *identity.Caller) []ToolInfo {
	tools := s.viewOf(c).tools
	infos := make([]ToolInfo, len(tools))
	for i, t := range tools {
		infos[i] = t.info()
	}
	return infos
}

// AllTools lists every tool of the server, whoever may use it: for administrators.
func (s *Server) AllTools() []ToolInfo {
	infos := make([]ToolInfo, len(s.tools))
	for i, t := range s.tools {
		infos[i] = t.info()
	}
	return infos
}

// Definition is a tool as tools/list shows it, with what it is found by.
type Definition struct {
	Name string
	Wire []byte // not to be changed
	Tags []string
	API  string
	Path string
}

// Definitions lists the tools the caller sees, in the order of tools/list.
func (s *Server) Definitions(c *identity.Caller) []Definition {
	tools := s.viewOf(c).tools
	list := make([]Definition, len(tools))
	for i, t := range tools {
		list[i] = Definition{Name: t.Name, Wire: t.wire, Tags: t.Tags, API: t.API, Path: t.Path}
	}
	return list
}

// AllDefinitions lists every tool of the server, whoever may use it: for administrators.
func (s *Server) AllDefinitions() []Definition {
	list := make([]Definition, len(s.tools))
	for i, t := range s.tools {
		list[i] = Definition{Name: t.Name, Wire: t.wire, Tags: t.Tags, API: t.API, Path: t.Path}
	}
	return list
}
