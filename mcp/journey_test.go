package mcp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const orders = `{"openapi":"3.0.3","info":{"title":"Orders","version":"1"},"paths":{
"/orders/{id}":{"get":{"operationId":"getOrder","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}},
  {"name":"expand","in":"query","schema":{"type":"array","items":{"type":"string"}}}],
  "responses":{"200":{"description":"ok","content":{"application/json":{"schema":{"type":"object","properties":{"id":{"type":"string"},"total":{"type":"number"}}}}}}}}},
"/orders":{"post":{"operationId":"createOrder","requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["sku"],
  "properties":{"sku":{"type":"string"},"quantity":{"type":"integer"}}}}}},"responses":{"201":{"description":"made"}}}}}}`

// The whole line of ARCHITECTURE.md: edge.Decode → bridge.callTool → openapi.BuildRequest → proxy.Do → openapi.ReadResult.
func TestACallTravelsTheWholeLine(t *testing.T) {
	var got []string
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		body := new(strings.Builder)
		_, _ = copyBody(body, r)
		got = append(got, r.Method+" "+r.URL.RequestURI()+" "+body.String())
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			t.Error("the caller's credential reached the backend")
		}
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/v1/orders/missing":
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"no such order"}`))
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"id":"7"}`))
		default:
			_, _ = w.Write([]byte(`{"id":"a/b","total":12345678901234567890.10}`))
		}
	})
	cfg := h.real(t, orders)
	h.server = h.build(t, cfg)
	url := h.serve(t)
	for _, version := range []string{"", "2025-11-25"} {
		got = nil
		s := connectSDK(t, url, "alice", version, nil)
		call := func(name string, args map[string]any) *sdk.CallToolResult {
			t.Helper()
			result, err := s.CallTool(context.Background(), &sdk.CallToolParams{Name: name, Arguments: args})
			if err != nil {
				t.Fatal(err)
			}
			return result
		}
		get, create := toolName(cfg, "GET"), toolName(cfg, "POST")
		result := call(get, map[string]any{"id": "a/b", "expand": []string{"x", "y"}})
		raw, _ := json.Marshal(result.Content[0])
		if result.IsError || !strings.Contains(string(raw), `12345678901234567890.10`) {
			t.Errorf("get: %s", raw)
		}
		if result := call(get, map[string]any{"id": "missing"}); !result.IsError || !strings.Contains(result.Content[0].(*sdk.TextContent).Text, "no such order") {
			t.Errorf("missing: %+v", result.Content[0])
		}
		if result := call(create, map[string]any{"quantity": 2}); !result.IsError || !strings.Contains(result.Content[0].(*sdk.TextContent).Text, `"sku"`) {
			t.Errorf("bad arguments: %+v", result.Content[0])
		}
		if result := call(create, map[string]any{"sku": "A1", "quantity": 2}); result.IsError {
			t.Errorf("create: %+v", result.Content[0])
		}
		want := []string{"GET /v1/orders/a%2Fb?expand=x&expand=y ", "GET /v1/orders/missing ", `POST /v1/orders {"quantity":2,"sku":"A1"}`}
		if len(got) != 3 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("the API got %q, want %q", got, want)
		}
	}
}

// real is the configuration of a server made of a document, on the real road.
func (h *house) real(t testing.TB, document string) bridge.Config {
	t.Helper()
	d, err := openapi.Import(context.Background(), openapi.Source{Location: "d.json", Data: []byte(document)}, openapi.Options{ServerName: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	backends := []proxy.BackendConfig{{Name: "orders", URL: h.road.URL.String() + "/v1"}}
	pipeline, err := proxy.New(proxy.Config{Backends: backends}, proxy.NewState(), proxy.Deps{
		Transport: func(proxy.BackendConfig) http.RoundTripper { return h.road.Client.Transport },
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := h.config
	cfg.Doer, cfg.Tools = pipeline, nil
	for _, tool := range d.Tools {
		cfg.Tools = append(cfg.Tools, bridge.Tool{Tool: tool, API: "orders", Target: "orders"})
	}
	return cfg
}

func toolName(cfg bridge.Config, method string) string {
	for _, tool := range cfg.Tools {
		if tool.Method == method {
			return tool.Tool.Name
		}
	}
	return ""
}

func copyBody(to *strings.Builder, r *http.Request) (int64, error) {
	w := httptest.NewRecorder()
	n, err := w.Body.ReadFrom(r.Body)
	to.WriteString(w.Body.String())
	return n, err
}

// BenchmarkWholeLine is a call from the handler to a backend over loopback and back, with the real rooms on the way.
func BenchmarkWholeLine(b *testing.B) {
	h := newHouse(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":"42","name":"Widget","price":12.5,"in_stock":true}`))
	})
	cfg := h.real(b, orders)
	h.server = h.build(b, cfg)
	session := ""
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, legacyRequest("initialize", `{"protocolVersion":"2025-11-25","capabilities":{}}`, "")())
	session = w.Header().Get("Mcp-Session-Id")
	name := toolName(cfg, "GET")
	b.Run("legacy", func(b *testing.B) {
		h.run(b, legacyRequest("tools/call", `{"name":"`+name+`","arguments":{"id":"42"}}`, session))
	})
	b.Run("modern", func(b *testing.B) {
		h.run(b, modernRequest("tools/call", name, `"name":"`+name+`","arguments":{"id":"42"},`))
	})
}
