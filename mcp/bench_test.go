package mcp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// instant is a road without a network.
type instant struct{}

func (instant) Do(ctx context.Context, c *proxy.Call) (*proxy.Answer, error) {
	if _, err := c.Build(ctx, &proxy.Backend{URL: &url.URL{Scheme: "http", Host: "api"}}); err != nil {
		return nil, err
	}
	a := proxy.NewAnswer(func(proxy.Outcome) {})
	a.Status, a.Upstream, a.Body = 200, http.Header{}, io.NopCloser(strings.NewReader(`{"id":42,"status":"open"}`))
	return a, nil
}

// BenchmarkEdge is the whole way of a message through the handler, without network and backend: X1, X2, X6.
func BenchmarkEdge(b *testing.B) {
	h := newHouse(b, echo)
	h.config.Doer = instant{}
	h.config.Page = 0
	h.server = h.build(b, h.config)
	session := ""
	initialize := legacyRequest("initialize", `{"protocolVersion":"2025-11-25","capabilities":{}}`, "")
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, initialize())
	session = w.Header().Get("Mcp-Session-Id")

	var many []bridge.Tool
	for i := range 1000 {
		many = append(many, bridge.Tool{Tool: mcptest.Tool("tool_" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)), Operation: mcptest.Operation{}})
	}
	for name, request := range map[string]func() *http.Request{
		"call legacy":     legacyRequest("tools/call", `{"name":"get_order","arguments":{"id":"42"}}`, session),
		"call modern":     modernRequest("tools/call", "get_order", `"name":"get_order","arguments":{"id":"42"},`),
		"discover modern": modernRequest("server/discover", "", ""),
		"list modern":     modernRequest("tools/list", "", ""),
	} {
		b.Run(name, func(b *testing.B) { h.run(b, request) })
	}
	big := h.config
	big.Tools = many
	h.server = h.build(b, big)
	b.Run("list 1000 modern", func(b *testing.B) { h.run(b, modernRequest("tools/list", "", "")) })
}

func (h *house) run(b *testing.B, request func() *http.Request) {
	b.ReportAllocs()
	for b.Loop() {
		w := discard{head: http.Header{}}
		h.handler.ServeHTTP(&w, request())
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
}

type discard struct {
	head   http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.head }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

func legacyRequest(method, params, session string) func() *http.Request {
	body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
	head := http.Header{
		"Authorization": {"Bearer alice"}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
	}
	if session != "" {
		head["Mcp-Session-Id"] = []string{session}
	}
	return func() *http.Request { return made(body, head) }
}

func modernRequest(method, name, params string) func() *http.Request {
	r := modernPost(context.Background(), "/mcp/orders", method, name, params)
	body, _ := io.ReadAll(r.Body)
	r.Header.Set("Authorization", "Bearer alice")
	return func() *http.Request { return made(string(body), r.Header) }
}

func made(body string, head http.Header) *http.Request {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/mcp/orders"}, Header: head, ContentLength: int64(len(body))}
	r.Body = io.NopCloser(strings.NewReader(body))
	return r
}
