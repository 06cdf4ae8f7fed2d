package openapi

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestAValueIsToldWhatIsWrongWithIt: where it is clear which member of a union a value is meant for, that one's rule is
// named. A union of one and null is how 3.1 writes an optional value.
func TestAValueIsToldWhatIsWrongWithIt(t *testing.T) { // §10
	const named = `"Note":{"type":"object","required":["text"],"properties":{"text":{"type":"string","minLength":2}}}`
	for _, c := range []struct{ schema, args, want string }{
		{`{"anyOf":[{"type":"string","minLength":3},{"type":"null"}]}`, `"ab"`, `argument "v": must have at least 3 characters, got 2`},
		{`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `{}`, `argument "v": must be a string, got {}`},
		{`{"oneOf":[{"$ref":"#/components/schemas/Note"}]}`, `{}`, `argument "v": is missing text`},
		{`{"oneOf":[{"$ref":"#/components/schemas/Note"},{"type":"null"}]}`, `{"text":"x"}`, `argument "v.text": must have at least 2 characters, got 1`},
		{`{"type":"array","items":{"anyOf":[{"type":"integer","maximum":5},{"type":"null"}]}}`, `[1,6]`, `argument "v[1]": must be at most 5, got 6`},
		{`{"anyOf":[{"type":"string","maxLength":1},{"type":"integer"},{"type":"null"}]}`, `"ab"`, `argument "v": must have at most 1 characters, got 2`},
		{`{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}`, `{}`, `argument "v": must be a string or an integer`},
		{`{"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"n":{"type":"integer"}}},{"type":"object","properties":{"kind":{"enum":["b"]},"n":{"type":"string"}}}]}`, `{"kind":"b","n":1}`, `argument "v.n": must be a string, got 1`},
		{`{"oneOf":[{"title":"A","type":"object","required":["a"]},{"title":"B","type":"object","required":["b"]},{"type":"string"}]}`, `{}`, `argument "v": fits none of the variants: variant 1 (needs a), variant 2 (needs b)`},
		{`{"type":"null"}`, `"x"`, `argument "v": must be null, got "x"`},
	} {
		tool := importText(t, bodyDoc("3.1.0", `{"type":"object","properties":{"v":`+c.schema+`}}`, named), Options{}).Tools[0]
		_, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{"v":`+c.args+`}`))
		if text := problem(t, err); !strings.HasPrefix(text, c.want+"\n") {
			t.Errorf("%s: %s\nwant %s", c.schema, text, c.want)
		}
	}
}
