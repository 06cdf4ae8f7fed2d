package proxy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

// steps are ways in which a backend answers, good and bad, in no order.
func steps(random *rand.Rand, n int) []proxytest.Step {
	sse := map[string]string{"Content-Type": "text/event-stream"}
	kinds := []proxytest.Step{
		{Body: "x"}, {Body: strings.Repeat("x", 100_000)}, {Status: 500, Body: "x"}, {Status: 503}, {Status: 401}, {ResetBeforeHeaders: true}, {Hang: true},
		{Body: "x", ResetMidBody: true}, {Body: "x", CloseEarly: true}, {Body: "x", Stall: true}, {Header: sse, Chunks: []string{"data: 1\n\n", "data: 2\n\n"}},
		{Header: sse, Chunks: []string{"data: 1\n\n"}, Stall: true}, {Header: sse, Chunks: []string{"data: 1\n\n"}, ResetMidBody: true},
		{Delay: 30 * time.Millisecond, Body: "x"}, {Body: "x"}, {Body: "x"},
	}
	made := make([]proxytest.Step, n)
	for i := range made {
		made[i] = kinds[random.IntN(len(kinds))]
	}
	return made
}

// PX-11, §13.4, at random: whatever backends and callers do, every call is settled and recorded once, and leaves nothing
// behind.
func TestCallsAtRandomSettleOnceAndLeaveNothing(t *testing.T) {
	const workers, calls = 8, 40
	random := rand.New(rand.NewPCG(3, 4))
	backend, rows := proxytest.New(t, steps(random, 3*workers*calls)...), &ledger{}
	p := single(t, backend, BackendConfig{Timeout: 60 * time.Millisecond, Timeouts: TimeoutsConfig{Idle: 40 * time.Millisecond, Total: 100 * time.Millisecond},
		Retry: RetryConfig{Attempts: 3, MaxWait: time.Millisecond}}, Deps{Recorder: rows})
	watched := make([]witness, workers*calls)
	var wait sync.WaitGroup
	for worker := range workers {
		random := rand.New(rand.NewPCG(5, uint64(worker)))
		wait.Go(func() {
			for i := range calls {
				n := worker*calls + i
				call := post("a", fmt.Sprintf(`{"n":%d}`, n))
				call.ID, call.Idempotent, call.Policies = fmt.Sprint(n), random.IntN(2) == 0, &Policies{}
				call.Policies.ByPhase[PhaseShape] = []Policy{&watched[n]}
				ctx, leave := context.WithCancel(t.Context())
				if random.IntN(4) == 0 {
					time.AfterFunc(time.Duration(random.IntN(70))*time.Millisecond, leave)
				}
				consume(p, ctx, call)
				leave()
			}
		})
	}
	wait.Wait()
	for n := range watched {
		watched[n].only(t)
	}
	seen := map[string]int{}
	for _, r := range rows.rows {
		seen[r.RequestID]++
	}
	if len(rows.rows) != workers*calls || len(seen) != workers*calls {
		t.Errorf("%d records of %d calls, want %d", len(rows.rows), len(seen), workers*calls)
	}
	road := p.roads["a"]
	road.vigil.check(t)
	if n := road.core.inFlight.Load(); n != 0 || road.vigil.first != nil {
		t.Errorf("%d calls are in flight, %v stands in line", n, road.vigil.first)
	}
}
