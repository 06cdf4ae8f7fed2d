package openapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHostileDocumentsAreAnswered(t *testing.T) { // §1.4
	laughs := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'l'; c++ {
		laughs += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 10), ","))
	}
	var links strings.Builder
	links.WriteString(`{"openapi":"3.0.3","info":{},"paths":{"/x":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/S0"}}}}}}},"components":{"schemas":{`)
	for i := range 100_000 {
		fmt.Fprintf(&links, `"S%d":{"type":"object","properties":{"n":{"$ref":"#/components/schemas/S%d"}}},`, i, i+1)
	}
	links.WriteString(`"S100000":{"type":"string"}}}}`)
	chain := links.String()
	allOf := strings.ReplaceAll(chain, `"type":"object","properties":{"n":{"$ref"`, `"allOf":[{"$ref"`)
	allOf = strings.ReplaceAll(allOf, `"}}},`, `"}]},`)
	wide := `{"openapi":"3.0.3","info":{},"paths":{"/x":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/S"}}}}}}},"components":{"schemas":{"S":{"type":"object","properties":{`
	for i := range 60 {
		wide += fmt.Sprintf(`"p%d":{"anyOf":[{"$ref":"#/components/schemas/S"},{"allOf":[{"$ref":"#/components/schemas/S"},{"type":"object"}]}]},`, i)
	}
	wide += `"z":{"type":"string"}}}}}}`
	post := func(schemas string) string {
		return `{"openapi":"3.1.0","info":{},"paths":{"/x":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}}}}},"components":{"schemas":{` + schemas + `}}}`
	}
	for name, c := range map[string]struct{ doc, want string }{
		"deep JSON":              {strings.Repeat(`{"a":`, 100_000), "nested deeper than 512 levels at line 1"},
		"deep flow":              {"a: " + strings.Repeat("[", 100_000), "nested deeper than 512 levels"},
		"deep sequences":         {strings.Repeat("- ", 100_000) + "x", ""},
		"laughs":                 {laughs + "openapi: 3.0.3\n", "YAML aliases expand to more than"},
		"alias of itself":        {"openapi: 3.0.3\na: &a [*a]\n", "contains itself"},
		"empty":                  {"", "not an OpenAPI document"},
		"a list":                 {"[]", "not an OpenAPI document"},
		"no version":             {"{}", `not an OpenAPI document: want swagger: "2.0" or openapi: 3.0–3.2, got no version`},
		"version 4":              {`{"openapi":"4.0.0"}`, `got "4.0.0"`},
		"no paths":               {`{"openapi":"3.0.3"}`, "no operations"},
		"bytes":                  {"\x00\xff\xfe", ""},
		"references in a circle": {post(`"A":{"$ref":"#/components/schemas/B"},"B":{"$ref":"#/components/schemas/A"}`), "none"},
		"allOf of itself":        {post(`"A":{"allOf":[{"$ref":"#/components/schemas/A"},{"type":"object","properties":{"a":{"$ref":"#/components/schemas/A"}}}]}`), "none"},
		"union of itself":        {post(`"A":{"anyOf":[{"$ref":"#/components/schemas/A"}]}`), "none"},
		"items of itself":        {post(`"A":{"type":"array","items":{"$ref":"#/components/schemas/A"}}`), "none"},
		"unions of unions":       {post(`"A":{"oneOf":[{"$ref":"#/components/schemas/B"},{"$ref":"#/components/schemas/C"}]},"B":{"oneOf":[{"$ref":"#/components/schemas/A"},{"type":"string"}]},"C":{"anyOf":[{"$ref":"#/components/schemas/B"},{"$ref":"#/components/schemas/A"}]}`), "none"},
		"a chain of references":  {chain, "none"},
		"a chain of allOf":       {allOf, "none"},
		"wide and recursive":     {wide, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			d, err := Import(t.Context(), Source{Data: []byte(c.doc)}, Options{})
			t.Logf("took %v", time.Since(start))
			switch {
			case c.want == "none" && err != nil:
				t.Fatal(err)
			case c.want == "none":
				for _, p := range d.Panics() {
					t.Error(p)
				}
				checkTools(t, d)
				_, err := d.Tools[0].BuildRequest(t.Context(), mustURL(t), []byte(`{}`))
				var a *ArgumentError
				if err != nil && !errors.As(err, &a) {
					t.Error(err)
				}
			case err == nil || !strings.Contains(err.Error(), c.want):
				t.Errorf("error = %v, want %s", err, c.want)
			case strings.Contains(err.Error(), "internal"):
				t.Error(err)
			}
		})
	}
}

func TestImportStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Import(ctx, Source{Data: []byte(oneOperation("get", "/x", `"parameters":[]`))}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", err)
	}
}

// writeFiles puts files into a directory; names end a path below it.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func refDoc(ref string) string {
	return fmt.Sprintf(`{"openapi":"3.0.3","info":{},"paths":{"/x":{"post":{"operationId":"op","requestBody":{"content":{"application/json":{"schema":{"type":"object","properties":{"a":{"$ref":%q}}}}}}}}}}`, ref)
}

func TestReferencesStayInTheDirectory(t *testing.T) { // R4, R7, R7a
	dir := writeFiles(t, map[string]string{
		"api/sub/a.yaml":        "type: object\nproperties: {inner: {$ref: '../b.json#/defs/x~1y'}}",
		"api/b.json":            `{"defs":{"x/y":{"type":"integer"}}}`,
		"common/c.yaml":         "type: boolean",
		"secret.yaml":           "type: number",
		"api/%65scape/none.txt": "",
	})
	if err := os.Symlink(filepath.Join(dir, "secret.yaml"), filepath.Join(dir, "api", "link.yaml")); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		ref, schema, warning string
		allow                []string
	}{
		{"sub/a.yaml", `"inner":{"type":"integer"}`, "", nil},
		{"./b.json#/defs/x~1y", `"a":{"type":"integer"}`, "", nil},
		{"b.json#/defs/x%7E1y", `"a":{"type":"integer"}`, "", nil},
		{"../secret.yaml", `any JSON value`, "reference leaves the document's directory: ../secret.yaml", nil},
		{"sub/../../secret.yaml", `any JSON value`, "reference leaves the document's directory", nil},
		{"%2e%2e/secret.yaml", `any JSON value`, "reference leaves the document's directory", nil},
		{filepath.Join(dir, "secret.yaml"), `any JSON value`, "reference leaves the document's directory", nil},
		{"file://" + filepath.Join(dir, "secret.yaml"), `any JSON value`, "reference leaves the document's directory", nil},
		{"link.yaml", `any JSON value`, "reference not found: link.yaml", nil},
		{`..\secret.yaml`, `any JSON value`, "reference", nil},
		{"../common/c.yaml", `"a":{"type":"boolean"}`, "", []string{"../common"}},
		{"../common/../secret.yaml", `any JSON value`, "reference leaves the document's directory", []string{"../common"}},
		{"https://example.com/x.yaml", `any JSON value`, "reference to another host not followed: example.com (allow it under references)", nil},
		{"none.yaml", `any JSON value`, "reference not found: none.yaml", nil},
	} {
		path := filepath.Join(dir, "api", "root.json")
		if err := os.WriteFile(path, []byte(refDoc(c.ref)), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := importFile(t, path, Options{References: c.allow})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(d.Tools[0].InputSchema); !strings.Contains(got, c.schema) {
			t.Errorf("%s: %s", c.ref, got)
		}
		text := fmt.Sprint(d.Warnings)
		if c.warning == "" && strings.Contains(text, "reference") || !strings.Contains(text, c.warning) {
			t.Errorf("%s: warnings %s, want %s", c.ref, text, c.warning)
		}
	}
}

func TestReferencesOfAURLDocumentStayAtTheirOrigin(t *testing.T) { // R7b, R7c
	for _, c := range []struct {
		ref   string
		want  string // asked for
		allow []string
	}{
		{"sub/a.yaml", "https://api.example.com/v1/sub/a.yaml", nil},
		{"https://api.example.com/v1/b.yaml#/x", "https://api.example.com/v1/b.yaml", nil},
		{"../b.yaml", "", nil},
		{"https://api.example.com/v12/b.yaml", "", nil},
		{"https://api.example.com/v1/%2e%2e/b.yaml", "", nil},
		{"http://api.example.com/v1/b.yaml", "", nil},
		{"https://api.example.com:8443/v1/b.yaml", "", nil},
		{"https://u:p@api.example.com/v1/b.yaml", "", nil},
		{"https://other.example.com/b.yaml", "", nil},
		{"https://other.example.com/b.yaml", "https://other.example.com/b.yaml", []string{"other.example.com"}},
		{"http://other.example.com/b.yaml", "", []string{"other.example.com"}},
		{"https://other.example.com:444/b.yaml", "", []string{"other.example.com"}},
		{"file:///etc/passwd", "", nil},
		{"http://169.254.169.254/latest", "", nil},
	} {
		asked := ""
		src := Source{Location: "https://api.example.com/v1/openapi.json", Data: []byte(refDoc(c.ref)), Fetch: func(_ context.Context, url string) ([]byte, error) {
			asked = url
			return []byte(`{"type":"integer","x":{"type":"integer"}}`), nil
		}}
		d, err := Import(t.Context(), src, Options{References: c.allow})
		if err != nil {
			t.Fatal(err)
		}
		if hash, read := d.Remote[c.want]; read != (c.want != "") || read && hash != sha256.Sum256([]byte(`{"type":"integer","x":{"type":"integer"}}`)) || len(d.Remote) > 1 {
			t.Errorf("%s: said to have been read: %v", c.ref, d.Remote) // what a refresh asks for (§14)
		}
		if asked != c.want {
			t.Errorf("%s: asked for %q, want %q", c.ref, asked, c.want)
		}
	}
}

func TestWordsInDataAreNoReferences(t *testing.T) { // R7e, R7f
	doc := `{"openapi":"3.1.0","info":{},"paths":{"/x":{"post":{"requestBody":{"content":{"application/json":{"schema":{"type":"object","example":{"$ref":"#/no"},"default":{"$ref":"no.yaml"},
		"properties":{"a":{"type":"object","examples":[{"$ref":"x"}],"const":{"$ref":"#/nope"}},"$ref":{"type":"string"}}}}}},"x-code":{"$ref":"#/never"}}}}}`
	d := importText(t, doc, Options{})
	if text := fmt.Sprint(d.Warnings); strings.Contains(text, "reference") {
		t.Error(text)
	}
}

func TestSizesAreLimited(t *testing.T) { // R6
	_, err := Import(t.Context(), Source{Data: []byte(strings.Repeat(" ", 2048))}, Options{Limits: Limits{Document: 1024}})
	if err == nil || !strings.Contains(err.Error(), "document is larger than 1KiB") {
		t.Errorf("error = %v", err)
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"testdata/repair.txtar", "testdata/schemas.txtar"} {
		if data, err := os.ReadFile(name); err == nil {
			for _, part := range strings.Split(string(data), "-- ") {
				f.Add([]byte(part[strings.IndexByte(part, '\n')+1:]))
			}
		}
	}
	f.Add([]byte(ordersDoc))
	f.Add([]byte(answersDoc))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Import(t.Context(), Source{Data: data}, Options{})
		if err != nil && strings.HasPrefix(err.Error(), "internal") {
			t.Fatal(err)
		}
		if d == nil {
			return
		}
		for _, p := range d.Panics() {
			t.Fatal(p)
		}
		for _, tool := range d.Tools {
			for _, fault := range unclean(tool.InputSchema, true, false) {
				t.Fatalf("%s: %s: %s", tool.Name, fault, tool.InputSchema)
			}
		}
	})
}
