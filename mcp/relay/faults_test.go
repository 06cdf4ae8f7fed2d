package relay_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func modernOnly(c *relay.Config, _ *proxy.BackendConfig) { c.Leg = speaks{Modern: true} }

func answerWith(status int, header map[string]string, body string) mcptest.Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		for name, v := range header {
			w.Header().Set(name, v)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestFaultsOfTheUpstream(t *testing.T) { // §9.3
	asJSON := map[string]string{"Content-Type": "application/json"}
	for name, c := range map[string]struct {
		answer       mcptest.Handler
		status       int
		want         string
		callOfATool  string // "": the same
		statusOfTool int
		header       string
		absent       string // from the answer; "": anything may be there
	}{
		"401": {answer: answerWith(401, map[string]string{"WWW-Authenticate": "Bearer"}, ""), status: 502, want: `"code":-32000,"message":"the gateway's credential for this upstream was refused"`,
			callOfATool: `{"content":[{"type":"text","text":"the gateway's credential for this upstream was refused"}],"isError":true,"resultType":"complete"}`, statusOfTool: 200},
		"403":                  {answer: answerWith(403, asJSON, `{"error":"no"}`), status: 502, want: `credential for this upstream was refused`, statusOfTool: 200},
		"429 in JSON-RPC":      {answer: answerWith(429, map[string]string{"Content-Type": "application/json", "Retry-After": "7"}, `{"jsonrpc":"2.0","id":"c1","error":{"code":-32000,"message":"slow  down"}}`), status: 429, want: `{"jsonrpc":"2.0","id":"c1","error":{"code":-32000,"message":"slow  down"}}`, header: "7"},
		"503 with a page":      {answer: answerWith(503, map[string]string{"Content-Type": "text/html", "Retry-After": "9"}, `<html>secret host</html>`), status: 503, want: `"message":"the upstream is busy; try again later"`, header: "9"},
		"400 in JSON-RPC":      {answer: answerWith(400, asJSON, `{"jsonrpc":"2.0","id":"c1","error":{"code":-32021,"message":"x","data":{"requiredCapabilities":{}}}}`), status: 400, want: `{"jsonrpc":"2.0","id":"c1","error":{"code":-32021,"message":"x","data":{"requiredCapabilities":{}}}}`},
		"500 in JSON-RPC":      {answer: answerWith(500, asJSON, `{"jsonrpc":"2.0","id":"c1","error":{"code":-32603,"message":"x"}}`), status: 500, want: `{"jsonrpc":"2.0","id":"c1","error":{"code":-32603,"message":"x"}}`},
		"500 with a page":      {answer: answerWith(500, map[string]string{"Content-Type": "text/html"}, `<html>`), status: 502, want: `upstream sent something that is not MCP`},
		"200 with a page":      {answer: answerWith(200, map[string]string{"Content-Type": "text/html"}, `<html>`), status: 502, want: `upstream sent something that is not MCP`},
		"200 with other JSON":  {answer: answerWith(200, asJSON, `{"hello":1}`), status: 502, want: `upstream sent something that is not MCP`},
		"200 with nothing":     {answer: answerWith(200, asJSON, ``), status: 502, want: `upstream sent something that is not MCP`},
		"204":                  {answer: answerWith(204, nil, ``), status: 502, want: `upstream sent something that is not MCP`},
		"a redirect elsewhere": {answer: answerWith(307, map[string]string{"Location": "http://example.com/"}, ``), status: 502, want: `upstream sent something that is not MCP`},
		"a redirect of the origin": {answer: func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
			if r.URL.Path == "/mcp" {
				w.Header().Set("Location", "/mcp/")
				w.WriteHeader(307)
				return
			}
			mcptest.JSON(w, m.ID, `{"content":[],"at":"`+r.URL.Path+`"}`)
		}, status: 200, want: `"at":"/mcp/"`},
		"a redirect as GET":      {answer: answerWith(302, map[string]string{"Location": "/mcp/"}, ``), status: 502, want: `upstream sent something that is not MCP`},
		"404 without a session":  {answer: answerWith(404, asJSON, `{"jsonrpc":"2.0","id":"c1","error":{"code":-32601,"message":"x"}}`), status: 404, want: `-32601`},
		"an answer that is late": {answer: func(_ http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) { <-r.Context().Done() }, status: 504, want: `"message":"the upstream did not answer within 50ms"`, statusOfTool: 200},
		"a reset": {answer: func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) { panic(http.ErrAbortHandler) }, status: 502, want: `"message":"upstream is unavailable"`,
			callOfATool: `{"content":[{"type":"text","text":"upstream is unavailable"}],"isError":true,"resultType":"complete"}`, statusOfTool: 200},
		"a stream that breaks": {answer: func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
			mcptest.Stream(w)("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"c1\",\"resu")
			panic(http.ErrAbortHandler)
		}, status: 200, want: "notifications/progress\"}\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"c1\",\"error\":{\"code\":-32000,\"message\":\"the connection to the upstream broke off\"}}\n\n"},
		"a stream that falls silent": {answer: func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
			mcptest.Stream(w)(late)
			<-r.Context().Done()
		}, status: 200, want: "\"id\":\"c1\",\"error\":{\"code\":-32000,\"message\":\"the upstream did not answer within 50ms\"}}\n\n"},
		"a stream without an answer": {answer: func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
			mcptest.Stream(w)(": hello\n\n")
		}, status: 200, want: "broke off"},
		"an event that is too large": {answer: func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
			mcptest.Stream(w)(late + "data: " + strings.Repeat("x", 200<<10))
			<-r.Context().Done()
		}, status: 200, want: late + "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"c1\",\"error\":{\"code\":-32000,\"message\":\"upstream sent something that is not MCP\"}}"},
		"400 with a result": {answer: answerWith(400, asJSON, `{"jsonrpc":"2.0","id":"c1","result":{}}`), status: 502, want: `upstream sent something that is not MCP`},
		"200 with a mark":   {answer: answerWith(200, asJSON, "\uFEFF"+`{"jsonrpc":"2.0","id":"c1","result":{}}`), status: 502, want: `upstream sent something that is not MCP`},
		"200 with many":     {answer: answerWith(200, asJSON, `[{"jsonrpc":"2.0","id":"c1","result":{}}]`), status: 502, want: `upstream sent something that is not MCP`},
		"201":               {answer: answerWith(201, asJSON, `{"jsonrpc":"2.0","id":"c1","result":{}}`), status: 200, want: `{"jsonrpc":"2.0","id":"c1","result":{}}`},
		"something told after the answer": {answer: func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
			mcptest.Stream(w)("data: {\"jsonrpc\":\"2.0\",\"id\":\"c1\",\"result\":{\"method\":1}}\n\n: bye\n\n")
		}, status: 200, want: `"result":{"method":1}}`, absent: "error"},
		"more told after the answer": {answer: func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
			mcptest.Stream(w)("data: {\"jsonrpc\":\"2.0\",\"id\":\"c1\",\"result\":{}}\n\n" + late + late)
		}, status: 200, want: late + late, absent: "error"},
		"a stream that breaks after its answer": {answer: func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
			mcptest.Stream(w)("data: {\"jsonrpc\":\"2.0\",\"id\":\"c1\",\"result\":{}}\n\n")
			panic(http.ErrAbortHandler)
		}, status: 200, want: "data: {\"jsonrpc\":\"2.0\",\"id\":\"c1\",\"result\":{}}\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			up := mcptest.NewUpstream(t)
			up.On("tools/call", c.answer)
			up.On("prompts/get", c.answer)
			g := newGateway(t, up.URL, func(r *relay.Config, b *proxy.BackendConfig) {
				r.Leg, r.Limits.Body = speaks{Modern: true}, 64<<10
				if name == "an answer that is late" || name == "a stream that falls silent" {
					b.Timeout, r.Timeout = 50*time.Millisecond, 50*time.Millisecond
				}
			})
			resp, body := g.do(g.modern("prompts/get", "p", `{"jsonrpc":"2.0","id":"c1","method":"prompts/get","params":{"name":"p",`+meta+`}}`))
			if resp.StatusCode != c.status || !strings.Contains(body, c.want) || c.header != resp.Header.Get("Retry-After") {
				t.Errorf("prompts/get = %d %v %s, want %d %s", resp.StatusCode, resp.Header.Get("Retry-After"), body, c.status, c.want)
			}
			if c.absent != "" && strings.Contains(body, c.absent) {
				t.Errorf("prompts/get = %s", body)
			}
			status, want := c.status, c.want
			if c.statusOfTool != 0 {
				status, want = c.statusOfTool, `"isError":true`
			}
			if c.callOfATool != "" {
				want = c.callOfATool
			}
			resp, body = g.do(g.call("t", `{}`))
			if resp.StatusCode != status || !strings.Contains(body, want) {
				t.Errorf("tools/call = %d %s, want %d %s", resp.StatusCode, body, status, want)
			}
			for _, leak := range []string{"127.0.0.1", "dial", "secret host", "<html"} {
				if strings.Contains(body, leak) {
					t.Errorf("the client was told %q: %s", leak, body)
				}
			}
			for _, r := range up.Requests() { // a tool is called once, whatever happened
				if n := strings.Count(r.Body, "tools/call"); n > 1 {
					t.Errorf("called %d times", n)
				}
			}
		})
	}
}

const late = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n"

// A legacy client can come back for what a stream did not bring when it was told where; else it is told that nothing comes.
func TestAStreamThatEndsWithoutAnswer(t *testing.T) { // §9.3, SEP-1699
	for stream, lost := range map[string]bool{
		": hello\n\n": true, late: true, "id: e1\ndata:\n\n": false, "retry: 5\nid: e1\n\n": false, "data: {\"id\":1}\n\n": true,
	} {
		up := mcptest.NewUpstream(t)
		up.Session = true
		up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) { mcptest.Stream(w)(stream) })
		g := newGateway(t, up.URL, nil)
		_, body := g.do(g.legacy(g.open(), `{"jsonrpc":"2.0","id":"c1","method":"tools/call","params":{"name":"t"}}`))
		if strings.Contains(body, `"id":"c1","error":{"code":-32000,"message":"the connection to the upstream broke off"}`) != lost {
			t.Errorf("after %q the client got %q", stream, body)
		}
	}
}

func TestADeadUpstreamIsToldAtOnce(t *testing.T) { // §9.3
	dead := httptest.NewServer(nil)
	dead.Close()
	g := newGateway(t, dead.URL, modernOnly)
	start := time.Now()
	resp, body := g.do(g.call("t", `{}`))
	if took := time.Since(start); resp.StatusCode != 200 || !strings.Contains(body, `"text":"upstream is unavailable"`) || took > time.Second {
		t.Errorf("%d %s after %v", resp.StatusCode, body, took)
	}
	auto := newGateway(t, dead.URL, nil)
	if resp, body := auto.do(auto.call("t", `{}`)); resp.StatusCode != 200 || !strings.Contains(body, `"text":"upstream is unavailable"`) || !strings.Contains(body, `"isError":true`) {
		t.Errorf("a call before anything is known of the upstream = %d %s", resp.StatusCode, body)
	}
	if resp, body := auto.do(auto.call("no such/name", `{}`)); resp.StatusCode != 400 || !strings.Contains(body, `-32602`) { // A1
		t.Errorf("a call of what cannot be a tool = %d %s", resp.StatusCode, body)
	}
	if resp, body := auto.do(auto.request(http.MethodPost, initializeBody)); resp.StatusCode != 502 || !strings.Contains(body, `"id":0,"error":{"code":-32000,"message":"upstream is unavailable"}`) {
		t.Errorf("initialize = %d %s", resp.StatusCode, body)
	}
}

func TestALargeAnswerThatBreaksIsNeverMadeWhole(t *testing.T) { // §9.3
	up := mcptest.NewUpstream(t)
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":"c1","result":{"text":"` + strings.Repeat("x", 100<<10)))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	g := newGateway(t, up.URL, modernOnly)
	resp, err := http.DefaultClient.Do(g.call("t", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 1<<20)
	n := 0
	for err == nil {
		var m int
		m, err = resp.Body.Read(buf[n:])
		n += m
	}
	if err.Error() == "EOF" {
		t.Errorf("the client saw %d bytes and a good end", n)
	}
}
