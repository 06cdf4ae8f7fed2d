package proxy

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

// ledger is a Recorder that keeps what it is given.
type ledger struct {
	mu   sync.Mutex
	rows []Record
}

func (l *ledger) Record(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, r)
}

func (l *ledger) only(t *testing.T) Record {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rows) != 1 {
		t.Fatalf("%d records, want exactly 1: %+v", len(l.rows), l.rows)
	}
	return l.rows[0]
}

// witness is a policy that counts how often each verdict is settled, and how.
type witness struct {
	mu       sync.Mutex
	outcomes []Outcome
	refuse   *Error
	answer   *CacheEntry
	panics   bool
}

func (w *witness) Admit(context.Context, *Call) (Verdict, error) {
	if w.panics {
		panic("policy")
	}
	if w.refuse != nil {
		return Verdict{}, w.refuse
	}
	v := Verdict{Answer: w.answer, Settle: func(o Outcome) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.outcomes = append(w.outcomes, o)
	}}
	if w.answer != nil {
		v.Kind = "hit"
	}
	return v, nil
}

func (w *witness) only(t *testing.T) Outcome {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.outcomes) != 1 {
		t.Fatalf("settled %d times, want exactly once: %+v", len(w.outcomes), w.outcomes)
	}
	return w.outcomes[0]
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func newPipeline(t testing.TB, cfg Config, deps Deps) *Pipeline {
	t.Helper()
	if deps.Log == nil {
		deps.Log = quiet()
	}
	p, err := New(cfg, NewState(), deps)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// single is a pipeline to one backend.
func single(t testing.TB, b *proxytest.Backend, c BackendConfig, deps Deps) *Pipeline {
	t.Helper()
	c.Name, c.URL = "a", b.URL
	return newPipeline(t, Config{Backends: []BackendConfig{c}}, deps)
}

// inMemory lets every backend be reached through its own pipe.
func inMemory(backends map[string]*proxytest.Backend) func(BackendConfig) http.RoundTripper {
	return func(c BackendConfig) http.RoundTripper { return backends[c.Name].Transport() }
}

func get(target string) *Call {
	return &Call{Target: target, ID: "r1", Surface: MCP, Idempotent: true, Build: build1(http.MethodGet, "")}
}

func post(target, body string) *Call {
	return &Call{Target: target, ID: "r1", Surface: LLM, Endpoint: "chat", Model: "m", Build: build1(http.MethodPost, body)}
}

func build1(method, body string) func(context.Context, *Backend) (*http.Request, error) {
	return func(ctx context.Context, b *Backend) (*http.Request, error) {
		var r io.Reader
		if body != "" {
			r = strings.NewReader(body)
		}
		req, err := http.NewRequestWithContext(ctx, method, b.URL.JoinPath("x").String(), r)
		if err == nil && body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		return req, err
	}
}

func read(t testing.TB, a *Answer) string {
	t.Helper()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	_ = a.Body.Close()
	return string(body)
}

func must(t testing.TB, p *Pipeline, call *Call) *Answer {
	t.Helper()
	a, err := p.Do(t.Context(), call)
	if err != nil {
		t.Fatalf("Do: %v", err)
	}
	t.Cleanup(func() { _ = a.Body.Close() })
	return a
}

func refused(t testing.TB, p *Pipeline, call *Call) *Error {
	t.Helper()
	a, err := p.Do(t.Context(), call)
	if err == nil {
		_ = a.Body.Close()
		t.Fatalf("Do gave %d, want an error", a.Status)
	}
	return asError(err)
}

func done(a *Answer) {
	_ = a.Body.Close()
	a.Settle(Outcome{Ending: EndOK})
}
