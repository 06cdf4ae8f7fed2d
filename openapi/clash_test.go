package openapi

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestContradictionsLeaveValuesThatFit: what a tool shows is what a call may send, also where a document contradicts itself
// and no value would fit it as written.
func TestContradictionsLeaveValuesThatFit(t *testing.T) { // S3, S5
	const components = `"Level":{"type":"string","enum":["low","high"]},"Tag":{"type":"object","required":["k"],"properties":{"k":{"type":"string"}}}`
	for _, c := range []struct{ rule, schema, shown, args, warning string }{
		{"the first of two bare types", `{"allOf":[{"type":"string"},{"type":"integer"}]}`, `{"type":"string"}`, `"x"`, "an integer and a string; the latter is used"},
		{"a type beside an enum", `{"type":"object","allOf":[{"$ref":"#/components/schemas/Level"}]}`, `{"enum":["low","high"],"type":"string"}`, `"low"`, "an object and a string; the latter is used"},
		{"a bare type before an enum", `{"allOf":[{"type":"object"},{"$ref":"#/components/schemas/Level"}]}`, `{"enum":["low","high"],"type":"string"}`, `"high"`, "an object and a string; the latter is used"},
		{"a list's type beside variants of an item", `{"type":"array","oneOf":[{"$ref":"#/components/schemas/Tag"},{"type":"string"}]}`,
			`{"anyOf":[{"properties":{"k":{"type":"string"}},"required":["k"],"type":"object"},{"type":"string"}]}`, `{"k":"1"}`, "an array without items"},
		{"a type beside variants, one of which has it", `{"type":"string","anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}`,
			`{"anyOf":[{"type":"string"},{"items":{"type":"string"},"type":"array"}]}`, `["1"]`, ""},
	} {
		d := importText(t, bodyDoc("3.1.0", `{"type":"object","properties":{"v":`+c.schema+`}}`, components), Options{})
		if got := string(d.Tools[0].InputSchema); !strings.Contains(got, `"v":`+c.shown+`}`) {
			t.Errorf("%s: %s, want %s", c.rule, got, c.shown)
		}
		req, err := d.Tools[0].BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{"v":`+c.args+`}`))
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
		} else if got := readAll(t, req.Body); got != `{"v":`+c.args+`}` {
			t.Errorf("%s: sent %s", c.rule, got)
		}
		if told := len(d.Warnings) > 1; told != (c.warning != "") || told && !strings.Contains(d.Warnings[0].Message+d.Warnings[1].Message, c.warning) {
			t.Errorf("%s: warnings %v, want %q", c.rule, d.Warnings, c.warning)
		}
	}
}

func TestATypeBesideAUnionStillCounts(t *testing.T) { // S5: it shuts out no variant
	tool := importText(t, bodyDoc("3.1.0", `{"type":"object","properties":{"v":{"type":["string","null"],"anyOf":[{"minLength":2},{"pattern":"^[a-z]"}]}}}`, ""), Options{}).Tools[0]
	if _, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{"v":{}}`)); err == nil {
		t.Error("an object is taken for a string")
	}
}

func TestWhatNoArgumentCanGiveIsNotDemanded(t *testing.T) { // P11: required names without a property
	for _, c := range []struct{ schema, good, bad string }{
		{`{"type":"object","required":["a","typo"],"properties":{"a":{"type":"string"}}}`, `{"a":"1"}`, `{}`},
		{`{"required":["a","typo"],"allOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"oneOf":[{"type":"object","required":["b","other"],"properties":{"b":{"type":"string"}}}]}]}`, `{"a":"1","b":"2"}`, `{"a":"1"}`},
		{`{"type":"object","properties":{"o":{"type":"object","additionalProperties":false,"required":["a","typo"],"properties":{"a":{"type":"string"}}}}}`, `{"o":{"a":"1"}}`, `{"o":{}}`},
		{`{"type":"object","properties":{"o":{"type":"object","required":["a","unsaid"],"properties":{"a":{"type":"string"}}}}}`, `{"o":{"a":"1","unsaid":"2"}}`, `{"o":{"a":"1"}}`},
		{`{"type":"object","required":["unsaid"],"minProperties":1,"additionalProperties":true,"properties":{"a":{"type":"string"}}}`, `{"additional_properties":{"unsaid":"2"}}`, `{"a":"1"}`},
	} {
		tool := importText(t, bodyDoc("3.1.0", c.schema, ""), Options{}).Tools[0]
		if _, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(c.good)); err != nil {
			t.Errorf("%s: %s: %v", c.schema, c.good, err)
		}
		if _, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(c.bad)); err == nil {
			t.Errorf("%s: %s is sent", c.schema, c.bad)
		}
	}
}
