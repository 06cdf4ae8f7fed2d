package relay

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/eventstream"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// Tools are cut out of the answer to tools/list. That answer may also come where nobody looks for it: on a stream that a
// client takes up again (E7), which an honest upstream replays, or as a stray answer on any stream, which clients take that go
// by ids alone. What holds for a list holds for it there, too (A1, Q3).

// guards reports whether there are tools that some callers must not see.
func (s *Server) guards() bool { return s.rules.Any() || s.cfg.Pins != nil }

// asksFor reports whether the exchange is a request of this method.
func (x *exchange) asksFor(method string) bool {
	return x.r.Message != nil && x.r.Message.Kind == strictjson.Request && x.r.Message.Method == method
}

// sieve is an event stream that is looked through.
type sieve struct {
	look   func(events []byte) (kept []byte, err error) // at some whole events
	events *eventstream.Reader
	end    io.Closer
	rest   []byte // not handed out yet
	err    error
}

// sifted has a stream looked through that is not the answer to tools/list, which is looked through anyway.
func (x *exchange) sifted(body io.ReadCloser) io.ReadCloser {
	if !x.s.guards() || x.asksFor("tools/list") {
		return body
	}
	return x.through(body, func(events []byte) ([]byte, error) {
		if !mayList(events) {
			return events, nil
		}
		return each(events, x.sift)
	})
}

func (x *exchange) through(body io.ReadCloser, look func(events []byte) ([]byte, error)) *sieve {
	return &sieve{look: look, events: eventstream.NewReader(body, int(x.s.cfg.Limits.Body)), end: body}
}

// Read implements io.Reader.
func (s *sieve) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		if s.rest, s.err = s.events.Next(); s.err == nil {
			s.rest, s.err = s.look(s.rest)
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (s *sieve) Close() error { return s.end.Close() }

// mayList reports whether text can hold the key of a list of tools, in any spelling that some parser takes for it. Most text
// can not, and is not parsed.
func mayList(text []byte) bool {
	for i := 0; i+4 < len(text); i++ {
		if text[i]|0x20 == 't' && text[i+1]|0x20 == 'o' && text[i+2]|0x20 == 'o' && text[i+3]|0x20 == 'l' &&
			(text[i+4]|0x20 == 's' || text[i+4] == "ſ"[0]) {
			return true
		}
	}
	return bytes.Contains(text, []byte(`\u`))
}

// each makes other events of events, one by one.
func each(events []byte, change func(event []byte) ([]byte, error)) (kept []byte, err error) {
	for len(events) > 0 {
		var one []byte
		one, events = eventstream.Split(events)
		if one, err = change(one); err != nil {
			return kept, err
		}
		kept = append(kept, one...)
	}
	return kept, nil
}

// sift returns an event with what the caller may see of it.
func (x *exchange) sift(event []byte) ([]byte, error) {
	data := eventstream.Data(event)
	if !mayList(data) {
		return event, nil
	}
	m, err := strictjson.Decode(bytes.Clone(data), strictjson.Limits{Upstream: true, Depth: maxStrayDepth, Members: maxStrayMembers})
	switch {
	case err != nil && eventstream.Message(event) == nil: // of the upstream's own, for nobody
		return nil, nil
	case err != nil: // what cannot be read here some client may read all the same
		return nil, notMCP(err.Error())
	case m.Kind != strictjson.Response || x.r.Message != nil && x.answers(m):
		return event, nil
	}
	pieces, err := x.cutStray(m)
	if err != nil || pieces == nil {
		return event, err
	}
	return withData(event, splice.Apply(m.Body, pieces)), nil
}

// Answers that are looked at only for being no lists may be deeper and longer than those that are.
const (
	maxStrayDepth   = 512
	maxStrayMembers = 10_000_000
)

// cutStray cuts a list of tools that nobody asked for here. It is a page of the whole, as far as is known.
func (x *exchange) cutStray(m *strictjson.Message) ([]splice.Piece, error) {
	if err := spelt(m); err != nil {
		return nil, err
	}
	tools := m.Elements(m.Member(m.Result, "tools"))
	if len(tools) == 0 {
		return nil, nil
	}
	kept, err := x.visible(m, tools)
	if err != nil {
		return nil, err
	}
	set := map[string][]byte{}
	if m.Member(m.Result, "cacheScope").Present() {
		set["cacheScope"] = []byte(`"private"`)
	}
	pieces := append(splice.Members(m, m.Result, set), without(m, tools, kept)...)
	slices.SortFunc(pieces, func(a, b splice.Piece) int { return a.At.Start - b.At.Start })
	return pieces, nil
}

// spelt refuses a list beside which there is another one for readers who do not mind the case of keys.
func spelt(m *strictjson.Message) error {
	for _, one := range m.Members(strictjson.Span{Start: bytes.IndexByte(m.Body, '{'), End: len(m.Body)}) {
		if one.Key != "result" && strings.EqualFold(one.Key, "result") {
			return notMCP("the key " + one.Key + " beside result")
		}
	}
	for _, one := range m.Members(m.Result) {
		if one.Key != "tools" && strings.EqualFold(one.Key, "tools") {
			return notMCP("the key " + one.Key + " for tools")
		}
	}
	return nil
}
