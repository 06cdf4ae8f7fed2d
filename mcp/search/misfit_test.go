package search

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

func TestArgumentsThatPlainlyDoNotFit(t *testing.T) { // F6
	const schema = `{"type":"object","properties":{"id":{"type":"string"},"n":{"type":["integer","null"]},"any":{},"odd":{"type":"file"}},"required":["id"],"additionalProperties":false}`
	for arguments, want := range map[string]bool{
		`{"id":"1"}`: false, `{"id":"1","n":2,"any":[],"odd":7}`: false, `{"id":"1","n":null}`: false, `{"id":"1","n":-1.5}`: false,
		`{}`: true, `{"id":1}`: true, `{"id":"1","n":"2"}`: true, `{"id":"1","other":1}`: true, `{"ID":"1"}`: true, `[]`: false,
	} {
		if got := misfits([]byte(schema), []byte(arguments)); got != want {
			t.Errorf("%s: %v", arguments, got)
		}
	}
	for _, odd := range []string{`{}`, `true`, `{"required":"id","properties":[1],"additionalProperties":{}}`, `{"properties":{"id":{"type":{}}}}`, ``, `{"required":[7]}`} {
		if misfits([]byte(odd), []byte(`{"id":1}`)) {
			t.Errorf("%s refuses something", odd)
		}
	}
}

// saying is a server whose tool fails in words of its own.
type saying struct {
	*shop
	text string
}

func (s saying) Handle(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	if r.Message.Method != "tools/call" {
		return s.shop.Handle(ctx, r)
	}
	return json.RawMessage(`{"content":[{"type":"text","text":"` + s.text + `"}],"isError":true}`), nil
}

func TestAnUpstreamsOwnWordsAboutArgumentsGetTheSchema(t *testing.T) { // F6
	inner := saying{newShop(), "1 validation error for call[getOrder]"}
	s := New(Config{Server: inner, Tools: inner.list, Mode: On})
	if got := ask(t, s, "tools/call", call("call_tool", `{"name":"getOrder","arguments":{"text":"x"}}`)); !strings.Contains(got, "1 validation error") || !strings.Contains(got, "The arguments of getOrder: {") {
		t.Errorf("%s", got)
	}
	if got := ask(t, s, "tools/call", call("call_tool", `{"name":"getOrder","arguments":{"id":"x"}}`)); got != `{"content":[{"type":"text","text":"1 validation error for call[getOrder]"}],"isError":true}` {
		t.Errorf("what did not fail for its arguments: %s", got)
	}
}
