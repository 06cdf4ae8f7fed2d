package relay_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const (
	listBody = `{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{` + meta + `}}`
	routed   = `{"name":"routed","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}`
)

// listing has the upstream list tools, page after page.
func listing(up *mcptest.Upstream, pages ...string) {
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		for i, page := range pages {
			if i == len(pages)-1 || !strings.Contains(string(m.Params), `"cursor"`) {
				next := ""
				if i < len(pages)-1 {
					next = `,"nextCursor":"more"`
				}
				mcptest.JSON(w, m.ID, `{"tools":[`+page+`]`+next+`}`)
				return
			}
		}
	})
}

// A relay knows from the lists that pass which arguments are repeated in headers, and compares; before any it forwards.
func TestARelayComparesHeadersByTheListThatPassed(t *testing.T) { // H10
	up := mcptest.NewUpstream(t)
	listing(up, routed, `{"name":"plain","inputSchema":{}}`)
	now := time.Now()
	g := newGateway(t, up.URL, func(c *relay.Config, _ *proxy.BackendConfig) { c.Now = func() time.Time { return now } })
	calls := func() (n int) {
		for _, r := range up.Requests() {
			n += strings.Count(r.Method, "tools/call")
		}
		return n
	}
	call := func(what string, want int, header ...string) {
		t.Helper()
		before := calls()
		resp, body := g.do(g.call("routed", `{"region":"eu"}`, header...))
		if resp.StatusCode != want || want == 400 && (!strings.Contains(body, "-32020") || calls() != before) || want == 200 && calls() != before+1 {
			t.Errorf("%s = %d %s, %d calls", what, resp.StatusCode, body, calls()-before)
		}
	}
	call("before any list", 200, "Mcp-Param-Region", "us")
	g.do(g.modern("tools/list", "", listBody))
	call("another value", 400, "Mcp-Param-Region", "us")
	call("no header", 400)
	call("the same", 200, "Mcp-Param-Region", "eu")
	call("the same in base64", 200, "Mcp-Param-Region", "=?base64?ZXU=?=")
	g.do(g.modern("tools/list", "", strings.Replace(listBody, `"params":{`, `"params":{"cursor":"more",`, 1)))
	call("after another page", 400, "Mcp-Param-Region", "us")
	listing(up, strings.Replace(routed, `"x-mcp-header":"Region"`, `"title":"x"`, 1))
	g.do(g.modern("tools/list", "", listBody))
	call("once nothing is declared", 200, "Mcp-Param-Region", "us")
	listing(up, routed)
	g.do(g.modern("tools/list", "", listBody))
	now = now.Add(2 * time.Minute)
	call("when the list is old", 200, "Mcp-Param-Region", "us")
}

// Tools that modern clients must drop are not shown to them; bytes of the others stay, and legacy clients see all.
func TestToolsThatModernClientsDropAreNotListed(t *testing.T) { // U1
	up := mcptest.NewUpstream(t)
	bad := `{"name":"bad","inputSchema":{"properties":{"a":{"type":"array","x-mcp-header":"A"}}}}`
	listing(up, routed+` , `+bad+`,{"inputSchema":{"$defs" : {}},"name":"z"}`)
	g := newGateway(t, up.URL, nil)
	if _, body := g.do(g.modern("tools/list", "", listBody)); !strings.Contains(body, `"tools":[`+routed+`,{"inputSchema":{"$defs" : {}},"name":"z"}]`) {
		t.Errorf("a modern client sees %s", body)
	}
	if _, body := g.do(g.legacy(g.open(), `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)); !strings.Contains(body, bad) {
		t.Errorf("a legacy client sees %s", body)
	}
}

// What a policy writes into an argument stands in its header, too: the upstream compares them.
func TestHeadersFollowArgumentsThatPoliciesSet(t *testing.T) { // H8, llm.md: set_argument
	up := mcptest.NewUpstream(t)
	listing(up, `{"name":"t","inputSchema":{"type":"object","properties":{"tenant":{"type":"string","x-mcp-header":"Tenant"},"n":{"type":"integer","x-mcp-header":"N"}}}}`)
	g := newGateway(t, up.URL, func(c *relay.Config, _ *proxy.BackendConfig) {
		set := &proxy.Policies{}
		set.ByPhase[proxy.PhaseShape] = []proxy.Policy{setter{}}
		c.Policies = func(string) *proxy.Policies { return set }
	})
	g.do(g.modern("tools/list", "", listBody))
	resp, body := g.do(g.call("t", `{"tenant":"mine","n":7}`, "Mcp-Param-Tenant", "mine", "Mcp-Param-N", "7", "Mcp-Param-Other", "o"))
	requests := up.Requests()
	last := requests[len(requests)-1].Header
	if resp.StatusCode != 200 || last.Get("Mcp-Param-Tenant") != "ours" || last.Get("Mcp-Param-N") != "7" || last.Get("Mcp-Param-Other") != "o" {
		t.Errorf("%d %s, the upstream got %v", resp.StatusCode, body, last)
	}
}
