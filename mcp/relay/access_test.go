package relay_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func guarded(c *relay.Config, _ *proxy.BackendConfig) {
	c.Tools = map[string]relay.Tool{"danger": {Roles: []string{"Admin"}}, "wide": {Scope: "wide.use"}}
}

func TestToolsOfOthersAreNeitherSeenNorCalled(t *testing.T) { // A1, A2, A3, J11, §9.1
	const list = `{"ttlMs":0.0, "tools": [ {"name":"safe","x":1.50} ,{"name":"d\u0061nger"}, {"name":"wide"} ] ,"z":null}`
	up := mcptest.NewUpstream(t)
	form := "json"
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		if form == "json" {
			mcptest.JSON(w, m.ID, list)
			return
		}
		mcptest.Stream(w)("id: 1\ndata: \n\nid: 2\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" + list + "}\n\n")
	})
	g := newGateway(t, up.URL, guarded)
	listBody := `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + meta + `}}`
	cut := strings.Replace(list, ` ,{"name":"d\u0061nger"}, `, `,`, 1)
	for _, form = range []string{"json", "stream"} {
		for who, want := range map[string]string{"alice": cut, "root Admin": list} {
			_, body := g.do(g.modern("tools/list", "", listBody, "Authorization", "Bearer "+who))
			want = `{"jsonrpc":"2.0","id":1,"result":` + want + `}`
			if form == "stream" {
				want = "id: 1\ndata: \n\nid: 2\nevent: message\ndata: " + want + "\n\n"
			}
			if body != want {
				t.Errorf("%s as %s:\n%s\nwant\n%s", who, form, body, want)
			}
		}
	}
	before := len(up.Requests())
	for name, c := range map[string]struct {
		tool   string
		status int
		want   string
	}{
		"a role lacking":     {"danger", 400, `"code":-32602,"message":"unknown tool: danger"`},
		"no name of a tool":  {"a b", 400, `"code":-32602,"message":"unknown tool: a b"`},
		"a scope that lacks": {"wide", 403, `"error":"insufficient_scope"`},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := g.do(g.call(c.tool, `{}`))
			if resp.StatusCode != c.status || !strings.Contains(body, c.want) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
	if n := len(up.Requests()); n != before {
		t.Errorf("%d requests went up", n-before)
	}
	if resp, body := g.do(g.call("danger", `{}`, "Authorization", "Bearer root Admin")); resp.StatusCode != 200 {
		t.Errorf("with the role %d %s", resp.StatusCode, body)
	}
}

func TestAListThatIsNotEverybodysIsNobodysToShare(t *testing.T) { // T5
	const list = `{"cacheScope":"public","tools":[{"name":"safe"},{"name":"other"}], "ttlMs":5}`
	for name, c := range map[string]struct {
		change  func(*relay.Config, *proxy.BackendConfig)
		private bool
	}{
		"everybody's": {func(*relay.Config, *proxy.BackendConfig) {}, false},
		"a tool with a role": {func(c *relay.Config, _ *proxy.BackendConfig) {
			c.Tools = map[string]relay.Tool{"x": {Roles: []string{"Admin"}}}
		}, true},
		"a tool with a scope": {func(c *relay.Config, _ *proxy.BackendConfig) { c.Tools = map[string]relay.Tool{"x": {Scope: "x.use"}} }, true},
		"a server with roles": {func(c *relay.Config, _ *proxy.BackendConfig) { c.Private = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			up := mcptest.NewUpstream(t)
			up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) { mcptest.JSON(w, m.ID, list) })
			g := newGateway(t, up.URL, c.change)
			_, body := g.do(g.modern("tools/list", "", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+meta+`}}`, "Authorization", "Bearer root Admin"))
			want := list
			if c.private {
				want = strings.Replace(list, "public", "private", 1)
			}
			if body != `{"jsonrpc":"2.0","id":1,"result":`+want+`}` {
				t.Errorf("%s", body)
			}
		})
	}
}

// setter is a set_argument policy.
type setter struct{}

func (setter) Admit(_ context.Context, c *proxy.Call) (proxy.Verdict, error) {
	c.Shape.Arguments = []proxy.Argument{{Name: "tenant", Value: []byte(`"ours"`)}, {Name: "more", Value: []byte(`[0]`)}, {Name: "more", Value: []byte(`[1]`)}}
	return proxy.Verdict{}, nil
}

func TestPoliciesChangeArgumentsInPlace(t *testing.T) { // llm.md: set_argument
	up := mcptest.NewUpstream(t)
	g := newGateway(t, up.URL, func(c *relay.Config, _ *proxy.BackendConfig) {
		set := &proxy.Policies{}
		set.ByPhase[proxy.PhaseShape] = []proxy.Policy{setter{}}
		c.Policies = func(string) *proxy.Policies { return set }
	})
	for _, c := range []struct{ in, want string }{
		{`{ "tenant" : "mine", "n":1.50 }`, `{ "tenant" : "ours", "n":1.50 ,"more":[1]}`},
		{`{}`, `{"more":[1],"tenant":"ours"}`},
	} {
		g.do(g.call("t", c.in))
		requests := up.Requests()
		if sent := requests[len(requests)-1].Body; !strings.Contains(sent, `"arguments":`+c.want+`,"_meta"`) {
			t.Errorf("%s became %s", c.in, sent)
		}
	}
}

// Nothing that a careless client could take for the list gets past what was cut and judged (Q7, A1).
func TestAListIsNotSmuggledAheadOfItself(t *testing.T) {
	const evil = `"result":{"tools":[{"name":"danger"}]}}`
	for name, c := range map[string]struct {
		event string
		want  int
	}{
		"an id of another type":  {`{"jsonrpc":"2.0","id":"1",` + evil, 200},
		"another id":             {`{"jsonrpc":"2.0","id":2,` + evil, 200},
		"a key twice":            {`{"jsonrpc":"2.0","id":7,"id":1,` + evil, 502},
		"an id of another form":  {`{"jsonrpc":"2.0","id":1.0,` + evil, 502},
		"no JSON of ours":        {`{"jsonrpc":"2.0","id":1,` + evil + ` `, 0},
		"a notification":         {`{"jsonrpc":"2.0","method":"notifications/progress"}`, 200},
		"an answer in two lines": {"{\"jsonrpc\":\"2.0\",\ndata: \"id\":\"1\"," + evil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			up := mcptest.NewUpstream(t)
			up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
				mcptest.Stream(w)("data: " + c.event + "\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"safe\"},{\"name\":\"danger\"}]}}\n\n")
			})
			g := newGateway(t, up.URL, guarded)
			resp, body := g.do(g.modern("tools/list", "", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+meta+`}}`))
			if strings.Contains(body, "danger") || c.want != 0 && resp.StatusCode != c.want || c.want == 200 && !strings.Contains(body, "safe") {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if name == "a notification" && !strings.Contains(body, "notifications/progress") {
				t.Errorf("it was lost: %s", body)
			}
		})
	}
}

func TestAToolThatCannotBeCalledIsNotShown(t *testing.T) { // J11, A4
	up := mcptest.NewUpstream(t)
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.JSON(w, m.ID, `{"tools":[{"name":"a/b"},{"name":"a.b-c_D"},{"name":"n\u00e4me"},{"name":""}, {"name":"`+strings.Repeat("x", 129)+`"}]}`)
	})
	var lines lockedBuffer
	g := newGateway(t, up.URL, func(c *relay.Config, b *proxy.BackendConfig) {
		pinning(c, b)
		c.Log = slog.New(slog.NewTextHandler(&lines, nil))
	})
	body := ""
	for range 3 {
		_, body = g.do(g.modern("tools/list", "", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+meta+`}}`))
	}
	if n := lines.count("left out"); n != 4 { // whoever lists could fill the log with it
		t.Errorf("%d lines of it in the log", n)
	}
	if want := `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a.b-c_D"}]}}`; body != want {
		t.Errorf("%s", body)
	}
	if _, body := g.do(g.call("a/b", `{}`)); !strings.Contains(body, "unknown tool: a/b") {
		t.Errorf("a call of what is not shown: %s", body)
	}
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) count(of string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), of)
}
