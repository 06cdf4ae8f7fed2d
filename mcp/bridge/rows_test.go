package bridge_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// keeper is an operation that keeps the arguments as they reach it.
type keeper struct {
	mcptest.Operation
	got *string
}

func (k keeper) BuildRequest(ctx context.Context, base *url.URL, args json.RawMessage) (*http.Request, error) {
	*k.got = string(args)
	return k.Operation.BuildRequest(ctx, base, args)
}

func handle(t *testing.T, s *bridge.Server, modern bool, method, params string) string {
	t.Helper()
	raw, err := s.Handle(t.Context(), request(t, mcptest.Caller("alice"), modern, method, params))
	if err != nil {
		t.Fatalf("%s %s: %v", method, params, err)
	}
	return string(raw)
}

// The bytes of a call are those that the strict decoder read; a decode into maps or by a careless parser would change them.
func TestACallIsMadeOfTheBytesThatWereRead(t *testing.T) { // B1
	const args = `{ "id":"caf\u00e9 \/", "ID" : 12345678901234567890.1200, "z":1e400,"a":[1,2.0],"last":-0}`
	var got string
	s := build(t, bridge.Config{
		Tools: []bridge.Tool{{Tool: mcptest.Tool("get"), Operation: keeper{got: &got}}},
		Doer:  answered(200, strings.NewReader(""), nil),
	})
	for _, modern := range []bool{false, true} {
		got = ""
		handle(t, s, modern, "tools/call", `{"arguments":`+args+`,"name":"\u0067et"}`)
		if got != args {
			t.Errorf("the operation got %s", got)
		}
	}
}

func TestTheLibraryReadsOnlyWhatWasEncodedAnew(t *testing.T) { // B1, mcp.md §18: it matches keys without regard to case, the last one wins
	s := build(t, bridge.Config{Instructions: "Be kind."})
	for params, want := range map[string]string{
		`{"protocolVersion":"2099-01-01","capabilities":{},"clientInfo":{"name":"x","version":"1"}}`: `"protocolVersion":"2025-11-25"`,
		`{"protocolVersion":"2025-11-25","capabilities":{"x":{"Y":1}}}`:                              `"instructions":"Be kind."`,
	} {
		if got := handle(t, s, false, "initialize", params); !strings.Contains(got, want) || strings.Contains(got, "2099") {
			t.Errorf("%s: %s", params, got)
		}
	}
	for method, params := range map[string]string{"initialize": `{"protocolVersion":"2025-11-25","capabilities":[]}`, "logging/setLevel": `{"level":5}`} {
		_, err := s.Handle(t.Context(), request(t, mcptest.Caller("alice"), false, method, params))
		e, ok := err.(*edge.Error) //nolint:errorlint // what the client is told
		if !ok || e.Code != edge.CodeInvalidParams || strings.Contains(e.Msg, "mcp.") || strings.Contains(e.Msg, "json:") {
			t.Errorf("%s: %v", method, err)
		}
	}
	var levels []string
	r := request(t, mcptest.Caller("alice"), false, "logging/setLevel", `{"level":"debug"}`)
	r.SetLogLevel = func(l string) { levels = append(levels, l) }
	if _, err := s.Handle(t.Context(), r); err != nil || !slices.Equal(levels, []string{"debug"}) {
		t.Errorf("levels %v, %v", levels, err)
	}
}

// The order of a call: may it be called, what do policies say, are the arguments right; only then anything is sent.
func TestACallIsCheckedBeforeAnythingIsSent(t *testing.T) { // B2, A1
	var sent int
	var policed []string
	refuse := false
	doer := road(func(ctx context.Context, c *proxy.Call) (*proxy.Answer, error) {
		policed = append(policed, c.Tool+" "+string(c.Arguments))
		if refuse {
			return nil, &proxy.Error{Kind: proxy.Refused, Status: 429, Msg: "Too many calls."}
		}
		if _, err := c.Build(ctx, &proxy.Backend{URL: &url.URL{Scheme: "http", Host: "api"}}); err != nil {
			return nil, &proxy.Error{Kind: proxy.Invalid, Err: err}
		}
		sent++
		return nil, &proxy.Error{Kind: proxy.Unreachable}
	})
	s := build(t, bridge.Config{Doer: doer, Tools: []bridge.Tool{
		{Tool: mcptest.Tool("get"), Operation: mcptest.Operation{}},
		{Tool: mcptest.Tool("danger"), Operation: mcptest.Operation{}, Roles: []string{"Admin"}},
	}})
	ask := func(name, args string) (string, error) {
		raw, err := s.Handle(t.Context(), request(t, mcptest.Caller("alice"), false, "tools/call", `{"name":"`+name+`","arguments":`+args+`}`))
		return string(raw), err
	}
	for _, name := range []string{"nothing", "danger", "", "a b", "GET"} {
		if _, err := ask(name, `{"bad":1}`); err == nil || err.Error() != "unknown tool: "+name {
			t.Errorf("%q: %v", name, err)
		}
	}
	if len(policed) != 0 {
		t.Fatalf("policies saw %v", policed)
	}
	refuse = true
	if _, err := ask("get", `{"bad":1}`); err == nil || !strings.Contains(err.Error(), "Too many calls.") {
		t.Errorf("policies come before arguments: %v", err)
	}
	refuse = false
	if got, err := ask("get", `{"bad":1}`); err != nil || !strings.Contains(got, `"isError":true`) || !strings.Contains(got, `argument \"bad\"`) { // SEP-1303
		t.Errorf("a bad argument: %s, %v", got, err)
	}
	if sent != 0 {
		t.Errorf("%d requests were sent", sent)
	}
	if _, err := ask("get", `{"id":"1"}`); err != nil || sent != 1 || policed[len(policed)-1] != `get {"id":"1"}` {
		t.Errorf("a good one: %v, sent %d, policed %v", err, sent, policed)
	}
}

func TestABridgeSaysWhatItHas(t *testing.T) { // B3
	s := build(t, bridge.Config{Tools: tools(1)})
	var legacy, modern struct {
		Capabilities map[string]json.RawMessage `json:"capabilities"`
	}
	if json.Unmarshal([]byte(handle(t, s, false, "initialize", `{"protocolVersion":"2025-11-25","capabilities":{}}`)), &legacy) != nil ||
		json.Unmarshal([]byte(handle(t, s, true, "server/discover", `{}`)), &modern) != nil {
		t.Fatal("no JSON")
	}
	if c := legacy.Capabilities; len(c) != 2 || string(c["tools"]) != `{"listChanged":true}` || string(c["logging"]) != `{}` {
		t.Errorf("legacy: %s", c)
	}
	if c := modern.Capabilities; len(c) != 1 || string(c["tools"]) != `{"listChanged":true}` {
		t.Errorf("modern: %s", c)
	}
	for method, member := range map[string]string{"prompts/list": "prompts", "resources/list": "resources", "resources/templates/list": "resourceTemplates"} {
		if got := handle(t, s, false, method, `{}`); got != `{"`+member+`":[]}` {
			t.Errorf("%s, legacy: %s", method, got)
		}
		if got := handle(t, s, true, method, `{}`); !strings.HasPrefix(got, `{"`+member+`":[],"resultType":"complete","ttlMs":`) {
			t.Errorf("%s, modern: %s", method, got)
		}
	}
	for _, modern := range []bool{false, true} {
		for _, method := range []string{"prompts/get", "resources/read", "resources/subscribe", "resources/unsubscribe", "completion/complete", "roots/list", "tasks/list", "x/list", "tools/List"} {
			_, err := s.Handle(t.Context(), request(t, mcptest.Caller("alice"), modern, method, `{"name":"x","uri":"x:y"}`))
			if e, ok := err.(*edge.Error); !ok || e.Code != edge.CodeMethodNotFound { //nolint:errorlint // what the client is told
				t.Errorf("%s: %v", method, err)
			}
		}
	}
}

func TestAnEmptyListHasNoSecondPage(t *testing.T) { // T6, T8
	s := build(t, bridge.Config{Tools: tools(3), Page: 1})
	first, err := list(t, s, mcptest.Caller("alice"), true, "")
	if err != nil || first.NextCursor == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	for _, cursor := range []string{`"zz"`, `"` + first.NextCursor + `"`, `5`} {
		_, err := s.Handle(t.Context(), request(t, mcptest.Caller("alice"), true, "prompts/list", `{"cursor":`+cursor+`}`))
		if e, ok := err.(*edge.Error); !ok || e.Code != edge.CodeInvalidParams || e.Msg != "cursor is not valid; start the list again" { //nolint:errorlint // as above
			t.Errorf("%s: %v", cursor, err)
		}
	}
}

func TestABridgeNamesItself(t *testing.T) { // B4
	s := build(t, bridge.Config{Name: "orders", Title: "Orders <é>", Version: "1.4.0", Tools: tools(1), Doer: answered(200, strings.NewReader("x"), nil)})
	const info = `{"name":"orders","title":"Orders <é>","version":"1.4.0"}`
	var legacy struct {
		ServerInfo map[string]string `json:"serverInfo"`
	}
	if err := json.Unmarshal([]byte(handle(t, s, false, "initialize", `{"protocolVersion":"2025-11-25"}`)), &legacy); err != nil {
		t.Fatal(err)
	}
	if i := legacy.ServerInfo; len(i) != 3 || i["name"] != "orders" || i["title"] != "Orders <é>" || i["version"] != "1.4.0" {
		t.Errorf("legacy: %v", i)
	}
	for method, params := range map[string]string{"server/discover": `{}`, "tools/list": `{}`, "prompts/list": `{}`, "tools/call": `{"name":"tool_0000"}`} {
		var modern struct {
			Meta map[string]json.RawMessage `json:"_meta"`
		}
		got := handle(t, s, true, method, params)
		if err := json.Unmarshal([]byte(got), &modern); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		var a, b any
		if json.Unmarshal(modern.Meta["io.modelcontextprotocol/serverInfo"], &a) != nil || json.Unmarshal([]byte(info), &b) != nil || !same(a, b) {
			t.Errorf("%s: %s", method, got)
		}
	}
}

func same(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

func TestSchemasGoOutAsTheyWereMade(t *testing.T) { // B9, U6
	const in = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","$defs":{"a":{"$anchor":"here","type":"string"}},` +
		`"properties":{"id":{"$ref":"#here"},"n":{"multipleOf":0.010,"maximum":12345678901234567890}},"allOf":[{"if":{"required":["id"]},"then":{},"else":false}],"x-vendor":null}`
	const out = `{"type":"object","unevaluatedProperties":false,"dependentSchemas":{"b":{"minProperties":2.0}}}`
	tool := mcptest.Tool("get")
	tool.InputSchema, tool.OutputSchema = json.RawMessage(in), json.RawMessage(out)
	s := build(t, bridge.Config{Tools: []bridge.Tool{{Tool: tool, Operation: mcptest.Operation{}}}})
	for _, modern := range []bool{false, true} {
		if got := handle(t, s, modern, "tools/list", `{}`); !strings.Contains(got, `"inputSchema":`+in) || !strings.Contains(got, `"outputSchema":`+out) {
			t.Errorf("modern %t: %s", modern, got)
		}
	}
}

// Nothing that a bridge makes of an API needs a client that can do more: none is asked, and none is refused.
func TestABridgeNeedsNoCapabilityOfItsClient(t *testing.T) { // B10
	doer := road(func(context.Context, *proxy.Call) (*proxy.Answer, error) {
		return nil, &proxy.Error{Kind: proxy.Credential, Msg: "The credential was refused."}
	})
	s := build(t, bridge.Config{Tools: tools(1), Doer: doer})
	for _, declared := range []string{`{}`, `{"elicitation":{}}`} {
		for _, modern := range []bool{false, true} {
			r := request(t, mcptest.Caller("alice"), modern, "tools/call", `{"name":"tool_0000"}`)
			r.Capabilities = json.RawMessage(declared)
			r.Ask = func(context.Context, string, json.RawMessage) (*edge.Message, error) {
				t.Error("the client was asked")
				return nil, context.Canceled
			}
			raw, err := s.Handle(t.Context(), r)
			if err != nil || !strings.Contains(string(raw), `"isError":true`) || !strings.Contains(string(raw), `"type":"text"`) {
				t.Errorf("with %s: %s, %v", declared, raw, err)
			}
		}
	}
}

func TestAKeySeesWhatHasNoRoles(t *testing.T) { // A7
	s := build(t, bridge.Config{Tools: tools(6)})
	key := &identity.Caller{Kind: identity.Key}
	key.Subscription.ID = "s1"
	for _, modern := range []bool{false, true} {
		p, err := list(t, s, key, modern, "")
		if err != nil || names(p) != "0000 0001 0003 0004" {
			t.Errorf("a key sees %s, %v", names(p), err)
		}
	}
	if s.View(key) != s.View(mcptest.Caller("somebody without roles")) {
		t.Error("a key has a view of its own")
	}
	if _, err := s.Handle(t.Context(), request(t, key, true, "tools/call", `{"name":"tool_0002"}`)); err == nil || err.Error() != "unknown tool: tool_0002" {
		t.Errorf("a key calls what needs a role: %v", err)
	}
}
