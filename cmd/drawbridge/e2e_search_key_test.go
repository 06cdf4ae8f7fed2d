package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

const keysAndRoles = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice, roles: [Boss]}]}}
backends: [{name: rest, url: "%s"}]
apis: [{name: orders, document: orders.yaml, backend: rest}]
mcp_servers:
  - name: all
    from: [{api: orders, as: a}, {api: orders, as: b}]
    tool_search: "on"
    access:
      subscription_keys: true
      tools: {a__deleteOrder: {roles: [Boss]}, b__deleteOrder: {scope: orders.delete}}
products: [{name: team, grants: ["mcp:all"]}]
subscriptions: [{name: ci, product: team, keys: ["file:ci.key"]}]
`

// A key sees what somebody without roles sees, in lists that are searched too (A7, A1, A2, F1, F2).
func TestAKeySearchesWhatHasNoRoles(t *testing.T) {
	var calls []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls = append(calls, r.Method+" "+r.URL.Path) }))
	t.Cleanup(api.Close)
	const key = "dbk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"
	s := &served{dir: t.TempDir(), stderr: &lockedBuffer{}, exited: make(chan error, 1)}
	s.writeOrders(t)
	s.write(t, "ci.key", key)
	if err := os.Chmod(s.dir+"/ci.key", 0o600); err != nil {
		t.Fatal(err)
	}
	s.write(t, "drawbridge.yaml", fmt.Sprintf(keysAndRoles, api.URL))
	s.start(t)
	t.Cleanup(func() { s.stop(t) })
	for _, c := range []struct {
		token, tool, arguments string
		status                 int
		has                    string
	}{
		{key, "find_tools", `{"query":"delete an order"}`, 200, `"total":17`},
		{s.token(t, "all", "alice"), "find_tools", `{"query":"delete an order"}`, 200, `"total":18`},
		{key, "describe_tool", `{"name":"a__deleteOrder"}`, 400, "unknown tool: a__deleteOrder"},
		{key, "call_tool", `{"name":"a__deleteOrder","arguments":{"order_id":"o1"}}`, 400, "unknown tool: a__deleteOrder"},
		{key, "a__deleteOrder", `{"order_id":"o1"}`, 400, "unknown tool: a__deleteOrder"},
		{key, "call_tool", `{"name":"b__deleteOrder","arguments":{"order_id":"o1"}}`, 403, "insufficient_scope"},
		{key, "call_tool", `{"name":"a__nosuch"}`, 400, "unknown tool: a__nosuch"},
	} {
		status, _, body := s.post(t, "all", c.token, callBody(c.tool, c.arguments))
		if status != c.status || !strings.Contains(body, c.has) || strings.Contains(body, `"name":"a__deleteOrder"`) != (c.token != key) {
			t.Errorf("%s %s: %d %s", c.tool, c.arguments, status, body)
		}
	}
	if calls != nil {
		t.Errorf("the API was called: %v", calls)
	}
}
