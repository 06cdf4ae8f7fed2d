package openapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// read200 is what a tool makes of a JSON answer.
func read200(t testing.TB, tool *Tool, body string) *Result {
	t.Helper()
	r, err := tool.ReadResult(answer(200, body, "Content-Type: application/json"), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answering is a tool whose answers have a schema.
func answering(t testing.TB, schema string, o Options) *Tool {
	t.Helper()
	return importText(t, `{"openapi":"3.1.0","info":{},"paths":{"/x":{"get":{"operationId":"op","responses":{"200":{"content":{"application/json":{"schema":`+schema+`}}}}}}}}`, o).Tools[0]
}

// A client that cannot read structuredContent loses the message, and the text with it: readers in Go and Rust refuse
// numbers beyond a double and repeated keys, readers in Python and Rust half surrogate pairs and values of 128 or 200 levels.
func TestEveryClientCanReadStructuredContent(t *testing.T) { // O4, O6
	d := importText(t, answersDoc, Options{})
	deep := strings.Repeat(`[`, 300) + strings.Repeat(`]`, 300)
	for _, c := range []struct{ tool, body, want string }{
		{"free", `{"a":1e400,"b":-1E999,"c":[1,1e400,2],"d":1e-400}`, `{"c":[1,2],"d":1e-400}`},
		{"free", `1e400`, ``},
		{"typed", `{"id":1,"price":1e400}`, `{"id":1}`},
		{"typed", `{"id":12345678901234567890,"price":1e308}`, `{"id":12345678901234567890,"price":1e308}`},
		{"free", `{"a":` + strings.Repeat("9", 400) + `,"b":1}`, `{"b":1}`},
		{"free", `{"a":"x\ud800","\udc00":1,"c":"\ud83d\ude00"}`, "{\"a\":\"x\ufffd\",\"c\":\"\U0001f600\",\"\ufffd\":1}"},
		{"free", `{"a":"\ud83d\ude00"}`, `{"a":"\ud83d\ude00"}`},
		{"typed", `{"id":1,"x":` + deep + `}`, `{"id":1,"x":` + strings.Repeat(`[`, 64) + strings.Repeat(`]`, 64) + `}`},
		{"list", `1e400`, `{}`},
		{"free", `{"a":1,"b":{"c":1,"\u0063":2},"a":3}`, `{"a":3,"b":{"c":2}}`},
		{"typed", `{"id":1,"id":2}`, `{"id":2}`},
	} {
		r := read200(t, d.Tool(c.tool), c.body)
		if r.Content[0].Text != c.body || string(r.Structured) != c.want {
			t.Errorf("%.60s: text %.60s, structured %s, want %s", c.body, r.Content[0].Text, r.Structured, c.want)
		}
	}
	r, err := d.Tool("free").ReadResult(answer(200, "data: {\"a\":1e400}\n\ndata: {\"b\":\"\\ud800\"}\n\n", "Content-Type: text/event-stream"), ReadOptions{})
	if err != nil || string(r.Structured) != "{\"result\":[{},{\"b\":\"\ufffd\"}]}" {
		t.Errorf("events: %v, %v", r, err)
	}
	r, err = d.Tool("free").ReadResult(answer(400, `{"message":"no","at":1e400}`, "Content-Type: application/json"), ReadOptions{})
	if err != nil || string(r.Structured) != `{"message":"no"}` {
		t.Errorf("an error: %v, %v", r, err)
	}
}

func TestAnswersAreReadAsTheVariantThatTheyFit(t *testing.T) { // O4, O7
	tool := answering(t, `{"type":"object","properties":{"pet":{"anyOf":[
		{"type":"object","properties":{"id":{"type":"string"}}},
		{"type":"object","properties":{"id":{"type":"integer"},"bark":{"type":"boolean"}}},
		{"type":"array","items":{"type":"array","items":{"type":"number"}}},{"type":"array","items":{"type":"number"}}]}}}`, Options{})
	for body, want := range map[string]string{
		`{"pet":{"id":7,"bark":true}}`:   `{"pet":{"id":7,"bark":true}}`,
		`{"pet":{"id":"x","bark":1}}`:    `{"pet":{"id":"x","bark":1}}`,
		`{"pet":[1,2]}`:                  `{"pet":[1,2]}`,
		`{"pet":{"id":true,"bark":"x"}}`: `{"pet":{"bark":"x"}}`,
		`{"pet":"none"}`:                 `{}`,
	} {
		if r := read200(t, tool, body); !json.Valid(r.Structured) || string(r.Structured) != want {
			t.Errorf("%s: structured %s, want %s", body, r.Structured, want)
		}
	}
}

func TestAListOfAnythingInAnAnswerStaysWhole(t *testing.T) { // O3, O7, S8
	for _, c := range []struct{ schema, body string }{
		{`{"type":"array","items":{}}`, `["a",1,null,{"b":[2]},[3]]`},
		{`{"type":"object","properties":{"l":{"type":"array"}}}`, `{"l":["a",[1]]}`},
		{`{"type":"object","properties":{"l":{"type":"array","prefixItems":[{"type":"string"},{}]}}}`, `{"l":["a",1,null]}`},
		{`{"type":"object","properties":{"l":{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}]}}}`, `{"l":["a",null]}`},
	} {
		tool := answering(t, c.schema, Options{})
		want := c.body
		if c.body[0] == '[' {
			want = `{"result":` + c.body + `}`
		}
		if r := read200(t, tool, c.body); string(r.Structured) != want {
			t.Errorf("%s: %s became %s", tool.OutputSchema, c.body, r.Structured)
		}
		if faults := unclean(tool.OutputSchema, false, true); len(faults) > 0 {
			t.Errorf("%s: %v", tool.OutputSchema, faults)
		}
	}
}

// Arguments are renamed and mapped back (A3); an answer has its own names, and a schema that says others says what never
// comes.
func TestNamesThatCannotBeAdvertisedAreNotHeldAgainstAnswers(t *testing.T) { // O4, A3
	tool := answering(t, `{"type":"object","additionalProperties":{"type":"integer"},"properties":{"@odata.context":{"type":"string"},"value":{"type":"integer"}}}`, Options{})
	if want := `{"description":"Also \"@odata.context\".","properties":{"value":{"type":["integer","null"]}},"type":"object"}`; string(tool.OutputSchema) != want {
		t.Errorf("%s, want %s", tool.OutputSchema, want)
	}
	const body = `{"@odata.context":"c","value":1,"more":2}`
	if r := read200(t, tool, body); string(r.Structured) != body {
		t.Errorf("%s became %s", body, r.Structured)
	}
}

// nullable is no word of JSON Schema: who checks structuredContent refuses null there.
func TestAnswersFitTheSchemaThatGeminiIsGiven(t *testing.T) { // §6.2, O4
	tool := answering(t, `{"type":"object","properties":{"a":{"type":"string"},"b":{},"c":{"anyOf":[{"type":"integer"},{"type":"array","items":{"type":"integer"}}]},"d":{"type":"array","items":{"type":"string"}},"e":{"type":"array","items":{}}}}`, Options{Profile: Gemini})
	compiled := compiledSchema(t, tool.OutputSchema)
	for body, want := range map[string]string{
		`{"a":null,"b":null,"c":null,"d":null,"e":null}`:                  `{}`,
		`{"a":"x","b":[1,"y"],"c":[1,null],"d":["z"],"e":[["a",2],true]}`: `{"a":"x","b":["y"],"c":[1],"d":["z"],"e":[["a"],true]}`,
	} {
		r := read200(t, tool, body)
		value, err := decodeJSON(r.Structured)
		if err == nil {
			err = compiled.Validate(value)
		}
		if err != nil || string(r.Structured) != want {
			t.Errorf("%s: %s became %s, want %s: %v", tool.OutputSchema, body, r.Structured, want, err)
		}
	}
}

func compiledSchema(t testing.TB, raw json.RawMessage) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	doc, err := decodeJSON(raw)
	if err == nil {
		err = c.AddResource("mem:///output", doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("mem:///output")
}
