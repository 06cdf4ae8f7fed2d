package openapi

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// skimShapes are schemas of answers; "" stands for none.
var skimShapes = []string{
	``,
	`{"type":"object","properties":{"id":{"type":"integer"},"name":{"type":"string"},"price":{"type":"number"},"on":{"type":"boolean"},"a":{},"list":{"type":"array","items":{"type":"integer"}},
		"at":{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"object","properties":{"z":{"type":"string"}}}}}}}`,
	`{"type":"object","properties":{"id":{"type":"string"}},"additionalProperties":{"type":"integer"}}`,
	`{"type":"object","properties":{"id":{"anyOf":[{"type":"integer"},{"type":"string"}]},"at":{"anyOf":[{"type":"object","properties":{"x":{"type":"number"}}},{"type":"array","items":{"type":"string"}}]},
		"list":{"oneOf":[{"type":"array","items":{"type":"integer"}},{"type":"array","items":{"type":"string"}}]},"a":{"anyOf":[{"type":"object"},{"type":"null"}]}}}`,
	`{"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"}}}}`,
	`{"type":"integer"}`,
}

var skimSeeds = []string{
	`{"id":1,"name":"n","price":1.50,"on":true,"a":null,"list":[1,2.0,3],"at":{"x":1,"y":{"z":"s"}}}`,
	` { "name" : "b" , "id" : -0 , "more" : [ { } , [ ] , "" ] } `, `{"id":"7","other":3}`, `{"id":"7","other":"3"}`, `{"id":1,"id":2}`, `{"id":1,"\u0069d":2}`, `{"a\u0062":1}`,
	`{"id":1.5}`, `{"id":null}`, `{"id":{}}`, `{"price":1e400}`, `{"price":1e3}`, `{"a":"\ud800"}`, `{"a":"\ud83d\ude00\n\u00e9"}`, `{"a":"\x"}`, "{\"a\":\"\n\"}",
	`{"at":{"x":"1"}}`, `{"at":["a"]}`, `{"at":[1]}`, `{"list":["a",1]}`, `{"list":["a"]}`, `{"list":[]}`, `{"a":{}}`, `[{"id":1},{"id":2}]`, `[{"id":"1"}]`, `[]`, `{}`, `7`, `"x"`, `null`, `true`, `01`, `-`, `1.`,
	`{"id":1`, `{"id":1}}`, `{"id":1,}`, `[1,]`, `{"at":{"x":1}`, `{"at":{}`, `[[]`, `{,}`, `{"id" 1}`, `{"id":tru}`, "{\"a\":\"\xff\"}", "{\"\xff\":1,\"\xfe\":2}", "{\"a\":\"\u00e9\"}", "\ufeff{\"id\":1}", "", " ",
	`{"a":` + strings.Repeat(`[`, 63) + strings.Repeat(`]`, 63) + `}`, `{"a":` + strings.Repeat(`[`, 64) + strings.Repeat(`]`, 64) + `}`, `{"id":1,"price":` + strings.Repeat("9", 400) + `}`,
}

// crowded is an object with more keys than a skim compares; the last one is there twice when again is.
func crowded(n int, again bool) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"k` + strings.Repeat("x", i) + `":1,`)
	}
	if again {
		b.WriteString(`"k":2,`)
	}
	return `{` + b.String() + `"end":0}`
}

func skimTools(t testing.TB) []*Tool {
	var tools []*Tool
	for _, shape := range skimShapes {
		if shape == "" {
			tools = append(tools, importText(t, answersDoc, Options{}).Tool("free"))
			continue
		}
		tools = append(tools, answering(t, shape, Options{}))
	}
	return tools
}

// sameWithoutSkim reads an answer as it is read, and again by its value alone: whoever looks at results must not be able
// to tell which one it was.
func sameWithoutSkim(t *testing.T, tool *Tool, body string) (skimmed bool) {
	t.Helper()
	reader := func() *answerReader {
		return &answerReader{tool: tool, plan: &tool.plan.answers, resp: answer(200, body, "Content-Type: application/json"), options: ReadOptions{}, limit: 1 << 20}
	}
	content, skimmed := reader().unchanged(body, []byte(body))
	if !skimmed {
		return false
	}
	value, odd, err := decodeAnswer(body)
	if err != nil {
		t.Fatalf("%q is skimmed and does not decode: %v", body, err)
	}
	if want := reader().structured(value, []byte(body), odd); !bytes.Equal(content, want) || (content == nil) != (want == nil) {
		t.Fatalf("%q for %s: skimmed %q, by its value %q", body, tool.OutputSchema, content, want)
	}
	return true
}

func TestASkimmedAnswerIsWhatItsValueGives(t *testing.T) { // O2, O4–O7
	seeds := append(skimSeeds, crowded(31, false), crowded(31, true), crowded(manyKeys, false), crowded(manyKeys, true))
	skimmed := 0
	for _, tool := range skimTools(t) {
		for _, body := range seeds {
			if sameWithoutSkim(t, tool, body) {
				skimmed++
			}
		}
	}
	if skimmed < len(seeds)/2 {
		t.Errorf("%d of %d answers were skimmed: too few for this to say anything", skimmed, len(seeds)*len(skimShapes))
	}
}

func TestUsualAnswersAreSkimmed(t *testing.T) {
	tools := skimTools(t)
	for _, c := range []struct {
		tool int
		body string
		want bool
	}{
		{0, skimSeeds[0], true}, {1, skimSeeds[0], true}, {1, skimSeeds[1], true}, {0, `7`, true}, {4, `[{"id":1},{"id":null}]`, true}, {5, `7`, true},
		{3, `{"id":"x","at":{"x":1},"a":{}}`, true}, {3, `{"id":1,"at":["a"],"a":null}`, true}, {1, `{"a":"\ud83d\ude00"}`, true},
		{1, `{"id":1.5}`, false}, {1, `{"id":1,"id":1}`, false}, {0, `{"a":1e400}`, false}, {0, `{"a":"\udc00"}`, false}, {0, crowded(100, false), true}, {0, crowded(manyKeys, false), false},
		{0, "{\"a\":\"\xff\"}", false}, {3, `{"list":["a"]}`, false}, {5, `"7"`, false}, {1, `[]`, false},
	} {
		if _, got := (&answerReader{tool: tools[c.tool], plan: &tools[c.tool].plan.answers}).unchanged(c.body, []byte(c.body)); got != c.want {
			t.Errorf("%.80s for %d: skimmed %t, want %t", c.body, c.tool, got, c.want)
		}
	}
}

func FuzzSkim(f *testing.F) {
	for _, s := range skimSeeds {
		f.Add(s)
	}
	tools := skimTools(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, tool := range tools {
			if sameWithoutSkim(t, tool, body) && !json.Valid([]byte(body)) {
				t.Fatalf("%q is no JSON", body)
			}
		}
	})
}

func TestAnAnswerIsReadUpToItsLimit(t *testing.T) { // §12
	for _, c := range []struct {
		body        string
		size, limit int64
		want        string
	}{
		{"abc", 0, 10, "abc"}, {"abc", 4, 10, "abc"}, {"abc", 100, 10, "abc"}, {"abcdef", 2, 3, "abcd"}, {"abcdef", 100, 3, "abcd"}, {"abcdef", 0, 6, "abcdef"}, {"", 1, 5, ""},
	} {
		got, err := readUpTo(strings.NewReader(c.body), c.size, c.limit)
		if err != nil || string(got) != c.want {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	if got, err := readUpTo(io.MultiReader(strings.NewReader("abc"), brokenReader{}), 1, 10); string(got) != "abc" || err != io.ErrUnexpectedEOF {
		t.Errorf("what came before an error: %q, %v", got, err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
