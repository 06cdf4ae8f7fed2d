package policy

import (
	"fmt"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// PO-5: a fragment stands for its list, conditions are joined, counters belong to the place that includes.
func TestAFragmentStandsForItsList(t *testing.T) {
	env := newTestEnv(t, Deps{Fragments: map[string][]Entry{
		"once": {{When: "!stream", RateLimit: &RateLimit{Calls: 1}}}, "outer": {{Fragment: "once", When: `model == "m"`}},
	}})
	p := compiled(t, env, product, Entry{Fragment: "once"}, Entry{Fragment: "outer", When: `caller.kind == "key"`})
	if len(p.ByPhase[proxy.PhaseCalls]) != 2 {
		t.Fatalf("policies: %v", p.ByPhase)
	}
	call := keyed("a")
	if _, err := admit(t, p, proxy.PhaseCalls, call); err != nil {
		t.Fatal(err)
	}
	if _, err := admit(t, p, proxy.PhaseCalls, call); err == nil {
		t.Error("the limit does not hold")
	}
	call.Stream = true
	if _, err := admit(t, p, proxy.PhaseCalls, call); err != nil {
		t.Errorf("the fragment's own when was lost: %v", err)
	}
	other := compiled(t, env, Scope{Product, "team-b"}, Entry{Fragment: "once"})
	if _, err := admit(t, other, proxy.PhaseCalls, keyed("a")); err != nil {
		t.Errorf("counters are shared between places: %v", err)
	}
}

// PO-5: cycles, unknown names and more than four levels are faults where they stand.
func TestFaultsOfFragments(t *testing.T) {
	env := newTestEnv(t, Deps{Fragments: map[string][]Entry{
		"a": {{Fragment: "b"}}, "b": {{Fragment: "a"}}, "bad": {{RateLimit: &RateLimit{}}},
		"1": {{Fragment: "2"}}, "2": {{Fragment: "3"}}, "3": {{Fragment: "4"}}, "4": {{Fragment: "5"}}, "5": {{Require: &Require{That: "true"}}},
	}})
	_, faults := Compile([]Entry{{Fragment: "none"}, {Fragment: "a"}, {Fragment: "1"}, {Fragment: "2"}, {Fragment: "bad"},
		{Fragment: "5", Require: &Require{That: "true"}}}, product, env)
	want := []string{"[0].fragment", "[1].fragment.a[0].fragment.b[0].fragment", "[2].fragment.1[0].fragment.2[0].fragment.3[0].fragment.4[0].fragment",
		"[4].fragment.bad[0].rate_limit.calls", "[5]"}
	var got []string
	for _, f := range faults {
		got = append(got, f.Path)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("faults\n%v, want\n%v", got, want)
	}
}
