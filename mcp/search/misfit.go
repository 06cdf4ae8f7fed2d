package search

import (
	"encoding/json"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// wrongArguments ends what a tool made of an API says when its arguments do not fit.
const wrongArguments = "Correct the arguments and call again."

// withSchema adds the tool's schema to a result that says that the arguments were wrong: a model that skipped describe_tool
// can repair its call (F6).
func withSchema(result json.RawMessage, t Tool, arguments []byte) json.RawMessage {
	m, ok := opened(result)
	if !ok || string(m.Bytes(m.Member(m.Result, "isError"))) != "true" {
		return result
	}
	content := m.Member(m.Result, "content")
	items := m.Elements(content)
	if len(items) == 0 {
		return result
	}
	schema := schemaOf(t)
	if schema == nil {
		return result
	}
	text, _ := m.Text(m.Member(items[0], "text"))
	if !strings.HasSuffix(text, wrongArguments) && !strings.HasPrefix(text, `argument "`) && !misfits(schema, arguments) {
		return result
	}
	said, _ := json.Marshal("The arguments of " + t.Name + ": " + string(schema))
	more := append(append([]byte(`,{"type":"text","text":`), said...), '}')
	whole := splice.Apply(m.Body, []splice.Piece{{At: strictjson.Span{Start: content.End - 1, End: content.End - 1}, With: more}})
	return whole[m.Result.Start : len(whole)-1]
}

// schemaOf is a tool's inputSchema; nil: it has none that can be read.
func schemaOf(t Tool) json.RawMessage {
	d, ok := opened(t.Wire)
	if !ok {
		return nil
	}
	return d.Bytes(d.Member(d.Result, "inputSchema"))
}

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
