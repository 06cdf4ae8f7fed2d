package llm

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm/builtin"
	"github.com/drawbridge-mcp/drawbridge/llm/llmtest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// piped puts the real road behind a gateway: a pool of providers by priority.
func piped(t *testing.T, rows *recorder, transport http.RoundTripper, urls ...string) *gateway {
	t.Helper()
	g := newGateway(t)
	cfg := proxy.Config{Models: map[string]bool{}}
	pool := proxy.PoolConfig{Name: "pool"}
	for i, u := range urls {
		name := "member-" + string(rune('a'+i))
		cfg.Backends = append(cfg.Backends, proxy.BackendConfig{Name: name, URL: u, UsageOption: true})
		cfg.Models[name] = true
		pool.Members = append(pool.Members, proxy.MemberConfig{Backend: name, Priority: i + 1, Weight: 1})
	}
	cfg.Pools = []proxy.PoolConfig{pool}
	p, err := proxy.New(cfg, proxy.NewState(), proxy.Deps{Recorder: rows, Transport: func(proxy.BackendConfig) http.RoundTripper { return transport }})
	if err != nil {
		t.Fatal(err)
	}
	cat, faults := NewCatalogue(Config{Models: []ModelConfig{{Name: "gpt-4o", Backend: "pool",
		UpstreamModel: UpstreamModel{Members: []MemberModel{{"member-b", "other-name"}}}}}}, time.Time{})
	if faults != nil {
		t.Fatal(faults)
	}
	snap := &Snapshot{Models: cat, Doer: p, Policies: func(*identity.Caller, *Model) *proxy.Policies { return nil }}
	g.Snapshot = func() *Snapshot { return snap }
	return g
}

func newRecorder() *recorder { return &recorder{came: make(chan struct{}, 100)} }

// row waits for the only row.
func (r *recorder) row(t *testing.T) proxy.Record {
	t.Helper()
	<-r.came // rows may be written after the last byte has left
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rows) != 1 {
		t.Fatalf("%d rows, want 1", len(r.rows))
	}
	return r.rows[0]
}

func TestOnTheRealRoadAFailingMemberIsReplaced(t *testing.T) { // RE-2, RE-3, RE-7, PL-6, EP-13, UR-5, HH-1
	for name, fault := range map[string]llmtest.Answer{
		"429": {Status: 429, Header: http.Header{"Retry-After": {"30"}}}, "500": {Status: 500}, "reset": {Fault: llmtest.Reset},
		"stream that begins with an error": {Fault: llmtest.ErrorFirst}, "stream that ends before it begins": {Fault: llmtest.NothingButEnd},
	} {
		for _, mode := range []string{ask, askStream("")} {
			if mode == ask && strings.HasPrefix(name, "stream") {
				continue
			}
			t.Run(name, func(t *testing.T) {
				bad, good, rows := llmtest.Start(t, fault), llmtest.Start(t), newRecorder()
				g := piped(t, rows, nil, bad.URL+"/v1", good.URL+"/v1")
				resp, body := g.post(t, "/llm/v1/chat/completions", mode, "X-Request-Id", "r-1", "Cookie", "c=1", "Openai-Organization", "theirs")
				if resp.StatusCode != 200 || !strings.Contains(body, "world") {
					t.Errorf("%d %s", resp.StatusCode, body)
				}
				if resp.Header.Get("X-Drawbridge-Backend") != "member-b" || resp.Header.Get("X-Drawbridge-Attempts") != "2" {
					t.Errorf("backend %q, attempts %q", resp.Header.Get("X-Drawbridge-Backend"), resp.Header.Get("X-Drawbridge-Attempts"))
				}
				sent := good.Last(t)
				if !strings.Contains(string(sent.Body), `"model":"other-name"`) || sent.Header.Get("X-Request-Id") != "r-1" || !strings.Contains(string(bad.Last(t).Body), `"model":"gpt-4o"`) {
					t.Errorf("upstream got %s %v", sent.Body, sent.Header)
				}
				for _, header := range []string{"Authorization", "Cookie", "Openai-Organization"} {
					if sent.Header.Get(header) != "" {
						t.Errorf("%s reached the provider", header)
					}
				}
				row := rows.row(t)
				if row.Usage != (proxy.Usage{Input: 9, Output: 4, Source: proxy.UsageProvider}) || row.Ending != proxy.EndOK || row.Attempts != 2 || row.UpstreamModel != "other-name" || row.RequestID != "r-1" {
					t.Errorf("row = %+v", row)
				}
			})
		}
	}
}

func TestOnTheRealRoadTheLastAnswerDecides(t *testing.T) { // RE-7, ER-18, ER-22
	for status, want := range map[int]int{429: 429, 503: 503, 500: 502, 401: 502, 400: 400} {
		a, b, rows := llmtest.Start(t, llmtest.Answer{Status: status}), llmtest.Start(t, llmtest.Answer{Status: status}), newRecorder()
		resp, body := piped(t, rows, nil, a.URL+"/v1", b.URL+"/v1").post(t, "/llm/v1/chat/completions", ask)
		if resp.StatusCode != want || (want != status || status == 503) && strings.Contains(body, "host-7") {
			t.Errorf("upstream %d: %d %s", status, resp.StatusCode, body)
		}
		if row := rows.row(t); row.Usage.Source != proxy.UsageNone || row.Status != want {
			t.Errorf("upstream %d: row %+v", status, row)
		}
	}
}

func TestOnTheRealRoadBrokenStreamsAreToldAndCharged(t *testing.T) { // ST-10, AC-3
	for _, fault := range []llmtest.Fault{llmtest.EOFMidway, llmtest.ResetMidway} {
		provider, rows := llmtest.Start(t, llmtest.Answer{Fault: fault}), newRecorder()
		_, body := piped(t, rows, nil, provider.URL+"/v1").post(t, "/llm/v1/chat/completions", askStream(""))
		if !strings.HasSuffix(body, truncated) {
			t.Errorf("%s: %q", fault, body)
		}
		if row := rows.row(t); row.Ending != proxy.EndUpstreamError || row.Code != "stream_truncated" || row.Usage != (proxy.Usage{Input: 8, Output: 1, Source: proxy.UsageEstimated}) || !row.Stream {
			t.Errorf("%s: row %+v", fault, row)
		}
	}
}

func TestTheBuiltInModelServesTheRoad(t *testing.T) {
	for _, mode := range []string{ask, askStream("")} {
		rows := newRecorder()
		g := piped(t, rows, &builtin.Model{}, "http://builtin.invalid/v1")
		resp, body := g.post(t, "/llm/v1/chat/completions", mode)
		if resp.StatusCode != 200 || !strings.Contains(body, "built-in") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		if row := rows.row(t); row.Usage.Source != proxy.UsageProvider || row.Usage.Input != 8 || row.Usage.Output == 0 {
			t.Errorf("row = %+v", row)
		}
	}
}

func TestOnTheRealRoadGzipIsUndone(t *testing.T) { // WF-2
	for _, mode := range []string{ask, askStream(includeUsage)} {
		answer := llmtest.Answer{Fault: llmtest.Gzip}
		provider, rows := llmtest.Start(t, answer), newRecorder()
		_, body := piped(t, rows, nil, provider.URL+"/v1").post(t, "/llm/v1/chat/completions", mode)
		if want := strings.Join(answer.Events(true), ""); body != answer.JSON() && body != want {
			t.Errorf("%.200q", body)
		}
		if row := rows.row(t); row.Usage.Output != 4 {
			t.Errorf("row = %+v", row)
		}
	}
}
