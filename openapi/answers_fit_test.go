package openapi

import (
	"encoding/json"
	"strings"
	"testing"
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
// numbers beyond a double, readers in Python and Rust half surrogate pairs and values of 128 or 200 levels.
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
