package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

// PX-11, §13.4: one settle and one record for every call, however it ends.
func TestEveryEndingSettlesAndRecordsExactlyOnce(t *testing.T) {
	type setup struct {
		step   proxytest.Step
		change func(*Call)
		cfg    BackendConfig
		policy *witness // after the one that is watched
		early  bool     // the caller leaves while waiting
		stops  bool     // the gateway stops while it waits
	}
	sse := map[string]string{"Content-Type": "text/event-stream"}
	tests := map[string]struct {
		setup
		ending Ending
		source UsageSource
	}{
		"complete":          {setup{step: proxytest.Step{Body: "x"}}, EndOK, ""},
		"upstream status":   {setup{step: proxytest.Step{Status: 500}}, EndOK, ""}, // the reader says what it was
		"refused by policy": {setup{policy: &witness{refuse: &Error{Kind: Refused, Code: "quota_exceeded"}}}, EndRefused, ""},
		"cache hit":         {setup{policy: &witness{answer: &CacheEntry{Status: 200, Usage: Usage{Input: 1}}}}, EndOK, ""},
		"panic in a policy": {setup{policy: &witness{panics: true}}, EndError, ""},
		"panic in Build":    {setup{change: func(c *Call) { c.Build = func(context.Context, *Backend) (*http.Request, error) { panic("x") } }}, EndError, ""},
		"Build fails": {setup{change: func(c *Call) {
			c.Build = func(context.Context, *Backend) (*http.Request, error) { return nil, errors.New("x") }
		}}, EndRefused, ""},
		"no such target":      {setup{change: func(c *Call) { c.Target = "none" }}, EndError, ""},
		"reset before header": {setup{step: proxytest.Step{ResetBeforeHeaders: true}}, EndUpstreamError, UsageEstimated},
		"timeout":             {setup{step: proxytest.Step{Hang: true}, cfg: BackendConfig{Timeout: 30 * time.Millisecond}}, EndTimeout, UsageEstimated},
		"caller gone":         {setup{step: proxytest.Step{Hang: true}, early: true}, EndClientGone, UsageEstimated},
		"drain is over":       {setup{step: proxytest.Step{Hang: true}, stops: true}, EndError, UsageEstimated}, // operations.md §15 (5)
		"reset mid body":      {setup{step: proxytest.Step{Body: "x", ResetMidBody: true}}, EndUpstreamError, ""},
		"closed early":        {setup{step: proxytest.Step{Body: "x", CloseEarly: true}}, EndUpstreamError, ""},
		"stream goes silent":  {setup{step: proxytest.Step{Header: sse, Chunks: []string{"data: 1\n\n"}, Stall: true}, cfg: BackendConfig{Timeouts: TimeoutsConfig{Idle: 30 * time.Millisecond}}}, EndTimeout, ""},
		"body never ends":     {setup{step: proxytest.Step{Body: "x", Stall: true}, cfg: BackendConfig{Timeout: 60 * time.Millisecond}}, EndTimeout, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, rows, watched := proxytest.New(t, tt.step), &ledger{}, &witness{}
			p := single(t, b, tt.cfg, Deps{Recorder: rows})
			call := post("a", `{}`)
			call.Prompt = Prompt{Bound: 10, Exact: func() int { return 7 }}
			call.Policies = &Policies{}
			call.Policies.ByPhase[PhaseShape] = []Policy{watched}
			if tt.policy != nil {
				call.Policies.ByPhase[PhaseCache] = []Policy{tt.policy}
			}
			if tt.change != nil {
				tt.change(call)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if tt.early || tt.stops {
				cause := map[bool]error{true: ErrShutdown}[tt.stops]
				go func() { b.AwaitRequests(1); cancel(cause) }()
			}
			consume(p, ctx, call)
			if o := watched.only(t); o.Ending != tt.ending || tt.source != "" && o.Usage != (Usage{Input: 7, Source: tt.source}) {
				t.Errorf("outcome %+v, want %s", o, tt.ending)
			}
			if r := rows.only(t); r.Ending != tt.ending || r.ID == "" || r.RequestID != "r1" {
				t.Errorf("record %+v, want %s", r, tt.ending)
			}
			if n := p.roads["a"].core.inFlight.Load(); n != 0 {
				t.Errorf("%d calls still in flight", n)
			}
		})
	}
}

// consume reads an answer as a face does, and settles more than once.
func consume(p *Pipeline, ctx context.Context, call *Call) { //nolint:revive // p is the subject
	a, err := p.Do(ctx, call)
	if err != nil {
		return
	}
	defer a.Settle(Outcome{Ending: EndError})
	outcome := Outcome{Ending: EndOK}
	if a.Body != nil {
		if _, err := io.Copy(io.Discard, a.Body); err != nil {
			outcome.Ending = asError(err).ending()
		}
		_ = a.Body.Close()
	}
	a.Settle(outcome)
	a.Settle(outcome)
}

// AC-7, CA-10: a hit costs nothing, what it saved is told; its headers say how it was found.
func TestACacheHitReachesNoBackendAndCostsNothing(t *testing.T) {
	b, rows, ck := proxytest.New(t), &ledger{}, proxytest.NewClock()
	p := single(t, b, BackendConfig{}, Deps{Recorder: rows, Now: ck.Now})
	call := post("a", `{}`)
	call.Price = &Price{Input: 2, Output: 10, Version: "v1"}
	call.Policies = &Policies{}
	entry := &CacheEntry{Status: 200, Header: http.Header{"Content-Type": {"application/json"}, "X-Drawbridge-Backend": {"old"}},
		Usage: Usage{Input: 100, Output: 10}, Created: ck.Now().Add(-90 * time.Second)}
	call.Policies.ByPhase[PhaseCache] = []Policy{&witness{answer: entry}}
	a, err := p.Do(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"X-Drawbridge-Cache": "hit", "Age": "90", "X-Drawbridge-Attempts": "0", "X-Drawbridge-Backend": "", "Content-Type": "application/json"}
	for name, value := range want {
		if got := a.Header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	a.Settle(Outcome{Ending: EndOK, Usage: Usage{Input: 100, Output: 10, Source: UsageProvider}})
	r := rows.only(t)
	if r.CostMicro != 0 || r.SavedMicro != 300 || r.Usage != (Usage{Source: UsageCache}) || r.Cache != "hit" || r.Status != 200 || r.Attempts != 0 {
		t.Errorf("record: %+v", r)
	}
	if b.Count() != 0 {
		t.Error("the backend was asked")
	}
}

// What is answered where the call was made goes under the policies like any other and is not sent. The ledger has rows of
// what reached a backend or a cache, and of refusals (operations.md §6).
func TestALocalCallIsJudgedAndNotSent(t *testing.T) {
	b, rows := proxytest.New(t), &ledger{}
	p := single(t, b, BackendConfig{}, Deps{Recorder: rows})
	for _, refuse := range []bool{false, true} {
		w := &witness{}
		if refuse {
			w.refuse = &Error{Kind: Refused, Code: "rate_limited", Status: 429}
		}
		call := &Call{Surface: MCP, Endpoint: "find_tools", Server: "s", Tool: "find_tools", Local: true, Policies: &Policies{}}
		call.Policies.ByPhase[PhaseCalls] = []Policy{w}
		a, err := p.Do(t.Context(), call)
		if (err != nil) != refuse {
			t.Fatalf("refused %v: %v", refuse, err)
		}
		if a != nil {
			a.Settle(Outcome{Ending: EndOK, Status: a.Status})
		}
	}
	if r := rows.only(t); r.Tool != "find_tools" || r.Ending != EndRefused || b.Count() != 0 {
		t.Errorf("record %+v, sent %d", r, b.Count())
	}
}

// CB-2: millionths, rounded half-even once; cached and cache-creation tokens are parts of the input.
func TestCostIsRoundedOnceAndCountsPartsOnce(t *testing.T) {
	tests := []struct {
		price Price
		usage Usage
		want  int64
	}{
		{Price{Input: 2.5, CachedInput: 1.25, Output: 10}, Usage{Input: 100, Cached: 40, Output: 10, Reasoning: 5}, 150 + 50 + 100},
		{Price{Input: 2.5, Output: 10}, Usage{Input: 100, Cached: 40}, 250},
		{Price{Input: 2, CacheWrite: 3, Output: 1}, Usage{Input: 100, CacheWrite: 10}, 180 + 30},
		{Price{Input: 0.5}, Usage{Input: 1}, 0},
		{Price{Input: 0.5}, Usage{Input: 3}, 2},
	}
	for _, tt := range tests {
		if got := tt.price.CostMicro(tt.usage); got != tt.want {
			t.Errorf("%+v at %+v costs %d, want %d", tt.usage, tt.price, got, tt.want)
		}
	}
	if got := (*Price)(nil).CostMicro(Usage{Input: 5}); got != 0 {
		t.Errorf("unpriced costs %d", got)
	}
}

// TO-6: the caller's leaving closes the exchange with the backend.
func TestTheCallersLeavingStopsTheBackend(t *testing.T) {
	b := proxytest.New(t, proxytest.Step{Header: map[string]string{"Content-Type": "text/event-stream"}, Chunks: []string{"data: 1\n\n"}, Stall: true})
	p := single(t, b, BackendConfig{}, Deps{})
	a := must(t, p, post("a", `{}`))
	buf := make([]byte, 100)
	if _, err := a.Body.Read(buf); err != nil {
		t.Fatal(err)
	}
	done(a)
	b.AwaitGone(1)
}
