package mcp_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/crossing"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// kinds are the three ways to serve; each returns a server and the names of tools that say what they were sent.
func kinds(t *testing.T, h *house) map[string]func() (edge.Server, []string) {
	return map[string]func() (edge.Server, []string){
		"bridge": func() (edge.Server, []string) { return h.server, []string{"get_order"} },
		"relay": func() (edge.Server, []string) {
			pipeline, leg := legTo(t, echoing(t))
			s, err := relay.New(relay.Config{Name: "orders", Upstream: "up", Doer: pipeline, Leg: leg})
			if err != nil {
				t.Fatal(err)
			}
			return s, []string{"plain", "streamed"}
		},
		"combined": func() (edge.Server, []string) {
			_, leg := legTo(t, echoing(t))
			up, err := crossing.New(crossing.Config{Name: "orders", Upstream: "up", Leg: leg, Keyring: h.config.Keyring})
			if err != nil {
				t.Fatal(err)
			}
			made := h.build(t, bridge.Config{Name: "orders", Keyring: h.config.Keyring, Doer: h.road, Tools: []bridge.Tool{
				{Tool: mcptest.Tool("get"), Name: "rest__get", Operation: mcptest.Operation{Path: "/get"}},
			}})
			s, err := combined.New(combined.Config{Name: "orders", Keyring: h.config.Keyring, Sources: []combined.Source{
				{As: "rest", Server: made, Made: true}, {As: "up", Server: up},
			}})
			if err != nil {
				t.Fatal(err)
			}
			return s, []string{"rest__get", "up__plain", "up__streamed"}
		},
	}
}

// echoing is an upstream of both eras whose tools say what they were sent, plainly or behind a notification.
func echoing(t *testing.T) *mcptest.Upstream {
	up := mcptest.NewUpstream(t)
	up.Session = true
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.JSON(w, m.ID, `{"tools":[{"name":"plain","inputSchema":{"type":"object"}},{"name":"streamed","inputSchema":{"type":"object"}}]}`)
	})
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		result := `{"content":[],"sent":` + string(m.Params) + `}`
		if !strings.Contains(string(m.Params), `"name":"streamed"`) {
			mcptest.JSON(w, m.ID, result)
			return
		}
		write := mcptest.Stream(w)
		write("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":" + string(m.Params) + "}}\n\n")
		write("data: {\"jsonrpc\":\"2.0\",\"id\":" + string(m.ID) + ",\"result\":" + result + "}\n\n")
	})
	return up
}

// legTo is a real way to an upstream.
func legTo(t *testing.T, up *mcptest.Upstream) (*proxy.Pipeline, *upstream.Leg) {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	pipeline, err := proxy.New(proxy.Config{Backends: []proxy.BackendConfig{{Name: "up", URL: up.URL, Timeout: time.Minute}}}, proxy.NewState(),
		proxy.Deps{Transport: func(proxy.BackendConfig) http.RoundTripper { return transport }})
	if err != nil {
		t.Fatal(err)
	}
	memory := upstream.NewMemory()
	t.Cleanup(memory.Close)
	leg, err := upstream.New(upstream.Config{Server: "orders", Backend: "up", Doer: pipeline, Memory: memory, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return pipeline, leg
}

// 50 clients × 20 calls with the same ids, five at a time: nobody sees a byte of another's (CVE-2026-25536).
func TestEqualIDsNeverMeet(t *testing.T) { // E10, E9
	for _, kind := range []string{"bridge", "relay", "combined"} {
		for _, era := range []string{"legacy", "modern"} {
			t.Run(kind+" "+era, func(t *testing.T) {
				h := newHouse(t, echo)
				server, tools := kinds(t, h)[kind]()
				h.handler.Lookup = func(string) (edge.Server, edge.State) { return server, edge.Serving }
				url := h.serve(t)
				var clients sync.WaitGroup
				for n := range 50 {
					clients.Go(func() {
						c := &caller{http: httpClient(t, fmt.Sprintf("person%d", n)), url: url}
						if era == "legacy" {
							c.open(t)
						}
						c.callAll(t, fmt.Sprintf("secret-of-%d-", n), tools)
					})
				}
				clients.Wait()
			})
		}
	}
}

// caller is one client; session is empty for modern ones.
type caller struct {
	http         *http.Client
	url, session string
}

func (c *caller) open(t *testing.T) {
	r := legacyRequest("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`, "")()
	resp, text := c.send(t, r)
	if c.session = resp.Header.Get("Mcp-Session-Id"); c.session == "" {
		t.Errorf("initialize: %d %s", resp.StatusCode, text)
	}
}

func (c *caller) send(t *testing.T, r *http.Request) (*http.Response, string) {
	real, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, r.Body)
	if err != nil {
		t.Error(err)
		return &http.Response{}, ""
	}
	real.Header = r.Header
	resp, err := c.http.Do(real)
	if err != nil {
		t.Error(err)
		return &http.Response{}, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp, string(text)
}

// callAll makes the calls of a client; id k is in use by all of them at once.
func (c *caller) callAll(t *testing.T, mark string, tools []string) {
	var lanes sync.WaitGroup
	for lane := range 5 {
		lanes.Go(func() {
			for k := lane; k < 20; k += 5 {
				tool := tools[k%len(tools)]
				params := fmt.Sprintf(`"name":%q,"arguments":{"id":"%s%d."}`, tool, mark, k)
				var r *http.Request
				if c.session != "" {
					r = legacyRequest("tools/call", "{"+params+"}", c.session)()
				} else {
					r = modernRequest("tools/call", tool, params+",")()
				}
				_, text := c.send(t, r)
				own := fmt.Sprintf("%s%d.", mark, k)
				if n := strings.Count(text, own); n == 0 || n != strings.Count(text, "secret-of-") || !strings.Contains(text, `"id":1,`) || strings.Count(text, `"result"`) != 1 {
					t.Errorf("%s of %s got %s", own, tool, text)
				}
			}
		})
	}
	lanes.Wait()
}
