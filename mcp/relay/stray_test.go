package relay_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

const listed = `"result":{"tools":[{"name":"safe"},{"name":"danger"}]}`

// A stream that is taken up again brings what the upstream sent on it, a list too; and where a client goes by ids alone, any
// stream may. Roles hold there as well (A1).
func TestAListOnAnotherStreamIsCut(t *testing.T) { // E7, A1
	up := mcptest.NewUpstream(t)
	up.Session = true
	event := ""
	up.On("GET", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		mcptest.Stream(w)("id: s_1\nevent: message\ndata: " + event + "\n\nid: s_2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":{\"tools\": 1.0}}\n\n")
	})
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		mcptest.Stream(w)("data: " + event + "\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"content\":[], \"tools\":[\"danger?\"]}}\n\n")
	})
	g := newGateway(t, up.URL, guarded)
	session := g.open()
	const call = `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"safe","arguments":{}}}`
	for _, c := range []struct{ sent, want string }{
		{`{"jsonrpc":"2.0","id":1,` + listed + `}`, `"tools":[{"name":"safe"}]`},
		{`{"id":"1","result":{"nextCursor":"n", "t\u006fols" : [{"name":"d\u0061nger","x":1.50}, {"x":1.50,"name":"safe"}]},"jsonrpc":"2.0"}`, `: [{"x":1.50,"name":"safe"}]`},
	} {
		event = c.sent
		for name, r := range map[string]*http.Request{
			"taken up":  g.request(http.MethodGet, "", "Mcp-Session-Id", session, "Last-Event-Id", "s_0"),
			"listening": g.request(http.MethodGet, "", "Mcp-Session-Id", session),
			"a call":    g.legacy(session, call),
		} {
			_, body := g.do(r)
			if strings.Contains(body, `nger"`) || !strings.Contains(body, c.want) {
				t.Errorf("%s: %s", name, body)
			}
			if name != "a call" && !strings.Contains(body, "\nid: s_2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":{\"tools\": 1.0}}\n\n") ||
				name == "a call" && !strings.Contains(body, `{"jsonrpc":"2.0","id":3,"result":{"content":[], "tools":["danger?"]}}`) {
				t.Errorf("%s: the rest became %s", name, body)
			}
		}
	}
	for _, sent := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"Tools":[{"name":"danger"}]}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"tool` + "ſ" + `":[{"name":"danger"}]}}`,
		`{"jsonrpc":"2.0","id":1,"id":1,` + listed + `}`,
		`{"jsonrpc":"2.0","id":1,"result":{},"Result":{"tools":[{"name":"danger"}]}}`,
	} {
		event = sent
		if _, body := g.do(g.request(http.MethodGet, "", "Mcp-Session-Id", session)); strings.Contains(body, "danger") {
			t.Errorf("%s: %s", sent, body)
		}
	}
	if _, body := g.do(g.request(http.MethodGet, "", "Mcp-Session-Id", g.open("Authorization", "Bearer boss Admin"), "Authorization", "Bearer boss Admin")); strings.Contains(body, "jsonrpc") {
		t.Errorf("what cannot be read passed: %s", body)
	}
	event = `{"jsonrpc":"2.0","id":1,` + listed + `}`
	boss := g.open("Authorization", "Bearer boss Admin")
	if _, body := g.do(g.request(http.MethodGet, "", "Mcp-Session-Id", boss, "Authorization", "Bearer boss Admin")); !strings.Contains(body, "data: "+event+"\n\n") {
		t.Errorf("who may see all is shown %s", body)
	}
}

func TestAToolHeldBackIsNotShownOnAnotherStream(t *testing.T) { // Q3
	up := mcptest.NewUpstream(t)
	up.Session = true
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.JSON(w, m.ID, `{"tools":[{"name":"a","description":"as approved"}]}`)
	})
	up.On("GET", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		mcptest.Stream(w)("data: {\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{\"tools\":[{\"name\":\"a\",\"description\":\"changed\"}]}}\n\n")
	})
	g := newGateway(t, up.URL, pinning)
	session := g.open()
	if _, body := g.do(g.legacy(session, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)); !strings.Contains(body, "as approved") {
		t.Fatal(body)
	}
	if _, body := g.do(g.request(http.MethodGet, "", "Mcp-Session-Id", session)); strings.Contains(body, "changed") || !strings.Contains(body, `"tools":[]`) {
		t.Errorf("shown: %s", body)
	}
}

// A list beside the one that is cut is for readers who do not mind the case of keys (A1, Q3).
func TestAListInAnotherSpellingDoesNotPass(t *testing.T) {
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"safe"}],"Tools":[{"name":"danger"}]}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"TOOLS":[{"name":"danger"}]}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"safe"}]},"Result":{"tools":[{"name":"danger"}]}}`,
	} {
		up := mcptest.NewUpstream(t)
		up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		})
		g := newGateway(t, up.URL, guarded)
		resp, got := g.do(g.modern("tools/list", "", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+meta+`}}`))
		if resp.StatusCode != http.StatusBadGateway || strings.Contains(got, "danger") {
			t.Errorf("%s: %d %s", body, resp.StatusCode, got)
		}
	}
}

// An answer in plain JSON that says it is another's would be the list to whoever waits for one under that id.
func TestAnAnswerInPlainJSONIsToItsOwnRequest(t *testing.T) {
	long := strings.Repeat("x", 40<<10)
	for name, c := range map[string]struct {
		answer string
		passes bool
	}{
		"its own":                    {`{"jsonrpc":"2.0","id":3,"result":{"id":4,"a":["{\"id\":4,", {"id":4}]}}`, true},
		"its own, at the end":        {`{"jsonrpc" : "2.0","result":{"text":"` + long + `\\\"","id":4} , "id" : 3 }`, true},
		"its own, as another parser": {`{"jsonrpc":"2.0","id":3.0,"result":{}}`, true},
		"with more of its own":       {`{"jsonrpc":"2.0","id":3,"x":[1,"id",{"id":4}],"result":{}}`, true},
		"nobody's":                   {`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}`, true},
		"another's":                  {`{"jsonrpc":"2.0","id":4,` + listed + `}`, false},
		"a text":                     {`{"jsonrpc":"2.0","id":"3",` + listed + `}`, false},
		"no id":                      {`{"jsonrpc":"2.0","id":[3],` + listed + `}`, false},
		"two":                        {`{"jsonrpc":"2.0","id":3,` + listed + `,"id":4}`, false},
		"in another spelling":        {`{"jsonrpc":"2.0","id":3,` + listed + `,"ID":4}`, false},
		"escaped":                    {`{"jsonrpc":"2.0","id":3,` + listed + `,"\u0069d":4}`, false},
		"another's, long":            {`{"jsonrpc":"2.0","id":4,"x":"` + long + `",` + listed + `}`, false},
		"two, far apart":             {`{"jsonrpc":"2.0","id":3,"x":"` + long + `",` + listed + `,"id":4}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			up := mcptest.NewUpstream(t)
			up.Session = true
			// Lists that may be kept are read ahead.
			for method, params := range map[string]string{"tools/call": `{"name":"safe","arguments":{}}`, "resources/list": `{}`} {
				up.On(method, func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, c.answer)
				})
				g := newGateway(t, up.URL, guarded)
				resp, err := http.DefaultClient.Do(g.legacy(g.open(), `{"jsonrpc":"2.0","id":3,"method":"`+method+`","params":`+params+`}`))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if whole := err == nil && string(body) == c.answer; whole != c.passes {
					t.Errorf("%s: %d, %d bytes, %v", method, resp.StatusCode, len(body), err)
				}
				if !c.passes && strings.HasSuffix(string(body), "4}") {
					t.Errorf("%s: the end of it was handed out", method)
				}
			}
		})
	}
}
