package openapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestAMapThatIsCutShowsItsFirstMembers(t *testing.T) { // §12
	tool := importText(t, answersDoc, Options{}).Tool("free")
	var names, rows strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&names, `"name %04d":%d,`, i, i)
		fmt.Fprintf(&rows, `"name %04d":{"a":%d,"b":["x"]},`, i, i)
	}
	for _, body := range []string{`{` + names.String() + `"z":1}`, `{"rates":{` + names.String() + `"z":1},"date":"today"}`, `{` + rows.String() + `"z":1}`} {
		r, err := tool.ReadResult(answer(200, body, "Content-Type: application/json"), ReadOptions{ResponsesConfig: ResponsesConfig{MaxBytes: 4000}})
		if err != nil {
			t.Fatal(err)
		}
		text := r.Content[0].Text
		if !json.Valid([]byte(text)) || len(text) > 4000 || len(text) < 2000 || !strings.Contains(text, `"name 0010":`) || !strings.Contains(text, " members left out") || string(r.Structured) != text {
			t.Errorf("%d bytes: %.300s", len(text), text)
		}
		if note := r.Content[1].Text; !strings.HasPrefix(note, "Shortened: members ") || !strings.HasSuffix(note, " of 5,001 shown.") {
			t.Error(note)
		}
	}
}

func TestAnswersThatAreCutNameTheirNextPage(t *testing.T) { // §12
	const doc = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/x":{"get":{"operationId":"op","parameters":[
		{"name":"starting_after","in":"query","schema":{"type":"string"}},{"name":"continue","in":"query","schema":{"type":"string"}},{"name":"$skiptoken","in":"query","schema":{"type":"string"}}],"responses":{"200":{}}}}}}`
	tool := importText(t, doc, Options{}).Tools[0]
	items := strings.Repeat(`{"id":"i1"},`, 500)
	for body, want := range map[string]string{
		`{"has_more":false,"data":[` + items + `{"id":"i2"}]}`:                                                `More: call again with starting_after="i1"`,
		`{"metadata":{"continue":"tok"},"items":[` + items + `1]}`:                                            `More: call again with continue="tok"`,
		`{"value":[` + items + `1],"@odata.nextLink":"https://api.example.com/x?$select=a&$skiptoken=s%201"}`: `More: call again with skiptoken="s 1"`,
		`{"data":[` + items + `{"id":"i2"}]}`:                                                                 ``,
	} {
		r, err := tool.ReadResult(answer(200, body, "Content-Type: application/json"), ReadOptions{ResponsesConfig: ResponsesConfig{MaxBytes: 1000}})
		if err != nil {
			t.Fatal(err)
		}
		if last := r.lastText(); want != "" && last != want || want == "" && strings.HasPrefix(last, "More") {
			t.Errorf("%.60s…: %s, want %s", body, last, want)
		}
	}
}
