package mcp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson/hostile"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// Whatever a body says, a tool that the caller may not use, or that Mcp-Name does not name, never runs; and what a
// careless parser would read from it is what ran (mcp.md §4, corpus test).
func TestHostileBodiesRunNothingElse(t *testing.T) {
	const named = "safe"
	for _, era := range []string{"legacy", "modern"} {
		t.Run(era, func(t *testing.T) {
			h := newHouse(t, echo)
			cfg := h.config
			for _, name := range []string{"safe", "n", "a"} {
				cfg.Tools = append(cfg.Tools, bridge.Tool{Tool: mcptest.Tool(name), Operation: mcptest.Operation{}})
			}
			cfg.Tools = append(cfg.Tools, bridge.Tool{Tool: mcptest.Tool("danger"), Operation: mcptest.Operation{}, Roles: []string{"role:Nobody"}})
			h.server = h.build(t, cfg)
			var ran []string
			h.road.Refuse = func(c *proxy.Call) error {
				ran = append(ran, c.Tool)
				return &proxy.Error{Kind: proxy.Unreachable}
			}
			served := 0
			session := openSession(t, h)
			for _, b := range hostile.Bodies() {
				ran = nil
				w := httptest.NewRecorder()
				h.handler.ServeHTTP(w, hostileRequest(withEra(b.Text, era), era, session))
				served += len(ran)
				if len(ran) > 0 && (b.Code != 0 || ran[0] != carelessName(t, b.Text)) {
					t.Errorf("%s: %v ran; a careless parser reads %q", b.Name, ran, carelessName(t, b.Text))
				}
				if era == "modern" && len(ran) > 0 && ran[0] != named {
					t.Errorf("%s: %v ran, the header names %s", b.Name, ran, named)
				}
				if b.Code != 0 && w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge {
					t.Errorf("%s: %d, want 400", b.Name, w.Code)
				}
				if b.Code != 0 && !json.Valid(w.Body.Bytes()) {
					t.Errorf("%s: the answer is %q", b.Name, w.Body)
				}
			}
			if served == 0 {
				t.Error("no body was served: the test shows nothing")
			}
		})
	}
}

// withEra gives the bodies that name a tool the _meta of a modern request, where they have room for it.
func withEra(text, era string) string {
	if era != "modern" {
		return text
	}
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},`
	return strings.Replace(text, `"params":{"name"`, `"params":{`+meta+`"name"`, 1)
}

func carelessName(t *testing.T, text string) string {
	t.Helper()
	var m struct{ Params struct{ Name any } }
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return ""
	}
	name, _ := m.Params.Name.(string)
	return name
}

func openSession(t *testing.T, h *house) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, legacyRequest("initialize", `{"protocolVersion":"2025-11-25","capabilities":{}}`, "")())
	return w.Header().Get("Mcp-Session-Id")
}

// The same through a relay, before an upstream that decodes carelessly: without regard to case, the last one wins. It gets
// the caller's bytes, and yet runs nothing but what was allowed (mcp.md §4, corpus test).
func TestHostileBodiesRunNothingElseUpstream(t *testing.T) {
	for _, era := range []string{"legacy", "modern"} {
		t.Run(era, func(t *testing.T) {
			var mu sync.Mutex
			var ran []string
			up := mcptest.NewUpstream(t)
			up.Session = true
			up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
				var params struct{ Name any }
				_ = json.Unmarshal(m.Params, &params)
				mu.Lock()
				ran = append(ran, fmt.Sprint(params.Name))
				mu.Unlock()
				mcptest.JSON(w, m.ID, `{"content":[]}`)
			})
			pipeline, leg := legTo(t, up)
			server, err := relay.New(relay.Config{
				Name: "orders", Upstream: "up", Doer: pipeline, Leg: leg, Tools: map[string]relay.Tool{"danger": {Roles: []string{"Nobody"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			h := newHouse(t, echo)
			h.handler.Lookup = func(string) (edge.Server, edge.State) { return server, edge.Serving }
			session, served := openSession(t, h), 0
			for _, b := range hostile.Bodies() {
				before := len(up.Requests())
				ran = nil
				w := httptest.NewRecorder()
				h.handler.ServeHTTP(w, hostileRequest(withEra(b.Text, era), era, session))
				served += len(ran)
				for _, name := range ran {
					if name == "danger" || b.Code != 0 || era == "modern" && name != "safe" {
						t.Errorf("%s: the upstream ran %s", b.Name, name)
					}
				}
				if b.Code != 0 && (w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge || len(up.Requests()) != before) {
					t.Errorf("%s: %d, and %d requests went up", b.Name, w.Code, len(up.Requests())-before)
				}
			}
			if served == 0 {
				t.Error("no body was served: the test shows nothing")
			}
		})
	}
}

func hostileRequest(text, era, session string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/mcp/orders", strings.NewReader(text))
	r.Header = http.Header{
		"Authorization": {"Bearer alice"}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
	}
	if era == "legacy" {
		r.Header.Set("Mcp-Session-Id", session)
	} else {
		r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
		r.Header.Set("Mcp-Method", "tools/call")
		r.Header.Set("Mcp-Name", "safe")
	}
	return r
}
