package upstream

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// newLeg is a leg to up over a real pipeline.
func newLeg(t testing.TB, url string, change func(*Config)) (*Leg, *clock) {
	t.Helper()
	c := &clock{t: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}
	pipeline, err := proxy.New(proxy.Config{Backends: []proxy.BackendConfig{{Name: "up", URL: url, Timeout: 5 * time.Second}}}, proxy.NewState(), proxy.Deps{
		Transport: func(proxy.BackendConfig) http.RoundTripper {
			tr := &http.Transport{}
			t.Cleanup(tr.CloseIdleConnections)
			return tr
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Server: "s", Backend: "up", Doer: pipeline, Memory: NewMemory(), ListTTL: time.Minute, Timeout: 5 * time.Second, Version: "9", Now: c.now}
	if change != nil {
		change(&cfg)
	}
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cfg.Memory.Close)
	return l, c
}

func as(name string) *Behalf { return &Behalf{Caller: mcptest.Caller(name)} }

// legacyOnly makes up answer server/discover as servers do that never heard of it.
func legacyOnly(up *mcptest.Upstream) {
	up.Session = true
	up.On("server/discover", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no session"}}`))
	})
}

// sent lists what arrived of one method.
func sent(up *mcptest.Upstream, method string) []mcptest.UpstreamRequest {
	var list []mcptest.UpstreamRequest
	for _, r := range up.Requests() {
		if r.Method == method || r.Method == "" && r.HTTP == method {
			list = append(list, r)
		}
	}
	return list
}

func do(t testing.TB, l *Leg, r *Request) *strictjson.Message {
	t.Helper()
	m, err := l.Do(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", r.Method, err)
	}
	return m
}

func result(m *strictjson.Message) string { return string(m.Bytes(m.Result)) }

// event is one event of a stream.
func event(text string) string { return "event: message\ndata: " + text + "\n\n" }

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) { // another process's work; no rule of time is tested
		if time.Now().After(deadline) {
			t.Fatal(what + " did not come")
		}
	}
}

func params(body string) string {
	var m struct{ Params json.RawMessage }
	_ = json.Unmarshal([]byte(body), &m)
	return string(m.Params)
}

func ctxWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

func contains(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, one := range all {
		if !strings.Contains(text, one) {
			t.Errorf("%s lacks %s", text, one)
		}
	}
}
