package policy

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

// RL-7: in any interval of the length, to one slot, no more calls are admitted than the limit says; and a refused call
// that waits as told gets through when nobody else comes.
func TestNoIntervalAdmitsMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ck := proxytest.NewClock()
		per := time.Duration(rapid.IntRange(1, 3600).Draw(rt, "per")) * time.Second
		most := rapid.Int64Range(1, 20).Draw(rt, "calls")
		p := compiled(t, newTestEnv(t, Deps{Now: ck.Now}), product, Entry{RateLimit: &RateLimit{Calls: most, Per: per}})
		var admitted []time.Time
		for range rapid.IntRange(1, 80).Draw(rt, "n") {
			ck.Advance(time.Duration(rapid.Int64Range(0, int64(per)/4).Draw(rt, "gap")))
			v, err := admit(t, p, proxy.PhaseCalls, keyed("a"))
			if err == nil {
				admitted = append(admitted, ck.Now())
				v.Hold.Settle(proxy.Outcome{Ending: proxy.EndOK})
				continue
			}
			if err.RetryAfter <= 0 || err.RetryAfter > per {
				rt.Fatalf("told to wait %v of %v", err.RetryAfter, per)
			}
			if rapid.Bool().Draw(rt, "obey") {
				ck.Advance(err.RetryAfter)
				if _, err := admit(t, p, proxy.PhaseCalls, keyed("a")); err != nil {
					rt.Fatalf("refused after the wait told: %+v", err)
				}
				admitted = append(admitted, ck.Now())
			}
		}
		slot := per / windowSlots
		for i := range admitted {
			n := int64(0)
			for _, at := range admitted[i:] {
				if at.Sub(admitted[i]) < per-slot {
					n++
				}
			}
			if n > most {
				rt.Fatalf("%d calls within %v, limit %d", n, per, most)
			}
		}
	})
}

// TL-7, TL-9, TL-10: after any mix of reservations and settlements the counter holds exactly what stands, it never falls
// below 0, and reservations alone never exceed the limit.
func TestReservationsAndSettlementsAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ck := proxytest.NewClock()
		env := newTestEnv(t, Deps{Now: ck.Now})
		most := rapid.Int64Range(100, 2000).Draw(rt, "limit")
		p := compiled(t, env, product, Entry{TokenQuota: &TokenQuota{Tokens: most, Per: "year"}})
		counter := counterOf(env, p, 0)
		type open struct {
			v    proxy.Verdict
			need int64
		}
		var flying []open
		settled, reserved := int64(0), int64(0)
		for range rapid.IntRange(1, 60).Draw(rt, "n") {
			if len(flying) > 0 && rapid.Bool().Draw(rt, "settle") {
				one := flying[0]
				flying = flying[1:]
				real := rapid.IntRange(0, 3000).Draw(rt, "used")
				one.v.Hold.Settle(used(real, 0))
				one.v.Hold.Settle(used(5, 5))
				settled += int64(real)
				reserved -= one.need
			} else {
				prompt, completion := rapid.IntRange(1, 500).Draw(rt, "prompt"), rapid.IntRange(1, 500).Draw(rt, "completion")
				v, err := admit(t, p, proxy.PhaseTokens, tokensCall("a", prompt, completion))
				need := int64(prompt + completion)
				if int64(prompt) <= most {
					need = min(need, most)
				}
				fits := settled+reserved+need <= most
				if (err == nil) != fits {
					rt.Fatalf("admitted=%v with %d+%d of %d", err == nil, settled+reserved, need, most)
				}
				if err == nil {
					flying = append(flying, open{v, need})
					reserved += need
				}
			}
			if counter.sum != settled+reserved {
				rt.Fatalf("counter %d, want %d", counter.sum, settled+reserved)
			}
		}
	})
}

// counterOf is the counter of subscription a at a token policy.
func counterOf(env *Env, p *proxy.Policies, index int) *counter {
	l := p.ByPhase[proxy.PhaseTokens][index].(*limit) //nolint:errcheck,forcetypeassert // it is one
	return env.deps.Counters.get(counterKey{l.place, "sa"}, l.sliding())
}

// TL-9: concurrent calls never overshoot by racing.
func TestConcurrentCallsNeverOvershoot(t *testing.T) {
	ck := proxytest.NewClock()
	env := newTestEnv(t, Deps{Now: ck.Now})
	p := compiled(t, env, product,
		Entry{TokenLimit: &TokenLimit{TokensPerMinute: 1000}}, Entry{TokenQuota: &TokenQuota{Tokens: 900, Per: "day"}},
		Entry{TokenLimit: &TokenLimit{TokensPerMinute: 5000, Key: `"all"`}})
	var wg sync.WaitGroup
	var mu sync.Mutex
	admitted := 0
	for i := range 64 {
		wg.Go(func() {
			call := tokensCall("a", 20, 10)
			call.Prompt.Exact = func() int { return 15 }
			batch := p.ByPhase[proxy.PhaseTokens]
			if i%2 == 1 { // the other order of locks
				batch = []proxy.Policy{batch[2], batch[1], batch[0]}
			}
			v, err := batch[0].(proxy.Batcher).AdmitAll(t.Context(), call, batch) //nolint:errcheck,forcetypeassert // it is one
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if admitted++; i%3 == 0 {
				admitted--
				v.Hold.Settle(proxy.Outcome{Ending: proxy.EndUpstreamError})
			}
		})
	}
	wg.Wait()
	if sum := counterOf(env, p, 1).sum; sum > 900 || sum < int64(admitted)*25 {
		t.Errorf("counter at %d with %d calls in flight", sum, admitted)
	}
}

// CT-3: memory is bounded; idle counters leave first.
func TestCountersAreBounded(t *testing.T) {
	c := newCounters(shards * 4)
	for i := range shards * 100 {
		c.get(counterKey{"p", fmt.Sprint(i)}, true)
	}
	if n := c.Len(); n > shards*4 {
		t.Errorf("%d counters live, want at most %d", n, shards*4)
	}
}

// PX-16: counters survive a reload when position and key are the same; a changed amount applies to the same counter.
func TestCountersSurviveAReload(t *testing.T) {
	counters := NewCounters()
	for round, most := range []int64{2, 2, 3} {
		p := compiled(t, newTestEnv(t, Deps{Counters: counters}), product, Entry{RateLimit: &RateLimit{Calls: most}})
		if _, err := admit(t, p, proxy.PhaseCalls, keyed("a")); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
	}
}

// PX-16: another kind, window or key expression at the same position is another counter.
func TestAnotherPolicyAtTheSamePositionStartsAnew(t *testing.T) {
	counters := NewCounters()
	for i, e := range []Entry{
		{RateLimit: &RateLimit{Calls: 1}}, {RateLimit: &RateLimit{Calls: 1, Per: time.Hour}}, {Quota: &Quota{Calls: 1, Per: "day"}},
		{Quota: &Quota{Calls: 1, Per: "hour"}}, {Quota: &Quota{Calls: 1, Per: "hour", Key: `subscription.id`}},
	} {
		p := compiled(t, newTestEnv(t, Deps{Counters: counters}), product, e)
		if _, err := admit(t, p, proxy.PhaseCalls, keyed("a")); err != nil {
			t.Errorf("policy %d: %v", i, err)
		}
	}
}

// CT-1: two entries share a counter only when both have the same id and say shared; scopes never share by position.
func TestWhichPoliciesShareACounter(t *testing.T) {
	limit := func(shared bool) RateLimit { return RateLimit{Calls: 1, Shared: shared} }
	one, two := limit(true), limit(false)
	tests := []struct {
		name   string
		a, b   Entry
		shared bool
	}{
		{"same position", Entry{RateLimit: &two}, Entry{RateLimit: &two}, false},
		{"same id", Entry{ID: "x", RateLimit: &two}, Entry{ID: "x", RateLimit: &two}, false},
		{"same id, shared", Entry{ID: "x", RateLimit: &one}, Entry{ID: "x", RateLimit: &one}, true},
	}
	for _, tt := range tests {
		env := newTestEnv(t, Deps{})
		a, b := compiled(t, env, product, tt.a), compiled(t, env, Scope{Product, "team-b"}, tt.b)
		_, _ = admit(t, a, proxy.PhaseCalls, keyed("s"))
		if _, err := admit(t, b, proxy.PhaseCalls, keyed("s")); (err != nil) != tt.shared {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// CT-2: subscription, else caller, else address, an IPv6 one by its /64; long keys are hashed.
func TestDefaultKeys(t *testing.T) {
	call := func(sub, subject, ip string) *proxy.Call {
		c := keyed(sub)
		c.Caller.Subject, c.Request.IP = subject, ip
		return c
	}
	tests := []struct {
		call *proxy.Call
		want string
	}{
		{call("s1", "u", "1.2.3.4"), "ss1"}, {call("", "u", "1.2.3.4"), "cu"}, {call("", "", "1.2.3.4"), "i1.2.3.4"},
		{call("", "", "2001:db8:1:2:3:4:5:6"), "i2001:db8:1:2::/64"}, {call("", "", "::ffff:1.2.3.4"), "i1.2.3.4"},
	}
	for _, tt := range tests {
		if got := defaultKey(tt.call); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	long := make([]byte, 300)
	if got := shortKey(string(long)); len(got) > 80 {
		t.Errorf("long key stays %d bytes", len(got))
	}
}
