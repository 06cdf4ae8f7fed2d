package combined_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// events opens a stream and returns what it carries, event by event.
func events(t *testing.T, r *http.Request) <-chan string {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	got := make(chan string, 16)
	go func() {
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				got <- data
			}
		}
		close(got)
	}()
	return got
}

func next(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case data := <-from:
		return data
	case <-time.After(5 * time.Second):
		t.Fatal("nothing came")
		return ""
	}
}

func TestClientsOfBothErasHearTheSources(t *testing.T) { // L1, L4, L5, C7
	a := &fake{about: holds, tools: tools("x"), resources: []string{`{"uri":"x:1"}`}}
	cfg := combined.Config{Sources: []combined.Source{of("a", a), made(t, &mcptest.Road{}, "rest", "get")}}
	var mu sync.Mutex
	current := build(t, cfg)
	h := handler(t, current)
	h.Lookup = func(string) (edge.Server, edge.State) {
		mu.Lock()
		defer mu.Unlock()
		return current, edge.Serving
	}
	server := httptest.NewServer(h)
	defer server.Close()
	defer h.Close()

	session := connect(t, h, "alice", false).session
	get, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/mcp/all", nil)
	get.Header = http.Header{"Authorization": {"Bearer alice"}, "Accept": {"text/event-stream"}, "Mcp-Session-Id": {session}}
	legacy := events(t, get) // its headers have come: it listens

	body := `{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{` + modernMeta +
		`,"notifications":{"toolsListChanged":true,"resourceSubscriptions":["x:1","x:2"]}}}`
	post, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/mcp/all", strings.NewReader(body))
	post.Header = http.Header{
		"Authorization": {"Bearer alice"}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {edge.Modern}, "Mcp-Method": {"subscriptions/listen"},
	}
	modern := events(t, post)
	if got := next(t, modern); !strings.Contains(got, "acknowledged") || !strings.Contains(got, `{"toolsListChanged":true,"resourceSubscriptions":["x:1","x:2"]}`) {
		t.Errorf("first %s", got)
	}
	a.say(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:1"}}`)
	if got := next(t, legacy); got != `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:1"}}` {
		t.Errorf("legacy %s", got)
	}
	if got := next(t, modern); !strings.Contains(got, `"uri":"x:1"`) || !strings.Contains(got, `"io.modelcontextprotocol/subscriptionId":"s"`) {
		t.Errorf("modern %s", got)
	}
	// A reload that changes nothing says nothing; one that adds a source does, once.
	mu.Lock()
	cfg.Previous = current
	current = build(t, cfg)
	mu.Unlock()
	h.Changed()
	mu.Lock()
	cfg.Previous, cfg.Sources = current, append(cfg.Sources, of("new", &fake{tools: tools("y")}))
	current = build(t, cfg)
	mu.Unlock()
	h.Changed()
	for name, stream := range map[string]<-chan string{"legacy": legacy, "modern": modern} {
		if got := next(t, stream); !strings.Contains(got, "notifications/tools/list_changed") {
			t.Errorf("%s: %s", name, got)
		}
		select {
		case more := <-stream:
			t.Errorf("%s: and then %s", name, more)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// locked is a source that tells, and says what its view is, under one lock of its own.
type locked struct {
	fake
	own sync.Mutex
}

func (l *locked) say(text string) {
	l.own.Lock()
	defer l.own.Unlock()
	l.fake.say(text)
}

func (l *locked) View(c *identity.Caller) string {
	l.own.Lock()
	defer l.own.Unlock()
	return l.fake.View(c)
}

func (l *locked) Handle(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	l.own.Lock()
	defer l.own.Unlock()
	return l.fake.Handle(ctx, r)
}

func TestASourceMayTellWhileItHoldsALock(t *testing.T) {
	a := &locked{fake: fake{tools: tools("x")}}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}, Tools: map[string]combined.Tool{"a__y": {Roles: []string{"Admin"}}}})
	listen(t, s, mcptest.Caller("alice"), edge.Interest{Tools: true})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				a.say(changed)
			}
		})
		wait.Go(func() {
			for range 50 {
				must(t, s, false, "tools/list", "{}")
				must(t, s, true, "tools/call", `{"name":"a__x"}`)
			}
		})
	}
	wait.Wait()
}
