package relay

import (
	"encoding/json"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// splice is a piece of a message that is replaced.
type splice struct {
	at   strictjson.Span
	with []byte
}

// spliced returns body with pieces of it replaced; they are in order and do not overlap. Every other byte stays.
func spliced(body []byte, pieces []splice) []byte {
	if len(pieces) == 0 {
		return body
	}
	size := len(body)
	for _, p := range pieces {
		size += len(p.with)
	}
	out, from := make([]byte, 0, size), 0
	for _, p := range pieces {
		out = append(append(out, body[from:p.at.Start]...), p.with...)
		from = p.at.End
	}
	return append(out, body[from:]...)
}

// withArguments is the message with what set_argument policies wrote; without any it is the client's bytes.
func withArguments(m *strictjson.Message, set []proxy.Argument) ([]byte, error) {
	if len(set) == 0 {
		return m.Body, nil
	}
	if !m.IsObject(m.Arguments) {
		return nil, edge.InvalidParams("params.arguments must be an object")
	}
	members := m.Members(m.Arguments)
	var pieces []splice
	var more []byte
	for i, a := range set {
		if slices.ContainsFunc(set[i+1:], func(later proxy.Argument) bool { return later.Name == a.Name }) {
			continue // the last one counts
		}
		if at := slices.IndexFunc(members, func(one strictjson.Member) bool { return one.Key == a.Name }); at >= 0 {
			pieces = append(pieces, splice{members[at].Val, a.Value})
			continue
		}
		name, err := json.Marshal(a.Name)
		if err != nil {
			return nil, err
		}
		if len(members) > 0 || len(more) > 0 {
			more = append(more, ',')
		}
		more = append(append(append(more, name...), ':'), a.Value...)
	}
	end := m.Arguments.End - 1
	pieces = append(pieces, splice{strictjson.Span{Start: end, End: end}, more})
	slices.SortFunc(pieces, func(a, b splice) int { return a.at.Start - b.at.Start })
	return spliced(m.Body, pieces), nil
}
