package proxy

import (
	"fmt"
	"math/bits"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

type shape struct {
	weight, priority int
	region           string
}

// pooled makes a pool of backends that nobody calls.
func pooled(t testing.TB, region, balance string, members ...shape) *target {
	t.Helper()
	cfg := Config{Region: region, Pools: []PoolConfig{{Name: "pool", Balance: balance}}}
	for i, m := range members {
		name := fmt.Sprintf("b%d", i)
		cfg.Backends = append(cfg.Backends, BackendConfig{Name: name, URL: "http://" + name + ".test", Region: m.region,
			Breaker: &BreakerConfig{Failures: 1}})
		cfg.Pools[0].Members = append(cfg.Pools[0].Members, MemberConfig{Backend: name, Priority: m.priority, Weight: m.weight})
	}
	return newPipeline(t, cfg, Deps{}).targets["pool"]
}

func (t *target) trip(i int, now time.Time) {
	p, _ := t.members[i].road.enter(now)
	t.members[i].road.fail(p, now, 0)
}

// chosen is the member that would be used, or -1.
func (t *target) chosen(now time.Time, tried uint64) int {
	i, _, _, ok := t.choose(now, tried, "")
	if !ok {
		return -1
	}
	return i
}

// PL-3: over any Σweight consecutive choices, member counts equal weights exactly.
func TestTurnsEqualWeightsOverAnyRun(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 9), 2, 8).Draw(rt, "weights")
		var members []shape
		total := 0
		for _, w := range weights {
			members = append(members, shape{weight: w, priority: 1})
			total += w
		}
		tg, now := pooled(t, "", "", members...), time.Now()
		skip := rapid.IntRange(0, 30).Draw(rt, "skip")
		for range skip {
			tg.chosen(now, 0)
		}
		counts := make([]int, len(weights))
		for range total {
			counts[tg.chosen(now, 0)]++
		}
		for i, w := range weights {
			if counts[i] != w {
				rt.Fatalf("weights %v from %d: counts %v", weights, skip, counts)
			}
		}
	})
}

// PL-2, BR-8: whatever breakers do, a chosen member is available, of the best priority that has one, and not tried.
func TestAChoiceIsAlwaysTheBestAvailable(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(rt, "n")
		members := make([]shape, n)
		for i := range members {
			members[i] = shape{weight: rapid.IntRange(1, 3).Draw(rt, "w"), priority: rapid.IntRange(1, 3).Draw(rt, "p")}
		}
		tg, now := pooled(t, "", "", members...), proxytest.NewClock().Now()
		open := uint64(0)
		for i := range members {
			if rapid.Bool().Draw(rt, "open") {
				tg.trip(i, now)
				open |= 1 << i
			}
		}
		tried := rapid.Uint64Range(0, 1<<n-1).Draw(rt, "tried")
		best := -1
		for rest := uint64(1<<n-1) &^ (open | tried); rest != 0; rest &= rest - 1 {
			if i := bits.TrailingZeros64(rest); best < 0 || members[i].priority < members[best].priority {
				best = i
			}
		}
		got := tg.chosen(now, tried)
		if (got < 0) != (best < 0) || got >= 0 && (open|tried)&(1<<got) != 0 || got >= 0 && members[got].priority != members[best].priority {
			rt.Fatalf("chose %d, best %d (open %b, tried %b)", got, best, open, tried)
		}
	})
}

// PL-1: weight 0 is never used unless it is the last.
func TestWeightZeroIsUsedOnlyWhenNothingElseIsLeft(t *testing.T) {
	tg, now := pooled(t, "", "", shape{0, 1, ""}, shape{1, 1, ""}, shape{1, 2, ""}), proxytest.NewClock().Now()
	for range 4 {
		if got := tg.chosen(now, 0); got != 1 {
			t.Fatalf("chose %d", got)
		}
	}
	tg.trip(1, now)
	if got := tg.chosen(now, 0); got != 2 {
		t.Errorf("chose %d, want the next priority", got)
	}
	tg.trip(2, now)
	if got := tg.chosen(now, 0); got != 0 {
		t.Errorf("chose %d, want the last", got)
	}
}

// PL-9: inside a priority the own region first; no region of the gateway changes nothing.
func TestTheOwnRegionComesFirstInsideAPriority(t *testing.T) {
	members := []shape{{1, 1, "east"}, {1, 1, "west"}, {1, 1, ""}, {1, 2, "west"}}
	tg, now := pooled(t, "west", "", members...), proxytest.NewClock().Now()
	for range 3 {
		if got := tg.chosen(now, 0); got != 1 {
			t.Fatalf("chose %d", got)
		}
	}
	tg.trip(1, now)
	seen := map[int]int{}
	for range 4 {
		seen[tg.chosen(now, 0)]++
	}
	if seen[0] != 2 || seen[2] != 2 {
		t.Errorf("away: %v", seen)
	}
	everywhere := pooled(t, "", "", members...)
	seen = map[int]int{}
	for range 3 {
		seen[everywhere.chosen(now, 0)]++
	}
	if len(seen) != 3 {
		t.Errorf("without a region: %v", seen)
	}
}

// PL-4: the fewest calls in flight by weight.
func TestLeastBusyCountsCallsInFlight(t *testing.T) {
	tg, now := pooled(t, "", "least_busy", shape{1, 1, ""}, shape{3, 1, ""}), proxytest.NewClock().Now()
	tg.members[0].road.core.inFlight.Store(1)
	tg.members[1].road.core.inFlight.Store(2)
	if got := tg.chosen(now, 0); got != 1 {
		t.Errorf("chose %d: 1÷1 against 2÷3", got)
	}
	tg.members[1].road.core.inFlight.Store(4)
	if got := tg.chosen(now, 0); got != 0 {
		t.Errorf("chose %d: 1÷1 against 4÷3", got)
	}
}

// PL-5: a key stays on its member, moves while that is open, comes back; keys spread by weight.
func TestAKeyStaysOnItsMember(t *testing.T) {
	tg, now := pooled(t, "", "", shape{1, 1, ""}, shape{3, 1, ""}, shape{1, 2, ""}), proxytest.NewClock().Now()
	stay := func(key string, at time.Time) int {
		i, p, _, _ := tg.choose(at, 0, key)
		tg.members[i].road.succeed(p, at)
		return i
	}
	homes, counts := map[string]int{}, [3]int{}
	for i := range 1000 {
		key := fmt.Sprint(i)
		homes[key] = stay(key, now)
		counts[homes[key]]++
	}
	if counts[2] != 0 || counts[0] < 200 || counts[0] > 300 {
		t.Errorf("keys by member: %v, want about 250, 750, 0", counts)
	}
	tg.trip(0, now)
	for key, home := range homes {
		if got := stay(key, now); got != 1 {
			t.Fatalf("key of %d went to %d while 0 is open", home, got)
		}
	}
	for key, home := range homes {
		if got := stay(key, now.Add(time.Minute)); got != home {
			t.Fatalf("key of %d came back to %d", home, got)
		}
	}
}

// PL-7: all open tells the earliest reopening.
func TestAllOpenTellsTheEarliestReopening(t *testing.T) {
	tg, now := pooled(t, "", "", shape{1, 1, ""}, shape{1, 2, ""}), proxytest.NewClock().Now()
	tg.trip(0, now)
	tg.trip(1, now.Add(5*time.Second))
	_, _, wait, ok := tg.choose(now.Add(10*time.Second), 0, "")
	if ok || wait != 20*time.Second {
		t.Errorf("ok=%v, wait %v", ok, wait)
	}
}

// BR-12, PX-16, R5: what is unchanged keeps its breaker and its turns; what is changed starts anew.
func TestAReloadKeepsWhatDidNotChange(t *testing.T) {
	state, now := NewState(), proxytest.NewClock().Now()
	cfg := Config{
		Backends: []BackendConfig{{Name: "a", URL: "http://a.test", Breaker: &BreakerConfig{Failures: 1}}, {Name: "b", URL: "http://b.test", Breaker: &BreakerConfig{Failures: 1}}},
		Pools:    []PoolConfig{{Name: "p", Members: []MemberConfig{{Backend: "a", Weight: 1}, {Backend: "b", Weight: 1}}}},
	}
	first, err := New(cfg, state, Deps{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	for name := range first.roads {
		first.targets[name].trip(0, now)
	}
	next := cfg
	next.Backends = append([]BackendConfig(nil), cfg.Backends...)
	next.Backends[1].Breaker = &BreakerConfig{Failures: 2}
	second, err := New(next, state, Deps{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	state.Retain(second)
	if second.targets["a"].chosen(now, 0) != -1 || second.targets["b"].chosen(now, 0) != 0 {
		t.Error("a should be open still, b closed")
	}
	if second.targets["p"].tiers[0].turns != first.targets["p"].tiers[0].turns {
		t.Error("the pool lost its turns")
	}
	if len(state.cores) != 2 {
		t.Errorf("%d cores are kept, want 2", len(state.cores))
	}
}

// Every fault of a configuration is found, with its path.
func TestFaultsOfAConfigurationAreAllFound(t *testing.T) {
	cfg := Config{
		Backends: []BackendConfig{
			{Name: "a", URL: "ftp://a", ForwardHeaders: []string{"Cookie"}},
			{Name: "b", URL: "http://b.test", ForwardHeaders: []string{"X_Api_Key"}, Credential: CredentialConfig{Kind: "bearer"}, Breaker: &BreakerConfig{Percentage: 101}},
			{Name: "c", URL: "http://c.test"}, {Name: "c", URL: "http://c.test"},
			{Name: "d", URL: "http://d.test", Credential: CredentialConfig{Kind: "managed_identity"}},
		},
		Pools: []PoolConfig{
			{Name: "c"}, {Name: "p1"}, {Name: "p2", Members: []MemberConfig{{Backend: "none"}}},
			{Name: "p3", Members: []MemberConfig{{Backend: "c"}, {Backend: "c"}}},
		},
	}
	_, err := New(cfg, NewState(), Deps{Log: quiet()})
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // exactly what New made
	if !ok {
		t.Fatalf("error: %v", err)
	}
	var paths []string
	for _, e := range joined.Unwrap() {
		paths = append(paths, e.(*ConfigError).Path) //nolint:errorlint,forcetypeassert // that is the contract
	}
	want := []string{"backends[0].url", "backends[1].breaker.percentage", "backends[1].forward_headers", "backends[1].credential",
		"backends[3].name", "backends[4].credential.kind", "pools[0].name", "pools[1].members", "pools[2].members[0].backend", "pools[3].members[1].backend"}
	if fmt.Sprint(paths) != fmt.Sprint(want) {
		t.Errorf("paths\n%v, want\n%v", paths, want)
	}
}
