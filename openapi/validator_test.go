package openapi

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// bodyDoc is a document whose tool has a body of a schema.
func bodyDoc(version, schema, components string) string {
	return `{"openapi":"` + version + `","info":{},"paths":{"/x":{"post":{"operationId":"op","requestBody":{"required":true,"content":{"application/json":{"schema":` + schema + `}}}}}},"components":{"schemas":{` + components + `}}}`
}

func TestTheValidatorKeepsWhatToolsDoNotShow(t *testing.T) { // S6, S3, A8, §10
	const base = `"Base":{"type":"object","properties":{"a":{"type":"string"}}},"Id":{"type":"string","readOnly":true}`
	for _, c := range []struct {
		rule, schema string
		good, bad    string // "" where there is none
	}{
		{"unevaluatedProperties: false", `{"type":"object","properties":{"v":{"allOf":[{"$ref":"#/components/schemas/Base"}],"properties":{"b":{"type":"string"}},"unevaluatedProperties":false}}}`, `{"v":{"a":"1","b":"2"}}`, `{"v":{"a":"1","c":"3"}}`},
		{"unevaluatedProperties as a schema", `{"type":"object","properties":{"v":{"allOf":[{"$ref":"#/components/schemas/Base"}],"unevaluatedProperties":{"type":"integer"}}}}`, `{"v":{"a":"1","c":3}}`, `{"v":{"a":"1","c":"x"}}`},
		{"unevaluatedItems", `{"type":"object","properties":{"v":{"type":"array","prefixItems":[{"type":"string"}],"unevaluatedItems":false}}}`, `{"v":["1"]}`, `{"v":["1","2"]}`},
		{"types of a tuple", `{"type":"object","properties":{"v":{"type":"array","prefixItems":[{"type":"integer"},{}],"items":{"type":"string"}}}}`, `{"v":[2,"5","x"]}`, `{"v":[2,"5",3]}`},
		{"a list of anything among variants", `{"type":"object","properties":{"v":{"anyOf":[{"type":"array","items":{"type":"integer"}},{"type":"array","items":{}}]}}}`, `{"v":["5"]}`, ``},
		{"anyOf in a part of allOf", `{"allOf":[{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}},{"anyOf":[{"required":["a"]},{"required":["b"]}]}]}`, `{"a":"1"}`, `{}`},
		{"anyOf in two parts of allOf", `{"allOf":[{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"},"c":{"type":"string"}}},{"anyOf":[{"required":["a"]},{"required":["b"]}]},{"anyOf":[{"required":["c"]},{"required":["b"]}]}]}`, `{"a":"1","c":"2"}`, `{"a":"1"}`},
		{"not in a part of allOf", `{"allOf":[{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}},{"not":{"required":["a","b"]}}]}`, `{"a":"1"}`, `{"a":"1","b":"2"}`},
		{"dependentRequired in a part of allOf", `{"allOf":[{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}},{"dependentRequired":{"a":["b"]}}]}`, `{"b":"1"}`, `{"a":"1"}`},
		{"a required property that is read-only where it leads", `{"type":"object","properties":{"v":{"type":"object","required":["id"],"properties":{"id":{"$ref":"#/components/schemas/Id","description":"Made by the API."},"n":{"type":"string","pattern":"^a"}}}}}`, `{"v":{"n":"a"}}`, `{"v":{"n":"b"}}`},
	} {
		tool := importText(t, bodyDoc("3.1.0", c.schema, base), Options{}).Tools[0]
		req, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(c.good))
		if err != nil {
			t.Errorf("%s: %s is refused: %v", c.rule, c.good, err)
		} else if got := readAll(t, req.Body); c.good != got {
			t.Errorf("%s: sent %s, want %s", c.rule, got, c.good)
		}
		if c.bad == "" {
			continue
		}
		if req, err = tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(c.bad)); err == nil {
			t.Errorf("%s: %s is sent as %s", c.rule, c.bad, readAll(t, req.Body))
		}
	}
}

func TestVersionsAreReadWhole(t *testing.T) { // R1
	for version, good := range map[string]bool{"3.1": true, "3.2.0": true, "3.1.1": true, "3.0.4": true, "3.10.0": false, "3.20": false, "3.3.0": false, "4.0.0": false, "30.0": false} {
		_, err := Import(t.Context(), Source{Data: []byte(`{"openapi":"` + version + `","info":{},"paths":{"/x":{"get":{}}}}`)}, Options{})
		if (err == nil) != good || err != nil && !strings.HasPrefix(err.Error(), "not an OpenAPI document: ") {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func readAll(t *testing.T, body io.Reader) string {
	t.Helper()
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
