package combined

import (
	"bytes"
	"crypto/rand"
	"encoding/json"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// request is the client's request as it goes to the source: with a way to ask back, and with a progress token of ours. Clients
// choose the same tokens, and what is told of one of them must not look like another's where calls share a session (C7).
func (src *source) request(r *edge.Request) *edge.Request {
	q := *r
	q.Ask = src.asks(r)
	m := r.Message
	if src.Made || !m.ProgressToken.Present() || r.Notify == nil {
		return &q
	}
	own, token := m.Bytes(m.ProgressToken), []byte(`"drawbridge-`+rand.Text()+`"`)
	q.Message = m.WithValue(m.ProgressToken, token)
	q.Notify = func(message json.RawMessage, progress bool) {
		if bytes.Contains(message, token) {
			message = withToken(message, token, own)
		}
		r.Notify(message, progress)
	}
	return &q
}

// withToken puts the client's token back; nothing else of the notification changes (C8).
func withToken(message json.RawMessage, token, own []byte) json.RawMessage {
	m, err := strictjson.Decode(message, strictjson.Limits{Upstream: true, Depth: maxDepth, Members: maxMembers})
	if err != nil {
		return message
	}
	at := m.Member(m.Params, "progressToken")
	if !bytes.Equal(m.Bytes(at), token) {
		return message
	}
	return m.WithValue(at, own).Body
}
