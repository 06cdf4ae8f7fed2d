package combined

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
)

const (
	maxViews     = 1000
	maxViewBytes = 64 << 20
)

// view is one list as callers with the same rights see it, while the sources' lists are the same (T2).
type view struct {
	key     string
	version listing.Key // of the sources' lists
	hash    listing.Key // of what is seen of them
	items   []*item
	private bool // T5
	size    int  // bytes that it keeps from being forgotten, pages apart

	mu    sync.Mutex
	pages map[pageKey][]byte
}

type pageKey struct {
	offset  int
	modern  bool
	partial bool
}

// part is what one source gives to a list; nil when it failed and has no last good one.
type part = *list

// gather asks the sources for one list, all at once, and waits for each at most answerTime (C5). It fails only when every
// source does.
func (s *Server) gather(ctx context.Context, r *edge.Request, method string) (parts []part, partial bool, err error) {
	parts = make([]part, len(s.sources))
	failed := make([]error, len(s.sources))
	var wait sync.WaitGroup
	for i, src := range s.sources {
		b := src.lists[method]
		if l, _, fresh := b.peek(r); fresh {
			parts[i] = l
			continue
		}
		wait.Go(func() { parts[i], failed[i] = b.get(ctx, r) })
	}
	wait.Wait()
	works := false
	for i := range parts {
		if failed[i] == nil {
			works = true
			continue
		}
		partial, err = true, failed[i]
	}
	if works {
		err = nil
	} else if err != nil {
		err = unavailable(err)
	}
	return parts, partial, err
}

// viewOf merges the parts of a list into what the caller sees: by source in the order of `from`, then the source's own (C6).
func (s *Server) viewOf(ctx context.Context, r *edge.Request, method string) (v *view, partial bool, err error) {
	parts, partial, err := s.gather(ctx, r, method)
	if err != nil {
		return nil, false, err
	}
	rules := ""
	if method == toolsList {
		rules = s.rules.Key(r.Caller)
		if s.cfg.Hold != nil {
			rules += "\x00" + s.cfg.Hold.Version()
		}
	}
	key := viewKey(method, parts, rules)
	if v, ok := s.views.Get(key); ok {
		return v, partial, nil
	}
	made := s.newView(ctx, r, method, parts, key)
	return s.views.Make(key, func() (*view, int) { return made, made.size }), partial, nil
}

func viewKey(method string, parts []part, rules string) string {
	b := make([]byte, 0, len(method)+len(parts)*(sha256.Size+1)+len(rules)+1)
	b = append(append(b, method...), 0)
	for _, p := range parts {
		switch {
		case p == nil:
			b = append(b, 0)
			continue
		case p.private:
			b = append(b, 2)
		default:
			b = append(b, 1)
		}
		b = append(b, p.hash[:]...)
	}
	return string(append(append(b, 0), rules...))
}

func (s *Server) newView(ctx context.Context, r *edge.Request, method string, parts []part, key string) *view {
	v := &view{key: key, pages: map[pageKey][]byte{}, private: s.private}
	of, _ := kindOf(method)
	version, seen := sha256.New(), sha256.New()
	taken := map[string]string{}
	for i, p := range parts {
		if p == nil {
			version.Write([]byte{0})
			continue
		}
		version.Write(p.hash[:])
		v.private = v.private || p.private
		var withheld map[string]bool
		if method == toolsList {
			withheld = s.sources[i].withheld(p)
		}
		for _, one := range p.items {
			if method == toolsList && (withheld[one.public] || !s.MayUse(r.Caller, one.public)) {
				continue
			}
			if first, twice := taken[one.public]; !of.names && twice {
				s.log.WarnContext(ctx, "two parts of a combined server list the same address; the first one is asked for it (mcp.md C2)",
					"server", s.cfg.Name, "source", s.sources[i].As, "first", first, "address", mcp.Clip(one.public))
				continue
			}
			taken[one.public] = s.sources[i].As
			v.items = append(v.items, one)
			if v.size += 16; !s.sources[i].Made {
				v.size += len(one.wire)
			}
			seen.Write(one.wire)
			seen.Write([]byte{'\n'})
		}
	}
	v.version, v.hash = listing.KeyOf(version.Sum(nil)), listing.KeyOf(seen.Sum(nil))
	return v
}

// answerList answers one of the four lists with bytes that were made before, page by page (T2, T6, T8).
func (s *Server) answerList(ctx context.Context, r *edge.Request, method string) (json.RawMessage, error) {
	v, partial, err := s.viewOf(ctx, r, method)
	if err != nil {
		return nil, err
	}
	offset := 0
	if m := r.Message; m.Cursor.Present() {
		text, ok := m.Text(m.Cursor)
		if ok {
			offset, ok = s.resume(v, method, text)
		}
		if !ok {
			return nil, edge.InvalidParams("cursor is not valid; start the list again")
		}
	}
	return s.page(v, method, pageKey{offset, r.Modern, partial}), nil
}

func (s *Server) page(v *view, method string, key pageKey) []byte {
	v.mu.Lock()
	body, ok := v.pages[key]
	if !ok {
		body = s.makePage(v, method, key)
		v.pages[key] = body
	}
	v.mu.Unlock()
	if !ok {
		s.views.Grow(v.key, len(body))
	}
	return body
}

func (s *Server) makePage(v *view, method string, key pageKey) []byte {
	end := len(v.items)
	if s.cfg.Page > 0 {
		end = min(end, key.offset+s.cfg.Page)
	}
	of, _ := kindOf(method)
	size := 512
	for _, one := range v.items[key.offset:end] {
		size += len(one.wire) + 1
	}
	b := append(make([]byte, 0, size), `{"`+of.member+`":[`...)
	for i, one := range v.items[key.offset:end] {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, one.wire...)
	}
	b = append(b, ']')
	if end < len(v.items) {
		next := listing.Place{Version: v.version, View: v.hash, Offset: end}
		b = append(append(append(b, `,"nextCursor":"`...), s.cursors(method).Write(next)...), '"')
	}
	if key.modern {
		return append(b, s.tail(v.private, key.partial)...)
	}
	return append(b, '}')
}

func (s *Server) cursors(method string) listing.Cursors {
	return listing.Cursors{Keyring: s.cfg.Keyring, List: method, Server: s.cfg.Name}
}

// resume finds where a cursor goes on in v: in the same list at its offset, in a newer one behind what the client saw last.
func (s *Server) resume(v *view, method, cursor string) (offset int, ok bool) {
	p, ok := s.cursors(method).Read(cursor)
	switch {
	case !ok:
		return 0, false
	case p.Version == v.version && p.View == v.hash:
		return p.Offset, p.Offset <= len(v.items)
	case p.Version == v.version: // of somebody who sees other things
		return 0, false
	}
	same := func(old *view) bool { return old.version == p.Version && old.hash == p.View }
	old, ok := s.views.Find(same)
	if !ok && s.held != nil {
		old, ok = s.held.Find(same)
	}
	if !ok || p.Offset > len(old.items) {
		return 0, false
	}
	return listing.After(old.items[:p.Offset], v.items, func(one *item) string { return one.public }), true
}
