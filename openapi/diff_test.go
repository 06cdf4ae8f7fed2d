package openapi

import (
	"strings"
	"testing"
)

// reading is a document of one operation, getThing, with the given members.
func reading(t *testing.T, members string) *Document {
	t.Helper()
	return importText(t, oneOperation("get", "/things", members), Options{})
}

func TestAChangedDocumentIsToldToolByTool(t *testing.T) { // §14
	doc := func(paths string) *Document {
		return importText(t, `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{`+paths+`}}`, Options{})
	}
	old := doc(`"/a":{"get":{"operationId":"a"}},"/b":{"get":{"operationId":"b"}},"/c":{"get":{"operationId":"c","summary":"C"}},"/d":{"get":{"operationId":"d"}}`)
	new := doc(`"/a":{"get":{"operationId":"a"}},"/c":{"get":{"operationId":"c","summary":"Other words"}},"/e":{"get":{"operationId":"e"}},
		"/d":{"get":{"operationId":"d","parameters":[{"name":"x","in":"query","required":true,"schema":{"type":"string"}}]}}`)
	c := Diff(old, new)
	if got, want := c.String(), "1 added (e), 1 removed (b breaking), 2 changed (c, d breaking)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := strings.Join(c.Breaking(), "; "), "b: removed; d: argument x required"; got != want {
		t.Errorf("breaking: %s, want %s", got, want)
	}
	if same := Diff(old, doc(`"/d":{"get":{"operationId":"d"}},"/c":{"get":{"summary":"C","operationId":"c"}},"/b":{"get":{"operationId":"b"}},"/a":{"get":{"operationId":"a"}}`)); !same.Empty() {
		t.Errorf("the order of keys is a change: %s", same)
	}
	if c := Diff(nil, new); !c.Empty() {
		t.Errorf("the first reading is a change: %s", c)
	}
	if moved := Diff(doc(`"/a":{"get":{"operationId":"a","description":"x"}}`), doc(`"/v2/a":{"get":{"operationId":"a","description":"x"}}`)); moved.Empty() {
		t.Error("another path is no change")
	}
}

func TestWhatBreaksCallersIsNamed(t *testing.T) { // §14
	query := func(schema string) string { return `"parameters":[{"name":"x","in":"query","schema":` + schema + `}]` }
	body := func(schema string) string {
		return `"requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","properties":{"x":` + schema + `}}}}}`
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"removed argument", query(`{"type":"string"}`), `"parameters":[]`, "argument x removed"},
		{"new argument", `"parameters":[]`, query(`{"type":"string"}`), ""},
		{"required argument", query(`{"type":"string"}`), `"parameters":[{"name":"x","in":"query","required":true,"schema":{"type":"string"}}]`, "argument x required"},
		{"narrower type", query(`{"type":"number"}`), query(`{"type":"integer"}`), "argument x has a narrower type"},
		{"wider type", query(`{"type":"integer"}`), query(`{"type":"number"}`), ""},
		{"other type", query(`{"type":"integer"}`), query(`{"type":"string"}`), "argument x has a narrower type"},
		{"variant gone", query(`{"anyOf":[{"type":"integer"},{"type":"string"}]}`), query(`{"type":"string"}`), "argument x has a narrower type"},
		{"variant more", query(`{"type":"string"}`), query(`{"anyOf":[{"type":"integer"},{"type":"string"}]}`), ""},
		{"enum value gone", query(`{"type":"string","enum":["a","b"]}`), query(`{"type":"string","enum":["a"]}`), "argument x has a narrower enum"},
		{"enum value more", query(`{"type":"string","enum":["a"]}`), query(`{"type":"string","enum":["a","b"]}`), ""},
		{"enum where anything was", query(`{"type":"string"}`), query(`{"type":"string","enum":["a"]}`), "argument x has a narrower enum"},
		{"enum gone", query(`{"type":"string","enum":["a"]}`), query(`{"type":"string"}`), ""},
		{"items", query(`{"type":"array","items":{"type":"string"}}`), query(`{"type":"array","items":{"type":"integer"}}`), "argument x[] has a narrower type"},
		{"nested member removed", body(`{"type":"object","properties":{"y":{"type":"string"},"z":{"type":"string"}}}`), body(`{"type":"object","properties":{"z":{"type":"string"}}}`), "argument x.y removed"},
		{"nested member required", body(`{"type":"object","properties":{"y":{"type":"string"}}}`), body(`{"type":"object","required":["y"],"properties":{"y":{"type":"string"}}}`), "argument x.y required"},
		{"words", query(`{"type":"string","description":"a"}`), query(`{"type":"string","description":"b"}`), ""},
	} {
		changes := Diff(reading(t, c.old), reading(t, c.new))
		if len(changes.Changed) != 1 {
			t.Errorf("%s: %s", c.name, changes)
			continue
		}
		if got := strings.Join(changes.Changed[0].Breaking, ", "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
