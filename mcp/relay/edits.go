package relay

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// known reports whether name can name a tool at all (J11).
func (s *Server) known(name string) bool { return mcp.ValidToolName(name) }

// callable reports whether a listed tool can be called by its name. Who was shown another could only try in vain (A4).
func (x *exchange) callable(name string) bool {
	if x.s.known(name) {
		return true
	}
	x.s.odd.LeftOut(x.s.log, x.s.cfg.Name, name, mcp.ToolNameRule)
	return false
}

// cut leaves out of a tools/list what the caller may not see. Entries are cut out of the bytes; what stays is untouched.
func (x *exchange) cut(m *strictjson.Message) ([]splice.Piece, error) {
	if err := spelt(m); err != nil && x.s.guards() {
		return nil, err
	}
	list := m.Member(m.Result, "tools")
	if !list.Present() {
		return nil, nil // an error of the upstream
	}
	tools := m.Elements(list)
	kept, err := x.visible(m, tools)
	if err != nil {
		return nil, err
	}
	x.learn(m, tools)
	set := map[string][]byte{}
	if scope, _ := m.Text(m.Member(m.Result, "cacheScope")); scope == "public" && (x.s.private() || len(kept) < len(tools)) {
		set["cacheScope"] = []byte(`"private"`) // others see another list (T5)
	}
	if instead := x.searched(m, kept); instead != nil {
		if set["tools"] = instead; m.Member(m.Result, "nextCursor").Present() {
			set["nextCursor"] = nil
		}
		return splice.Members(m, m.Result, set), nil
	}
	pieces := append(splice.Members(m, m.Result, set), without(m, tools, kept)...)
	slices.SortFunc(pieces, func(a, b splice.Piece) int { return a.At.Start - b.At.Start })
	return pieces, nil
}

// visible are those of the tools of a page that the caller is shown.
func (x *exchange) visible(m *strictjson.Message, tools []strictjson.Span) (kept []strictjson.Span, err error) {
	withheld, err := x.see(m, tools)
	if err != nil {
		return nil, err
	}
	for _, t := range tools {
		name, ok := m.Text(m.Member(t, "name"))
		if !ok {
			return nil, notMCP("a tool without a name")
		}
		if x.callable(name) && !withheld[name] && x.s.rules.MayUse(x.r.Caller, name) && !x.undeclarable(name, m.Bytes(m.Member(t, "inputSchema"))) {
			kept = append(kept, t)
		}
	}
	return kept, nil
}

// without cuts out of a list what is not kept of it.
func without(m *strictjson.Message, tools, kept []strictjson.Span) []splice.Piece {
	if len(kept) == len(tools) {
		return nil
	}
	var out []byte
	for i, t := range kept {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, m.Bytes(t)...)
	}
	return []splice.Piece{{At: strictjson.Span{Start: tools[0].Start, End: tools[len(tools)-1].End}, With: out}}
}

// private reports whether lists are not the same for everybody who can sign in.
func (s *Server) private() bool { return s.cfg.Private || s.rules.Any() }

// searched returns what stands in place of a long list that is searched (§14); nil: the list stands.
func (x *exchange) searched(m *strictjson.Message, kept []strictjson.Span) []byte {
	if x.s.cfg.Search == nil {
		return nil
	}
	shown := make([]json.RawMessage, len(kept))
	for i, t := range kept {
		shown[i] = m.Bytes(t)
	}
	return x.s.cfg.Search.Instead(x.r.HTTP.Context(), x.r, shown, m.Member(m.Result, "nextCursor").Present())
}

// instruct puts the configured instructions in place of the upstream's, and says that the list is searched where it is.
func (x *exchange) instruct(m *strictjson.Message) ([]splice.Piece, error) {
	if !m.IsObject(m.Result) {
		return nil, nil
	}
	own, _ := m.Text(m.Member(m.Result, "instructions"))
	text := own
	if x.s.cfg.Instructions != "" {
		text = x.s.cfg.Instructions
	}
	if x.s.cfg.Search != nil {
		text = x.s.cfg.Search.Instruct(x.r, text)
	}
	if text == own {
		return nil, nil
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return nil, err
	}
	return splice.Members(m, m.Result, map[string][]byte{"instructions": quoted}), nil
}

// initialize passes the handshake on and reads from the answer what the session needs: the revision that the upstream
// chose (S11), and how it calls the session.
func (x *exchange) initialize(ctx context.Context) (*edge.Passed, error) {
	b, err := x.open(ctx)
	if err != nil {
		return x.fault(err)
	}
	p, err := x.judge(b.answer, b)
	if x.refused && x.s.cfg.Crossing != nil && x.asksLegacy() { // it lists this era and refuses it all the same
		_ = b.Close()
		x.s.cfg.Leg.OnlyModern()
		return nil, edge.ErrCrosses
	}
	if !x.refused && x.s.cfg.Crossing != nil && x.s.cfg.Leg.OldTransport(ctx, behalf(x.r), b.answer.Status) {
		_ = b.Close()
		return nil, edge.ErrCrosses
	}
	if err != nil || p.Body == nil || p.Status != http.StatusOK {
		if p == nil || p.Body == nil {
			_ = b.Close()
		}
		return p, err
	}
	w, err := x.readAll(p)
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	if w.message.Result.Present() {
		revision, ok := w.message.Text(w.message.Member(w.message.Result, "protocolVersion"))
		if !ok || len(revision) > maxRevision {
			_ = b.Close()
			return nil, notMCP("no protocolVersion")
		}
		p.Revision, p.Session = revision, b.answer.Upstream.Get(sessionHeader)
		if len(p.Session) > mcp.MaxUpstreamSession {
			_ = b.Close()
			return nil, notMCP("a session id of more than 512 bytes")
		}
	}
	pieces, err := x.instruct(w.message)
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	return w.passed(p, pieces), nil
}

// asksLegacy reports whether the handshake asks for a revision that there is. What an upstream says to any other tells
// nothing of what it speaks, and a client could ask for it to have everybody translated.
func (x *exchange) asksLegacy() bool {
	asked, _ := x.r.Message.Text(x.r.Message.ProtocolVersionParam)
	return slices.Contains(edge.Supported()[1:], asked)
}

const maxRevision = 32
