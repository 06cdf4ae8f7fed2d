package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

const longUpstream = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice, roles: [Boss]}, {name: bob}]}}
backends: [{name: elsewhere, url: "%s"}]
mcp_servers:
  - name: notes
    from: [{upstream: elsewhere}]
    list_ttl: 0s
    access: {tools: {tool_1: {roles: [Boss]}, tool_2: {scope: notes.two}}}
    policies: [{rate_limit: {calls: 3, per: 1h}, when: 'tool == "find_tools"'}]
  - {name: whole, from: [{upstream: elsewhere}], tool_search: "off"}
  - name: all
    from: [{upstream: elsewhere, as: a}, {upstream: elsewhere, as: b}]
    access: {tools: {b__tool_2: {scope: notes.two}}}
`

// manyTools is an upstream with so many tools, a page of forty at a time; calls are answered with the session they came in.
func manyTools(t *testing.T, n *atomic.Int64, slow *atomic.Bool) *mcptest.Upstream {
	up := mcptest.NewUpstream(t)
	up.Session = true
	up.On("tools/list", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		if slow.Load() {
			<-r.Context().Done()
			return
		}
		from, next := 0, ""
		if _, cursor, ok := strings.Cut(string(m.Params), `"cursor":"at`); ok {
			_, _ = fmt.Sscanf(cursor, "%d", &from)
		}
		var list []string
		for i := from; i < int(n.Load()) && i < from+40; i++ {
			list = append(list, fmt.Sprintf(`{"name":"tool_%d", "description":"Water plant number %d.","inputSchema":{"type":"object","properties":{"note":{},"litres":{"type":"number"}},"required":["litres"]}}`, i, i))
		}
		if from+40 < int(n.Load()) {
			next = fmt.Sprintf(`,"nextCursor":"at%d"`, from+40)
		}
		mcptest.JSON(w, m.ID, `{"tools":[`+strings.Join(list, ",")+`]`+next+`,"resultType":"complete","ttlMs":0,"cacheScope":"private","x-own":1.10}`)
	})
	up.On("tools/call", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		const wrong = `{"content": [{"type":"text","text":"litres: not a number"}], "isError":true}`
		switch params := string(m.Params); {
		case strings.Contains(params, `"litres":"`) && strings.Contains(params, "tool_4"):
			mcptest.Stream(w)("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\": 1.0}}\n\nid: last_1\ndata: {\"jsonrpc\":\"2.0\",\"id\":" + string(m.ID) + ",\"result\":" + wrong + "}\n\n")
			return
		case strings.Contains(params, `"litres":"`):
			mcptest.JSON(w, m.ID, wrong)
			return
		}
		mcptest.JSON(w, m.ID, fmt.Sprintf(`{"resultType":"complete","content":[{"type":"text","text":"in %s"}],"sent":%s}`, r.Header.Get("Mcp-Session-Id"), m.Params))
	})
	return up
}

// A relay moves bytes; what is searched is the list, whoever made it (§14: auto and the view over search_above).
func TestALongListOfAnUpstreamIsSearched(t *testing.T) { // §14, F1, F2, F7, A1, A2
	var n atomic.Int64
	var slow atomic.Bool
	n.Store(61)
	up := manyTools(t, &n, &slow)
	s := serve(t, fmt.Sprintf(longUpstream, up.URL))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, modern := range []bool{false, true} {
		ask := func(c *rawClient, method, name, params string) string {
			t.Helper()
			got, _, err := c.post(ctx, method, name, params, "7")
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		n.Store(61)
		boss, bob := s.client(ctx, t, "notes", "alice", modern), s.client(ctx, t, "notes", "bob", modern)
		if got := ask(boss, "tools/list", "", `{"x":1}`); !strings.Contains(got, `"name":"find_tools"`) || strings.Contains(got, "tool_5") || strings.Contains(got, "nextCursor") || !strings.Contains(got, `"x-own":1.10`) {
			t.Errorf("modern %v: 61 tools are listed as %s", modern, got)
		}
		if got := ask(bob, "tools/list", "", `{"x":1}`); !strings.Contains(got, `{"name":"tool_5", "description"`) || strings.Contains(got, "find_tools") || strings.Contains(got, "tool_1\"") {
			t.Errorf("modern %v: bob, who may use 60, sees %s", modern, got)
		}
		if got := ask(s.client(ctx, t, "whole", "alice", modern), "tools/list", "", `{"x":1}`); !strings.Contains(got, "tool_5") {
			t.Errorf("modern %v: off: %s", modern, got)
		}
		if got := ask(boss, "tools/call", "find_tools", `{"name":"find_tools","arguments":{"query":"water plant 33"}}`); !strings.Contains(got, `"name":"tool_33"`) || !strings.Contains(got, `"arguments":["litres","note?"]`) || !strings.Contains(got, `"total":61`) {
			t.Errorf("modern %v: found %s", modern, got)
		}
		own := ask(boss, "tools/call", "tool_3", `{"name":"tool_3","arguments":{"litres":1.50}}`)
		if got := ask(boss, "tools/call", "call_tool", `{"name":"call_tool","arguments":{"name":"tool_3","arguments":{"litres":1.50}}}`); got != own || !strings.Contains(own, `"litres":1.50`) {
			t.Errorf("modern %v: through call_tool %s\nby its name     %s", modern, got, own)
		}
		if got := ask(bob, "tools/call", "call_tool", `{"name":"call_tool","arguments":{"name":"tool_1"}}`); !strings.Contains(got, "call_tool") && !strings.Contains(got, "sent") {
			t.Errorf("modern %v: bob's list is not searched, so that the name is the upstream's affair: %s", modern, got)
		}
		if got := ask(boss, "tools/call", "call_tool", `{"name":"call_tool","arguments":{"name":"tool_2"}}`); !strings.Contains(got, "insufficient_scope") {
			t.Errorf("modern %v: a scope is lacking: %s", modern, got)
		}
		n.Store(5) // the list becomes short
		if got := ask(boss, "tools/list", "", `{"x":1}`); strings.Contains(got, "find_tools") || !strings.Contains(got, "tool_4") {
			t.Errorf("modern %v: 5 tools are listed as %s", modern, got)
		}
	}
	n.Store(61)
	admin := s.client(ctx, t, "notes", "alice", false)
	if _, _, err := admin.post(ctx, "tools/list", "", `{"x":1}`, "2"); err != nil {
		t.Fatal(err)
	}
	text, _, err := admin.post(ctx, "initialize", "", `{"protocolVersion":"2025-11-25","capabilities":{}}`, "1")
	if err != nil || !strings.Contains(text, "find_tools finds them") {
		t.Errorf("the instructions do not say that the list is searched: %s, %v", text, err)
	}
}

// An upstream says in its own words what is wrong with arguments; a model that skipped describe_tool needs the schema.
func TestWrongArgumentsOfAnUpstreamsToolComeWithItsSchema(t *testing.T) { // F6
	var n atomic.Int64
	var slow atomic.Bool
	n.Store(61)
	s := serve(t, fmt.Sprintf(longUpstream, manyTools(t, &n, &slow).URL))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, modern := range []bool{false, true} {
		boss := s.client(ctx, t, "notes", "alice", modern)
		for tool, ahead := range map[string]bool{"tool_3": false, "tool_4": true} {
			got, _, err := boss.post(ctx, "tools/call", "call_tool", `{"name":"call_tool","arguments":{"name":"`+tool+`","arguments":{"litres":"two"}}}`, "7")
			if err != nil || strings.Count(got, "litres: not a number") != 1 || !strings.Contains(got, `The arguments of `+tool+`: {\"type\":\"object\"`) || strings.Contains(got, `"params":{"data": 1.0}}`) != ahead {
				t.Errorf("modern %v: %s, %v", modern, got, err)
			}
			got, _, err = boss.post(ctx, "tools/call", tool, `{"name":"`+tool+`","arguments":{"litres":"two"}}`, "7")
			if err != nil || !strings.Contains(got, `"isError":true}`) || strings.Contains(got, "The arguments of") {
				t.Errorf("modern %v: by its own name: %s, %v", modern, got, err)
			}
		}
	}
}

// client speaks to a server as a person, in one era.
func (s *served) client(ctx context.Context, t *testing.T, server, who string, modern bool) *rawClient {
	t.Helper()
	c := &rawClient{url: s.url + "/mcp/" + server, token: s.token(t, server, who), modern: modern}
	if modern {
		return c
	}
	_, head, err := c.post(ctx, "initialize", "", `{"protocolVersion":"2025-11-25","capabilities":{}}`, "1")
	if err != nil {
		t.Fatal(err)
	}
	c.session = head.Get("Mcp-Session-Id")
	return c
}

// Refusals are the whole answer, also while the sources do not say what they have (A2; §3 row 14).
func TestARefusalOfACallThroughSearchBeginsNoStream(t *testing.T) {
	var n atomic.Int64
	var slow atomic.Bool
	n.Store(61)
	slow.Store(true)
	s := serve(t, fmt.Sprintf(longUpstream, manyTools(t, &n, &slow).URL))
	token := s.token(t, "all", "bob")
	for _, body := range []string{callBody("call_tool", `{"name":"b__tool_2"}`), callBody("b__tool_2", `{}`)} {
		status, head, text := s.post(t, "all", token, body)
		if status != 403 || !strings.Contains(head.Get("WWW-Authenticate"), "notes.two") || !strings.Contains(text, "insufficient_scope") {
			t.Errorf("%s: %d %v %s", body, status, head, text)
		}
	}
	if status, _, text := s.post(t, "all", token, callBody("call_tool", `{"name":"c__tool_2"}`)); status != 400 || !strings.Contains(text, "unknown tool: c__tool_2") {
		t.Errorf("%d %s", status, text)
	}
}

// find_tools is counted by the server's policies (§3 row 14), on a relay, too.
func TestSearchingAnUpstreamIsCounted(t *testing.T) {
	var n atomic.Int64
	var slow atomic.Bool
	n.Store(61)
	s := serve(t, fmt.Sprintf(longUpstream, manyTools(t, &n, &slow).URL))
	token := s.token(t, "notes", "alice")
	for i, want := range []int{200, 200, 200, 429} {
		if status, head, text := s.post(t, "notes", token, callBody("find_tools", `{"query":"plant"}`)); status != want || (want == 429) != (head.Get("Retry-After") != "") {
			t.Errorf("search %d: %d %s", i, status, text)
		}
	}
	out, errs, code := command(t, s.dir, []string{"T=" + token}, "tools", "notes", "--url", s.url, "--token", "env:T")
	if code != 0 || !strings.HasPrefix(out, "find_tools") || len(strings.Split(strings.TrimSpace(out), "\n")) != 3 || !strings.Contains(errs, "drawbridge call notes find_tools query=") {
		t.Errorf("the command line lists %d %q %q", code, out, errs)
	}
	waitFor(t, "a log that names the code", func() bool { return strings.Contains(s.stderr.String(), `"rpc_code":-32000`) })
}
