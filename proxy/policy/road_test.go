package policy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

// road is policies in front of a backend.
type road struct {
	pipeline *proxy.Pipeline
	backend  *proxytest.Backend
	policies *proxy.Policies

	mu   sync.Mutex
	rows []proxy.Record
}

func (r *road) Record(row proxy.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, row)
}

func newRoad(t *testing.T, ck *proxytest.Clock, steps []proxytest.Step, entries ...Entry) *road {
	t.Helper()
	r := &road{backend: proxytest.New(t, steps...)}
	env := newTestEnv(t, Deps{Now: ck.Now})
	r.policies = compiled(t, env, product, entries...)
	var err error
	r.pipeline, err = proxy.New(proxy.Config{Backends: []proxy.BackendConfig{{Name: "a", URL: r.backend.URL}}}, proxy.NewState(),
		proxy.Deps{Recorder: r, Now: ck.Now, Log: env.deps.Log})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// chat calls as a face does: reads, settles with usage, sends the limits after settling.
func (r *road) chat(t *testing.T, sub string, prompt, completion int) (http.Header, *proxy.Error) {
	t.Helper()
	call := tokensCall(sub, prompt, completion)
	call.Target, call.Policies, call.Endpoint, call.ID = "a", r.policies, "chat", "r"
	call.CacheKey = func() string { return "same" }
	call.Build = func(ctx context.Context, b *proxy.Backend) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodPost, b.URL.String(), strings.NewReader("{}"))
	}
	a, err := r.pipeline.Do(t.Context(), call)
	if err != nil {
		var e *proxy.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		return nil, e
	}
	o := used(prompt, 10)
	if a.Entry == nil {
		body, _ := io.ReadAll(a.Body)
		_ = a.Body.Close()
		o.Cacheable = &proxy.CacheEntry{Status: 200, Body: body, Usage: o.Usage}
	}
	a.Settle(o)
	for name, values := range a.Limits() {
		a.Header[name] = values
	}
	return a.Header, nil
}

// PX-7, TL-16, CA-10, RL-9: a hit counts as a call, consumes no tokens, and shows the token counter unchanged.
func TestAHitIsFreeOfTokens(t *testing.T) {
	ck := proxytest.NewClock()
	r := newRoad(t, ck, nil, Entry{TokenLimit: &TokenLimit{TokensPerMinute: 1000}}, Entry{Cache: &CacheExact{TTL: time.Minute}},
		Entry{RateLimit: &RateLimit{Calls: 10}})
	first, _ := r.chat(t, "s", 100, 50)
	second, _ := r.chat(t, "s", 100, 50)
	for i, h := range []http.Header{first, second} {
		want := map[string]string{
			"X-Drawbridge-Cache": []string{"miss", "hit"}[i], "X-Ratelimit-Remaining-Tokens": "890",
			"X-Ratelimit-Remaining-Requests": []string{"9", "8"}[i],
		}
		for name, value := range want {
			if h.Get(name) != value {
				t.Errorf("answer %d: %s is %q, want %q", i+1, name, h.Get(name), value)
			}
		}
	}
	if r.backend.Count() != 1 || len(r.rows) != 2 || r.rows[1].Cache != "hit" || r.rows[1].Usage.Input != 0 {
		t.Errorf("%d requests, rows %+v", r.backend.Count(), r.rows)
	}
}

// AC-6, RL-6, PX-13: what a later phase refuses, and what the backend failed, is given back everywhere.
func TestWhatFailsLaterIsGivenBack(t *testing.T) {
	ck := proxytest.NewClock()
	r := newRoad(t, ck, nil, Entry{RateLimit: &RateLimit{Calls: 1}}, Entry{TokenLimit: &TokenLimit{TokensPerMinute: 100}})
	_, err := r.chat(t, "s", 500, 1)
	if err == nil || err.Code != "request_too_large_for_limit" {
		t.Fatalf("got %+v", err)
	}
	if got := err.Header.Get("X-Ratelimit-Remaining-Requests"); got != "1" { // RL-9 on refusals, after giving back
		t.Errorf("remaining requests %q", got)
	}
	if _, err := r.chat(t, "s", 10, 10); err != nil {
		t.Errorf("the refused call counted: %v", err)
	}
	if r.rows[0].Ending != proxy.EndRefused || r.rows[0].Code != "request_too_large_for_limit" || r.rows[0].Status != 429 {
		t.Errorf("row: %+v", r.rows[0]) // AC-8
	}
}

// TL-7: a full minute of calls on one key never holds more than the limit, whatever answers cost.
func TestCallsGoOnWhenTheWaitIsOver(t *testing.T) {
	ck := proxytest.NewClock()
	r := newRoad(t, ck, nil, Entry{TokenLimit: &TokenLimit{TokensPerMinute: 100}})
	for range 3 {
		if _, err := r.chat(t, "s", 80, 20); err != nil {
			t.Fatalf("first of a minute: %+v", err)
		}
		_, err := r.chat(t, "s", 80, 20)
		if err == nil || err.RetryAfter <= 0 || err.RetryAfter > time.Minute {
			t.Fatalf("second of a minute: %+v", err)
		}
		ck.Advance(err.RetryAfter)
	}
}

// HD-3, RL-12: response policies rename and remove limit headers too.
func TestResponsePoliciesMayRemoveLimitHeaders(t *testing.T) {
	ck := proxytest.NewClock()
	r := newRoad(t, ck, nil, Entry{RateLimit: &RateLimit{Calls: 10}},
		Entry{RemoveHeader: &RemoveHeader{Name: "x-ratelimit-*", On: "response"}},
		Entry{SetHeader: &SetHeader{Name: "x-calls-left", Value: "string(remaining.calls)", On: "response"}})
	h, _ := r.chat(t, "s", 1, 1)
	if h.Get("X-Ratelimit-Remaining-Requests") != "" || h.Get("X-Calls-Left") != "9" {
		t.Errorf("headers: %v", h)
	}
}

// CA-12 with the road: a stampede sends one request.
func TestAStampedeSendsOneRequest(t *testing.T) {
	gate := make(chan struct{})
	r := newRoad(t, proxytest.NewClock(), []proxytest.Step{{Body: "x", Gate: gate}}, Entry{Cache: &CacheExact{TTL: time.Minute, SingleFlight: true}})
	var wg sync.WaitGroup
	hits := make(chan string, 20)
	for range 20 {
		wg.Go(func() {
			h, err := r.chat(t, "s", 1, 1)
			if err != nil {
				t.Error(err)
				return
			}
			hits <- h.Get("X-Drawbridge-Cache")
		})
	}
	r.backend.AwaitRequests(1)
	close(gate)
	wg.Wait()
	close(hits)
	n := map[string]int{}
	for h := range hits {
		n[h]++
	}
	if r.backend.Count() != 1 || n["miss"] != 1 || n["hit"] != 19 {
		t.Errorf("%d requests, answers %v", r.backend.Count(), n)
	}
}
