package main

import (
	"encoding/json"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/openapi"
)

// The command that a person is told to type next has what the tool needs (CONTRACT §2).
func TestTheNextCommandHasWhatItsToolNeeds(t *testing.T) {
	tool := func(name string, reads bool, schema string) *openapi.Tool {
		return &openapi.Tool{Name: name, Annotations: openapi.Annotations{ReadOnly: reads}, InputSchema: json.RawMessage(schema)}
	}
	body := tool("add", false, `{"type":"object","properties":{"items":{"type":"array"}},"required":["items"]}`)
	named := tool("get", true, `{"type":"object","properties":{"id":{"type":"string"},"page":{"type":"integer"},"state":{"enum":["in stock","sold"]},"x":{"examples":["a"]}},"required":["id","page","state","x"]}`)
	free := tool("list", true, `{"type":"object","properties":{"n":{"type":"integer"}}}`)
	for _, c := range []struct {
		tools []*openapi.Tool
		want  string
	}{
		{[]*openapi.Tool{body, named, free}, "call shop list"},
		{[]*openapi.Tool{body, named}, "call shop get id=ID page=1 'state=in stock' x=a"},
		{[]*openapi.Tool{body}, "call shop add items=ITEMS"},
	} {
		got := (&trial{name: "shop", spec: "x"}).nextCommand("http://127.0.0.1:8080", &openapi.Document{Tools: c.tools})
		if want := ownName() + " " + c.want; got != want {
			t.Errorf("= %q, want %q", got, want)
		}
	}
}
