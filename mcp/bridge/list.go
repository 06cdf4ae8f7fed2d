package bridge

import (
	"encoding/json"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
)

// list answers tools/list with bytes that were made before, page by page (T2, T6, X2).
func (s *Server) list(r *edge.Request) (json.RawMessage, error) {
	v := s.viewOf(r.Caller)
	offset := 0
	if m := r.Message; m.Cursor.Present() {
		text, ok := m.Text(m.Cursor)
		if ok {
			offset, ok = s.resume(v, text)
		}
		if !ok {
			return nil, badCursor()
		}
	}
	return s.page(v, offset, r.Modern), nil
}

func (s *Server) page(v *view, offset int, modern bool) []byte {
	key := pageKey{offset, modern}
	v.mu.Lock()
	body, ok := v.pages[key]
	if !ok {
		body = s.makePage(v, offset, modern)
		v.pages[key] = body
	}
	v.mu.Unlock()
	if !ok {
		s.views.grown(v, len(body))
	}
	return body
}

func (s *Server) makePage(v *view, offset int, modern bool) []byte {
	end := len(v.tools)
	if s.cfg.Page > 0 {
		end = min(end, offset+s.cfg.Page)
	}
	size := 256 + len(s.tail)
	for _, t := range v.tools[offset:end] {
		size += len(t.wire) + 1
	}
	b := append(make([]byte, 0, size), `{"tools":[`...)
	for i, t := range v.tools[offset:end] {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, t.wire...)
	}
	b = append(b, ']')
	if end < len(v.tools) {
		b = appendMember(b, "nextCursor", s.cursor(v, end))
	}
	if modern {
		return append(b, s.tail...)
	}
	return append(b, '}')
}

func (s *Server) cursors() listing.Cursors {
	return listing.Cursors{Keyring: s.cfg.Keyring, List: "tools/list", Server: s.cfg.Name}
}

func (s *Server) cursor(v *view, offset int) string {
	return s.cursors().Write(listing.Place{Version: listing.KeyOf(s.version[:]), View: listing.KeyOf(v.hash[:]), Offset: offset})
}

// resume finds where a cursor goes on in v.
func (s *Server) resume(v *view, cursor string) (offset int, ok bool) {
	p, ok := s.cursors().Read(cursor)
	switch {
	case !ok:
		return 0, false
	case p.Version == listing.KeyOf(s.version[:]):
		return p.Offset, p.View == listing.KeyOf(v.hash[:]) && p.Offset <= len(v.tools)
	case s.held != nil && p.Version == listing.KeyOf(s.held.version[:]):
		old := s.held.views.byHash(p.View[:])
		if old == nil || p.Offset > len(old.tools) {
			return 0, false
		}
		return listing.After(old.tools[:p.Offset], v.tools, func(t *tool) string { return t.Name }), true
	}
	return 0, false
}

func badCursor() error { return edge.InvalidParams("cursor is not valid; start the list again") }
