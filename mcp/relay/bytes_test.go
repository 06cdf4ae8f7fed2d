package relay_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// spellings are values that a typed decode and encode would change.
var spellings = map[string]string{
	"numbers":         `{"a":12345678901234567890.1200,"b":1E+2,"c":-0,"d":1.0,"e":9007199254740993}`,
	"order of keys":   `{"z":1,"a":2,"m":3}`,
	"white space":     "{ \"a\" :\t[ 1 ,\r\n2 ] }",
	"escapes":         `{"a":"\u0041\/\u00e9é\ud83d\ude00"}`,
	"unknown members": `{"$schema":"https://x","allOf":[{"if":{},"then":{},"else":{}}],"future":{"x":null}}`,
	"unknown content": `{"content":[{"type":"hologram","data":"AAAA","_meta":{"k":1}}],"resultType":"task","taskId":"t"}`,
	"empty":           `{}`,
	"large":           `{"text":"` + strings.Repeat("x", 200<<10) + `"}`,
	"at the buffer":   `{"text":"` + strings.Repeat("x", 32<<10-49) + `"}`,
}

func TestBytesGoBothWaysUnchanged(t *testing.T) { // §9.1
	up := mcptest.NewUpstream(t)
	up.Session = true
	var result string
	answer := func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) { mcptest.JSON(w, m.ID, result) }
	stream := func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.Stream(w)("event: message\ndata: " + `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":` + oneLine(result) + "}\n\n")
	}
	up.On("tools/call", answer)
	up.On("future/method", answer)
	up.On("prompts/get", stream)
	g := newGateway(t, up.URL, nil)
	session := g.open()
	for name, value := range spellings {
		t.Run(name, func(t *testing.T) {
			result = value
			for _, method := range []string{"tools/call", "future/method", "prompts/get"} {
				params := `{"name":"t","arguments":` + value + `,"later":` + value + `}`
				body := ` {"jsonrpc":"2.0","id":1.5e0,"method":"` + method + `","params":` + params + `} `
				body = strings.Replace(body, "1.5e0", "9007199254740993", 1)
				resp, got := g.do(g.legacy(session, body))
				requests := up.Requests()
				if sent := requests[len(requests)-1].Body; sent != body {
					t.Errorf("%s: the upstream got\n%.200s\nwant\n%.200s", method, sent, body)
				}
				want := `{"jsonrpc":"2.0","id":9007199254740993,"result":` + value + `}`
				if method == "prompts/get" {
					want = "event: message\ndata: " + oneLine(want) + "\n\n"
				}
				if resp.StatusCode != http.StatusOK || got != want {
					t.Errorf("%s: the client got %d\n%.200s\nwant\n%.200s", method, resp.StatusCode, got, want)
				}
			}
		})
	}
}

func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }

func TestEventsKeepTheirFormAndOrder(t *testing.T) { // E2, E4, E7, SEP-1699
	const stream = ": welcome\n\nid: p-0\nretry: 500\ndata: \n\nid: p-1\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"method\":\"notifications/progress\"}\n\n" +
		"data:{\"jsonrpc\":\"2.0\",\"method\":\"x/unknown\"}\r\n\r\nid: p-2\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"
	up := mcptest.NewUpstream(t)
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		send := mcptest.Stream(w)
		for _, c := range stream { // byte for byte, as a slow network does
			send(string(c))
		}
	})
	g := newGateway(t, up.URL, nil)
	resp, got := g.do(g.legacy(g.open(), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}`))
	if got != stream {
		t.Errorf("got\n%q\nwant\n%q", got, stream)
	}
	if resp.Header.Get("X-Accel-Buffering") != "no" || resp.Header.Get("Cache-Control") != "no-cache, no-transform" || resp.ContentLength >= 0 {
		t.Errorf("headers %v", resp.Header)
	}
}

func TestHeadersPassByAllowListOnly(t *testing.T) { // §9.2, H9, H12, H13
	up := mcptest.NewUpstream(t)
	up.Session = true
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		for _, name := range []string{"Set-Cookie", "Www-Authenticate", "Server", "Access-Control-Allow-Origin", "Mcp-Session-Id", "X-Secret"} {
			w.Header().Set(name, "upstream")
		}
		w.Header().Set("Deprecation", "@1")
		mcptest.JSON(w, m.ID, `{}`)
	})
	g := newGateway(t, up.URL, nil)
	hostile := []string{"Cookie", "a=b", "Referer", "http://x", "Forwarded", "for=1", "X-Forwarded-For", "1.1.1.1", "X-Real-Ip", "1.1.1.1",
		"X-Upstream-Authorization", "Bearer x", "X-Api-Key", "k", "Api-Key", "k", "X-Ms-Client-Principal", "p", "X-Http-Method-Override", "DELETE",
		"X-Other", "o", "Te", "trailers", "Traceparent", "00-1", "Baggage", "b=1", "Accept-Language", "de", "User-Agent", "test/1", "Mcp-Param-Region", "eu"}
	check := func(t *testing.T, sent http.Header, want map[string]string) {
		t.Helper()
		for _, name := range []string{"Cookie", "Referer", "Forwarded", "X-Forwarded-For", "X-Real-Ip", "X-Upstream-Authorization", "X-Api-Key", "Api-Key",
			"X-Ms-Client-Principal", "X-Http-Method-Override", "X-Other", "Te", "Origin"} {
			if v := sent.Get(name); v != "" {
				t.Errorf("the upstream got %s: %s", name, v)
			}
		}
		for name, v := range want {
			if got := sent.Get(name); got != v {
				t.Errorf("the upstream got %s: %q, want %q", name, got, v)
			}
		}
	}
	last := func() http.Header { all := up.Requests(); return all[len(all)-1].Header }
	common := map[string]string{"Authorization": "Bearer the-gateways-own", "Traceparent": "00-1", "Baggage": "b=1", "Accept-Language": "de", "User-Agent": "test/1 drawbridge/dev"}
	resp, _ := g.do(g.legacy(g.open(), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}`, append(hostile, "Mcp-Method", "lie", "Mcp-Name", "lie")...))
	check(t, last(), common)
	check(t, last(), map[string]string{"Mcp-Session-Id": "upstream-1", "Mcp-Protocol-Version": "2025-11-25", "Mcp-Method": "", "Mcp-Name": "", "Mcp-Param-Region": ""})
	for _, name := range []string{"Set-Cookie", "Www-Authenticate", "Server", "Access-Control-Allow-Origin", "Mcp-Session-Id", "X-Secret"} {
		if v := resp.Header.Get(name); v != "" {
			t.Errorf("the client got %s: %s", name, v)
		}
	}
	if resp.Header.Get("Deprecation") != "@1" {
		t.Error("Deprecation did not pass")
	}
	up.Session = false
	g.do(g.call("t", `{}`, append(hostile, "Mcp-Session-Id", "stale", "Last-Event-Id", "e1")...))
	check(t, last(), common)
	check(t, last(), map[string]string{"Mcp-Session-Id": "", "Last-Event-Id": "", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "t", "Mcp-Param-Region": "eu"})
}

func TestAClientThatTakesJSONOnlyGetsJSON(t *testing.T) { // E1
	up := mcptest.NewUpstream(t)
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.Stream(w)("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":1.0}}\n\n")
	})
	g := newGateway(t, up.URL, nil)
	resp, body := g.do(g.legacy(g.open(), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}`, "Accept", "application/json"))
	if body != `{"jsonrpc":"2.0","id":1,"result":{"n":1.0}}` || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s %s", resp.Header.Get("Content-Type"), body)
	}
	requests := up.Requests()
	if accept := requests[len(requests)-1].Header.Get("Accept"); accept != "application/json, text/event-stream" {
		t.Errorf("the upstream was asked for %q", accept)
	}
}

func TestConfiguredInstructionsReplaceTheUpstreams(t *testing.T) { // §1, §9.1
	up := mcptest.NewUpstream(t)
	up.On("initialize", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.Stream(w)("id: 7\ndata: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-06-18\",\"instructions\" : \"theirs\",\"n\":1.0}}\n\n")
	})
	g := newGateway(t, up.URL, func(c *relay.Config, _ *proxy.BackendConfig) { c.Instructions = `ask "first"` })
	resp, body := g.do(g.request(http.MethodPost, initializeBody))
	if want := "id: 7\ndata: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-06-18\",\"instructions\" : \"ask \\\"first\\\"\",\"n\":1.0}}\n\n"; body != want {
		t.Errorf("initialize = %s", body)
	}
	if v := resp.Header.Get("Mcp-Protocol-Version"); v != "2025-06-18" { // S11
		t.Errorf("revision %q", v)
	}
	_, body = g.do(g.modern("server/discover", "", `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{`+meta+`}}`))
	if !strings.HasSuffix(body, `"capabilities":{"tools":{}},"instructions":"ask \"first\""}}`) {
		t.Errorf("server/discover = %s", body)
	}
}
