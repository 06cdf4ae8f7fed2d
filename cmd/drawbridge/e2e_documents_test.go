package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestRealDocumentsInOfficialClients serves five documents, small and very large, 2.0 to 3.1, and drives each with both
// official TypeScript SDKs on both eras: all pages of the list, and one call whose request is asserted as it arrives.
func TestRealDocumentsInOfficialClients(t *testing.T) {
	type arrived struct{ method, uri, body string }
	seen := make(chan arrived, 4)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- arrived{r.Method, r.RequestURI, string(body)}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":12345678901234567890,"name":"Rex"}`)
	}))
	defer api.Close()
	for _, c := range []struct {
		file, tool, arguments string
		tools                 int
		want                  arrived
	}{
		{"petstore-3.0.json", "addPet", `{"name":"Rex","photoUrls":["a b"],"status":"sold"}`, 19, arrived{"POST", "/v1/pet", `{"name":"Rex","photoUrls":["a b"],"status":"sold"}`}},
		{"github-api-3.0.json", "issues_list-for-repo", `{"owner":"o r","repo":"r","labels":"a,b","per_page":5}`, 767, arrived{"GET", "/v1/repos/o%20r/r/issues?labels=a%2Cb&per_page=5", ""}},
		{"stripe-3.0.yaml", "GetCustomers", `{"limit":3,"created":{"gte":5}}`, 494, arrived{"GET", "/v1/v1/customers?created[gte]=5&limit=3", ""}},
		{"kubernetes-2.0.json", "readCoreV1NamespacedPod", `{"namespace":"n","name":"p"}`, 853, arrived{"GET", "/v1/api/v1/namespaces/n/pods/p", ""}},
		{"openai-3.1.yaml", "createModeration", `{"input":"text"}`, 288, arrived{"POST", "/v1/moderations", `{"input":"text"}`}},
	} {
		t.Run(c.file, func(t *testing.T) {
			g := try(t, corpus(t, c.file), "--backend", api.URL+"/v1")
			var r map[string]struct {
				Tools, Unique int
				IsError       bool
				Text          string
				Structured    json.RawMessage
			}
			node(t, &r, "drive.mjs", g.ready.MCPURL, c.tool, c.arguments)
			listed := c.tools
			if listed > 60 {
				listed = 3 // find, describe, call (mcp.md §14); every tool is called by its own name all the same
			}
			if !strings.Contains(g.banner, strconv.Itoa(c.tools)+" tools") {
				t.Errorf("the banner does not say %d tools:\n%s", c.tools, g.banner)
			}
			for era, got := range r {
				if got.Tools != listed || got.Unique != listed {
					t.Errorf("%s: %d tools, %d names; want %d", era, got.Tools, got.Unique, listed)
				}
				if got.IsError || !strings.Contains(got.Text, "12345678901234567890") {
					t.Errorf("%s: %s = %+v, want the answer with its digits", era, c.tool, got)
				}
				if a := <-seen; a != c.want {
					t.Errorf("%s: the API got %+v, want %+v", era, a, c.want)
				}
			}
		})
	}
}
