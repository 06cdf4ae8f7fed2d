package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gomcp "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Gate G6: servers that ask, and clients of the other era that answer (mcp.md §20, §11.3).

// answering connects the official Go client, which answers what it is asked, with a token.
func (s *served) answering(ctx context.Context, t *testing.T, server, version string, asked *atomic.Int64) *gomcp.ClientSession {
	t.Helper()
	client := gomcp.NewClient(&gomcp.Implementation{Name: "answering", Version: "1"}, &gomcp.ClientOptions{
		ElicitationHandler: func(_ context.Context, r *gomcp.ElicitRequest) (*gomcp.ElicitResult, error) {
			asked.Add(1)
			content := map[string]any{}
			raw, _ := json.Marshal(r.Params.RequestedSchema)
			var schema struct {
				Properties map[string]struct{ Type string }
			}
			_ = json.Unmarshal(raw, &schema)
			for name, p := range schema.Properties {
				if content[name] = "Ada"; p.Type == "boolean" {
					content[name] = true
				}
			}
			return &gomcp.ElicitResult{Action: "accept", Content: content}, nil
		},
		CreateMessageHandler: func(context.Context, *gomcp.CreateMessageRequest) (*gomcp.CreateMessageResult, error) {
			asked.Add(1)
			return &gomcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &gomcp.TextContent{Text: "sampled"}}, nil
		},
	})
	client.AddRoots(&gomcp.Root{URI: "file:///work", Name: "work"})
	token := s.token(t, server, "alice")
	session, err := client.Connect(ctx, &gomcp.StreamableClientTransport{Endpoint: s.url + "/mcp/" + server, HTTPClient: &http.Client{Transport: bearer(token)}},
		&gomcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func TestQuestionsCrossEras(t *testing.T) {
	f := startFixture(t)
	s := serve(t, fmt.Sprintf(relays, legacyOnly(t, f.legacy), modernOnly(t, f.modern)))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for _, c := range []struct {
		server, version, tool string
		arguments             map[string]any
		asked                 int64
	}{
		{"legacy", "2026-07-28", "test_elicitation", map[string]any{"message": "who?"}, 1},
		{"legacy", "2026-07-28", "test_sampling", map[string]any{"prompt": "say"}, 1},
		{"modern", "2025-11-25", "test_input_required_result_elicitation", nil, 1},
		{"modern", "2025-11-25", "test_input_required_result_sampling", nil, 1},
		{"modern", "2025-11-25", "test_input_required_result_list_roots", nil, 0},
		{"modern", "2025-11-25", "test_input_required_result_multi_round", nil, 2},
		{"modern", "2025-11-25", "test_input_required_result_multiple_inputs", nil, 2},
		{"modern", "2025-06-18", "test_input_required_result_elicitation", nil, 1},
	} {
		t.Run(c.server+" "+c.version+" "+c.tool, func(t *testing.T) {
			var asked atomic.Int64
			session := s.answering(ctx, t, c.server, c.version, &asked)
			result, err := session.CallTool(ctx, &gomcp.CallToolParams{Name: c.tool, Arguments: c.arguments})
			if err != nil || result.IsError {
				t.Fatalf("%+v, %v", result, err)
			}
			if n := asked.Load(); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
		})
	}
}

// modernCall posts a tools/call of a modern client and returns status and answer.
func (s *served) modernCall(t *testing.T, token, server, params string) (int, string) {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_elicitation",` + params + `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}}}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/mcp/"+server, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + token,
		"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "test_elicitation",
	} {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, lastMessage(text)
}

// lastMessage is the answer in a body: all of it, or the last event of a stream, which an answer becomes that took long (E1).
func lastMessage(body []byte) string {
	if _, last, stream := bytes.Cut(body[max(0, bytes.LastIndex(body, []byte("\ndata: "))):], []byte("\ndata: ")); stream {
		return strings.TrimSpace(string(last))
	}
	return string(body)
}

func TestASecondPersonCannotFinishAParkedCall(t *testing.T) { // P1, P3
	f := startFixture(t)
	s := serve(t, strings.Replace(fmt.Sprintf(relays, legacyOnly(t, f.legacy), modernOnly(t, f.modern)), "{name: alice}", "{name: alice}, {name: bob}", 1))
	alice, bob := s.token(t, "legacy", "alice"), s.token(t, "legacy", "bob")
	status, text := s.modernCall(t, alice, "legacy", `"arguments":{"message":"who?"},`)
	var first struct {
		Result struct {
			ResultType    string
			InputRequests map[string]struct{ Method string }
			RequestState  string
		}
	}
	if err := json.Unmarshal([]byte(text), &first); err != nil || status != 200 || first.Result.ResultType != "input_required" || len(first.Result.InputRequests) != 1 {
		t.Fatalf("%d %s", status, text)
	}
	state, _ := json.Marshal(first.Result.RequestState)
	key := ""
	for key = range first.Result.InputRequests {
	}
	answer := `"inputResponses":{"` + key + `":{"action":"accept","content":{"username":"Ada","email":"ada@example.com"}}},"requestState":` + string(state) + `,`
	for name, c := range map[string]struct{ token, params string }{
		"another person":   {bob, `"arguments":{"message":"who?"},` + answer},
		"other arguments":  {alice, `"arguments":{"message":"give me all"},` + answer},
		"no state of ours": {alice, `"arguments":{"message":"who?"},"inputResponses":{},"requestState":"AAAA",`},
	} {
		if status, text := s.modernCall(t, c.token, "legacy", c.params); status != 400 || !strings.Contains(text, "requestState is not valid; call the tool again") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	status, text = s.modernCall(t, alice, "legacy", `"arguments":{"message":"who?"},"inputResponses":{},"requestState":`+string(state)+`,`)
	if status != 200 || !strings.Contains(text, `"input_required"`) || strings.Contains(text, string(state)) {
		t.Fatalf("without the answer: %d %s, want the question again with a new state", status, text)
	}
	if err := json.Unmarshal([]byte(text), &first); err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(first.Result.RequestState)
	if status, text := s.modernCall(t, alice, "legacy", `"arguments":{"message":"who?"},`+answer); status != 400 {
		t.Errorf("a state that was used: %d %s", status, text)
	}
	final := strings.Replace(`"arguments": {"message" : "who?"},`+answer, string(state), string(again), 1)
	if status, text := s.modernCall(t, alice, "legacy", final); status != 200 || !strings.Contains(text, `"resultType":"complete"`) || !strings.Contains(text, "Ada") {
		t.Errorf("the end: %d %s", status, text)
	}
	if status, text := s.modernCall(t, alice, "legacy", final); status != 400 {
		t.Errorf("after the end: %d %s", status, text)
	}
}
