package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

// asker is a legacy upstream that asks the person in the middle of a call, always with the same id, and says what was answered.
type asker struct {
	*mcptest.Upstream
	mu        sync.Mutex
	answers   map[string]chan string // by session
	cancelled chan struct{}
	tokens    map[string]bool
}

func newAsker(t *testing.T) *asker {
	a := &asker{Upstream: mcptest.NewUpstream(t), answers: map[string]chan string{}, cancelled: make(chan struct{}, 8), tokens: map[string]bool{}}
	a.Session = true
	a.On("server/discover", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"error":{"code":-32601,"message":"unknown method"}}`)
	})
	a.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.JSON(w, m.ID, `{"tools":[{"name":"ask","inputSchema":{"type":"object"}}]}`)
	})
	a.On("notifications/cancelled", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		a.cancelled <- struct{}{}
		w.WriteHeader(http.StatusAccepted)
	})
	a.On("", func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) { // an answer
		w.WriteHeader(http.StatusAccepted)
		a.of(r) <- a.Requests()[len(a.Requests())-1].Body
	})
	a.On("tools/call", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		var p struct {
			Meta struct{ ProgressToken json.RawMessage } `json:"_meta"`
		}
		_ = json.Unmarshal(m.Params, &p)
		a.mu.Lock()
		a.tokens[string(p.Meta.ProgressToken)] = true
		a.mu.Unlock()
		say, answer := mcptest.Stream(w), a.of(r)
		say("event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":" + string(p.Meta.ProgressToken) + ",\"progress\":1}}\n\n")
		say("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\",\"params\":{\"message\":\"which?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}}\n\n")
		select {
		case text := <-answer:
			quoted, _ := json.Marshal(text)
			say("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":" + string(m.ID) + ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":" + string(quoted) + "}]}}\n\n")
		case <-r.Context().Done():
		}
	})
	return a
}

func (a *asker) of(r *http.Request) chan string {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := r.Header.Get("Mcp-Session-Id")
	if a.answers[id] == nil {
		a.answers[id] = make(chan string, 4)
	}
	return a.answers[id]
}

const twoAskers = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice}, {name: bob}]}}
backends: [{name: one, url: "%s"}, {name: two, url: "%s"}]
mcp_servers: [{name: all, from: [{upstream: one}, {upstream: two}]}]
`

// events is a stream of a call as it comes.
type events struct {
	t     *testing.T
	lines *bufio.Scanner
}

// next returns the first message with this in it.
func (e *events) next(with string) string {
	e.t.Helper()
	for e.lines.Scan() {
		if data, ok := strings.CutPrefix(e.lines.Text(), "data: "); ok && strings.Contains(data, with) {
			return data
		}
	}
	e.t.Fatalf("the stream ended before %s: %v", with, e.lines.Err())
	return ""
}

func (c *rawClient) stream(ctx context.Context, t *testing.T, body string) *events {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + c.token}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Session-Id": {c.session}}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return &events{t, bufio.NewScanner(resp.Body)}
}

// Two sources ask two people at once, all with one id, while a call is cancelled: every answer goes to who asked (C7, E6, E10).
func TestSourcesThatAskAtOnceGetTheirOwnAnswers(t *testing.T) {
	one, two := newAsker(t), newAsker(t)
	s := serve(t, fmt.Sprintf(twoAskers, one.URL, two.URL))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	type call struct {
		client *rawClient
		stream *events
		id     string // of the question
		want   string
	}
	var calls []*call
	for _, who := range []string{"alice", "bob"} {
		c := &rawClient{url: s.url + "/mcp/all", token: s.token(t, "all", who)}
		_, head, err := c.post(ctx, "initialize", "", `{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}}}`, "1")
		if err != nil {
			t.Fatal(err)
		}
		c.session = head.Get("Mcp-Session-Id")
		for i, tool := range []string{"one__ask", "two__ask", "one__ask"} {
			body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"_meta":{"progressToken":"p"}}}`, 10+i, tool)
			calls = append(calls, &call{client: c, stream: c.stream(ctx, t, body), want: fmt.Sprintf("%s %d", who, i)})
		}
	}
	questions := map[string]bool{}
	for _, c := range calls {
		if got := c.stream.next("notifications/progress"); !strings.Contains(got, `"progressToken":"p"`) {
			t.Errorf("progress %s", got)
		}
		var q struct{ ID json.RawMessage }
		if err := json.Unmarshal([]byte(c.stream.next("elicitation/create")), &q); err != nil {
			t.Fatal(err)
		}
		c.id = string(q.ID)
		questions[c.client.session+c.id] = true
	}
	if len(questions) != len(calls) {
		t.Errorf("%d questions have %d ids", len(calls), len(questions))
	}
	gone := calls[2] // alice's second call of one
	notify(ctx, t, gone.client, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":12}}`)
	select {
	case <-one.cancelled:
	case <-ctx.Done():
		t.Fatal("the source was not told that the call was cancelled")
	}
	for i := len(calls) - 1; i >= 0; i-- {
		c := calls[i]
		other := calls[(i+3)%len(calls)] // somebody else's session cannot answer
		notify(ctx, t, other.client, `{"jsonrpc":"2.0","id":`+c.id+`,"result":{"action":"accept","content":{"forged":"yes"}}}`)
		notify(ctx, t, c.client, `{"jsonrpc":"2.0","id":`+c.id+`,"result":{"action":"accept","content":{"mine":"`+c.want+`"}}}`)
	}
	for _, c := range calls {
		if c == gone {
			continue
		}
		got := c.stream.next(`"result"`)
		if !strings.Contains(got, `\"mine\":\"`+c.want+`\"`) || strings.Contains(got, "forged") {
			t.Errorf("%s got %s", c.want, got)
		}
	}
	for _, a := range []*asker{one, two} {
		if a.tokens[`"p"`] || len(a.tokens) < 2 {
			t.Errorf("tokens %v", a.tokens)
		}
	}
}

func notify(ctx context.Context, t *testing.T, c *rawClient, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + c.token}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Session-Id": {c.session}}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("%s: %d", body, resp.StatusCode)
	}
}
