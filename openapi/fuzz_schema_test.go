package openapi

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzSchema translates a stranger's schema as a body, a parameter and an answer, for each profile: whatever it holds, what is
// advertised is clean, and a call ends.
func FuzzSchema(f *testing.F) {
	for _, name := range []string{"testdata/schemas.txtar", "testdata/profile-rich.txtar", "testdata/repair.txtar"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			_, schemas, found := strings.Cut(string(file.Data), "schema:\n")
			if found {
				f.Add([]byte(dedent(schemas)))
			}
		}
	}
	for _, s := range []string{`{"type":"object","properties":{"a":{"$ref":"#/components/schemas/A"},"b":{"oneOf":[{"$ref":"#/components/schemas/A"},{"type":"null"}]}}}`,
		`{"allOf":[{"$ref":"#/components/schemas/A"},{"properties":{"x":{"enum":[1,"a",null,{}]}}}]}`, `{"type":["array","string"],"items":{"not":{"required":["z"]}}}`,
		`{"anyOf":[{"$ref":"#/components/schemas/A"},{"properties":{"a":{"$ref":"#"}}}],"discriminator":{"propertyName":"k","mapping":{"x":"A"}}}`} {
		f.Add([]byte(s))
	}
	base := &url.URL{Scheme: "https", Host: "api.example.com"}
	f.Fuzz(func(t *testing.T, schema []byte) {
		raw, err := readTree(schema, &file{}, func(*node, string) {})
		if err != nil || len(schema) > 1<<13 {
			return
		}
		s := raw.appendJSON(nil)
		doc := `{"openapi":"3.1.0","info":{},"paths":{"/x":{"post":{"operationId":"op","parameters":[{"name":"q","in":"query","schema":` + string(s) + `}],"requestBody":{"content":{"application/json":{"schema":` +
			string(s) + `}}},"responses":{"200":{"description":"","content":{"application/json":{"schema":` + string(s) + `}}}}}}},"components":{"schemas":{"A":` + string(s) + `}}}`
		for _, p := range []Profile{Universal, Rich, Gemini} {
			d, err := Import(t.Context(), Source{Data: []byte(doc)}, Options{Profile: p})
			if err != nil {
				if strings.HasPrefix(err.Error(), "internal") {
					t.Fatal(err)
				}
				continue
			}
			for _, text := range d.Panics() {
				t.Fatal(text)
			}
			for _, tool := range d.Tools {
				faults := uncleanFor(p, tool.InputSchema, true, true)
				if tool.OutputSchema != nil {
					faults = append(faults, uncleanFor(p, tool.OutputSchema, false, true)...)
				}
				if len(faults) > 0 {
					t.Fatalf("%s: %v\n%s\n%s", p, faults, tool.InputSchema, tool.OutputSchema)
				}
				for _, args := range []string{`{}`, `{"q":"1","body":{"a":1}}`, `{"a":[{"b":null}],"q":[1]}`} {
					_, _ = tool.BuildRequest(t.Context(), base, json.RawMessage(args))
				}
			}
		}
	})
}

// dedent takes the indentation of the first line from every line, and ends where the text comes back out of it.
func dedent(text string) string {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		rest, ok := strings.CutPrefix(line, indent)
		if !ok {
			break
		}
		lines = append(lines, rest)
	}
	return strings.Join(lines, "\n")
}
