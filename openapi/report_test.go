package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestTheReportHasTheKeysOfTheContract(t *testing.T) { // CONTRACT §1, §15
	d := importText(t, strings.Replace(ordersDoc, "paths:", "security: [{key: [read]}]\ncomponents: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}\npaths:", 1), Options{})
	var j, y, text bytes.Buffer
	if err := d.WriteJSON(&j); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteYAML(&y); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	var fromJSON, fromYAML map[string]any
	if err := json.Unmarshal(j.Bytes(), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Load(y.Bytes(), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(sortedKeys(fromJSON), " "); got != "openapi operations skipped title tools version warnings" {
		t.Errorf("keys %s", got)
	}
	tool := fromJSON["tools"].([]any)[0].(map[string]any)
	if got := strings.Join(sortedKeys(tool), " "); got != "annotations bytes description input_schema method name operation_id output_schema parameters path security title" {
		t.Errorf("keys of a tool %s", got)
	}
	if got := fmt.Sprint(tool["security"], tool["output_schema"]); got != "[map[key:[read]]] <nil>" {
		t.Errorf("security and output schema %s", got)
	}
	if fmt.Sprint(fromYAML["version"]) != "1" || fmt.Sprint(fromYAML["operations"]) != "1" {
		t.Errorf("yaml %v", fromYAML)
	}
	if _, isText := fromYAML["version"].(string); !isText {
		t.Errorf("the version became %T in YAML", fromYAML["version"])
	}
	for _, want := range []string{"Orders 1 (OpenAPI 3.0.3)", "1 operations: 1 tools, 0 skipped", "updateOrder  POST    /orders/{id}", "security: key: needs an API key: backends[].credential: {kind: api_key, header: X-Key, value: env:…} (1 operations)"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("text lacks %q:\n%s", want, text.String())
		}
	}
}

func TestSizeIsThatOfTheToolInTheList(t *testing.T) { // §6.4
	tool := orderTool(t, Options{})
	wire, err := json.Marshal(map[string]any{"name": tool.Name, "title": tool.Title, "description": tool.Description, "inputSchema": tool.InputSchema, "annotations": tool.Annotations})
	if err != nil {
		t.Fatal(err)
	}
	if tool.Bytes < len(wire)-8 || tool.Bytes > len(wire)+8 {
		t.Errorf("Bytes = %d, on the wire %d", tool.Bytes, len(wire))
	}
}

func TestOversizedToolsAreShortenedAndKeepTheirArguments(t *testing.T) { // §6.4
	var props strings.Builder
	for i := range 400 {
		fmt.Fprintf(&props, `"property_%d":{"type":"object","description":%q,"properties":{"a":{"type":"string","description":%q},"b":{"type":"object","properties":{"c":{"type":"string"}}}}},`, i, strings.Repeat("Long. ", 40), strings.Repeat("Longer. ", 20))
	}
	doc := bodyOperation("application/json", `{"type":"object","properties":{`+strings.TrimSuffix(props.String(), ",")+`}}`, "")
	d := importText(t, doc, Options{})
	tool := d.Tools[0]
	if tool.Bytes > hardToolBytes || tool.Parameters != 400 {
		t.Errorf("%d bytes, %d arguments", tool.Bytes, tool.Parameters)
	}
	for i := range 400 {
		if !strings.Contains(string(tool.InputSchema), fmt.Sprintf(`"property_%d":`, i)) {
			t.Fatalf("property_%d is gone", i)
		}
	}
	checkShape := unclean(tool.InputSchema, true, true)
	if len(checkShape) > 0 {
		t.Error(checkShape)
	}
	// What is not shown is still checked.
	_, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{"property_1":{"b":{"c":5}}}`))
	if text := problem(t, err); !strings.Contains(text, `argument "property_1.b.c": must be a string`) {
		t.Error(text)
	}
	_, err = Import(t.Context(), Source{Data: []byte(bodyOperation("application/json", `{"type":"object","properties":{"first":{"type":"string"}`+manyNames(4000)+`}}`, ""))}, Options{})
	if err == nil || !strings.Contains(err.Error(), "tool is larger than 64KiB after shortening") {
		t.Errorf("error = %v", err)
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"a_rather_long_name_of_a_property_%d":{"type":"string"}`, i)
	}
	return b.String()
}

func TestNamesDependOnTheOperationAlone(t *testing.T) { // N2–N6
	long := strings.Repeat("a", 60)
	for _, c := range []struct{ id, method, path, want string }{
		{"getPet", "get", "/x", "getPet"},
		{"repos/get all!!", "get", "/x", "repos_get_all"},
		{"--x--", "get", "/x", "x"},
		{"ä", "get", "/x", "op_" + shortHash("GET /x", 8)},
		{long, "get", "/x", long[:41] + "_" + shortHash("GET /x", 8)},
		{"", "get", "/orders/{id}/items", "get_orders_id_items"},
		{"", "put", "/", "put"},
	} {
		doc := fmt.Sprintf(`{"openapi":"3.0.3","info":{},"paths":{%q:{%q:{"operationId":%q}}}}`, c.path, c.method, c.id)
		if got := importText(t, doc, Options{}).Tools[0].Name; got != c.want {
			t.Errorf("%q %s %s: %q, want %q", c.id, c.method, c.path, got, c.want)
		}
	}
}

func TestAnnotationsFollowFromTheMethod(t *testing.T) { // §4.3
	for _, c := range []struct{ method, id, path, more, want string }{
		{"get", "a", "/x", "", "true false true true"}, {"head", "a", "/x", "", "true false true true"}, {"query", "a", "/x", "", "true false true true"},
		{"put", "a", "/x", "", "false true true true"}, {"delete", "a", "/x", "", "false true true true"}, {"patch", "a", "/x", "", "false true false true"},
		{"post", "create", "/x", "", "false false false true"}, {"post", "cancelOrder", "/x", "", "false true false true"}, {"post", "a", "/orders/{id}/refund", "", "false true false true"},
		{"post", "closet", "/x", "", "false false false true"},
		{"post", "a", "/x", `,"x-drawbridge":{"annotations":{"readOnlyHint":true}},"x-mcp":{"annotations":{"readOnlyHint":false,"idempotentHint":true}}`, "true false true true"},
	} {
		doc := fmt.Sprintf(`{"openapi":"3.2.0","info":{},"paths":{%q:{%q:{"operationId":%q%s}}}}`, c.path, c.method, c.id, c.more)
		a := importText(t, doc, Options{}).Tools[0].Annotations
		if got := fmt.Sprint(a.ReadOnly, a.Destructive, a.Idempotent, a.OpenWorld); got != c.want {
			t.Errorf("%s %s %s: %s, want %s", c.method, c.id, c.path, got, c.want)
		}
	}
	o := Options{Tools: map[string]ToolConfig{"op": {Annotations: AnnotationsConfig{ReadOnly: "false"}}}}
	if importText(t, oneOperation("get", "/x", `"tags":[]`), o).Tools[0].Annotations.ReadOnly {
		t.Error("configuration does not win")
	}
}

func TestCallsMayRunAtOnce(t *testing.T) {
	tool := orderTool(t, Options{Tools: map[string]ToolConfig{"updateOrder": {Arguments: map[string]ArgumentConfig{"tags": {Default: Literal{Raw: []byte(`[1,2]`)}}}}}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if _, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{"id":"1","since":"2026-01-31T09:00:00Z","secret":"s","items":[{"sku":"ab","type":"x"}]}`)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestRepeatableCalls(t *testing.T) { // T2
	members := `"parameters":[{"name":"Idempotency-Key","in":"header","schema":{"type":"string"}}]`
	get, post := importText(t, oneOperation("get", "/x", members), Options{}).Tools[0], importText(t, oneOperation("post", "/x", members), Options{}).Tools[0]
	retry := importText(t, oneOperation("post", "/x", `"x-drawbridge":{"retry":true}`), Options{}).Tools[0]
	for i, got := range []bool{get.Repeatable(nil), !post.Repeatable([]byte(`{}`)), post.Repeatable([]byte(`{"Idempotency-Key":"k"}`)), retry.Repeatable(nil)} {
		if !got {
			t.Errorf("case %d", i)
		}
	}
}

func TestWhatServesHoldsNoRawTree(t *testing.T) {
	dir, _ := corpus(t)
	data, err := os.ReadFile(filepath.Join(dir, "petstore-3.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Import(t.Context(), Source{Data: data}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range d.Tools {
		for _, a := range tool.plan.args {
			if a.spec != nil && a.spec.node != nil || a.schema.ext != nil {
				t.Errorf("%s: %s holds the tree", tool.Name, a.name)
			}
		}
	}
}
