package policy

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

// decisions records what an Observer is told.
type decisions struct{ list []string }

func (d *decisions) Decision(policy, decision string) { d.list = append(d.list, policy+" "+decision) }
func (d *decisions) CacheResult(policy, result string) {
	d.list = append(d.list, policy+" cache "+result)
}

func newTestEnv(t testing.TB, deps Deps) *Env {
	t.Helper()
	if deps.Log == nil {
		deps.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	env, err := NewEnv(deps)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func compiled(t testing.TB, env *Env, scope Scope, entries ...Entry) *proxy.Policies {
	t.Helper()
	p, faults := Compile(entries, scope, env)
	for _, f := range faults {
		t.Errorf("fault: %+v", f)
	}
	if len(faults) > 0 {
		t.FailNow()
	}
	return p
}

// admit runs one phase as the pipeline does.
func admit(t testing.TB, p *proxy.Policies, phase proxy.Phase, call *proxy.Call) (proxy.Verdict, *proxy.Error) {
	t.Helper()
	list := p.ByPhase[phase]
	var v proxy.Verdict
	var err error
	if b, ok := list[0].(proxy.Batcher); ok {
		v, err = b.AdmitAll(t.Context(), call, list)
	} else {
		for _, one := range list {
			if v, err = one.Admit(t.Context(), call); err != nil {
				break
			}
		}
	}
	if err == nil {
		return v, nil
	}
	var e *proxy.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T: %v", err, err)
	}
	return v, e
}

func keyed(id string) *proxy.Call {
	return &proxy.Call{Surface: proxy.LLM, Model: "m", Caller: identity.Caller{
		Kind: identity.Key, Subscription: identity.Subscription{ID: id, Name: id, Product: "p"},
	}}
}

func tokensCall(id string, bound, completion int) *proxy.Call {
	c := keyed(id)
	c.Prompt = proxy.Prompt{Bound: bound, Completion: completion}
	return c
}

func used(in, out int) proxy.Outcome {
	return proxy.Outcome{Ending: proxy.EndOK, Usage: proxy.Usage{Input: in, Output: out, Source: proxy.UsageProvider}}
}

func headers(v proxy.Verdict) http.Header {
	h := http.Header{}
	v.Hold.Header(h)
	return h
}

var product = Scope{Product, "team-a"}

// PO-1, PO-2: every fault of a list is found, with its path and the place inside the expression.
func TestFaultsOfAListAreAllFoundWithTheirPlaces(t *testing.T) {
	env := newTestEnv(t, Deps{Target: func(name string) bool { return name == "known" }})
	entries := []Entry{
		{},
		{RateLimit: &RateLimit{Calls: 1}, Quota: &Quota{Calls: 1, Per: "day"}},
		{RateLimit: &RateLimit{Calls: 0, Per: 25 * time.Hour}},
		{RateLimit: &RateLimit{Calls: 1, Key: "caller.subjct"}},
		{When: `caller.name`, Quota: &Quota{Calls: 1, Per: "fortnight"}},
		{Route: &Route{To: "unknown"}},
		{SetHeader: &SetHeader{Name: "X_Api_Key", Value: `"x"`}},
		{RemoveHeader: &RemoveHeader{Name: "x-req*", On: "response"}},
		{Require: &Require{That: "true", Status: 500}},
		{MaxTokens: &MaxTokens{Cap: "10", Default: "20"}},
		{SemanticCache: &Unbuilt{}},
		{RateLimit: &RateLimit{Calls: 1, Shared: true}},
		{Require: &Require{That: `response.status == 200`}},
	}
	_, faults := Compile(entries, product, env)
	want := []string{
		"[0]", "[1]", "[2].rate_limit.calls", "[2].rate_limit.per", "[3].rate_limit.key", "[4].when", "[4].quota.per",
		"[5].route.to", "[6].set_header.name", "[7].remove_header.name", "[8].require.status", "[9].max_tokens.default",
		"[10].semantic_cache", "[11].rate_limit.shared", "[12].require.that",
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.Path)
		if f.Path == "[3].rate_limit.key" && f.Offset != len("caller") {
			t.Errorf("offset = %d (%s)", f.Offset, f.Message)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("faults:\n%s\nwant:\n%s\n%+v", strings.Join(got, "\n"), strings.Join(want, "\n"), faults)
	}
}

// RL-1, RL-7, RL-8: no more than the limit in an interval, and the wait told is the one that helps.
func TestRateLimitAdmitsSoManyCallsAndTellsTheWait(t *testing.T) {
	ck := proxytest.NewClock()
	p := compiled(t, newTestEnv(t, Deps{Now: ck.Now}), product, Entry{RateLimit: &RateLimit{Calls: 2, Per: time.Minute}})
	for range 2 {
		v, err := admit(t, p, proxy.PhaseCalls, keyed("a"))
		if err != nil {
			t.Fatal(err)
		}
		v.Hold.Settle(proxy.Outcome{Ending: proxy.EndOK})
		ck.Advance(20 * time.Second)
	}
	_, err := admit(t, p, proxy.PhaseCalls, keyed("a"))
	if err == nil || err.Status != 429 || err.Code != "rate_limit_exceeded" || err.Type != "requests" {
		t.Fatalf("third call: %+v", err)
	}
	if err.RetryAfter != 20*time.Second || !strings.Contains(err.Msg, "Try again in 20 seconds.") {
		t.Errorf("wait = %v, %s", err.RetryAfter, err.Msg)
	}
	if got := err.Header.Get("X-Ratelimit-Remaining-Requests"); got != "0" {
		t.Errorf("remaining = %q", got) // RL-9
	}
	if _, err := admit(t, p, proxy.PhaseCalls, keyed("b")); err != nil {
		t.Errorf("another subscription: %v", err) // CT-2
	}
	ck.Advance(err.RetryAfter)
	if _, err := admit(t, p, proxy.PhaseCalls, keyed("a")); err != nil {
		t.Errorf("after the wait told: %v", err)
	}
}

// RL-6: refused calls do not count.
func TestRefusedCallsDoNotCount(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product, Entry{RateLimit: &RateLimit{Calls: 1}})
	v, _ := admit(t, p, proxy.PhaseCalls, keyed("a"))
	v.Hold.Settle(proxy.Outcome{Ending: proxy.EndRefused})
	if _, err := admit(t, p, proxy.PhaseCalls, keyed("a")); err != nil {
		t.Errorf("after a refusal elsewhere: %v", err)
	}
}

// ER-24: the quota before the rate; ER-10: 403 with x-should-retry false and no milliseconds.
func TestTheQuotaIsToldBeforeTheRate(t *testing.T) {
	ck := proxytest.NewClock()
	p := compiled(t, newTestEnv(t, Deps{Now: ck.Now}), product,
		Entry{RateLimit: &RateLimit{Calls: 1}}, Entry{Quota: &Quota{Calls: 1, Per: "day"}})
	_, _ = admit(t, p, proxy.PhaseCalls, keyed("a"))
	_, err := admit(t, p, proxy.PhaseCalls, keyed("a"))
	if err == nil || err.HTTPStatus() != 403 || err.Code != "quota_exceeded" || err.Type != "insufficient_quota" {
		t.Fatalf("got %+v", err)
	}
	h := http.Header{}
	err.WriteHeader(h)
	if h.Get("Retry-After") != "43200" || h.Get("X-Should-Retry") != "false" || h.Get("Retry-After-Ms") != "" {
		t.Errorf("headers: %v", h)
	}
}

// TL-8, TL-10, TL-14: reserve, settle, the difference is free at once, the header tells the settled number.
func TestTokensAreReservedAndSettled(t *testing.T) {
	ck := proxytest.NewClock()
	p := compiled(t, newTestEnv(t, Deps{Now: ck.Now}), product, Entry{TokenLimit: &TokenLimit{TokensPerMinute: 1000}})
	v, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", 100, 500))
	if err != nil {
		t.Fatal(err)
	}
	if got := headers(v).Get("X-Ratelimit-Remaining-Tokens"); got != "400" {
		t.Errorf("reserved: %s left, want 400", got)
	}
	v.Hold.Settle(used(80, 20))
	v.Hold.Settle(used(900, 900)) // once only
	if got := headers(v); got.Get("X-Ratelimit-Remaining-Tokens") != "900" || got.Get("X-Ratelimit-Limit-Tokens") != "1000" {
		t.Errorf("settled: %v", got)
	}
}

// TL-9: what one answer used beyond its reservation is charged and delays later calls. TL-13: the text.
func TestOvershootIsChargedAndDelaysLaterCalls(t *testing.T) {
	ck := proxytest.NewClock()
	p := compiled(t, newTestEnv(t, Deps{Now: ck.Now}), product, Entry{TokenLimit: &TokenLimit{TokensPerMinute: 1000}})
	v, _ := admit(t, p, proxy.PhaseTokens, tokensCall("a", 100, 100))
	v.Hold.Settle(used(100, 1400))
	ck.Advance(53 * time.Second)
	_, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", 100, 80))
	if err == nil || err.Msg != "Token limit of 1000 per minute reached: 180 needed, 0 left. Try again in 7 seconds." {
		t.Fatalf("got %+v", err)
	}
	if err.Type != "tokens" || err.HTTPStatus() != 429 {
		t.Errorf("got %+v", err)
	}
}

// TL-8: a large cap cannot lock a caller out. TL-12, ER-9: a prompt larger than the limit is told not to come again.
func TestALargeCapIsLoweredAndALargePromptRefused(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product, Entry{TokenLimit: &TokenLimit{TokensPerMinute: 1000}})
	if _, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", 100, 1_000_000)); err != nil {
		t.Errorf("large cap: %v", err)
	}
	_, err := admit(t, p, proxy.PhaseTokens, tokensCall("b", 1001, 1))
	if err == nil || err.Code != "request_too_large_for_limit" || !err.NoRetry || err.RetryAfter != 0 {
		t.Errorf("large prompt: %+v", err)
	}
}

// TL-11: a refusal is never caused by a bound: ours and those in flight are replaced by exact counts first.
func TestBoundsAreReplacedByCountsBeforeARefusal(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product, Entry{TokenLimit: &TokenLimit{TokensPerMinute: 1000}})
	counts := 0
	call := func() *proxy.Call {
		c := tokensCall("a", 400, 50)
		c.Prompt.Exact = func() int { counts++; return 100 }
		return c
	}
	for i := range 2 {
		if _, err := admit(t, p, proxy.PhaseTokens, call()); err != nil || counts != 0 {
			t.Fatalf("call %d: %v, %d counts", i, err, counts)
		}
	}
	v, err := admit(t, p, proxy.PhaseTokens, call())
	if err != nil || counts != 3 {
		t.Fatalf("third call: %v after %d counts, want 3", err, counts)
	}
	h := headers(v)
	if h.Get("X-Ratelimit-Remaining-Tokens") != "550" || h.Get("X-Drawbridge-Estimated-Tokens") != "100" { // TL-19
		t.Errorf("headers: %v", h)
	}
}

// TL-3: estimate_prompt false reserves nothing; one oversized call passes and later ones wait.
func TestWithoutEstimateOnlyReportedUsageCounts(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product,
		Entry{TokenLimit: &TokenLimit{TokensPerMinute: 100, EstimatePrompt: EstimateNone}})
	v, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", 5000, 5000))
	if err != nil {
		t.Fatal(err)
	}
	v.Hold.Settle(used(3000, 10))
	if _, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", 1, 1)); err == nil {
		t.Error("a used-up limit let a call pass")
	}
}

// TL-4: what counts may be an expression over tokens.
func TestWhatCountsMayBeAnExpression(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product,
		Entry{TokenLimit: &TokenLimit{TokensPerMinute: 1000, Count: "tokens.total - tokens.cached"}})
	v, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", 100, 100))
	if err != nil {
		t.Fatal(err)
	}
	o := used(100, 10)
	o.Usage.Cached = 90
	v.Hold.Settle(o)
	if got := headers(v).Get("X-Ratelimit-Remaining-Tokens"); got != "980" {
		t.Errorf("left %s, want 980", got)
	}
}

// TL-6: shadow decides and records, and never refuses.
func TestShadowNeverRefuses(t *testing.T) {
	seen := &decisions{}
	p := compiled(t, newTestEnv(t, Deps{Observer: seen}), product,
		Entry{TokenLimit: &TokenLimit{TokensPerMinute: 10, Shadow: true}})
	if _, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", 100, 100)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(seen.list, ","), "shadow") {
		t.Errorf("decisions: %v", seen.list)
	}
}

// PX-13: a refusal by one leaves every counter as it was.
func TestTokensReserveAllOrNone(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product,
		Entry{TokenLimit: &TokenLimit{TokensPerMinute: 1000}}, Entry{TokenQuota: &TokenQuota{Tokens: 100, Per: "day"}})
	_, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", 150, 10))
	if err == nil || err.Code != "token_quota_exceeded" || err.HTTPStatus() != 403 {
		t.Fatalf("got %+v", err)
	}
	if got := err.Header.Get("X-Ratelimit-Remaining-Tokens"); got != "1000" {
		t.Errorf("token limit left %s after a refusal by the quota, want 1000", got)
	}
}

// AC-6, AC-7: nothing generated, nothing charged.
func TestWithoutUsageTheReservationIsReturned(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product, Entry{TokenQuota: &TokenQuota{Tokens: 100, Per: "day"}})
	for _, o := range []proxy.Outcome{{Ending: proxy.EndUpstreamError}, {Ending: proxy.EndError}, {Ending: proxy.EndRefused}} {
		v, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", 60, 40))
		if err != nil {
			t.Fatalf("%s: %v", o.Ending, err)
		}
		v.Hold.Settle(o)
	}
}

// CB-1, CB-5: a budget over money.
func TestABudgetRefusesWhenTheMoneyIsSpent(t *testing.T) {
	seen := &decisions{}
	p := compiled(t, newTestEnv(t, Deps{Observer: seen}), product, Entry{CostBudget: &CostBudget{Amount: 0.01, Per: "month"}})
	call := tokensCall("a", 100, 100)
	call.Price = &proxy.Price{Input: 10, Output: 10}
	v, err := admit(t, p, proxy.PhaseTokens, call)
	if err != nil {
		t.Fatal(err)
	}
	v.Hold.Settle(used(500, 450)) // 9500 millionths of 10000
	if _, err = admit(t, p, proxy.PhaseTokens, call); err == nil || err.Code != "budget_exceeded" {
		t.Errorf("got %+v", err)
	}
	if !strings.Contains(strings.Join(seen.list, ","), "warned") {
		t.Errorf("no warning at 95 %%: %v", seen.list)
	}
}

// RL-10: windows begin at the UTC boundary, weeks on Monday.
func TestCalendarWindowsFollowTheCalendar(t *testing.T) {
	tests := []struct{ unit, now, start, end string }{
		{"hour", "2026-11-20T12:34:56Z", "2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"},
		{"day", "2024-02-28T23:59:59Z", "2024-02-28T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"week", "2026-11-20T12:00:00Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"week", "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"week", "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"},
		{"month", "2024-02-29T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
		{"year", "2024-12-31T23:59:59Z", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"},
	}
	for _, tt := range tests {
		w := window{unit: tt.unit}
		now, _ := time.Parse(time.RFC3339, tt.now)
		start := w.start(now)
		if got := start.Format(time.RFC3339); got != tt.start {
			t.Errorf("%s of %s starts %s, want %s", tt.unit, tt.now, got, tt.start)
		}
		if got := w.end(start.Unix()).Format(time.RFC3339); got != tt.end {
			t.Errorf("%s of %s ends %s, want %s", tt.unit, tt.now, got, tt.end)
		}
	}
}

// TQ-3: a call that ends after a boundary is charged to the window in which it was admitted.
func TestUsageBelongsToTheWindowOfAdmission(t *testing.T) {
	ck := proxytest.NewClock()
	p := compiled(t, newTestEnv(t, Deps{Now: ck.Now}), product, Entry{TokenQuota: &TokenQuota{Tokens: 100, Per: "hour"}})
	late, _ := admit(t, p, proxy.PhaseTokens, tokensCall("a", 50, 40))
	ck.Advance(time.Hour)
	v, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", 10, 10))
	if err != nil {
		t.Fatal(err)
	}
	late.Hold.Settle(used(5000, 5000))
	if got := headers(v).Get("X-Drawbridge-Quota-Remaining-Tokens"); got != "80" {
		t.Errorf("new window has %s left, want 80", got) // TQ-4
	}
}

// PX-14: a key that cannot be evaluated refuses; a when that fails counts as true for limits and false for headers.
func TestExpressionsThatFailDoNotLetCallsPass(t *testing.T) {
	env := newTestEnv(t, Deps{})
	broken := `caller.claims["department"] == "x"`
	p := compiled(t, env, product,
		Entry{RateLimit: &RateLimit{Calls: 1, Key: `string(caller.claims["department"])`}},
		Entry{When: broken, Require: &Require{That: "false"}},
		Entry{When: broken, SetHeader: &SetHeader{Name: "X-Team", Value: `"a"`}})
	if _, err := admit(t, p, proxy.PhaseCalls, keyed("a")); err == nil || err.Code != "policy_error" || err.HTTPStatus() != 500 {
		t.Errorf("key: %+v", err)
	}
	if _, err := admit(t, p, proxy.PhaseShape, keyed("a")); err == nil || err.Code != "policy_refused" {
		t.Errorf("require: %+v", err)
	}
	only := compiled(t, env, product, Entry{When: broken, SetHeader: &SetHeader{Name: "X-Team", Value: `"a"`}})
	call := keyed("a")
	if _, err := admit(t, only, proxy.PhaseShape, call); err != nil || call.Shape.Header != nil {
		t.Errorf("set_header: %v, %v", err, call.Shape.Header)
	}
}
