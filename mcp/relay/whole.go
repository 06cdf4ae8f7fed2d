package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/eventstream"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// whole is an answer that was read to its message, in the form in which it came.
type whole struct {
	end     io.Closer // ends the exchange
	before  []byte    // events ahead of the answer, as they came
	event   []byte    // the event that holds it; nil when the answer is plain JSON
	message *strictjson.Message
}

// editor returns the pieces of an answer to replace; none: it goes on as it came.
type editor func(m *strictjson.Message) ([]splice.Piece, error)

// edit passes a request on and replaces pieces of the answer. Without need nothing is looked into.
func (x *exchange) edit(ctx context.Context, with editor, need bool) (*edge.Passed, error) {
	p, err := x.forward(ctx)
	if err != nil || !need || p.Body == nil || p.Status != http.StatusOK {
		return p, err
	}
	w, err := x.readAll(p)
	if err != nil {
		p.Close()
		return nil, err
	}
	return w.edited(p, with)
}

// readAll reads the answer of p to its message.
func (x *exchange) readAll(p *edge.Passed) (*whole, error) {
	if p.Stream {
		return x.readStream(p.Body)
	}
	text, err := io.ReadAll(io.LimitReader(p.Body, x.s.cfg.Limits.Body+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(text)) > x.s.cfg.Limits.Body:
		return nil, notMCP("more bytes than limits.upstream_body")
	}
	m, err := x.decode(text)
	if err != nil {
		return nil, notMCP(err.Error())
	}
	return &whole{end: p.Body, message: m}, nil
}

// readStream reads events until the answer to the request has come; what the upstream says after it nobody waits for.
func (x *exchange) readStream(b io.ReadCloser) (*whole, error) {
	w := &whole{end: b}
	events := eventstream.NewReader(b, int(x.s.cfg.Limits.Body))
	for {
		some, err := events.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, x.broke(io.ErrUnexpectedEOF)
		case errors.Is(err, eventstream.ErrTooLarge):
			return nil, notMCP("more bytes than limits.upstream_body")
		case err != nil:
			return nil, err
		}
		for len(some) > 0 {
			var one []byte
			one, some = eventstream.Split(some)
			switch m, err := x.messageIn(one); {
			case err != nil: // a client that decodes carelessly might take it for the answer
				return nil, notMCP(err.Error())
			case m != nil && m.Kind == strictjson.Response && bytes.Equal(m.Bytes(m.ID), x.r.Message.Bytes(x.r.Message.ID)):
				w.event, w.message = bytes.Clone(one), m
				return w, nil
			case m != nil && m.Kind == strictjson.Response: // so might one that reads "1" as 1
				continue
			}
			if w.before = append(w.before, one...); int64(len(w.before)) > x.s.cfg.Limits.Body {
				return nil, notMCP("more bytes than limits.upstream_body")
			}
		}
	}
}

// messageIn reads the message of an event; nil where it has none.
func (x *exchange) messageIn(event []byte) (*strictjson.Message, error) {
	data := eventstream.Message(event)
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	return x.decode(bytes.Clone(data))
}

// edited hands the answer on as with has it.
func (w *whole) edited(p *edge.Passed, with editor) (*edge.Passed, error) {
	pieces, err := with(w.message)
	if err != nil {
		p.Close()
		return nil, err
	}
	return w.passed(p, pieces), nil
}

// passed hands the answer on in the form in which it came, with pieces replaced.
func (w *whole) passed(p *edge.Passed, pieces []splice.Piece) *edge.Passed {
	text := splice.Apply(w.message.Body, pieces)
	if w.event == nil {
		p.Body, p.Length = again(w.end, text), int64(len(text))
		return p
	}
	event := w.event
	if len(pieces) > 0 {
		event = withData(event, text)
	}
	p.Body = again(w.end, append(w.before, event...))
	return p
}

// asJSON hands on the answer alone.
func (w *whole) asJSON(p *edge.Passed) *edge.Passed {
	p.Header.Set("Content-Type", "application/json")
	p.Stream, p.Body, p.Length = false, again(w.end, w.message.Body), int64(len(w.message.Body))
	return p
}

// withData is an event with other data; its id and type stay.
func withData(event, data []byte) []byte {
	var out bytes.Buffer
	for line := range strings.Lines(string(event)) {
		if name, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); name != "" && name != "data" {
			out.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	out.WriteString("data: ")
	start := out.Len()
	out.Write(data)
	for i, c := range out.Bytes()[start:] {
		if c == '\n' || c == '\r' { // white space between tokens
			out.Bytes()[start+i] = ' '
		}
	}
	out.WriteString("\n\n")
	return out.Bytes()
}
