package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/eventstream"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
)

const (
	maxName  = 2 << 10 // bytes of what names a page that is kept
	maxAhead = 1 << 20 // of an answer that is read only to be kept
)

// list passes the request for a list on, or answers it with what the upstream said to another while that holds (T3, T8).
// Every caller's answer is cut from the same page; with nil nothing is cut, and what cannot be kept is not looked into.
func (x *exchange) list(ctx context.Context, with editor) (*edge.Passed, error) {
	of, ok := x.page()
	if !ok {
		return x.edit(ctx, with, with != nil)
	}
	var p *edge.Passed
	var w *whole
	var err error
	asked := false
	kept := x.s.cfg.Leg.Page(ctx, behalf(x.r), of, func() *strictjson.Message {
		asked = true
		if p, w, err = x.fetch(ctx, with != nil); w == nil || !x.answers(w.message) {
			return nil
		}
		return w.message
	})
	switch {
	case kept != nil:
		return remembered(kept, with)
	case !asked:
		return x.edit(ctx, with, with != nil) // which says how ctx ended
	case w == nil:
		return p, err
	case with == nil:
		return w.passed(p, nil), nil
	}
	return w.edited(p, with)
}

// page names what a request asks for, by what its caller wrote. ok is false when there is more of it than answers can be kept
// by: who could have an answer made by something that is not in its name would choose what others are shown. What the client
// calls itself (User-Agent, clientInfo), its log level and its trace are not in the name: lists vary by none of them (T7).
func (x *exchange) page() (of upstream.PageOf, ok bool) {
	m, h := x.r.Message, x.r.HTTP.Header
	for _, member := range m.Members(m.Params) {
		if member.Key != "cursor" && member.Key != "_meta" {
			return of, false
		}
	}
	for _, member := range m.Members(m.Meta) {
		if !plainMeta(member.Key) {
			return of, false
		}
	}
	for name := range h {
		if name == "Baggage" || name == "Mcp-Name" || strings.HasPrefix(name, paramPrefix) {
			return of, false
		}
	}
	of = upstream.PageOf{
		Method: m.Method, Revision: x.r.Revision, Offers: offers(x.r.Capabilities), Cursor: string(m.Bytes(m.Cursor)),
		Language: strings.Join(h["Accept-Language"], ","),
	}
	return of, len(of.String()) <= maxName
}

// plainMeta reports whether a member of _meta says nothing that a list is made by, or is in a page's name as it is.
func plainMeta(key string) bool {
	switch key {
	case "progressToken", "traceparent", "tracestate",
		"io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities", "io.modelcontextprotocol/clientInfo",
		"io.modelcontextprotocol/logLevel":
		return true
	}
	return false
}

// offers is what a client declares, as far as lists are made by it: what it can be asked, or all of it where it declares
// something else, an extension for one.
func offers(capabilities json.RawMessage) string {
	var all map[string]json.RawMessage
	if json.Unmarshal(capabilities, &all) == nil {
		for name := range all {
			if name != "elicitation" && name != "roots" && name != "sampling" {
				return string(capabilities)
			}
		}
	}
	return string(edge.Offers(capabilities))
}

// remembered is the answer to a request that did not go up.
func remembered(m *strictjson.Message, with editor) (*edge.Passed, error) {
	var pieces []splice.Piece
	if with != nil {
		var err error
		if pieces, err = with(m); err != nil {
			return nil, err
		}
	}
	text := splice.Apply(m.Body, pieces) // all of them are in the result
	grown := len(text) - len(m.Body)
	return &edge.Passed{Status: http.StatusOK, Header: http.Header{}, Result: text[m.Result.Start : m.Result.End+grown]}, nil
}

// fetch asks the upstream and reads its answer; w is nil where p is to be passed on as it is.
func (x *exchange) fetch(ctx context.Context, need bool) (p *edge.Passed, w *whole, err error) {
	p, err = x.forward(ctx)
	switch {
	case err != nil || p.Body == nil || p.Status != http.StatusOK:
		return p, nil, err
	case need:
		if w, err = x.readAll(p); err != nil {
			p.Close()
			return nil, nil, err
		}
		return p, w, nil
	case p.Stream:
		return p, x.firstEvent(p), nil
	default:
		return p, x.shortText(p), nil
	}
}

// firstEvent reads the answer when the stream begins with it. What comes ahead of an answer must not wait for it (§9.1).
func (x *exchange) firstEvent(p *edge.Passed) *whole {
	var raw bytes.Buffer
	body := p.Body
	p.Body = ahead{io.MultiReader(&raw, body), body}
	some, err := eventstream.NewReader(io.TeeReader(body, &raw), maxAhead).Next()
	if err != nil {
		return nil // the client's reader meets it, too
	}
	event, _ := eventstream.Split(some)
	m, err := x.messageIn(event)
	if err != nil || m == nil || !x.answers(m) {
		return nil
	}
	return &whole{end: body, event: bytes.Clone(event), message: m}
}

// shortText reads an answer that is not too long to be kept.
func (x *exchange) shortText(p *edge.Passed) *whole {
	if p.Length > maxAhead {
		return nil
	}
	var raw bytes.Buffer
	body := p.Body
	p.Body = ahead{io.MultiReader(&raw, body), body}
	text, err := io.ReadAll(io.TeeReader(io.LimitReader(body, maxAhead+1), &raw))
	if err != nil || len(text) > maxAhead {
		return nil
	}
	m, err := x.decode(text)
	if err != nil || !x.answers(m) {
		return nil
	}
	return &whole{end: body, message: m}
}

// answers reports whether a message is the answer to the client's request.
func (x *exchange) answers(m *strictjson.Message) bool {
	return m.Kind == strictjson.Response && bytes.Equal(m.Bytes(m.ID), x.r.Message.Bytes(x.r.Message.ID))
}

// ahead is a body of which some was read; it is handed out again.
type ahead struct {
	io.Reader
	io.Closer
}

// changes looks on an event stream for word that a list is another now. How it is written is the upstream's own business;
// to forget a list without need does no harm.
type changes struct{ tail []byte }

func (c *changes) told(by []byte) bool {
	if c == nil || len(by) == 0 {
		return false
	}
	const word, keep = "list_changed", len("list_changed") - 1
	c.tail = append(c.tail, by[:min(keep, len(by))]...)
	told := bytes.Contains(by, []byte(word)) || bytes.Contains(c.tail, []byte(word))
	if len(by) > keep {
		c.tail = append(c.tail[:0], by[len(by)-keep:]...)
	} else {
		c.tail = append(c.tail[:0], c.tail[max(0, len(c.tail)-keep):]...)
	}
	return told
}
