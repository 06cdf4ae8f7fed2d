package crossing

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
)

// list answers with what the upstream lists, without what the caller may not see, page by page. Entries are the upstream's
// bytes in its order (T1).
func (s *Server) list(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	all, items, err := s.listed(ctx, r)
	if err != nil {
		return nil, err
	}
	offset, err := s.offset(r, all, items)
	if err != nil {
		return nil, err
	}
	end := len(items)
	if s.cfg.Page > 0 {
		end = min(end, offset+s.cfg.Page)
	}
	b := append([]byte(`{"`), upstream.Listed(r.Message.Method)...)
	b = append(b, `":[`...)
	for i, item := range items[offset:end] {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, item...)
	}
	b = append(b, ']')
	if end < len(items) {
		b = append(append(b, `,"nextCursor":`...), quote(s.cursors(r).Write(listing.Place{Version: version(all), View: s.viewKey(r), Offset: end}))...)
	}
	if !r.Modern {
		return append(b, '}'), nil
	}
	return s.modernTail(ctx, r, b), nil
}

// listed is what the upstream lists, and what the caller may see of it.
func (s *Server) listed(ctx context.Context, r *edge.Request) (all *upstream.List, items []json.RawMessage, err error) {
	if r.Message.Method != "tools/list" {
		if all, err = s.cfg.Leg.List(ctx, behalf(r), r.Message.Method); err != nil {
			return nil, nil, err
		}
		return all, all.Items, nil
	}
	all, withheld, err := s.tools(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	return all, s.visible(r, all.Items, withheld), nil
}

// modernTail ends a list with what modern clients are told: how long it holds, and for whom (T5).
func (s *Server) modernTail(ctx context.Context, r *edge.Request, b []byte) json.RawMessage {
	b = fmt.Appendf(b, `,"resultType":"complete","ttlMs":%d,"cacheScope":"private"`, s.cfg.ListTTL.Milliseconds())
	if info, err := s.info(ctx, r); err == nil {
		b = append(append(b, `,"_meta":`...), s.serverMeta(info)...)
	}
	return append(b, '}')
}

// visible leaves out tools that the caller may not use (A1), those that are held back (Q3), and those that a modern client would have to drop (U1).
func (s *Server) visible(r *edge.Request, items []json.RawMessage, withheld map[string]bool) []json.RawMessage {
	kept := make([]json.RawMessage, 0, len(items))
	for _, item := range items {
		m, at, ok := opened(item)
		if !ok {
			continue
		}
		name, ok := m.Text(m.Member(at, "name"))
		if !ok || !s.rules.MayUse(r.Caller, name) {
			continue
		}
		if !mcp.ValidToolName(name) { // J11: a call of it would be one of an unknown tool
			s.odd.LeftOut(s.log, s.cfg.Name, name, mcp.ToolNameRule)
			continue
		}
		if withheld[name] {
			continue
		}
		if err := paramheader.Fault(m.Bytes(m.Member(at, "inputSchema"))); err != nil && r.Modern {
			s.odd.LeftOut(s.log, s.cfg.Name, name, "for modern clients: "+err.Error())
			continue
		}
		kept = append(kept, item)
	}
	return kept
}

func version(l *upstream.List) listing.Key { return listing.KeyOf(l.Hash[:]) }

func (s *Server) viewKey(r *edge.Request) listing.Key {
	sum := sha256.Sum256([]byte(s.View(r.Caller)))
	if r.Modern {
		sum[0] ^= 1 // tools that modern clients drop make another list
	}
	return listing.KeyOf(sum[:])
}

func (s *Server) cursors(r *edge.Request) listing.Cursors {
	return listing.Cursors{Keyring: s.cfg.Keyring, List: r.Message.Method, Server: s.cfg.Name}
}

// offset is where the client's cursor goes on. A list that changed meanwhile begins anew: what was shown of it is not kept.
func (s *Server) offset(r *edge.Request, all *upstream.List, items []json.RawMessage) (int, error) {
	m := r.Message
	if !m.Cursor.Present() {
		return 0, nil
	}
	text, _ := m.Text(m.Cursor)
	place, ok := s.cursors(r).Read(text)
	if !ok || place.Version != version(all) || place.View != s.viewKey(r) || place.Offset > len(items) {
		return 0, edge.InvalidParams("cursor is not valid; start the list again")
	}
	return place.Offset, nil
}

// withheld reports whether a notification must not reach the client: log messages that a modern client did not ask for (S26).
func withheld(r *edge.Request, m *strictjson.Message) bool {
	return r.Modern && r.LogLevel == "" && m.Method == "notifications/message"
}

// Definition is a tool as tools/list shows it.
type Definition struct {
	Name string
	Wire json.RawMessage
}

// Tools lists the tools the caller sees, in the order of tools/list and without pages.
func (s *Server) Tools(ctx context.Context, r *edge.Request) ([]Definition, error) {
	all, withheld, err := s.tools(ctx, r)
	if err != nil {
		return nil, err
	}
	var list []Definition
	for _, item := range s.visible(r, all.Items, withheld) {
		if m, at, ok := opened(item); ok {
			name, _ := m.Text(m.Member(at, "name"))
			list = append(list, Definition{name, item})
		}
	}
	return list, nil
}
