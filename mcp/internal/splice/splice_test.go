package splice

import (
	"encoding/json"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func message(t *testing.T, params string) *strictjson.Message {
	t.Helper()
	m, err := strictjson.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"m","params":`+params+`}`), strictjson.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMembersAreSetAndTheRestStays(t *testing.T) {
	for _, c := range []struct {
		params string
		set    map[string][]byte
		want   string
	}{
		{`{}`, map[string][]byte{"b": []byte("1"), "a": []byte("2")}, `{"a":2,"b":1}`},
		{`{ "x" : 1.00 }`, map[string][]byte{"a": []byte("2")}, `{ "x" : 1.00 ,"a":2}`},
		{`{"a":1e2,"x":{"a":3}}`, map[string][]byte{"a": []byte("2")}, `{"a":2,"x":{"a":3}}`},
		{`{"\u0061":1,"x":12345678901234567890.10}`, map[string][]byte{"a": nil}, `{"x":12345678901234567890.10}`},
		{`{"a":1}`, map[string][]byte{"a": nil}, `{}`},
		{`{"a":1,"b":2}`, map[string][]byte{"a": nil, "b": []byte("3"), "c": []byte("4")}, `{"b":3,"c":4}`},
		{`{"x":1}`, map[string][]byte{"a": nil}, `{"x":1}`},
	} {
		m := message(t, c.params)
		got := Apply(m.Body, Members(m, m.Params, c.set))
		if want := `{"jsonrpc":"2.0","id":1,"method":"m","params":` + c.want + `}`; string(got) != want {
			t.Errorf("%s with %s = %s, want %s", c.params, c.set, got, want)
		}
	}
}

func TestArgumentsOfPolicies(t *testing.T) {
	m := message(t, `{"name":"t","arguments":{"a": 1 ,"b":2}}`)
	got, err := Arguments(m, []proxy.Argument{{Name: "a", Value: json.RawMessage("9")}, {Name: "c", Value: json.RawMessage(`"x"`)}, {Name: "a", Value: json.RawMessage("8")}})
	if want := `{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"t","arguments":{"a": 8 ,"b":2,"c":"x"}}}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := Arguments(message(t, `{"name":"t"}`), []proxy.Argument{{Name: "a", Value: json.RawMessage("9")}}); err == nil {
		t.Error("arguments that are no object were changed")
	}
}
