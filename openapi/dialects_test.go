package openapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestDialectsAreMixed: what a document says in the words of the other version is meant as there, and warned of.
func TestDialectsAreMixed(t *testing.T) { // P6, P7, P19, R1
	base, seen := echoServer(t)
	const pet = `{"type":"object","properties":{"x":{"type":"string"}}}`
	in := func(head, method, operation string) string {
		return fmt.Sprintf(`{%s,"info":{},"paths":{"/x":{%q:{"operationId":"op",%s}}},"definitions":{"Pet":%s},"components":{"schemas":{"Pet":%s}}}`, head, method, operation, pet, pet)
	}
	const two, three = `"swagger":"2.0"`, `"openapi":"3.0.0"`
	for _, c := range []struct{ rule, doc, args, want, warning string }{
		{"a body parameter in 3.0", in(three, "post", `"parameters":[{"in":"body","name":"b","required":true,"schema":{"$ref":"#/components/schemas/Pet"}}]`),
			`{"x":"1"}`, "POST /x\nContent-Type: application/json\nContent-Length: 9\n\n{\"x\":\"1\"}", "parameters in body are 2.0's"},
		{"a form in 3.0", in(three, "post", `"parameters":[{"in":"formData","name":"f","type":"integer"},{"in":"formData","name":"g","schema":{"type":"string"}},{"in":"query","name":"q","schema":{"type":"string"}}]`),
			`{"f":1,"g":"a b","q":"2"}`, "POST /x?q=2\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 9\n\nf=1&g=a+b", "parameters in formData are 2.0's"},
		{"a body parameter beside a request body", in(three, "post", `"requestBody":{"content":{"text/plain":{"schema":{"type":"string"}}}},"parameters":[{"in":"body","name":"b","schema":{"type":"object"}}]`),
			`{"body":"t"}`, "POST /x\nContent-Type: text/plain\nContent-Length: 1\n\nt", "body parameter b is dropped"},
		{"a request body in 2.0", in(two, "post", `"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/definitions/Pet"}}}}`),
			`{"x":"1"}`, "POST /x\nContent-Type: application/json\nContent-Length: 9\n\n{\"x\":\"1\"}", "requestBody is 3.0's"},
		{"a parameter with a schema in 2.0", in(two, "get", `"parameters":[{"in":"query","name":"l","schema":{"type":"array","items":{"type":"integer"}}}]`), `{"l":[1,2]}`, "GET /x?l=1,2", ""},
		{"a parameter without a type in 2.0", in(two, "get", `"parameters":[{"in":"query","name":"l"}]`), `{"l":"1"}`, "GET /x?l=1", "parameter l has no schema; read as a string"},
		{"a body parameter with a type", in(two, "post", `"parameters":[{"in":"body","name":"b","type":"string"}]`), `{"body":"1"}`, "POST /x\nContent-Type: application/json\nContent-Length: 3\n\n\"1\"", "a body parameter has a schema, not a type"},
		{"a bare name", in(two, "post", `"parameters":[{"in":"body","name":"b","schema":{"$ref":"Pet"}}]`), `{"x":"1"}`, "POST /x\nContent-Type: application/json\nContent-Length: 9\n\n{\"x\":\"1\"}", "reference Pet is read as "},
	} {
		d := importText(t, c.doc, Options{})
		e, err := send(t, d.Tools[0], base, seen, c.args)
		if err != nil || sentAs(e) != c.want {
			t.Errorf("%s: %v, sent\n%s\nwant\n%s", c.rule, err, sentAs(e), c.want)
		}
		told := slices.IndexFunc(d.Warnings, func(w Warning) bool { return c.warning != "" && strings.Contains(w.Message, c.warning) })
		if wanted := c.warning != ""; (told >= 0) != wanted || len(d.Warnings) > 2 {
			t.Errorf("%s: warnings %v, want %q", c.rule, d.Warnings, c.warning)
		}
	}
}

func TestAnswersOfTheOtherVersionAreRead(t *testing.T) { // O1
	for _, doc := range []string{
		`{"swagger":"2.0","info":{},"paths":{"/x":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"type":"object","properties":{"a":{"type":"string"}}}}}}}}}}}`,
		`{"openapi":"3.0.0","info":{},"paths":{"/x":{"get":{"responses":{"200":{"schema":{"type":"object","properties":{"a":{"type":"string"}}}}}}}}}`,
	} {
		if tool := importText(t, doc, Options{}).Tools[0]; !strings.Contains(string(tool.OutputSchema), `"a":`) {
			t.Errorf("%s: output %s", doc, tool.OutputSchema)
		}
	}
}

func TestOperationsOfAzureAreRead(t *testing.T) { // x-ms-paths, x-ms-parameterized-host
	const doc = `{"swagger":"2.0","info":{},"basePath":"/b","x-ms-parameterized-host":{"hostTemplate":"{account}.example.net","parameters":[{"name":"account","in":"path","required":true,"type":"string"}]},
		"paths":{"/x":{"get":{"operationId":"plain"}}},"x-ms-paths":{"/{share}?kind=share&comp=list":{"get":{"operationId":"list","parameters":[{"name":"share","in":"path","required":true,"type":"string"},{"name":"kind","in":"query","required":true,"type":"string","enum":["share"]},{"name":"max","in":"query","type":"integer"}]}}}}`
	d := importText(t, doc, Options{})
	if d.Operations != 2 || len(d.Tools) != 2 || len(d.Backends) != 0 {
		t.Fatalf("%d operations, %d tools, backends %v", d.Operations, len(d.Tools), d.Backends)
	}
	d = importText(t, doc, Options{ServerVariables: map[string]string{"account": "acme"}})
	req, err := d.Tools[1].BuildRequest(t.Context(), nil, []byte(`{"share":"s","max":5}`))
	if err != nil || req.URL.String() != "https://acme.example.net/b/s?kind=share&comp=list&max=5" {
		t.Errorf("%v, %v", req, err)
	}
}

func TestTheHostOfAnOldVersionIsTheServerOfANewOne(t *testing.T) { // B2, B4
	for members, want := range map[string]string{
		`"host":"api.example.com","basePath":"/v1","schemes":["http","https"],`: "https://api.example.com/v1",
		`"host":"api.example.com","servers":[{"url":"https://other.example"}],`: "https://other.example",
		`"basePath":"/v1",`: "<nil>",
		`"host":{},`:        "<nil>",
	} {
		d := importText(t, `{"openapi":"3.0.3","info":{},`+members+`"paths":{"/x":{"get":{}},"/y":{"get":{}}}}`, Options{})
		warned := 0
		for _, w := range d.Warnings {
			if strings.HasPrefix(w.Message, "repaired: host") {
				warned++
			}
		}
		if got := fmt.Sprint(d.Tools[0].BaseURL); got != want || warned != strings.Count(want, "/v1") {
			t.Errorf("%s: %s, want %s; %d warnings", members, got, want, warned)
		}
	}
}
