package openapi

import (
	"strings"
	"testing"
)

// TestSchemasBringTheirOwnDefinitions: generators paste whole JSON Schemas into components and bodies, $defs and all.
func TestSchemasBringTheirOwnDefinitions(t *testing.T) { // R7g
	const shown = `"v":{"properties":{"k":{"type":"string"}},"type":"object"}`
	const item = `{"type":"object","properties":{"k":{"type":"string"}}}`
	for name, c := range map[string][2]string{ // schema of the body, components
		"$defs of the body":                {`{"type":"object","properties":{"v":{"$ref":"#/$defs/Item"}},"$defs":{"Item":` + item + `}}`, ``},
		"definitions of a component":       {`{"$ref":"#/components/schemas/A"}`, `"A":{"type":"object","properties":{"v":{"$ref":"#/definitions/Item"}},"definitions":{"Item":` + item + `}}`},
		"definitions of the schema around": {`{"type":"object","properties":{"v":{"allOf":[{"$ref":"#/$defs/Item"}],"$defs":{}}},"$defs":{"Item":` + item + `}}`, ``},
		"definitions of definitions":       {`{"type":"object","properties":{"v":{"$ref":"#/$defs/Outer"}},"$defs":{"Outer":{"$ref":"#/$defs/Item"},"Item":` + item + `}}`, ``},
		"the $id of a component":           {`{"type":"object","properties":{"v":{"$ref":"https://schemas.example/item"}}}`, `"A":{"$id":"https://schemas.example/item","type":"object","properties":{"k":{"type":"string"}}}`},
		"an $id beside an $id":             {`{"type":"object","properties":{"v":{"$ref":"https://schemas.example/a/list"}}}`, `"A":{"$id":"https://schemas.example/a/list","$ref":"item"},"B":{"$id":"https://schemas.example/a/item","type":"object","properties":{"k":{"type":"string"}}}`},
		"a place below an $id":             {`{"type":"object","properties":{"v":{"$ref":"https://schemas.example/all#/$defs/Item"}}}`, `"A":{"$id":"https://schemas.example/all","$defs":{"Item":` + item + `}}`},
		"an anchor below an $id":           {`{"type":"object","properties":{"v":{"$ref":"https://schemas.example/all#it"}}}`, `"A":{"$id":"https://schemas.example/all","$defs":{"Item":{"$anchor":"it","type":"object","properties":{"k":{"type":"string"}}}}}`},
		"an $id that says nothing":         {`{"$id":"https://schemas.example/body","type":"object","properties":{"v":{"$ref":"#/components/schemas/A"}}}`, `"A":` + item},
	} {
		d := importText(t, bodyDoc("3.1.0", c[0], c[1]), Options{})
		if got := string(d.Tools[0].InputSchema); !strings.Contains(got, shown) || len(d.Warnings) > 1 {
			t.Errorf("%s: %s, %v", name, got, d.Warnings)
		}
	}
}

func TestDefinitionsStayWithTheirSchema(t *testing.T) { // R7g: the same name is two things in two schemas
	d := importText(t, bodyDoc("3.1.0", `{"type":"object","properties":{"a":{"$ref":"#/components/schemas/A"},"b":{"$ref":"#/components/schemas/B"}}}`,
		`"A":{"type":"object","properties":{"v":{"$ref":"#/$defs/T"}},"$defs":{"T":{"type":"string"}}},"B":{"type":"object","properties":{"v":{"$ref":"#/$defs/T"}},"$defs":{"T":{"type":"integer"}}}`), Options{})
	got := string(d.Tools[0].InputSchema)
	for _, want := range []string{`"a":{"properties":{"v":{"type":"string"}}`, `"b":{"properties":{"v":{"type":"integer"}}`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTheSameAnchorTwiceIsTheSameInAnyOrder(t *testing.T) { // §16: shuffled keys give equal tools
	const a, b = `"A":{"$dynamicAnchor":"t","type":"string"}`, `"B":{"$dynamicAnchor":"t","type":"integer"}`
	const body = `{"type":"object","properties":{"v":{"$dynamicRef":"#t"},"w":{"$ref":"#t"}}}`
	first := importText(t, bodyDoc("3.1.0", body, a+","+b), Options{}).Tools[0].InputSchema
	second := importText(t, bodyDoc("3.1.0", body, b+","+a), Options{}).Tools[0].InputSchema
	if string(first) != string(second) || !strings.Contains(string(first), `"v":{"type":"string"}`) {
		t.Errorf("%s\n%s", first, second)
	}
}

func TestAnAnchorIsThatOfItsOwnResource(t *testing.T) { // R7g
	resource := func(id, typ string) string {
		return `{"$id":"https://schemas.example/` + id + `","type":"object","properties":{"v":{"$ref":"#t"}},"$defs":{"T":{"$anchor":"t","type":"` + typ + `"}}}`
	}
	d := importText(t, bodyDoc("3.1.0", `{"type":"object","properties":{"a":{"$ref":"#/components/schemas/A"},"b":{"$ref":"#/components/schemas/B"},"c":{"$ref":"#t"}}}`,
		`"A":`+resource("a", "string")+`,"B":`+resource("b", "integer")), Options{})
	got := string(d.Tools[0].InputSchema)
	for _, want := range []string{`"a":{"properties":{"v":{"type":"string"}}`, `"b":{"properties":{"v":{"type":"integer"}}`, `"c":{"type":"string"}`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
