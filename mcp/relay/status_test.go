package relay_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// However an upstream answers, its list is looked into.
func TestListsAreCutWhateverTheirStatus(t *testing.T) { // A1, §9.1
	for status, passes := range map[int]bool{200: true, 201: true, 203: true, 206: true, 400: false, 404: false, 500: false} {
		up := mcptest.NewUpstream(t)
		up.On("tools/list", answerWith(status, map[string]string{"Content-Type": "application/json"},
			`{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"secret","inputSchema":{}},{"name":"open","inputSchema":{}}]}}`))
		g := newGateway(t, up.URL, func(c *relay.Config, _ *proxy.BackendConfig) {
			c.Tools = map[string]relay.Tool{"secret": {Roles: []string{"Admin"}}}
		})
		_, body := g.do(g.modern("tools/list", "", listBody))
		if strings.Contains(body, "secret") || strings.Contains(body, "open") != passes {
			t.Errorf("%d: the client sees %s", status, body)
		}
	}
}
