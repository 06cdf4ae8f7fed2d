package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestALongListIsSearchedInOfficialClients finds, describes and calls a tool of a document of 767 operations (mcp.md §14).
func TestALongListIsSearchedInOfficialClients(t *testing.T) {
	arrived := make(chan string, 4)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- r.Method + " " + r.RequestURI + " " + string(body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"number":7,"title":"found"}`)
	}))
	defer api.Close()
	g := try(t, corpus(t, "github-api-3.0.json"), "--backend", api.URL)
	for _, mode := range []string{"sdk", "2026-07-28"} {
		t.Run(mode, func(t *testing.T) {
			var r clientReport
			node(t, &r, "both.mjs", g.ready.MCPURL, mode, "bob",
				`find_tools={"query":"create an issue in a repository"}`,
				`describe_tool={"name":"issues_create"}`,
				`call_tool={"name":"issues_create","arguments":{"owner":"o","repo":"r","title":"found"}}`)
			if strings.Join(r.Tools, " ") != "find_tools describe_tool call_tool" {
				t.Fatalf("listed %v", r.Tools)
			}
			var found struct {
				Tools []struct{ Name string }
				Total int
			}
			if err := json.Unmarshal(r.Results["find_tools"].StructuredContent, &found); err != nil || found.Total != 767 || len(found.Tools) != 8 {
				t.Fatalf("found %s, %v", r.Results["find_tools"].StructuredContent, err)
			}
			if !strings.Contains(string(r.Results["find_tools"].StructuredContent), `"issues_create"`) {
				t.Errorf("issues_create is not among %+v", found.Tools)
			}
			if s := string(r.Results["describe_tool"].StructuredContent); !strings.Contains(s, `"inputSchema"`) || !strings.Contains(s, `"owner"`) {
				t.Errorf("described %s", s)
			}
			if got := r.Results["call_tool"]; got.IsError || !strings.Contains(got.Content[0].Text, "found") {
				t.Errorf("called %+v", got)
			}
			if got := <-arrived; got != `POST /repos/o/r/issues {"title":"found"}` {
				t.Errorf("the API got %s", got)
			}
		})
	}
}
