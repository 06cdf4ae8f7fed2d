package bridge

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
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
			return nil, edge.InvalidParams("cursor is not valid; start the list again")
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

// Parts of a cursor, in bytes: version of the catalogue, view, offset, MAC. It names a place and proves nothing; the MAC
// only keeps strangers from making us look for places that are not there.
const (
	cursorVersion = 8
	cursorView    = 8
	cursorOffset  = 4
	cursorMAC     = 8
	cursorSize    = cursorVersion + cursorView + cursorOffset + cursorMAC
)

func (s *Server) cursor(v *view, offset int) string {
	b := append(make([]byte, 0, cursorSize), s.version[:cursorVersion]...)
	b = append(b, v.hash[:cursorView]...)
	b = binary.BigEndian.AppendUint32(b, uint32(offset))
	return base64.RawURLEncoding.EncodeToString(append(b, s.cursorMAC(b)...))
}

func (s *Server) cursorMAC(b []byte) []byte {
	return s.cfg.Keyring.MAC(secret.Cursor, "tools/list", s.cfg.Name, string(b))[:cursorMAC]
}

// resume finds where a cursor goes on in v.
func (s *Server) resume(v *view, cursor string) (offset int, ok bool) {
	if len(cursor) != base64.RawURLEncoding.EncodedLen(cursorSize) {
		return 0, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || subtle.ConstantTimeCompare(b[cursorSize-cursorMAC:], s.cursorMAC(b[:cursorSize-cursorMAC])) != 1 {
		return 0, false
	}
	version, hash := b[:cursorVersion], b[cursorVersion:cursorVersion+cursorView]
	offset = int(binary.BigEndian.Uint32(b[cursorVersion+cursorView:]))
	switch {
	case string(version) == string(s.version[:cursorVersion]):
		return offset, string(hash) == string(v.hash[:cursorView]) && offset <= len(v.tools)
	case s.held != nil && string(version) == string(s.held.version[:cursorVersion]):
		old := s.held.views.byHash(hash)
		if old == nil || offset > len(old.tools) {
			return 0, false
		}
		return after(old.tools[:offset], v.tools), true
	}
	return 0, false
}

// after returns the place in tools behind the last one that the client was shown and that is still there.
func after(shown, tools []*tool) int {
	place := make(map[string]int, len(tools))
	for i, t := range tools {
		place[t.Name] = i + 1
	}
	for i := len(shown) - 1; i >= 0; i-- {
		if p, ok := place[shown[i].Name]; ok {
			return p
		}
	}
	return 0
}
