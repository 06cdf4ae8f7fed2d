package proxy

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

type step = proxytest.Step

// two is a pool of two backends in memory.
func two(t testing.TB, first, second *proxytest.Backend, change func(*Config), deps Deps) *Pipeline {
	t.Helper()
	cfg := Config{
		Backends: []BackendConfig{{Name: "a", URL: first.URL}, {Name: "b", URL: second.URL}},
		Pools: []PoolConfig{{Name: "p", Members: []MemberConfig{
			{Backend: "a", Priority: 1, Weight: 1}, {Backend: "b", Priority: 2, Weight: 1},
		}}},
		Models: map[string]bool{"a": true, "b": true},
	}
	if change != nil {
		change(&cfg)
	}
	deps.Transport = inMemory(map[string]*proxytest.Backend{"a": first, "b": second})
	return newPipeline(t, cfg, deps)
}

// RE-2, RE-3, RE-7: what is tried again at another member at once, and what is not; the last answer decides.
func TestWhichAnswersAreTriedAgain(t *testing.T) {
	tests := []struct {
		step  step
		again bool
	}{
		{step{Status: 200}, false}, {step{Status: 400}, false}, {step{Status: 401}, false}, {step{Status: 403}, false},
		{step{Status: 404}, false}, {step{Status: 413}, false}, {step{Status: 422}, false}, {step{Status: 408}, true},
		{step{Status: 429}, true}, {step{Status: 500}, true}, {step{Status: 501}, false}, {step{Status: 502}, true},
		{step{Status: 503}, true}, {step{Status: 504}, true}, {step{Status: 529}, true}, {step{ResetBeforeHeaders: true}, true},
		{step{Hang: true}, true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.step.Status, tt.step.ResetBeforeHeaders, tt.step.Hang), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, second := proxytest.InMemory(t, tt.step), proxytest.InMemory(t, step{Body: "second"})
				p := two(t, first, second, nil, Deps{})
				call := post("p", `{"a":1}`)
				call.Idempotent = true
				start := time.Now()
				a := must(t, p, call)
				backend, attempts := "a", "1"
				if tt.again {
					backend, attempts = "b", "2"
				}
				if a.Backend != backend || a.Header.Get("X-Drawbridge-Backend") != backend || a.Header.Get("X-Drawbridge-Attempts") != attempts {
					t.Errorf("answered by %s after %d tries", a.Backend, a.Attempts)
				}
				if took := time.Since(start); tt.again && !tt.step.Hang && took != 0 {
					t.Errorf("waited %v before another member", took) // RE-4
				}
				if tt.again && string(second.Requests()[0].Body) != `{"a":1}` {
					t.Errorf("second body: %s", second.Requests()[0].Body) // RE-8
				}
				done(a)
			})
		})
	}
}

// RE-6: what a backend may have seen is not sent again, unless the call or the backend's configuration allows it.
func TestCallsThatAreNotIdempotentAreSentOnce(t *testing.T) {
	tests := map[string]struct {
		first              step
		idempotent, unsafe bool
		again              bool
	}{
		"status":            {step{Status: 503}, false, false, false},
		"reset":             {step{ResetBeforeHeaders: true}, false, false, false},
		"idempotent status": {step{Status: 503}, true, false, true},
		"unsafe":            {step{Status: 503}, false, true, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first, second := proxytest.InMemory(t, tt.first), proxytest.InMemory(t)
			p := two(t, first, second, func(c *Config) { c.Backends[0].Retry.Unsafe = tt.unsafe }, Deps{})
			call := post("p", `{}`)
			call.Idempotent = tt.idempotent
			if a, err := p.Do(t.Context(), call); err == nil {
				done(a)
			}
			if got := second.Count() == 1; got != tt.again {
				t.Errorf("tried again: %v, want %v", got, tt.again)
			}
		})
	}
}

// RE-6: a connection that was never made may be followed by another try, whatever the method.
func TestAConnectionThatWasNeverMadeIsTriedElsewhere(t *testing.T) {
	dead, alive := proxytest.New(t), proxytest.New(t, step{Body: "alive"})
	dead.Close()
	p := newPipeline(t, Config{
		Backends: []BackendConfig{{Name: "a", URL: dead.URL}, {Name: "b", URL: alive.URL}},
		Pools:    []PoolConfig{{Name: "p", Members: []MemberConfig{{Backend: "a", Priority: 1, Weight: 1}, {Backend: "b", Priority: 2, Weight: 1}}}},
	}, Deps{})
	a := must(t, p, post("p", `{}`))
	if got := read(t, a); got != "alive" {
		t.Errorf("answer %q", got)
	}
	done(a)
}

// RE-4: the same backend after the wait it tells, when that is short; a longer one ends the call as it is.
func TestTheSameBackendIsTriedAfterTheWaitItTells(t *testing.T) {
	tests := []struct {
		after    string
		attempts int
		waits    [2]time.Duration
	}{
		{"1", 2, [2]time.Duration{time.Second, time.Second}},
		{"3", 1, [2]time.Duration{0, 0}},
		{"", 2, [2]time.Duration{80 * time.Millisecond, 120 * time.Millisecond}},
	}
	for _, tt := range tests {
		t.Run("after "+tt.after, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := proxytest.InMemory(t, step{Status: 503, Header: map[string]string{"Retry-After": tt.after}}, step{})
				p := newPipeline(t, Config{Backends: []BackendConfig{{Name: "a", URL: b.URL, Retry: RetryConfig{Attempts: 2}}}},
					Deps{Transport: inMemory(map[string]*proxytest.Backend{"a": b})})
				start := time.Now()
				a := must(t, p, get("a"))
				if took := time.Since(start); took < tt.waits[0] || took > tt.waits[1] {
					t.Errorf("waited %v", took)
				}
				if a.Attempts != tt.attempts {
					t.Errorf("%d tries, want %d", a.Attempts, tt.attempts)
				}
				done(a)
			})
		})
	}
}

// RE-3: a 200 whose first event is an error is tried again; a good stream is handed through whole.
func TestAStreamThatBeginsWithAnErrorIsTriedAgain(t *testing.T) {
	sse := map[string]string{"Content-Type": "text/event-stream"}
	inspect := func(_ http.Header, first []byte, end bool) Look {
		event, _, whole := strings.Cut(string(first), "\n\n")
		if !whole && !end {
			return Look{More: true}
		}
		return Look{Failed: strings.Contains(event, "error"), Status: 429}
	}
	for name, second := range map[string]step{
		"cured":    {Header: sse, Chunks: []string{"data: {", "\"a\":1}\n", "\ndata: 2\n\n"}},
		"no cure ": {Header: sse, Chunks: []string{"data: err", "or\n\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := proxytest.InMemory(t, step{Header: sse, Chunks: []string{"data: er", "ror\n\n"}}), proxytest.InMemory(t, second)
			p := two(t, a, b, nil, Deps{})
			call := post("p", `{}`)
			call.Stream, call.Idempotent, call.Inspect = true, true, inspect
			answer := must(t, p, call)
			if got := read(t, answer); answer.Attempts != 2 || got != strings.Join(second.Chunks, "") {
				t.Errorf("after %d tries: %q", answer.Attempts, got)
			}
			done(answer)
		})
	}
}

// BR-1, BR-9: an open breaker of a single backend refuses at once and tells the remaining time.
func TestAnOpenBreakerRefusesWithoutSending(t *testing.T) {
	ck := proxytest.NewClock()
	b := proxytest.New(t, step{Status: 429, Header: map[string]string{"Retry-After": "20"}})
	p := single(t, b, BackendConfig{Breaker: &BreakerConfig{Failures: 1, RetryAfter: true}}, Deps{Now: ck.Now})
	done(must(t, p, get("a")))
	ck.Advance(5 * time.Second)
	e := refused(t, p, get("a"))
	if e.HTTPStatus() != 503 || e.Code != "no_backend_available" || e.RetryAfter != 15*time.Second || b.Count() != 1 {
		t.Errorf("%+v, %d requests", e, b.Count())
	}
}

// BR-4: a caller that leaves is no failure; a stream that breaks is one.
func TestWhatCountsAsAFailure(t *testing.T) {
	sse := map[string]string{"Content-Type": "text/event-stream"}
	tests := map[string]struct {
		step   step
		ending Ending
		open   bool
	}{
		"good stream":           {step{Header: sse, Chunks: []string{"x"}}, EndOK, false},
		"stream reset":          {step{Header: sse, Chunks: []string{"x"}, ResetMidBody: true}, EndUpstreamError, true},
		"without terminator":    {step{Header: sse, Chunks: []string{"x"}}, EndUpstreamError, true}, // ST-10
		"caller left":           {step{Header: sse, Chunks: []string{"x"}, Stall: true}, EndClientGone, false},
		"status not listed":     {step{Status: 404}, EndUpstreamError, false},
		"status listed":         {step{Status: 500}, EndUpstreamError, true},
		"reset before headers ": {step{ResetBeforeHeaders: true}, EndUpstreamError, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := proxytest.New(t, tt.step)
			p := single(t, b, BackendConfig{Breaker: &BreakerConfig{Failures: 1}}, Deps{})
			if a, err := p.Do(t.Context(), post("a", `{}`)); err == nil {
				for buf := make([]byte, 10); ; {
					if _, err := a.Body.Read(buf); err != nil || tt.step.Stall {
						break
					}
				}
				_ = a.Body.Close()
				a.Settle(Outcome{Ending: tt.ending})
			}
			if got := isOpen(p.roads["a"].core.breaker, time.Now()); got != tt.open {
				t.Errorf("open: %v, want %v", got, tt.open)
			}
		})
	}
}

// TO-2 to TO-5: headers, silence and the whole exchange each have their limit.
func TestTimeouts(t *testing.T) {
	sse := map[string]string{"Content-Type": "text/event-stream"}
	tests := map[string]struct {
		step step
		cfg  BackendConfig
		took time.Duration
	}{
		"headers, 30 s":         {step{Hang: true}, BackendConfig{}, 30 * time.Second},
		"headers, configured":   {step{Hang: true}, BackendConfig{Timeout: 7 * time.Second}, 7 * time.Second},
		"last byte":             {step{Chunks: []string{"a", "b", "c"}, Drip: 4 * time.Second}, BackendConfig{Timeout: 10 * time.Second}, 10 * time.Second},
		"silence of a stream":   {step{Header: sse, Chunks: []string{"a"}, Drip: 50 * time.Second, Stall: true}, BackendConfig{}, 110 * time.Second},
		"a stream as a whole":   {step{Header: sse, Chunks: strings.Split(strings.Repeat("x", 100), ""), Drip: 50 * time.Second}, BackendConfig{}, 15 * time.Minute},
		"total below the first": {step{Hang: true}, BackendConfig{Timeouts: TimeoutsConfig{Total: 3 * time.Second}}, 3 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := proxytest.InMemory(t, tt.step)
				tt.cfg.Name, tt.cfg.URL = "a", b.URL
				p := newPipeline(t, Config{Backends: []BackendConfig{tt.cfg}}, Deps{Transport: inMemory(map[string]*proxytest.Backend{"a": b})})
				start := time.Now()
				a, err := p.Do(t.Context(), get("a"))
				if err == nil {
					for buf := make([]byte, 10); err == nil; {
						_, err = a.Body.Read(buf)
					}
					done(a)
				}
				e := asError(err)
				if e.Kind != Timeout || e.HTTPStatus() != 504 || e.Code != "upstream_timeout" {
					t.Errorf("error: %+v", e)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

// RE-9: waiting between tries ends with the caller.
func TestWaitingEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := proxytest.InMemory(t, step{Status: 503, Header: map[string]string{"Retry-After": "2"}})
		p := newPipeline(t, Config{Backends: []BackendConfig{{Name: "a", URL: b.URL, Retry: RetryConfig{Attempts: 2}}}},
			Deps{Transport: inMemory(map[string]*proxytest.Backend{"a": b})})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if a, err := p.Do(ctx, get("a")); err == nil {
			done(a)
		}
		if took := time.Since(start); took != time.Second || b.Count() != 1 {
			t.Errorf("took %v, %d requests", took, b.Count())
		}
	})
}

// BR-4: a caller's own deadline says nothing about the backend.
func TestTheCallersDeadlineIsNoFailureOfTheBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := proxytest.InMemory(t, step{Hang: true})
		p := newPipeline(t, Config{Backends: []BackendConfig{{Name: "a", URL: b.URL, Breaker: &BreakerConfig{Failures: 1}}}},
			Deps{Transport: inMemory(map[string]*proxytest.Backend{"a": b})})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Do(ctx, get("a"))
		if e := asError(err); e.Kind != Timeout || isOpen(p.roads["a"].core.breaker, time.Now()) {
			t.Errorf("%+v", e)
		}
	})
}

// A message that is meant for another path of the same origin is sent there as it is, two hops at most (mcp.md §9.3).
func TestMessagesAreFollowedUnchanged(t *testing.T) {
	other := proxytest.New(t)
	to := func(status int, where string) step {
		return step{Status: status, Header: map[string]string{"Location": where}}
	}
	tests := map[string]struct {
		steps    []step
		status   int
		requests int
	}{
		"307, 308":       {[]step{to(307, "/a/"), to(308, "/b?c=1"), {Body: "end"}}, 200, 3},
		"two at most":    {[]step{to(307, "/a")}, 307, 3},
		"301":            {[]step{to(301, "/a")}, 301, 1},
		"302":            {[]step{to(302, "/a")}, 302, 1},
		"303":            {[]step{to(303, "/a")}, 303, 1},
		"another origin": {[]step{to(307, other.URL+"/steal")}, 307, 1},
		"another scheme": {[]step{to(307, strings.Replace(other.URL, "http:", "https:", 1))}, 307, 1},
		"nowhere":        {[]step{to(307, "")}, 307, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := proxytest.New(t, tt.steps...)
			p := single(t, b, BackendConfig{}, Deps{})
			call := post("a", "hello")
			call.FollowUnchanged = true
			a := must(t, p, call)
			if a.Status != tt.status || b.Count() != tt.requests || other.Count() != 0 {
				t.Errorf("status %d, %d requests, %d elsewhere", a.Status, b.Count(), other.Count())
			}
			for _, r := range b.Requests() {
				if r.Method != "POST" || string(r.Body) != "hello" {
					t.Errorf("%s %s %q", r.Method, r.URL, r.Body)
				}
			}
			done(a)
		})
	}
}

// Redirects of a GET at the own origin are followed where the call asks for it, three at most; others come back as they are.
func TestRedirectsAreFollowedOnlyAtTheOwnOrigin(t *testing.T) {
	other := proxytest.New(t)
	to := func(where string) step { return step{Status: 302, Header: map[string]string{"Location": where}} }
	tests := map[string]struct {
		steps    []step
		follow   bool
		status   int
		requests int
	}{
		"own origin":     {[]step{to("/a"), to("/b"), {Body: "end"}}, true, 200, 3},
		"three at most":  {[]step{to("/a")}, true, 302, 4},
		"another origin": {[]step{to(other.URL + "/steal")}, true, 302, 1},
		"not asked":      {[]step{to("/a")}, false, 302, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := proxytest.New(t, tt.steps...)
			c := CredentialConfig{Kind: "bearer"}
			_ = c.Value.Value.UnmarshalText([]byte("backend-key"))
			p := single(t, b, BackendConfig{Credential: c}, Deps{})
			call := get("a")
			call.FollowSameOrigin = tt.follow
			a := must(t, p, call)
			if a.Status != tt.status || b.Count() != tt.requests || other.Count() != 0 {
				t.Errorf("status %d, %d requests, %d elsewhere", a.Status, b.Count(), other.Count())
			}
			for _, r := range b.Requests() {
				if r.Header.Get("Authorization") != "Bearer backend-key" {
					t.Errorf("%s without the backend's credential", r.URL)
				}
			}
			done(a)
		})
	}
}
