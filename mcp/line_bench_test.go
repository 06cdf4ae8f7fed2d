package mcp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const items = `{"openapi":"3.0.3","info":{"title":"Items","version":"1"},"servers":[{"url":"https://api.example.com"}],"paths":{
"/items/{id}":{"get":{"operationId":"getItem","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],
  "responses":{"200":{"description":"ok","content":{"application/json":{"schema":{"type":"object"}}}}}}},
"/typed/{id}":{"get":{"operationId":"getTyped","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],
  "responses":{"200":{"description":"ok","content":{"application/json":{"schema":{"type":"object","properties":{"id":{"type":"string"},
  "name":{"type":"string"},"price":{"type":"number"},"in_stock":{"type":"boolean"}}}}}}}}}}}`

const item = `{"id":"42","name":"Widget 42","price":12.5,"in_stock":true}`

// canned is a road that builds the request and has the same answer for every one.
type canned struct{ base *proxy.Backend }

func (r canned) Do(ctx context.Context, c *proxy.Call) (*proxy.Answer, error) {
	if _, err := c.Build(ctx, r.base); err != nil {
		return nil, err
	}
	a := proxy.NewAnswer(func(proxy.Outcome) {})
	a.Status, a.Body = http.StatusOK, io.NopCloser(strings.NewReader(item))
	a.Upstream = http.Header{"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(item))}}
	return a, nil
}

// BenchmarkCall is a call from the handler down to the request and from the answer back up: what edge, bridge and openapi
// cost together, without the road.
func BenchmarkCall(b *testing.B) {
	h := newHouse(b, echo)
	d, err := openapi.Import(b.Context(), openapi.Source{Location: "d.json", Data: []byte(items)}, openapi.Options{ServerName: "orders"})
	if err != nil {
		b.Fatal(err)
	}
	cfg := h.config
	cfg.Doer, cfg.Tools = canned{&proxy.Backend{URL: &url.URL{Scheme: "http", Host: "api.example.com:9100"}}}, nil
	for _, tool := range d.Tools {
		cfg.Tools = append(cfg.Tools, bridge.Tool{Tool: tool, API: "items", Target: "items"})
	}
	h.server = h.build(b, cfg)
	caller, head := &identity.Caller{Kind: identity.Person, Subject: "dev/alice", ClientID: "client-1", GrantID: "grant-alice"}, http.Header{}
	h.handler.Authenticate = func(http.ResponseWriter, *http.Request, string) (*identity.Caller, bool) { return caller, true }
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, legacyRequest("initialize", `{"protocolVersion":"2025-11-25","capabilities":{}}`, "")())
	session := w.Header().Get("Mcp-Session-Id")
	ctx := identity.WithRequest(b.Context(), &identity.Request{ID: "01JREQUEST0000000000000000", IP: "192.0.2.1"})
	for _, name := range []string{"getItem", "getTyped"} {
		for era, request := range map[string]func() *http.Request{
			"legacy": legacyRequest("tools/call", `{"name":"`+name+`","arguments":{"id":"42"}}`, session),
			"modern": modernRequest("tools/call", name, `"name":"`+name+`","arguments":{"id":"42"},`),
		} {
			b.Run(name+" "+era, func(b *testing.B) {
				b.ReportAllocs()
				r := request().WithContext(ctx)
				text, err := io.ReadAll(r.Body)
				if err != nil {
					b.Fatal(err)
				}
				sent, body := string(text), strings.NewReader("")
				r.Body = io.NopCloser(body)
				for b.Loop() {
					body.Reset(sent)
					clear(head)
					w := discard{head: head}
					h.handler.ServeHTTP(&w, r)
					if w.status != http.StatusOK {
						b.Fatal(w.status)
					}
				}
			})
		}
	}
}
