package combined_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
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

type discard struct {
	head   http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.head }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// run sends one modern request again and again.
func run(b *testing.B, s edge.Server, method, name, params string) {
	b.Helper()
	h := handler(b, s)
	comma := ","
	if params == "{}" {
		comma = ""
	}
	body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + modernMeta + comma + params[1:] + `}`
	head := http.Header{
		"Authorization": {"Bearer alice"}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {edge.Modern}, "Mcp-Method": {method},
	}
	if name != "" {
		head["Mcp-Name"] = []string{name}
	}
	b.ReportAllocs()
	for b.Loop() {
		r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/mcp/all"}, Header: head, ContentLength: int64(len(body))}
		r.Body = io.NopCloser(strings.NewReader(body))
		w := discard{head: http.Header{}}
		h.ServeHTTP(&w, r)
		if w.status != http.StatusOK {
			w := httptest.NewRecorder()
			r.Body = io.NopCloser(strings.NewReader(body))
			h.ServeHTTP(w, r)
			b.Fatal(w.Code, w.Body)
		}
	}
}

// BenchmarkCall compares a call through a combined server with the bridge's own.
func BenchmarkCall(b *testing.B) {
	source := made(b, instant{}, "rest", "get")
	up := &steady{list: []byte(`{"tools":[` + tool("get") + `],"ttlMs":60000,"cacheScope":"public"}`)}
	all := build(b, combined.Config{Sources: []combined.Source{source, of("up", up)}})
	params := func(name string) string { return `{"name":"` + name + `","arguments":{"id":"42"}}` }
	b.Run("bridge", func(b *testing.B) { run(b, source.Server, "tools/call", "rest__get", params("rest__get")) })
	b.Run("combined bridge", func(b *testing.B) { run(b, all, "tools/call", "rest__get", params("rest__get")) })
	b.Run("steady", func(b *testing.B) { run(b, up, "tools/call", "get", params("get")) })
	b.Run("combined steady", func(b *testing.B) { run(b, all, "tools/call", "up__get", params("up__get")) })
}

// BenchmarkList is the list of three sources of 500 tools together, and a call beside it (X2, X8).
func BenchmarkList(b *testing.B) {
	var names []string
	for i := range 250 {
		names = append(names, fmt.Sprint("tool_", i))
	}
	sources := []combined.Source{made(b, instant{}, "rest", names...)}
	for _, as := range []string{"one", "two"} {
		sources = append(sources, of(as, &steady{list: []byte(`{"tools":[` + strings.Join(tools(names[:125]...), ",") + `],"ttlMs":60000,"cacheScope":"public"}`)}))
	}
	all := build(b, combined.Config{Sources: sources})
	b.Run("list", func(b *testing.B) { run(b, all, "tools/list", "", "{}") })
	b.Run("discover", func(b *testing.B) { run(b, all, "server/discover", "", "{}") })
	b.Run("call", func(b *testing.B) {
		run(b, all, "tools/call", "rest__tool_9", `{"name":"rest__tool_9","arguments":{"id":"42"}}`)
	})
}

// steady always answers the same.
type steady struct {
	fake
	list []byte
}

func (s *steady) Handle(_ context.Context, r *edge.Request) (json.RawMessage, error) {
	switch r.Message.Method {
	case "tools/list":
		return s.list, nil
	case "tools/call":
		return []byte(`{"content":[{"type":"text","text":"ok"}]}`), nil
	default:
		return []byte(`{"capabilities":{}}`), nil
	}
}

var (
	_ edge.Teller   = (*combined.Server)(nil)
	_ edge.Notified = (*combined.Server)(nil)
	_ edge.Leaver   = (*combined.Server)(nil)
)
