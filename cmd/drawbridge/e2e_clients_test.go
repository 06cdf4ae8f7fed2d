package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gomcp "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Gate G10: real clients on every kind of server, from "add a URL" to the answer of a tool (mcp.md §20).

const everyKind = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice}, {name: bob}]}}
backends: [{name: rest, url: "%s"}, {name: legacy, url: "%s"}, {name: modern, url: "%s"}, {name: old, url: "%s"}]
apis: [{name: rest, document: "%s", backend: rest}]
mcp_servers:
  - {name: bridge, from: [{api: rest}]}
  - {name: legacy, from: [{upstream: legacy}]}
  - {name: modern, from: [{upstream: modern}]}
  - {name: old, from: [{upstream: old}]}
  - {name: all, tool_search: off, from: [{api: rest}, {upstream: legacy}, {upstream: modern, as: newer}, {upstream: old, era: sse}]}
`

// clientReport is what testdata/clients/listed.mjs prints.
type clientReport struct {
	SignedIn bool
	Protocol string
	Tools    []string
	Results  map[string]sdkResult
}

// every is a server of one kind, a tool of it, and the revisions that official clients come to speak with it.
type every struct{ server, tool, legacy, auto string }

func everyServer() []every {
	return []every{
		{"bridge", "test_simple_text", "2025-11-25", "2026-07-28"},
		{"legacy", "test_simple_text", "2025-11-25", "2026-07-28"},
		{"modern", "test_simple_text", "2025-11-25", "2026-07-28"},
		{"all", "rest__test_simple_text", "2025-11-25", "2026-07-28"},
		{"all", "legacy__test_simple_text", "2025-11-25", "2026-07-28"},
		{"all", "newer__test_simple_text", "2025-11-25", "2026-07-28"},
		{"old", "test_simple_text", "2025-11-25", "2026-07-28"},
		{"all", "old__test_simple_text", "2025-11-25", "2026-07-28"},
	}
}

func serveEvery(t *testing.T) *served {
	t.Helper()
	document := filepath.Join(t.TempDir(), "rest.yaml")
	if err := os.WriteFile(document, []byte(bridgeDocument), 0o600); err != nil {
		t.Fatal(err)
	}
	f := startFixture(t)
	return serve(t, fmt.Sprintf(everyKind, restFixture(t), f.legacy, f.modern, oldFixture(t), document))
}

// oldFixture is the official Go SDK's server of the transport of 2024-11-05 (§16.1).
func oldFixture(t *testing.T) (url string) {
	t.Helper()
	server := gomcp.NewServer(&gomcp.Implementation{Name: "old", Version: "1"}, nil)
	gomcp.AddTool(server, &gomcp.Tool{Name: "test_simple_text"}, func(context.Context, *gomcp.CallToolRequest, struct{}) (*gomcp.CallToolResult, any, error) {
		return &gomcp.CallToolResult{Content: []gomcp.Content{&gomcp.TextContent{Text: simpleText}}}, nil, nil
	})
	s := httptest.NewServer(gomcp.NewSSEHandler(func(*http.Request) *gomcp.Server { return server }, nil))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

func (r clientReport) check(t *testing.T, e every) {
	t.Helper()
	if !r.SignedIn || !slices.Contains(r.Tools, e.tool) {
		t.Errorf("signed in %v, tools %v, want %s", r.SignedIn, r.Tools, e.tool)
	}
	if got := r.Results[e.tool]; got.IsError || len(got.Content) != 1 || got.Content[0].Text != simpleText {
		t.Errorf("%s = %+v", e.tool, got)
	}
}

const simpleText = "This is a simple text response for testing."

func TestOfficialClientsOnEveryKindOfServer(t *testing.T) {
	s := serveEvery(t)
	for _, e := range everyServer() {
		url, call := s.url+"/mcp/"+e.server, e.tool+"={}"
		for mode, want := range map[string]string{"sdk": e.legacy, "legacy": e.legacy, "auto": e.auto} {
			t.Run(e.server+" "+e.tool+" TypeScript "+mode, func(t *testing.T) {
				var r clientReport
				node(t, &r, "both.mjs", url, mode, "bob", call)
				if r.check(t, e); r.Protocol != want {
					t.Errorf("speaks %s, want %s", r.Protocol, want)
				}
			})
		}
		t.Run(e.server+" "+e.tool+" mcp-remote", func(t *testing.T) {
			var r clientReport
			node(t, &r, "remote.mjs", url, "alice", call)
			r.check(t, e)
		})
		t.Run(e.server+" "+e.tool+" Inspector", func(t *testing.T) {
			token := s.token(t, e.server, "alice")
			var list struct{ Tools []struct{ Name string } }
			inspector(t, &list, url, token, "--method", "tools/list")
			r := clientReport{SignedIn: true, Results: map[string]sdkResult{}}
			for _, tool := range list.Tools {
				r.Tools = append(r.Tools, tool.Name)
			}
			var result sdkResult
			inspector(t, &result, url, token, "--method", "tools/call", "--tool-name", e.tool)
			r.Results[e.tool] = result
			r.check(t, e)
		})
		t.Run(e.server+" "+e.tool+" Go", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			g := &running{ready: readyFile{URL: s.url, MCPURL: url}}
			for _, version := range []string{e.legacy, e.auto} {
				session := connectGoSDK(ctx, t, g, version)
				result, err := session.CallTool(ctx, &gomcp.CallToolParams{Name: e.tool})
				if err != nil || result.IsError || result.Content[0].(*gomcp.TextContent).Text != simpleText {
					t.Errorf("%s: %+v, %v", version, result, err)
				}
				_ = session.Close()
			}
		})
	}
}

// inspector runs MCP Inspector's command line.
func inspector(t *testing.T, into any, url, token string, args ...string) {
	t.Helper()
	clients, err := filepath.Abs("testdata/clients/node_modules/.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(clients, "inspector")); err != nil {
		t.Skip("the npm clients are not installed; `task setup` installs them")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(clients, "inspector"), append([]string{"--cli", url, "--transport", "http", "--header", "Authorization: Bearer " + token}, args...)...)
	c.Env = append(os.Environ(), "PATH="+clients+string(os.PathListSeparator)+os.Getenv("PATH"))
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil || json.Unmarshal(out, into) != nil {
		t.Fatalf("inspector %v: %v\n%s\n%s", args, err, out, errs.String())
	}
}
