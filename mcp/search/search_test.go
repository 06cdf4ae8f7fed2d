package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// shop is a server with tools of its own; admins see one more.
type shop struct {
	tools  []Tool
	called []*edge.Request
}

func (s *shop) Name() string                            { return "shop" }
func (s *shop) Allowed(*identity.Caller) (bool, string) { return true, "" }
func (s *shop) View(c *identity.Caller) string          { return fmt.Sprint(c.HasRole("Admin"), len(s.tools)) }
func (s *shop) Handle(_ context.Context, r *edge.Request) (json.RawMessage, error) {
	switch r.Message.Method {
	case "tools/list":
		return json.RawMessage(`{"tools":[{"name":"own"}],"nextCursor":"c","resultType":"complete","ttlMs":60000,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"shop"}}}`), nil
	case "initialize", "server/discover":
		return json.RawMessage(`{"n":1.00,"instructions":"Be kind."}`), nil
	case "tools/call":
		s.called = append(s.called, r)
		name, _ := r.Message.Text(r.Message.Name)
		if name == "secret" && !r.Caller.HasRole("Admin") {
			return nil, edge.InvalidParams("unknown tool: %s", name)
		}
		if !strings.Contains(string(r.Message.Bytes(r.Message.Arguments)), "id") {
			return json.RawMessage(`{"content":[{"type":"text","text":"argument \"id\" is required"}],"isError":true}`), nil
		}
		return json.RawMessage(`{"content":[],"called":` + string(r.Message.Bytes(r.Message.Params)) + `}`), nil
	}
	return nil, edge.MethodNotFound(r.Message.Method)
}

func (s *shop) list(_ context.Context, r *edge.Request) ([]Tool, error) {
	var list []Tool
	for _, t := range s.tools {
		if t.Name != "secret" || r.Caller.HasRole("Admin") {
			list = append(list, t)
		}
	}
	return list, nil
}

func tool(name, description, tag string) Tool {
	wire := fmt.Sprintf(`{"name":%q,"title":"T","description":%q,"inputSchema":{"type":"object","properties":{"id":{"type":"string","x-mcp-header":"Id"},"text":{"type":"string"}},"required":["id"]},"annotations":{"readOnlyHint":true}}`, name, description)
	return Tool{Name: name, Wire: json.RawMessage(wire), Tags: []string{tag}, Source: "api-" + tag}
}

func newShop() *shop {
	s := &shop{tools: []Tool{tool("getOrder", "Return one order", "orders"), tool("deleteCustomer", "Remove a customer", "customers"), tool("secret", "Delete a customer for ever", "customers")}}
	return s
}

func (s *shop) searched(mode Mode, above Above) *Server {
	return New(Config{Server: s, Tools: s.list, Mode: mode, Above: above})
}

func request(t testing.TB, modern bool, method, params string, roles ...string) *edge.Request {
	t.Helper()
	m, err := edge.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`), edge.Limits{}.OrDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return &edge.Request{Message: m, Modern: modern, Revision: edge.Modern, Caller: mcptest.Caller("alice", roles...),
		HTTP: &http.Request{Header: http.Header{"Mcp-Name": {"call_tool"}, "Mcp-Param-Id": {"forged"}}}}
}

func ask(t testing.TB, s *Server, method, params string, roles ...string) string {
	t.Helper()
	result, err := s.Handle(t.Context(), request(t, false, method, params, roles...))
	if err != nil {
		return "error: " + err.Error()
	}
	if !json.Valid(result) {
		t.Fatalf("%s %s gave %s", method, params, result)
	}
	return string(result)
}

func call(name, arguments string) string {
	return `{"name":"` + name + `","arguments":` + arguments + `}`
}

func TestWhenSearchIsOffered(t *testing.T) { // §14, F7, F8
	for name, c := range map[string]struct {
		mode  Mode
		above Above
		want  bool
	}{
		"off": {Off, Above{Tools: 1}, false}, "on": {On, Above{}, true}, "auto, short": {Auto, Above{}, false},
		"auto, many tools": {Auto, Above{Tools: 2}, true}, "auto, as many": {Auto, Above{Tools: 3}, false}, "auto, large": {Auto, Above{Bytes: 100}, true},
	} {
		s := newShop().searched(c.mode, c.above)
		if got := strings.Contains(ask(t, s, "tools/list", "{}", "Admin"), `"find_tools"`); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if got := strings.HasSuffix(s.View(mcptest.Caller("a", "Admin")), "searched"); got != c.want {
			t.Errorf("%s: the view says %v", name, got)
		}
		if got := strings.Contains(ask(t, s, "initialize", "{}", "Admin"), `"n":1.00,"instructions":"Be kind.\n\nThis server has more tools`); got != c.want {
			t.Errorf("%s: the instructions say %v", name, got)
		}
	}
	s := newShop().searched(Auto, Above{Tools: 2})
	if strings.Contains(ask(t, s, "tools/list", "{}"), `"find_tools"`) {
		t.Error("a reader with two tools gets search")
	}
	own := newShop()
	own.tools = append(own.tools, tool("call_tool", "Ring a bell", "bells"))
	if s := own.searched(Auto, Above{Tools: 1}); strings.Contains(ask(t, s, "tools/list", "{}"), `"find_tools"`) || !strings.Contains(ask(t, s, "tools/call", call("call_tool", `{"id":1}`)), `"called"`) {
		t.Error("a tool of the server's own was hidden")
	}
}

func TestTheThreeToolsAreListedAsTheServerLists(t *testing.T) { // F3, T5
	s := newShop().searched(On, Above{})
	result, err := s.Handle(t.Context(), request(t, true, "tools/list", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Tools []struct {
			Name        string
			Annotations map[string]any
			InputSchema map[string]any
		}
		ResultType, CacheScope string
		TTLMs                  int
		NextCursor             string
		Meta                   map[string]any `json:"_meta"`
	}
	if err := json.Unmarshal(result, &list); err != nil || len(list.Tools) != 3 || list.TTLMs != 60000 || list.CacheScope != "private" || list.NextCursor != "" || list.Meta == nil {
		t.Fatalf("%s, %v", result, err)
	}
	for i, readOnly := range []bool{true, true, false} {
		if a := list.Tools[i].Annotations; a["readOnlyHint"] != readOnly || (a["destructiveHint"] == true) == readOnly {
			t.Errorf("%s: %v", list.Tools[i].Name, a)
		}
	}
	if got := ask(t, s, "tools/list", `{"cursor":"x"}`); !strings.Contains(got, "cursor is not valid") {
		t.Error(got)
	}
}

func TestFindTools(t *testing.T) { // F1, F4, F5
	s := newShop().searched(On, Above{})
	first := ask(t, s, "tools/call", call("find_tools", `{"query":"remove customers"}`))
	if !strings.Contains(first, `"structuredContent":{"tools":[{"name":"deleteCustomer","title":"T","description":"Remove a customer","arguments":["id","text?"],"read_only":true,"score":`) ||
		!strings.Contains(first, `"total":2}`) || strings.Contains(first, "secret") {
		t.Error(first)
	}
	if again := ask(t, s, "tools/call", call("find_tools", `{"query":"remove customers"}`)); again != first {
		t.Error("the same query gave other bytes")
	}
	if got := ask(t, s, "tools/call", call("find_tools", `{"query":"customer"}`), "Admin"); !strings.Contains(got, "secret") || !strings.Contains(got, `"total":3`) {
		t.Errorf("an administrator gets %s", got)
	}
	if got := ask(t, s, "tools/call", call("find_tools", `{"query":"xyzzy"}`)); !strings.Contains(got, `no tool matches; there are 2 tools, for example: getOrder, deleteCustomer`) || !strings.Contains(got, `"tools":[]`) {
		t.Error(got)
	}
	for arguments, want := range map[string]string{
		`{}`: `argument \"query\" is required`, `{"query":7}`: `argument \"query\" must be a text`, `{"query":"a","limit":26}`: `argument \"limit\"`,
		`{"query":"a","limit":0}`: `argument \"limit\"`, `{"query":"a","limit":"3"}`: `argument \"limit\"`, `{"query":"a","x":1}`: `there is no argument \"x\"`,
		`{"query":"` + strings.Repeat("a", 501) + `"}`: "at most 500",
	} {
		if got := ask(t, s, "tools/call", call("find_tools", arguments)); !strings.Contains(got, want) || !strings.Contains(got, `"isError":true`) {
			t.Errorf("%s: %s", arguments, got)
		}
	}
	if got := ask(t, s, "tools/call", call("find_tools", `{"query":"order","limit":8.0,"tag":null}`)); strings.Contains(got, "isError") {
		t.Errorf("what models send: %s", got)
	}
	for arguments, want := range map[string]bool{`{"query":"order customer","tag":"orders"}`: true, `{"query":"order customer","source":"api-orders"}`: true, `{"query":"order customer","source":"api-x"}`: false} {
		got := ask(t, s, "tools/call", call("find_tools", arguments))
		if strings.Contains(got, `"name":"getOrder"`) != want || strings.Contains(got, `"name":"deleteCustomer"`) {
			t.Errorf("%s: %s", arguments, got)
		}
	}
}

func TestDescribeTool(t *testing.T) { // F1
	s := newShop().searched(On, Above{})
	got := ask(t, s, "tools/call", call("describe_tool", `{"name":"getOrder"}`))
	if !strings.Contains(got, `"structuredContent":{"name":"getOrder","description":"Return one order","inputSchema":{"type":"object"`) {
		t.Error(got)
	}
	for _, name := range []string{"secret", "nobody", "find_tools"} {
		if got := ask(t, s, "tools/call", call("describe_tool", `{"name":"`+name+`"}`)); got != "error: unknown tool: "+name {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestCallToolIsACallOfTheInnerName(t *testing.T) { // F1, F2, F6
	inner := newShop()
	s := inner.searched(On, Above{})
	r := request(t, true, "tools/call", `{"name":"call_tool","arguments":{"name":"getOrder","arguments":{ "id":"n 1" }},"_meta":{"progressToken":7}}`)
	result, err := s.Handle(t.Context(), r)
	if err != nil || !strings.Contains(string(result), `"called":{"name":"getOrder","arguments":{ "id":"n 1" },"_meta":{"progressToken":7}}`) {
		t.Errorf("%s, %v", result, err)
	}
	if h := inner.called[0].HTTP.Header; h.Get("Mcp-Name") != "getOrder" || h.Get("Mcp-Param-Id") != "n 1" || r.HTTP.Header.Get("Mcp-Param-Id") != "forged" {
		t.Errorf("headers %v", h)
	}
	if token := string(inner.called[0].Message.Bytes(inner.called[0].Message.ProgressToken)); token != "7" {
		t.Errorf("progress token %s", token)
	}
	if got := ask(t, s, "tools/call", call("call_tool", `{"name":"getOrder"}`)); !strings.Contains(got, `argument \"id\" is required`) || !strings.Contains(got, `The arguments of getOrder: {\"type\":\"object\"`) {
		t.Errorf("without arguments: %s", got)
	}
	for arguments, want := range map[string]string{
		`{"name":"secret","arguments":{"id":1}}`: "error: unknown tool: secret", `{"name":"call_tool"}`: "error: call_tool cannot call call_tool",
		`{"name":"find_tools"}`: "error: call_tool cannot call find_tools",
	} {
		if got := ask(t, s, "tools/call", call("call_tool", arguments)); got != want {
			t.Errorf("%s: %s", arguments, got)
		}
	}
	if got := ask(t, s, "tools/call", call("call_tool", `{"name":"getOrder","arguments":null}`)); !strings.Contains(got, `is required`) {
		t.Errorf("null arguments: %s", got)
	}
	for _, arguments := range []string{`{}`, `{"name":7}`, `{"name":"getOrder","arguments":[]}`} {
		if got := ask(t, s, "tools/call", call("call_tool", arguments)); !strings.Contains(got, `"isError":true`) {
			t.Errorf("%s: %s", arguments, got)
		}
	}
	if got := ask(t, s, "tools/call", call("getOrder", `{"id":2}`)); !strings.Contains(got, `"called"`) {
		t.Errorf("by its own name: %s", got)
	}
}

// Searching is a call like any other: the server's policies count it, and may refuse it (mcp.md §3 row 14).
func TestSearchingGoesUnderThePolicies(t *testing.T) {
	shop, counted, ended := newShop(), "", 0
	limit := 2
	s := New(Config{Server: shop, Tools: shop.list, Mode: On, Admit: func(_ context.Context, _ *edge.Request, tool string) (func(bool), error) {
		if limit--; limit < 0 {
			return nil, &edge.Error{Status: 429, Code: edge.CodeServer, Msg: "too many calls"}
		}
		counted += tool + " "
		return func(bool) { ended++ }, nil
	}})
	ask(t, s, "tools/call", call("find_tools", `{"query":"order"}`))
	ask(t, s, "tools/call", call("describe_tool", `{"name":"getOrder"}`))
	if got := ask(t, s, "tools/call", call("find_tools", `{"query":"order"}`)); !strings.Contains(got, "too many calls") {
		t.Errorf("the third search said %s", got)
	}
	ask(t, s, "tools/call", call("call_tool", `{"name":"getOrder"}`)) // the server's own to count
	if counted != "find_tools describe_tool " || ended != 2 {
		t.Errorf("counted %q, ended %d", counted, ended)
	}
}

// A call that lacks a scope is refused before anybody is asked what the list is: then the refusal is still the whole answer (A2).
func TestARefusalDoesNotWaitForTheList(t *testing.T) {
	shop, asked := newShop(), 0
	s := New(Config{Server: shop, Mode: On,
		Tools: func(ctx context.Context, r *edge.Request) ([]Tool, error) { asked++; return shop.list(ctx, r) },
		Check: func(_ *edge.Request, tool string) error {
			if tool == "deleteCustomer" {
				return &edge.Error{Status: 403, Code: edge.CodeInvalidRequest, Msg: "this tool needs the scope delete"}
			}
			return nil
		}})
	if got := ask(t, s, "tools/call", call("call_tool", `{"name":"deleteCustomer"}`)); !strings.Contains(got, "needs the scope") || asked != 0 {
		t.Errorf("%s, after %d lists", got, asked)
	}
	if got := ask(t, s, "tools/call", call("call_tool", `{"name":"getOrder"}`)); strings.HasPrefix(got, "error") || asked != 1 {
		t.Errorf("%s, after %d lists", got, asked)
	}
}

func TestAListThatCannotBeReadIsAnError(t *testing.T) {
	inner := newShop()
	s := New(Config{Server: inner, Mode: On, Tools: func(context.Context, *edge.Request) ([]Tool, error) { return nil, errors.New("down") }})
	if got := ask(t, s, "tools/list", "{}"); got != "error: down" {
		t.Error(got)
	}
	if got := ask(t, s, "initialize", "{}"); !strings.Contains(got, "Be kind.") {
		t.Error(got)
	}
}

func BenchmarkFind(b *testing.B) { // F4: at most 1 ms for 5,000 tools
	inner := &shop{}
	for i := range 5000 {
		inner.tools = append(inner.tools, tool(fmt.Sprintf("getThing%d", i), fmt.Sprintf("Return thing number %d of the collection %d", i, i%70), "things"))
	}
	s := inner.searched(On, Above{})
	r := request(b, false, "tools/call", call("find_tools", `{"query":"return the thing 4711 of a collection"}`))
	for b.Loop() {
		if _, err := s.Handle(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
