package openapi

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestAValueThatMayBeNullIsToldWhatIsWrongWithIt: a union of one and null is how 3.1 writes an optional value; its rules
// are the rules of that one.
func TestAValueThatMayBeNullIsToldWhatIsWrongWithIt(t *testing.T) { // §10
	const named = `"Note":{"type":"object","required":["text"],"properties":{"text":{"type":"string","minLength":2}}}`
	for _, c := range []struct{ schema, args, want string }{
		{`{"anyOf":[{"type":"string","minLength":3},{"type":"null"}]}`, `"ab"`, `argument "v": must have at least 3 characters, got 2`},
		{`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `{}`, `argument "v": must be a string, got {}`},
		{`{"oneOf":[{"$ref":"#/components/schemas/Note"}]}`, `{}`, `argument "v": is missing text`},
		{`{"oneOf":[{"$ref":"#/components/schemas/Note"},{"type":"null"}]}`, `{"text":"x"}`, `argument "v.text": must have at least 2 characters, got 1`},
		{`{"type":"array","items":{"anyOf":[{"type":"integer","maximum":5},{"type":"null"}]}}`, `[1,6]`, `argument "v[1]": must be at most 5, got 6`},
		{`{"anyOf":[{"type":"string","maxLength":1},{"type":"integer"},{"type":"null"}]}`, `"ab"`, `argument "v": fits none of the variants: variant 1`},
		{`{"type":"null"}`, `"x"`, `argument "v": must be null, got "x"`},
	} {
		tool := importText(t, bodyDoc("3.1.0", `{"type":"object","properties":{"v":`+c.schema+`}}`, named), Options{}).Tools[0]
		_, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{"v":`+c.args+`}`))
		if text := problem(t, err); !strings.HasPrefix(text, c.want+"\n") {
			t.Errorf("%s: %s\nwant %s", c.schema, text, c.want)
		}
	}
}
