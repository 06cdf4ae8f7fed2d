package search

import (
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// misfits reports whether arguments plainly do not fit a schema: one that is required is missing, one is there that must not
// be, or is of another type. Upstreams say so in words of their own; a model that skipped describe_tool needs the schema (F6).
func misfits(schema, arguments []byte) bool {
	s, ok := opened(schema)
	if !ok {
		return false
	}
	a, ok := opened(arguments)
	if !ok {
		return false
	}
	given := map[string]strictjson.Span{}
	for _, one := range a.Members(a.Result) {
		given[one.Key] = one.Val
	}
	for _, at := range s.Elements(s.Member(s.Result, "required")) {
		if name, ok := s.Text(at); ok && !given[name].Present() {
			return true
		}
	}
	known := 0
	for _, p := range s.Members(s.Member(s.Result, "properties")) {
		if at, ok := given[p.Key]; ok {
			if known++; !typed(s, s.Member(p.Val, "type"), a.Bytes(at)) {
				return true
			}
		}
	}
	closed := string(s.Bytes(s.Member(s.Result, "additionalProperties"))) == "false"
	return closed && known < len(given)
}

// typed reports whether a value can be of a type, or of one of several. What is no type of JSON Schema allows everything.
func typed(s *strictjson.Message, kind strictjson.Span, value []byte) bool {
	one, ok := s.Text(kind)
	if !ok {
		kinds := s.Elements(kind)
		for _, k := range kinds {
			if typed(s, k, value) {
				return true
			}
		}
		return len(kinds) == 0
	}
	first := value[0]
	switch one {
	case "string":
		return first == '"'
	case "number", "integer":
		return first == '-' || first >= '0' && first <= '9'
	case "boolean":
		return first == 't' || first == 'f'
	case "object":
		return first == '{'
	case "array":
		return first == '['
	case "null":
		return first == 'n'
	}
	return true
}
