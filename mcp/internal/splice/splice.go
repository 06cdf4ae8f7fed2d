// Package splice changes pieces of a message without touching the bytes around them (mcp.md §9, C3, U6).
//
//	Message ─ Piece{where, with what} ─ Apply ─▶ the same bytes but for those
//
// What a library does not know it loses when it decodes and encodes; what was never taken apart cannot get lost.
package splice

import (
	"encoding/json"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// Piece is a part of a message that is replaced.
type Piece struct {
	At   strictjson.Span
	With []byte
}

// Apply returns body with pieces of it replaced; they are in order and do not overlap. Every other byte stays.
func Apply(body []byte, pieces []Piece) []byte {
	if len(pieces) == 0 {
		return body
	}
	size := len(body)
	for _, p := range pieces {
		size += len(p.With)
	}
	out, from := make([]byte, 0, size), 0
	for _, p := range pieces {
		out = append(append(out, body[from:p.At.Start]...), p.With...)
		from = p.At.End
	}
	return append(out, body[from:]...)
}

// Members returns the pieces that put members into the object at s: in place of those of the same key, else at its end.
// Keys are given as they are, values as JSON; nil leaves a key out.
func Members(m *strictjson.Message, s strictjson.Span, set map[string][]byte) []Piece {
	var pieces []Piece
	var kept []strictjson.Member
	changed := map[string]bool{}
	for _, one := range m.Members(s) {
		value, ok := set[one.Key]
		switch {
		case !ok:
			kept = append(kept, one)
		case value != nil:
			kept = append(kept, one)
			changed[one.Key] = true
			pieces = append(pieces, Piece{one.Val, value})
		default:
			return []Piece{{s, rebuilt(m, s, set)}} // commas go with it: the object is made anew, its values are not
		}
	}
	var more []byte
	for _, key := range slices.Sorted(keysOf(set)) {
		if set[key] != nil && !changed[key] {
			if len(kept) > 0 || len(more) > 0 {
				more = append(more, ',')
			}
			more = append(append(append(more, quoted(key)...), ':'), set[key]...)
		}
	}
	if more != nil {
		pieces = append(pieces, Piece{strictjson.Span{Start: s.End - 1, End: s.End - 1}, more})
	}
	return pieces
}

func keysOf(set map[string][]byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for key := range set {
			if !yield(key) {
				return
			}
		}
	}
}

// rebuilt writes an object with members set or left out; members that stay keep their bytes.
func rebuilt(m *strictjson.Message, s strictjson.Span, set map[string][]byte) []byte {
	out := []byte{'{'}
	add := func(key, value []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	seen := map[string]bool{}
	for _, one := range m.Members(s) {
		value, ok := set[one.Key]
		seen[one.Key] = true
		switch {
		case !ok:
			add(m.Bytes(one.KeyAt), m.Bytes(one.Val))
		case value != nil:
			add(m.Bytes(one.KeyAt), value)
		}
	}
	for _, key := range slices.Sorted(keysOf(set)) {
		if set[key] != nil && !seen[key] {
			add(quoted(key), set[key])
		}
	}
	return append(out, '}')
}

func quoted(text string) []byte {
	b, _ := json.Marshal(text) // a string always has a JSON form
	return b
}

// Arguments returns the message with what set_argument policies wrote; without any it is the client's bytes.
func Arguments(m *strictjson.Message, set []proxy.Argument) ([]byte, error) {
	if len(set) == 0 {
		return m.Body, nil
	}
	if !m.IsObject(m.Arguments) {
		return nil, edge.InvalidParams("params.arguments must be an object")
	}
	values := make(map[string][]byte, len(set))
	for _, a := range set { // the last one counts
		values[a.Name] = a.Value
	}
	return Apply(m.Body, Members(m, m.Arguments, values)), nil
}
