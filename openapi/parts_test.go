package openapi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPathsAndComponentsLieInOtherFiles: documents in many files put an index in between, which OpenAPI does not know and
// every bundler does.
func TestPathsAndComponentsLieInOtherFiles(t *testing.T) { // R7, R7h
	dir := t.TempDir()
	for name, text := range map[string]string{
		"openapi.yaml": "openapi: 3.0.3\ninfo: {title: t, version: '1'}\nservers: [{url: https://api.example.com}]\npaths: {$ref: paths/_index.yaml}\ncomponents:\n  schemas: {$ref: schemas/_index.yaml}\n" +
			"  securitySchemes: {$ref: security.yaml}\nsecurity: [{key: []}]\n",
		"paths/_index.yaml":   "/pets: {$ref: pets.yaml}\n/more:\n  get: {operationId: more, parameters: [{$ref: '../openapi.yaml#/components/schemas/nowhere'}]}\n",
		"paths/pets.yaml":     "post:\n  operationId: add\n  requestBody: {content: {application/json: {schema: {$ref: '../openapi.yaml#/components/schemas/Pet'}}}}\n",
		"schemas/_index.yaml": "Pet: {$ref: Pet.yaml}\nKind: {type: string, enum: [cat]}\n",
		"schemas/Pet.yaml":    "type: object\nproperties:\n  kind: {$ref: '../openapi.yaml#/components/schemas/Kind'}\n",
		"security.yaml":       "key: {type: apiKey, in: header, name: X-Key}\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := importFile(t, filepath.Join(dir, "openapi.yaml"), Options{})
	if err != nil || len(d.Tools) != 2 {
		t.Fatalf("%v, %+v", err, d)
	}
	if got := string(d.Tool("add").InputSchema); !strings.Contains(got, `"kind":{"enum":["cat"],"type":"string"}`) {
		t.Errorf("%s, %v", got, d.Warnings)
	}
	if got := d.Warnings; len(got) != 2 || !strings.Contains(got[0].Message, "nowhere") || !strings.Contains(got[1].Message, "header: X-Key") {
		t.Errorf("warnings %v", got)
	}
}

func TestReferencesInTheMiddleOfPointersEnd(t *testing.T) { // §1.4: each sends the other through itself
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "openapi: 3.0.3\ninfo: {}\npaths:\n  /x: {get: {parameters: [{name: q, in: query, schema: {$ref: '#/components/schemas/A/b/c/d'}}]}}\ncomponents: {schemas: {$ref: 'b.yaml#/x/y'}}\n",
		"b.yaml": "x: {$ref: 'a.yaml#/components/schemas/x'}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := importFile(t, filepath.Join(dir, "a.yaml"), Options{}); err != nil || len(d.Tools) != 1 {
		t.Fatal(err)
	}
}

func TestPartsOfAListHaveTheTypeOfTheItemEncoding(t *testing.T) { // OAS 3.2, Encoding Object
	media := func(m string) string {
		return `{"openapi":"3.2.0","info":{},"paths":{"/x":{"post":{"operationId":"op","requestBody":{"content":{"multipart/mixed":` + m + `}}}}}}`
	}
	base, seen := echoServer(t)
	for _, c := range []struct{ media, args, want string }{
		{`{"schema":{"type":"array","items":{"type":"string"}},"itemEncoding":{"contentType":"text/csv"}}`, `{"body":["a,b"]}`, "Content-Type: text/csv\r\n\r\na,b\r\n"},
		{`{"itemSchema":{"type":"object"},"itemEncoding":{"contentType":"application/ld+json"}}`, `{"body":[{"a":1}]}`, "Content-Type: application/ld+json\r\n\r\n{\"a\":1}\r\n"},
		{`{"itemSchema":{},"itemEncoding":{"contentType":"image/png, image/gif"}}`, `{"body":[{"data":"aGk="}]}`, "Content-Type: image/png\r\n\r\nhi\r\n"},
		{`{"itemSchema":{"type":"object"},"itemEncoding":{"contentType":"a\r\nb"}}`, `{"body":[{"a":1}]}`, "Content-Type: application/json\r\n\r\n{\"a\":1}\r\n"},
	} {
		e, err := send(t, importText(t, media(c.media), Options{}).Tools[0], base, seen, c.args)
		if err != nil || !strings.Contains(string(e.Body), c.want) {
			t.Errorf("%s: %v, %v, want %s", c.media, e, err, c.want)
		}
	}
}
