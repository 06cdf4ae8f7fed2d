package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
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
