package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Servers of several parts (mcp.md §10.1), with the SDKs that people use.

const twoAPIs = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice, roles: [Boss]}, {name: bob}]}}
backends: [{name: rest, url: "%s"}]
apis: [{name: rest_api, document: rest.yaml, backend: rest}]
mcp_servers:
  - name: all
    title: Everything
    from: [{api: rest_api}, {api: rest_api, as: again}]
    page: 3
    access:
      tools:
        again__test_simple_text: {roles: [Boss], policies: [{rate_limit: {calls: 1, per: 1h}}]}
        rest-api__test_error_handling: {scope: rest.fail}
    policies: [{require: {that: 'tool != "again__test_image_content"', message: "no images"}}]
`

func serveTwoAPIs(t *testing.T) *served {
	t.Helper()
	s := &served{dir: t.TempDir(), stderr: &lockedBuffer{}, exited: make(chan error, 1)}
	s.write(t, "rest.yaml", bridgeDocument)
	s.write(t, "drawbridge.yaml", fmt.Sprintf(twoAPIs, restFixture(t)))
	s.start(t)
	t.Cleanup(func() { s.stop(t) })
	return s
}

func TestTwoAPIsAreOneServerForOfficialClients(t *testing.T) { // C1, C6, C9, A1
	s := serveTwoAPIs(t)
	for mode, want := range map[string]string{"sdk": "2025-11-25", "legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"} {
		t.Run(mode, func(t *testing.T) {
			var r clientReport
			node(t, &r, "both.mjs", s.url+"/mcp/all", mode, "bob", "rest-api__test_simple_text={}")
			if got := strings.Join(r.Tools, " "); got != "rest-api__test_audio_content rest-api__test_error_handling rest-api__test_image_content rest-api__test_simple_text "+
				"again__test_audio_content again__test_error_handling again__test_image_content" {
				t.Errorf("bob sees %s", got)
			}
			if r.Protocol != want {
				t.Errorf("speaks %s, want %s", r.Protocol, want)
			}
			if got := r.Results["rest-api__test_simple_text"]; got.IsError || got.Content[0].Text != simpleText {
				t.Errorf("a call: %+v", got)
			}
		})
	}
	t.Run("boss", func(t *testing.T) {
		var r clientReport
		node(t, &r, "both.mjs", s.url+"/mcp/all", "auto", "alice", "again__test_simple_text={}")
		if !slices.Contains(r.Tools, "again__test_simple_text") || r.Results["again__test_simple_text"].IsError {
			t.Errorf("alice: %+v", r)
		}
	})
}

const combinedMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func combinedCall(tool string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `",` + combinedMeta + `}}`
}

func TestAToolOfACombinedServerIsRefusedLikeOneThatIsNot(t *testing.T) { // A1, A2
	s := serveTwoAPIs(t)
	token := s.token(t, "all", "bob")
	status, _, forbidden := s.post(t, "all", token, combinedCall("again__test_simple_text"))
	_, _, unknown := s.post(t, "all", token, combinedCall("again__test_simple_txet"))
	if status != 400 || strings.ReplaceAll(unknown, "txet", "text") != forbidden || !strings.Contains(forbidden, "unknown tool: again__test_simple_text") {
		t.Errorf("%d %s\n%s", status, forbidden, unknown)
	}
	status, head, body := s.post(t, "all", token, combinedCall("rest-api__test_error_handling"))
	if status != 403 || !strings.Contains(head.Get("WWW-Authenticate"), "rest.fail") {
		t.Errorf("%d %v %s", status, head, body)
	}
}

func TestPoliciesOfACombinedServerNameThePublicName(t *testing.T) { // C9
	s := serveTwoAPIs(t)
	token := s.token(t, "all", "alice")
	if status, _, body := s.post(t, "all", token, combinedCall("again__test_image_content")); status != 403 || !strings.Contains(body, "no images") {
		t.Errorf("an expression over tool: %d %s", status, body)
	}
	for i, want := range []int{200, 429} { // a policy of one tool
		if status, _, body := s.post(t, "all", token, combinedCall("again__test_simple_text")); status != want {
			t.Errorf("call %d: %d %s", i, status, body)
		}
	}
	if status, _, body := s.post(t, "all", token, combinedCall("rest-api__test_simple_text")); status != 200 || !strings.Contains(body, simpleText) {
		t.Errorf("its twin: %d %s", status, body)
	}
	waitFor(t, "records by public name", func() bool { return strings.Contains(s.stderr.String(), `"tool":"rest-api__test_simple_text"`) })
}

// An API, an upstream that speaks legacy revisions, and a modern one, as one server.

const threeParts = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice, roles: [Boss]}, {name: bob}]}}
backends:
  - {name: rest, url: "%s"}
  - {name: legacy, url: "%s"}
  - {name: modern, url: "%s"}
  - {name: down, url: "http://127.0.0.1:1"}
apis: [{name: rest, document: rest.yaml, backend: rest}]
mcp_servers:
  - name: all
    tool_search: off # the tools that come in a test make more than sixty
    title: Everything
    from: [{api: rest}, {upstream: legacy}, {upstream: modern, as: new, era: modern}, {upstream: down}]
    access:
      tools:
        legacy__test_image_content: {roles: [Boss]}
        new__test_image_content: {policies: [{require: {that: 'tool == "nothing"', message: "not today"}}]}
    policies: [{require: {that: 'tool != "legacy__test_audio_content"', message: "no sound"}}]
`

func serveThreeParts(t *testing.T) *served {
	t.Helper()
	f := startFixture(t)
	s := &served{dir: t.TempDir(), stderr: &lockedBuffer{}, exited: make(chan error, 1)}
	s.write(t, "rest.yaml", bridgeDocument)
	s.write(t, "drawbridge.yaml", fmt.Sprintf(threeParts, restFixture(t), f.legacy, f.modern))
	s.start(t)
	t.Cleanup(func() { s.stop(t) })
	return s
}

// partsReport is what testdata/clients/parts.mjs prints.
type partsReport struct {
	Protocol     string
	Capabilities map[string]any
	Instructions string
	Server       struct{ Name, Title string }
	Tools        []string
	Prompts      []string
	Resources    []string
	Templates    []string
	Asked        []string
	Changes      int
	Progress     [][]any
	Results      map[string]struct {
		sdkResult
		Messages   []struct{ Content struct{ Text string } }
		Contents   []struct{ URI, Text string }
		Completion *struct{ Values []string }
		Failed     string
		Code       any
	}
}

// partsPlan is what the clients do; sdk clients also wait for a change of the list.
const partsPlan = `{"call": [["rest__test_simple_text", {}], ["legacy__test_simple_text", {}], ["new__test_simple_text", {}], ["down__anything", {}],
   ["legacy__nothing", {}], ["legacy__test_image_content", {}], ["new__test_embedded_resource", {}], ["legacy__test_tool_with_progress", {}],
   ["new__test_tool_with_progress", {}], ["legacy__test_elicitation", {"message": "from legacy"}], ["legacy__test_sampling", {"prompt": "p"}],
   ["new__test_input_required_result_elicitation", {}], ["legacy__test_trigger_tool_change", {}]],
 "prompt": [["legacy__test_simple_prompt", {}], ["new__test_prompt_with_arguments", {"arg1": "one", "arg2": "two"}], ["test_simple_prompt", {}]],
 "read": ["test://static-text", "test://template/7/data"],
 "complete": [[{"type": "ref/prompt", "name": "new__test_prompt_with_arguments"}, {"name": "arg1", "value": "x"}],
   [{"type": "ref/resource", "uri": "test://template/{id}/data"}, {"name": "id", "value": "1"}], [{"type": "ref/prompt", "name": "new__nothing"}, {"name": "a", "value": "x"}]],
 "wait": %d}`

func TestAnAPIAndUpstreamsOfBothErasAreOneServer(t *testing.T) { // C1 to C8, §11
	s, ran := serveThreeParts(t), false
	for mode, want := range map[string]string{"sdk": "2025-11-25", "sse": "2025-11-25", "legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"} {
		t.Run(mode, func(t *testing.T) {
			changes := 0
			if mode == "sdk" || mode == "sse" { // D4
				changes = 1
			}
			var r partsReport
			node(t, &r, "parts.mjs", s.url+"/mcp/all", mode, "bob", fmt.Sprintf(partsPlan, changes))
			ran = true
			r.check(t, want)
			if r.Changes < changes {
				t.Errorf("heard of %d changes", r.Changes)
			}
		})
	}
	if !ran {
		t.Skip("the clients are not installed")
	}
	if got := s.stderr.String(); !strings.Contains(got, "two parts of a combined server list the same address") { // C2
		t.Error("no warning of an address that is there twice")
	}
}

func (r partsReport) check(t *testing.T, protocol string) {
	t.Helper()
	if r.Protocol != protocol || r.Server.Name != "all" || r.Server.Title != "Everything" {
		t.Errorf("speaks %s, is %+v", r.Protocol, r.Server)
	}
	for _, capability := range []string{"tools", "prompts", "resources", "completions"} { // C4
		if r.Capabilities[capability] == nil {
			t.Errorf("capabilities %v lack %s", r.Capabilities, capability)
		}
	}
	order := []string{"rest__test_simple_text", "legacy__test_simple_text", "new__test_simple_text"} // C6
	if !slices.IsSortedFunc(order, func(a, b string) int { return slices.Index(r.Tools, a) - slices.Index(r.Tools, b) }) || !slices.Contains(r.Tools, order[0]) {
		t.Errorf("tools %v", r.Tools)
	}
	if slices.Contains(r.Tools, "legacy__test_image_content") || !slices.Contains(r.Tools, "new__test_image_content") { // A1
		t.Errorf("bob sees %v", r.Tools)
	}
	if !slices.Contains(r.Prompts, "legacy__test_simple_prompt") || !slices.Contains(r.Prompts, "new__test_simple_prompt") ||
		!slices.Contains(r.Resources, "test://static-text") || !slices.Equal(r.Templates, []string{"test://template/{id}/data"}) { // C2
		t.Errorf("prompts %v, resources %v, templates %v", r.Prompts, r.Resources, r.Templates)
	}
	for name, text := range map[string]string{
		"rest__test_simple_text": simpleText, "legacy__test_simple_text": simpleText, "new__test_simple_text": simpleText,
		"down__anything": "upstream is unavailable", "legacy__test_elicitation": "accept", "legacy__test_sampling": "sampled",
		"new__test_input_required_result_elicitation": "bob", "legacy__test_trigger_tool_change": "published",
	} {
		if got := r.Results[name]; len(got.Content) == 0 || !strings.Contains(got.Content[0].Text, text) || got.IsError != (name == "down__anything") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, name := range []string{"legacy__nothing", "legacy__test_image_content"} {
		if got := r.Results[name]; !strings.Contains(got.Failed, "unknown tool: "+name) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, name := range []string{"test_simple_prompt", "complete new__nothing"} {
		if got := r.Results[name]; !strings.Contains(got.Failed, "unknown prompt: ") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, name := range []string{"legacy__test_tool_with_progress", "new__test_tool_with_progress"} {
		if !slices.ContainsFunc(r.Progress, func(p []any) bool { return p[0] == name }) {
			t.Errorf("no progress of %s: %v", name, r.Progress)
		}
	}
	if got := r.Results["new__test_prompt_with_arguments"]; len(got.Messages) != 1 || !strings.Contains(got.Messages[0].Content.Text, "arg1='one'") {
		t.Errorf("prompt %+v", got)
	}
	for _, uri := range []string{"test://static-text", "test://template/7/data"} {
		if got := r.Results[uri]; len(got.Contents) != 1 || got.Contents[0].URI != uri {
			t.Errorf("%s: %+v", uri, got)
		}
	}
	for _, ref := range []string{"complete new__test_prompt_with_arguments", "complete test://template/{id}/data"} {
		if got := r.Results[ref]; got.Completion == nil {
			t.Errorf("%s: %+v", ref, got)
		}
	}
}

func TestPoliciesNameUpstreamToolsByTheirPublicName(t *testing.T) { // C9
	s := serveThreeParts(t)
	token := s.token(t, "all", "bob")
	for name, text := range map[string]string{"new__test_image_content": "not today", "legacy__test_audio_content": "no sound"} {
		if status, _, body := s.post(t, "all", token, combinedCall(name)); status != 403 || !strings.Contains(body, text) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	s.post(t, "all", token, combinedCall("legacy__test_simple_text"))
	waitFor(t, "records by public name", func() bool { return strings.Contains(s.stderr.String(), `"tool":"legacy__test_simple_text"`) })
	if strings.Contains(s.stderr.String(), `"tool":"test_simple_text"`) {
		t.Error("a record names a tool as its upstream does")
	}
}

func TestAClientHearsEveryUpstreamOfACombinedServer(t *testing.T) { // L2, L5, C7
	s := serveThreeParts(t)
	token := s.token(t, "all", "bob")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	body := `{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{` + combinedMeta +
		`,"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["test://watched-resource"]}}}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/mcp/all", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Method": {"subscriptions/listen"},
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	next := func(with string) string {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && strings.Contains(data, with) {
				if !strings.Contains(data, `"io.modelcontextprotocol/subscriptionId":"s"`) { // L1
					t.Errorf("not tagged: %s", data)
				}
				return data
			}
		}
		t.Fatalf("the stream ended before %s: %v", with, lines.Err())
		return ""
	}
	if got := next("acknowledged"); !strings.Contains(got, "test://watched-resource") || !strings.Contains(got, "promptsListChanged") {
		t.Errorf("acknowledged %s", got)
	}
	for _, trigger := range []string{"legacy__test_trigger_tool_change", "new__test_trigger_tool_change"} {
		if status, _, body := s.post(t, "all", token, combinedCall(trigger)); status != 200 {
			t.Fatalf("%s: %d %s", trigger, status, body)
		}
		next("notifications/tools/list_changed")
	}
	s.post(t, "all", token, combinedCall("new__test_trigger_prompt_change"))
	next("notifications/prompts/list_changed")
	next("notifications/resources/updated")
	_, _, list := s.post(t, "all", token, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+combinedMeta+`}}`)
	for _, name := range []string{"legacy____transient_tool_for_list_changed", "new____transient_tool_for_list_changed"} {
		if !strings.Contains(list, `"`+name+`"`) {
			t.Errorf("the list lacks %s", name)
		}
		if status, _, body := s.post(t, "all", token, combinedCall(name)); status != 200 || strings.Contains(body, "error") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// rawClient speaks one era without any SDK, so that ids can be chosen.
type rawClient struct {
	url, token, session string
	modern              bool
}

func (c *rawClient) post(ctx context.Context, method, name, params, id string) (string, http.Header, error) {
	if c.modern {
		params = strings.Replace(params, "{", "{"+combinedMeta+",", 1)
	}
	body := `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":` + params + `}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(body))
	if err != nil {
		return "", nil, err
	}
	r.Header = http.Header{"Authorization": {"Bearer " + c.token}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	if c.modern {
		r.Header["Mcp-Protocol-Version"], r.Header["Mcp-Method"], r.Header["Mcp-Name"] = []string{"2026-07-28"}, []string{method}, []string{name}
	}
	if c.session != "" {
		r.Header.Set("Mcp-Session-Id", c.session)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return string(text), resp.Header, err
}

func TestClientsOfACombinedServerNeverSeeEachOthersAnswers(t *testing.T) { // E10, with real upstreams of both eras
	s := serveThreeParts(t)
	token := s.token(t, "all", "bob")
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var wait sync.WaitGroup
	for i := range 50 {
		c := &rawClient{url: s.url + "/mcp/all", token: token, modern: i%2 == 0}
		wait.Go(func() {
			if !c.modern {
				_, head, err := c.post(ctx, "initialize", "", `{"protocolVersion":"2025-11-25","capabilities":{}}`, "1")
				if err != nil {
					t.Error(err)
					return
				}
				c.session = head.Get("Mcp-Session-Id")
			}
			for j := range 20 {
				name := []string{"legacy__test_prompt_with_arguments", "new__test_prompt_with_arguments"}[j%2]
				own := fmt.Sprintf("of %d in %d", i, j)
				got, _, err := c.post(ctx, "prompts/get", name, `{"name":"`+name+`","arguments":{"arg1":"`+own+`","arg2":"x"}}`, strconv.Itoa(j))
				if err != nil || !strings.Contains(got, `arg1='`+own+`'`) || !strings.Contains(got, fmt.Sprintf(`"id":%d,`, j)) {
					t.Errorf("client %d, call %d: %s, %v", i, j, got, err)
					return
				}
			}
		})
	}
	wait.Wait()
}

func TestAPartMayComeAndGoWhileServing(t *testing.T) { // L4, A5, C1: other names do not change
	s := serveTwoAPIs(t)
	token := s.token(t, "all", "bob")
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + combinedMeta + `}}`
	c := &rawClient{url: s.url + "/mcp/all", token: token}
	_, head, err := c.post(t.Context(), "initialize", "", `{"protocolVersion":"2025-11-25","capabilities":{}}`, "1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "Accept": {"text/event-stream"}, "Mcp-Session-Id": {head.Get("Mcp-Session-Id")}}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _, before := s.post(t, "all", token, list)
	raw, err := os.ReadFile(filepath.Join(s.dir, "drawbridge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "drawbridge.yaml", strings.Replace(string(raw), "from: [{api: rest_api}", "from: [{api: rest_api, as: third}, {api: rest_api}", 1))
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), "notifications/tools/list_changed") {
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	_, _, after := s.post(t, "all", token, list)
	if !strings.Contains(after, `"name":"third__test_audio_content"`) || strings.Contains(before, "third__") {
		t.Errorf("before %s\nafter %s", before, after)
	}
	if status, _, body := s.post(t, "all", token, combinedCall("rest-api__test_simple_text")); status != 200 || !strings.Contains(body, simpleText) {
		t.Errorf("a tool whose name did not change: %d %s", status, body)
	}
}

func TestAllPartsOfACombinedServerAreSearched(t *testing.T) { // §14 over §10.1: F1, F2
	f := startFixture(t)
	s := &served{dir: t.TempDir(), stderr: &lockedBuffer{}, exited: make(chan error, 1)}
	s.write(t, "rest.yaml", bridgeDocument)
	config := fmt.Sprintf(threeParts, restFixture(t), f.legacy, f.modern)
	s.write(t, "drawbridge.yaml", strings.Replace(config, "tool_search: off", "tool_search: on", 1))
	s.start(t)
	t.Cleanup(func() { s.stop(t) })
	token := s.token(t, "all", "bob")
	call := func(tool, arguments string) (int, string) {
		t.Helper()
		status, _, body := s.post(t, "all", token, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":`+arguments+`,`+combinedMeta+`}}`)
		return status, body
	}
	_, _, list := s.post(t, "all", token, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+combinedMeta+`}}`)
	if !strings.Contains(list, "find_tools") || strings.Contains(list, "test_simple_text") {
		t.Errorf("list %s", list)
	}
	for source, name := range map[string]string{"rest": "rest__test_simple_text", "legacy": "legacy__test_simple_text", "new": "new__test_simple_text"} {
		if _, got := call("find_tools", `{"query":"simple text","source":"`+source+`"}`); !strings.Contains(got, name) {
			t.Errorf("find in %s: %s", source, got)
		}
		if _, got := call("call_tool", `{"name":"`+name+`"}`); !strings.Contains(got, simpleText) {
			t.Errorf("call_tool %s: %s", name, got)
		}
		if _, got := call(name, `{}`); !strings.Contains(got, simpleText) {
			t.Errorf("%s by its own name: %s", name, got)
		}
	}
	if _, got := call("find_tools", `{"query":"image content","limit":25}`); strings.Contains(got, "legacy__test_image_content") || !strings.Contains(got, "new__test_image_content") {
		t.Errorf("bob finds %s", got)
	}
	if _, got := call("call_tool", `{"name":"legacy__test_image_content"}`); !strings.Contains(got, "unknown tool: legacy__test_image_content") {
		t.Errorf("bob calls %s", got)
	}
	if status, got := call("call_tool", `{"name":"new__test_image_content"}`); !strings.Contains(got, "not today") {
		t.Errorf("a policy of the tool: %d %s", status, got)
	}
}
