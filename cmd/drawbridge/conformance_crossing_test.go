package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// Gates G4 and G5: the suite of one era in front of an upstream that speaks the other only (mcp.md §20).

// modernOnly is the fixture behind a filter that refuses what has no modern _meta.
func modernOnly(t *testing.T, fixture string) string {
	t.Helper()
	return filtered(t, fixture, func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		var m struct {
			ID     json.RawMessage
			Params struct {
				Meta map[string]any `json:"_meta"`
			}
		}
		_ = json.Unmarshal(body, &m)
		if r.Method == http.MethodPost && m.Params.Meta["io.modelcontextprotocol/protocolVersion"] != nil {
			return true
		}
		if m.ID == nil {
			m.ID = json.RawMessage("null")
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32022,"message":"only 2026-07-28","data":{"supported":["2026-07-28"]}}}`, m.ID)
		return false
	})
}

// legacyOnly is the fixture behind a filter that refuses all that is modern, as servers do that never heard of it.
func legacyOnly(t *testing.T, fixture string) string {
	t.Helper()
	return filtered(t, fixture, func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Header.Get("MCP-Protocol-Version") != "2026-07-28" {
			return true
		}
		http.Error(w, "Bad Request: unsupported protocol version", http.StatusBadRequest)
		return false
	})
}

func filtered(t *testing.T, fixture string, passes func(http.ResponseWriter, *http.Request, []byte) bool) string {
	t.Helper()
	to, err := url.Parse(fixture)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = to.Scheme, to.Host, to.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if passes(w, r, body) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL + to.Path
}

func TestConformanceAcrossEras(t *testing.T) {
	f := startFixture(t)
	s := serve(t, fmt.Sprintf(relays, legacyOnly(t, f.legacy), modernOnly(t, f.modern)))
	shim := s.shim(t, map[string]string{"legacy": s.token(t, "legacy", "alice"), "modern": s.token(t, "modern", "alice")})
	for _, gate := range []struct{ name, server, revision, scenarios string }{
		{"G4", "modern", "2025-11-25", `server-initialize ping logging-set-level completion-complete tools-list tools-call-simple-text tools-call-image
			tools-call-audio tools-call-embedded-resource tools-call-mixed-content tools-call-with-logging tools-call-error tools-call-with-progress
			server-sse-multiple-streams resources-list resources-read-text resources-read-binary resources-templates-read resources-subscribe
			resources-unsubscribe prompts-list prompts-get-simple prompts-get-with-args prompts-get-embedded-resource prompts-get-with-image
			dns-rebinding-protection server-session-lifecycle`},
		{"G5", "legacy", "2026-07-28", `completion-complete tools-list tools-call-simple-text tools-call-image tools-call-audio tools-call-embedded-resource
			tools-call-mixed-content tools-call-error tools-call-with-progress server-sse-multiple-streams resources-list resources-read-text
			resources-read-binary resources-templates-read sep-2164-resource-not-found prompts-list prompts-get-simple prompts-get-with-args
			prompts-get-embedded-resource prompts-get-with-image dns-rebinding-protection caching http-header-validation`},
	} {
		for _, scenario := range strings.Fields(gate.scenarios) {
			t.Run(gate.name+" "+scenario, func(t *testing.T) {
				for range repeats() {
					if _, passed, text := suite(t, shim+"/mcp/"+gate.server, "--spec-version", gate.revision, "--scenario", scenario); !passed {
						t.Error(text)
					}
				}
			})
		}
	}
}
