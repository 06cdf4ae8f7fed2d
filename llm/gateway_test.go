package llm

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/llm/llmtest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// road is a Doer that sends straight to one backend and remembers how calls ended: the pipeline's contract without its
// policies.
type road struct {
	backend proxy.Backend
	client  *http.Client
	header  http.Header       // told by Limits after settling
	err     error             // in place of an answer
	entry   *proxy.CacheEntry // a cache hit
	cache   string            // what the answer says
	shape   proxy.Shape
	wrap    func(io.ReadCloser) io.ReadCloser // of bodies; nil: none
	count   bool                              // counts prompts exactly, as a tight limit does

	mu       sync.Mutex
	calls    []*proxy.Call
	outcomes []proxy.Outcome
	settled  chan struct{} // one for each settled call
}

func newRoad(base string) *road {
	u, err := url.Parse(base)
	if err != nil {
		panic(err)
	}
	return &road{backend: proxy.Backend{Name: "east", URL: u}, client: &http.Client{Transport: &http.Transport{}}, settled: make(chan struct{}, 1000)}
}

func (d *road) Do(ctx context.Context, call *proxy.Call) (*proxy.Answer, error) {
	d.mu.Lock()
	d.calls = append(d.calls, call)
	d.mu.Unlock()
	call.Shape = d.shape
	if d.count {
		call.Prompt.Exact()
	}
	if d.err != nil {
		return nil, d.err
	}
	a := proxy.NewAnswer(func(o proxy.Outcome) {
		d.mu.Lock()
		d.outcomes = append(d.outcomes, o)
		d.mu.Unlock()
		d.settled <- struct{}{}
	})
	a.Limits = func() http.Header {
		d.mu.Lock()
		defer d.mu.Unlock()
		h := d.header.Clone()
		if h != nil && len(d.outcomes) > 0 {
			h.Set("X-Settled", "true")
		}
		return h
	}
	if d.entry != nil {
		a.Entry, a.Cache, a.Status, a.Header = d.entry, "hit", d.entry.Status, d.entry.Header.Clone()
		if a.Header == nil {
			a.Header = http.Header{}
		}
		a.Header.Set("X-Drawbridge-Cache", "hit")
		return a, nil
	}
	req, err := call.Build(ctx, &d.backend)
	if err != nil {
		return nil, err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		kind := proxy.Unreachable
		if ctx.Err() != nil {
			kind = proxy.Cancelled
		}
		return nil, &proxy.Error{Kind: kind, Msg: "The upstream did not answer.", Backend: "east", Attempts: 1, Err: err}
	}
	a.Header.Set("X-Drawbridge-Backend", "east")
	a.Header.Set("X-Drawbridge-Attempts", "1")
	a.Upstream = resp.Header
	a.Status, a.Body, a.Backend, a.Attempts, a.Cache = resp.StatusCode, resp.Body, "east", 1, d.cache
	if d.wrap != nil {
		a.Body = d.wrap(a.Body)
	}
	for _, name := range []string{"Content-Type", "Retry-After", "Retry-After-Ms", "Apim-Request-Id"} {
		if v := resp.Header.Values(name); v != nil {
			a.Header[name] = v
		}
	}
	return a, nil
}

// outcome waits for the only call to settle and returns how.
func (d *road) outcome(t testing.TB) proxy.Outcome {
	t.Helper()
	select {
	case <-d.settled:
	case <-time.After(10 * time.Second):
		t.Fatal("the call was never settled")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.outcomes) != 1 {
		t.Fatalf("%d outcomes, want 1", len(d.outcomes))
	}
	return d.outcomes[0]
}

func (d *road) lastCall(t testing.TB) *proxy.Call {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.calls) == 0 {
		t.Fatal("nothing was handed to the road")
	}
	return d.calls[len(d.calls)-1]
}

type recorder struct {
	mu   sync.Mutex
	rows []proxy.Record
	came chan struct{} // one for each row; nil: nobody waits
}

func (r *recorder) Record(row proxy.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, row)
	if r.came != nil {
		r.came <- struct{}{}
	}
}

// gateway is a handler behind a real server.
type gateway struct {
	*Handler
	URL      string
	road     *road
	rows     *recorder
	provider *llmtest.Server
}

var testModels = []ModelConfig{
	{Name: "gpt-4o", Backend: "east", Provider: "openai", Aliases: []string{"default"}},
	{Name: "prod", Backend: "east", Provider: "openai", UpstreamModel: UpstreamModel{Name: "gpt-4o-2024"}},
	{Name: "azure", Backend: "east", Provider: "azure_openai", UpstreamModel: UpstreamModel{Name: "gpt-4o prod"}},
	{Name: "drained", Backend: "east", Provider: "openai", OnDisconnect: "drain"},
	{Name: "embed", Backend: "east", Provider: "openai", UpstreamModel: UpstreamModel{Name: "text-embedding-3-small"}},
	{Name: "org/slash", Backend: "east", Provider: "openai"},
	{Name: "secret", Backend: "east", Provider: "openai", Roles: []string{"Llm.Secret"}},
}

// newGateway starts the face in front of a provider. Key "good" may use every model without roles.
func newGateway(t testing.TB, answers ...llmtest.Answer) *gateway {
	t.Helper()
	provider := llmtest.Start(t, answers...)
	cat, faults := NewCatalogue(Config{Models: testModels, ImageTokens: 1200}, time.Unix(1_700_000_000, 0))
	if len(faults) > 0 {
		t.Fatalf("NewCatalogue: %v", faults)
	}
	d := newRoad(provider.URL + "/v1")
	rows := &recorder{}
	snap := &Snapshot{Models: cat, Doer: d, Endpoints: map[string]Endpoint{}}
	h := &Handler{
		Snapshot: func() *Snapshot { return snap },
		Authenticate: func(r *http.Request) (*identity.Caller, *Refusal) {
			if r.Header.Get("Api-Key") == "good" || r.Header.Get("Authorization") == "Bearer good" {
				return &identity.Caller{Kind: identity.Key, Subscription: identity.Subscription{ID: "s1", Product: "team-a"}}, nil
			}
			return nil, &Refusal{Status: 401, Code: "invalid_api_key", Message: "Present a valid key.", Challenge: `Bearer realm="drawbridge"`}
		},
		Grants:   func(_ *identity.Caller, m *Model) bool { return len(m.Roles) == 0 },
		Recorder: rows,
		Log:      slog.New(slog.DiscardHandler),
	}
	e := echo.New()
	h.Mount(e.Group("/llm"))
	server := httptest.NewServer(e)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		d.client.CloseIdleConnections()
	})
	return &gateway{Handler: h, URL: server.URL, road: d, rows: rows, provider: provider}
}

// post sends a body with the good key and returns the answer, its body read.
func (g *gateway) post(t testing.TB, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer good")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return g.do(t, req)
}

func (g *gateway) get(t testing.TB, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Api-Key", "good")
	return g.do(t, req)
}

func (g *gateway) do(t testing.TB, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read below
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read answer: %v after %.200q", err, body)
	}
	return resp, string(body)
}

// errorOf decodes an error of the OpenAI shape.
func errorOf(t testing.TB, body string) openAIError {
	t.Helper()
	var e struct{ Error openAIError }
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Message == "" {
		t.Fatalf("not an error of the OpenAI shape: %s", body)
	}
	return e.Error
}

const ask = `{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}`

func askStream(extra string) string {
	return `{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"stream":true` + extra + `}`
}
