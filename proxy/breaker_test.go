package proxy

import (
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

func ruleOf(t testing.TB, c *BreakerConfig) breakerRule {
	t.Helper()
	rule, err := newBreakerRule(c, false)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

func enter(t *testing.T, b *breaker, now time.Time) pass {
	t.Helper()
	p, _, ok := b.enter(now)
	if !ok {
		t.Fatal("the breaker is open")
	}
	return p
}

func isOpen(b *breaker, now time.Time) bool { ok, _ := b.ready(now); return !ok }

// BR-1, BR-3: the N-th failure inside the interval opens; older ones do not count.
func TestTheNthFailureInsideTheIntervalOpens(t *testing.T) {
	b, now := newBreaker(ruleOf(t, nil)), proxytest.NewClock().Now()
	for _, after := range []time.Duration{0, 3, 3, 3, 2} { // the first has left when the fifth comes
		now = now.Add(after * time.Second)
		enter(t, b, now).fail(now, 0)
	}
	if isOpen(b, now) {
		t.Fatal("open after 4 failures in 10 s")
	}
	enter(t, b, now).fail(now, 0)
	if !isOpen(b, now) {
		t.Fatal("closed after 5 failures in 10 s")
	}
}

// BR-2: a share opens only with enough calls.
func TestAShareOpensWithEnoughCalls(t *testing.T) {
	b, now := newBreaker(ruleOf(t, &BreakerConfig{Percentage: 50})), proxytest.NewClock().Now()
	for i := range 9 {
		if p := enter(t, b, now); i%2 == 0 {
			p.fail(now, 0)
		}
	}
	if isOpen(b, now) {
		t.Fatal("open after 9 calls")
	}
	enter(t, b, now).fail(now, 0)
	if !isOpen(b, now) {
		t.Fatal("closed at 6 of 10")
	}
}

// BR-6: the told wait replaces trip, clamped.
func TestTheToldWaitReplacesTrip(t *testing.T) {
	tests := []struct{ told, want time.Duration }{
		{0, 30 * time.Second}, {time.Millisecond, 100 * time.Millisecond}, {7 * time.Second, 7 * time.Second}, {time.Hour, 10 * time.Minute},
	}
	for _, tt := range tests {
		b, now := newBreaker(ruleOf(t, &BreakerConfig{Failures: 1, RetryAfter: true})), proxytest.NewClock().Now()
		enter(t, b, now).fail(now, tt.told)
		if _, wait := b.ready(now); wait != tt.want {
			t.Errorf("told %v: open for %v, want %v", tt.told, wait, tt.want)
		}
	}
	b, now := newBreaker(ruleOf(t, &BreakerConfig{Failures: 1})), proxytest.NewClock().Now()
	enter(t, b, now).fail(now, time.Second)
	if _, wait := b.ready(now); wait != 30*time.Second {
		t.Errorf("retry_after false: open for %v", wait)
	}
}

// BR-8: exactly one probe; success closes and forgets; failure opens again; a caller that left decides nothing.
func TestHalfOpenLetsExactlyOneProbeThrough(t *testing.T) {
	b, now := newBreaker(ruleOf(t, &BreakerConfig{Failures: 2})), proxytest.NewClock().Now()
	enter(t, b, now).fail(now, 0)
	enter(t, b, now).fail(now, 0)
	now = now.Add(30 * time.Second)
	probe := enter(t, b, now)
	if !probe.probe || !isOpen(b, now) {
		t.Fatal("a second request would pass beside the probe")
	}
	probe.undecided()
	probe = enter(t, b, now)
	probe.fail(now, 0)
	if _, wait := b.ready(now); wait != 30*time.Second {
		t.Fatalf("after a failed probe open for %v", wait)
	}
	now = now.Add(30 * time.Second)
	enter(t, b, now).succeed(now)
	enter(t, b, now).fail(now, 0)
	if isOpen(b, now) {
		t.Error("old failures were not forgotten")
	}
}

// PL-8: closed for less than 3 s, a second opening may not be shorter than the first.
func TestASecondOpeningSoonAfterMayNotBeShorter(t *testing.T) {
	b, now := newBreaker(ruleOf(t, &BreakerConfig{Failures: 1, RetryAfter: true})), proxytest.NewClock().Now()
	enter(t, b, now).fail(now, 20*time.Second)
	now = now.Add(20 * time.Second)
	enter(t, b, now).succeed(now)
	now = now.Add(2 * time.Second)
	enter(t, b, now).fail(now, time.Second)
	if _, wait := b.ready(now); wait != 20*time.Second {
		t.Errorf("open for %v, want 20s", wait)
	}
	now = now.Add(20 * time.Second)
	enter(t, b, now).succeed(now)
	now = now.Add(4 * time.Second)
	enter(t, b, now).fail(now, time.Second)
	if _, wait := b.ready(now); wait != time.Second {
		t.Errorf("open for %v, want 1s", wait)
	}
}

// RE-5: three tries a second are free, more need calls.
func TestTheRetryBudgetIsATenthOfCalls(t *testing.T) {
	b, now := newBudget(), proxytest.NewClock().Now()
	for i := range 3 {
		if !b.take(now) {
			t.Fatalf("try %d was not free", i)
		}
	}
	if b.take(now) {
		t.Fatal("a fourth try in one second")
	}
	for range 60 {
		b.call(now)
	}
	taken := 0
	for b.take(now) {
		taken++
	}
	if taken != 3 {
		t.Errorf("%d more with 60 calls, want 3 (6 in all)", taken)
	}
}

// BR-6: every form of the wait that an answer may tell, and hostile ones.
func TestToldWaits(t *testing.T) {
	now := proxytest.NewClock().Now()
	tests := []struct {
		ms, after string
		want      time.Duration
	}{
		{"", "", 0}, {"", "7", 7 * time.Second}, {"1500", "7", 1500 * time.Millisecond}, {"x", "0.5", 500 * time.Millisecond},
		{"", now.Add(9 * time.Second).Format("Mon, 02 Jan 2006 15:04:05 GMT"), 9 * time.Second}, {"", "soon", 0}, {"", "-5", 0},
		{"", "1e300", 24 * time.Hour}, {"NaN", "", 0}, {"", "NaN", 0}, {"Inf", "", 24 * time.Hour},
	}
	for _, tt := range tests {
		h := map[string][]string{"Retry-After-Ms": {tt.ms}, "Retry-After": {tt.after}}
		if got := toldWait(h, now); got != tt.want {
			t.Errorf("%q, %q: %v, want %v", tt.ms, tt.after, got, tt.want)
		}
	}
}

// FuzzToldWait: whatever a backend says, the wait is never negative and never more than what a date can tell.
func FuzzToldWait(f *testing.F) {
	for _, s := range []string{"7", "0.5", "-1", "1e309", "NaN", "Fri, 20 Nov 2026 12:00:00 GMT", ""} {
		f.Add(s, s)
	}
	now := proxytest.NewClock().Now()
	f.Fuzz(func(t *testing.T, ms, after string) {
		if wait := toldWait(map[string][]string{"Retry-After-Ms": {ms}, "Retry-After": {after}}, now); wait < 0 {
			t.Errorf("%q, %q: %v", ms, after, wait)
		}
	})
}
