package relay_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// forgetful keeps no pins.
type forgetful struct{}

func (forgetful) Pins(context.Context, string) ([]pins.Pin, error) { return nil, nil }
func (forgetful) PutPins(context.Context, []pins.Pin) error        { return nil }
func (forgetful) DropPins(context.Context, string, []string) error { return nil }
func pinning(c *relay.Config, _ *proxy.BackendConfig) {
	c.Pins = &pins.Book{Server: "s", Store: forgetful{}, Log: slog.New(slog.DiscardHandler)}
}

// An upstream may have a tool only for clients that can be asked what the tool asks. Whoever is shown it may call it, also
// without a list of their own, and whatever list others were shown last.
func TestAToolForClientsThatCanBeAskedIsTheirs(t *testing.T) { // Q7, §11.1
	up := mcptest.NewUpstream(t)
	up.On("server/discover", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		w.WriteHeader(http.StatusBadRequest)
	})
	up.On("initialize", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		id := "plain"
		if strings.Contains(string(m.Params), `"elicitation"`) {
			id = "asking"
		}
		w.Header().Set("Mcp-Session-Id", id)
		mcptest.JSON(w, m.ID, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"p","version":"1"}}`)
	})
	up.On("tools/list", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		list := `{"name":"safe"}`
		if r.Header.Get("Mcp-Session-Id") == "asking" {
			list += `,{"name":"ask"}`
		}
		mcptest.JSON(w, m.ID, `{"tools":[`+list+`]}`)
	})
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.JSON(w, m.ID, `{"content":[{"type":"text","text":"asked"}]}`)
	})
	g := newKeeping(t, up.URL, time.Minute, pinning)
	open := func(capabilities string) string {
		resp, body := g.do(g.request(http.MethodPost, strings.Replace(initializeBody, `"capabilities":{}`, `"capabilities":`+capabilities, 1)))
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("initialize: %d %s", resp.StatusCode, body)
		}
		return resp.Header.Get("Mcp-Session-Id")
	}
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask","arguments":{}}}`
	asking, plain := open(`{"elicitation":{}}`), open(`{}`)
	for range 2 {
		if _, body := g.do(g.legacy(asking, call)); !strings.Contains(body, `"asked"`) {
			t.Errorf("who can be asked: %s", body)
		}
		if _, body := g.do(g.legacy(plain, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)); strings.Contains(body, `"ask"`) || !strings.Contains(body, `"safe"`) {
			t.Errorf("who cannot is shown %s", body)
		}
		if _, body := g.do(g.legacy(asking, `{"jsonrpc":"2.0","id":3,"method":"tools/list"}`)); !strings.Contains(body, `"ask"`) {
			t.Errorf("who can is shown %s", body)
		}
	}
}
