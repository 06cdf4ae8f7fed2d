package relay

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/eventstream"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// amended hands an answer on with what amend makes of its result. What comes ahead of it on a stream, questions too, passes
// at once.
func (x *exchange) amended(p *edge.Passed, amend func(json.RawMessage) json.RawMessage) (*edge.Passed, error) {
	if p.Body == nil || p.Status != http.StatusOK {
		return p, nil
	}
	pieces := func(m *strictjson.Message) []splice.Piece {
		if !m.Result.Present() {
			return nil
		}
		return []splice.Piece{{At: m.Result, With: amend(m.Bytes(m.Result))}}
	}
	if p.Stream {
		p.Body = x.through(p.Body, func(events []byte) ([]byte, error) {
			return each(events, func(event []byte) ([]byte, error) { return x.amendEvent(event, pieces), nil })
		})
		return p, nil
	}
	w, err := x.readAll(p)
	if err != nil {
		p.Close()
		return nil, err
	}
	return w.passed(p, pieces(w.message)), nil
}

// amendEvent changes the event that holds the answer. What cannot be read is not ours to change.
func (x *exchange) amendEvent(event []byte, pieces func(*strictjson.Message) []splice.Piece) []byte {
	data := eventstream.Message(event)
	if len(bytes.TrimSpace(data)) == 0 {
		return event
	}
	m, err := x.decode(bytes.Clone(data))
	if err != nil || !x.answers(m) {
		return event
	}
	changes := pieces(m)
	if changes == nil {
		return event
	}
	return withData(event, splice.Apply(m.Body, changes))
}
