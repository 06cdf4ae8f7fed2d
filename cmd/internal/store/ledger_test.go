package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func row(id string) proxy.Record {
	return proxy.Record{
		ID: id, RequestID: "req", Time: testNow, Subscription: "team-a", Product: "p", Caller: "t1/o1", ClientID: "c1", Surface: proxy.LLM,
		Endpoint: "chat", Server: "", Tool: "", Model: "gpt-4o", UpstreamModel: "gpt-4o-prod", Backend: "east", Attempts: 2, Status: 200,
		Ending: proxy.EndOK, Stream: true, Cache: "miss", CostMicro: 100, SavedMicro: 7, Currency: "USD", PriceVersion: "v1",
		Usage:    proxy.Usage{Input: 10, Cached: 4, CacheWrite: 1, Output: 20, Reasoning: 5, Source: proxy.UsageProvider},
		Duration: time.Second, FirstByte: 100 * time.Millisecond, Upstream: 900 * time.Millisecond,
	}
}

func TestSumsOfTheLedgerAreExact(t *testing.T) { // operations.md U7, llm.md UR-5, UR-7
	refused, hit, tool, unknown := row("refused"), row("hit"), row("tool"), row("unknown")
	refused.Ending, refused.Usage, refused.CostMicro, refused.SavedMicro = proxy.EndRefused, proxy.Usage{}, 0, 0
	hit.Cache, hit.CostMicro, hit.SavedMicro, hit.Usage.Source = "hit", 0, 100, proxy.UsageCache
	tool.Surface, tool.Server, tool.Tool, tool.Model, tool.Usage = proxy.MCP, "orders", "get_order", "", proxy.Usage{Source: proxy.UsageNone}
	unknown.Ending, unknown.Usage = proxy.EndUpstreamError, proxy.Usage{Input: 9}
	before, last := row("before"), row("last")
	before.Time, last.Time = testNow.Add(-time.Millisecond), testNow.Add(time.Hour)
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, testConfig(t, url(t)))
			for _, r := range []proxy.Record{row("a"), row("b"), row("a"), refused, hit, tool, unknown, before, last} {
				s.Record(r)
			}
			sums, err := s.Usage(t.Context(), testNow, testNow.Add(time.Hour)) // [from, to)
			check(t, err)
			model := UsageSum{
				Subscription: "team-a", Product: "p", Caller: "t1/o1", Surface: "llm", Model: "gpt-4o", Backend: "east", Currency: "USD",
				Calls: 5, Refused: 1, CacheHits: 1, TokensIn: 30, TokensCached: 12, TokensCacheWrite: 3, TokensOut: 60, TokensReasoning: 15,
				CostMicro: 300, SavedMicro: 121,
			}
			call := UsageSum{
				Subscription: "team-a", Product: "p", Caller: "t1/o1", Surface: "mcp", Server: "orders", Tool: "get_order", Backend: "east",
				Currency: "USD", Calls: 1, CostMicro: 100, SavedMicro: 7,
			}
			if want := []UsageSum{model, call}; !slices.Equal(sums, want) {
				t.Errorf("sums\n%+v\nwant\n%+v", sums, want)
			}
			if total := Total(sums); total.Calls != 6 || total.CostMicro != 400 || total.TokensOut != 60 || total.Model != "" {
				t.Errorf("total %+v", total)
			}
			if sums, err := s.Usage(t.Context(), testNow.Add(24*time.Hour), testNow.Add(48*time.Hour)); err != nil || len(sums) != 0 {
				t.Errorf("another day: %v, %v", sums, err)
			}
		})
	}
}

func TestClosingDrainsTheLedger(t *testing.T) { // operations.md U10
	cfg := testConfig(t, databases["sqlite"](t))
	cfg.Flush = time.Hour
	s, err := Open(t.Context(), cfg)
	check(t, err)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 500 {
				s.Record(row(fmt.Sprintf("%d-%d", w, i)))
			}
		})
	}
	wg.Wait()
	check(t, s.Close())
	sums, err := open(t, cfg).Usage(t.Context(), testNow, testNow.Add(time.Hour))
	check(t, err)
	if n := Total(sums).Calls; n != 4000 {
		t.Errorf("%d rows, want 4000", n)
	}
}

func TestABatchWrittenAgainChangesNothing(t *testing.T) { // operations.md U1, U10
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, testConfig(t, url(t)))
			early := row("early")
			early.Time = testNow.Add(-time.Second) // of another hour
			for range 3 {
				check(t, s.writeUsage(t.Context(), []proxy.Record{row("a"), early, row("b"), row("a")}))
				check(t, s.writeUsage(t.Context(), []proxy.Record{row("c")}))
			}
			sums, err := s.Usage(t.Context(), testNow.Add(-time.Hour), testNow.Add(time.Hour))
			check(t, err)
			if n := Total(sums).Calls; n != 4 {
				t.Errorf("%d records, want 4", n)
			}
		})
	}
}

func TestPeriodsAreExactToTheMillisecond(t *testing.T) { // operations.md U7, U8
	random := rand.New(rand.NewPCG(7, 8))
	memory, sqlite := open(t, testConfig(t, "memory:")), open(t, testConfig(t, databases["sqlite"](t)))
	sometime := func() time.Time { return testNow.Add(time.Duration(random.IntN(3*3600*1000)) * time.Millisecond) }
	times := []time.Time{testNow, testNow.Add(time.Hour), testNow.Add(2 * time.Hour)}
	for n := range 40 {
		batch := make([]proxy.Record, 1+random.IntN(60))
		for i := range batch {
			r := row(fmt.Sprintf("%d-%d", n, i))
			r.Time, r.Tool, r.CostMicro = sometime(), fmt.Sprint("tool-", random.IntN(3)), random.Int64N(1000)
			times = append(times, r.Time, r.Time.Add(time.Millisecond))
			batch[i] = r
		}
		check(t, memory.writeUsage(t.Context(), batch))
		check(t, sqlite.writeUsage(t.Context(), batch))
	}
	for range 500 {
		from, to := times[random.IntN(len(times))], times[random.IntN(len(times))]
		want, err := memory.Usage(t.Context(), from, to)
		check(t, err)
		got, err := sqlite.Usage(t.Context(), from, to)
		check(t, err)
		if !slices.Equal(got, want) {
			t.Fatalf("[%s, %s)\n%+v\nwant\n%+v", from, to, got, want)
		}
	}
}

func TestOldLedgerRowsGo(t *testing.T) { // operations.md D8, §1.4 usage.keep
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, testConfig(t, url(t)))
			for i := range 1500 {
				r := row(fmt.Sprint(i))
				if i >= 1200 {
					r.Time = testNow.Add(time.Hour)
				}
				s.Record(r)
			}
			check(t, s.ledger.flush(t.Context()))
			for n := int64(1); n > 0; {
				var err error
				if n, err = s.dropUsage(t.Context(), testNow.Add(time.Minute)); err != nil || n > 1000 {
					t.Fatalf("dropped %d, %v", n, err)
				}
			}
			sums, err := s.Usage(t.Context(), testNow, testNow.Add(2*time.Hour))
			check(t, err)
			if n := Total(sums).Calls; n != 300 {
				t.Errorf("%d rows are left, want 300", n)
			}
		})
	}
}

// faulty is a database whose ledger can be made to fail or to hang.
type faulty struct {
	*memory
	mu     sync.Mutex
	fault  error
	takes  time.Duration // how long a batch is written
	writes int
}

func (f *faulty) writeUsage(ctx context.Context, rows []proxy.Record) error {
	time.Sleep(f.takes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.fault != nil {
		return f.fault
	}
	return f.memory.writeUsage(ctx, rows)
}

func (f *faulty) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = err
}

func (f *faulty) tries() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

func (f *faulty) count() int {
	f.memory.mu.RLock()
	defer f.memory.mu.RUnlock()
	return len(f.rows)
}

func newFaulty(cfg Config) (*faulty, *ledger) {
	f := &faulty{memory: newMemory()}
	return f, newLedger(f, cfg)
}

func ledgerConfig() Config { return Config{Flush: time.Second, Log: quiet()} }

func TestARowIsWrittenWithinTheFlushTimeAndAFullBatchAtOnce(t *testing.T) { // operations.md U10
	synctest.Test(t, func(t *testing.T) {
		f, l := newFaulty(ledgerConfig())
		l.record(row("a"))
		time.Sleep(time.Second)
		synctest.Wait()
		if f.count() != 1 {
			t.Errorf("%d rows after a second", f.count())
		}
		for i := range ledgerBatch {
			l.record(row(fmt.Sprint(i)))
		}
		synctest.Wait()
		if f.count() < ledgerBatch {
			t.Errorf("%d rows after a full batch", f.count())
		}
		check(t, l.close())
	})
}

func TestABusyLedgerIsWrittenInFullBatchesAndInTime(t *testing.T) { // operations.md U10
	synctest.Test(t, func(t *testing.T) {
		f, l := newFaulty(ledgerConfig())
		f.takes = 20 * time.Millisecond
		for i := range 5500 { // five and a half batches in as many half seconds
			l.record(row(fmt.Sprint(i)))
			time.Sleep(500 * time.Microsecond)
		}
		synctest.Wait()
		if f.count() != 5000 || f.tries() != 5 {
			t.Errorf("%d rows in %d writes, want 5 full ones", f.count(), f.tries())
		}
		time.Sleep(750*time.Millisecond + f.takes) // the half batch began 250 ms ago
		synctest.Wait()
		if f.count() != 5500 || f.tries() != 6 {
			t.Errorf("%d rows in %d writes, want all in 6", f.count(), f.tries())
		}
		check(t, l.close())
	})
}

func TestRowsWaitForADatabaseThatIsDownAndAreWrittenOnce(t *testing.T) { // operations.md U1, U10
	synctest.Test(t, func(t *testing.T) {
		f, l := newFaulty(ledgerConfig())
		f.fail(errors.New("disk full"))
		for i := range 2500 {
			l.record(row(fmt.Sprint(i)))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if f.count() != 0 || f.tries() > 100 {
			t.Errorf("%d rows, %d tries", f.count(), f.tries())
		}
		f.fail(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if f.count() != 2500 || f.rows[0].ID != "0" || f.rows[2499].ID != "2499" {
			t.Errorf("%d rows", f.count())
		}
		check(t, l.close())
	})
}

// unsure is a database that fails at times, before it has a batch or after, when only the answer is lost.
type unsure struct {
	backend
	random *rand.Rand // owner: ledger.writing
}

func (u *unsure) writeUsage(ctx context.Context, rows []proxy.Record) error {
	lost := errors.New("connection lost")
	switch u.random.IntN(6) {
	case 0:
		return lost
	case 1:
		return errors.Join(u.backend.writeUsage(ctx, rows), lost)
	}
	return u.backend.writeUsage(ctx, rows)
}

func TestNoRowIsLostOrCountedTwiceByADatabaseThatIsUnsure(t *testing.T) { // operations.md U1, U10
	const workers, each = 4, 2000
	s := open(t, testConfig(t, databases["sqlite"](t)))
	l := newLedger(&unsure{s.backend, rand.New(rand.NewPCG(9, 9))}, Config{Flush: 2 * time.Millisecond, Log: quiet()})
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				r := row(fmt.Sprintf("%d-%d", w, i))
				r.Time = testNow.Add(time.Duration(i%5) * time.Hour)
				l.record(r)
				if i%100 == w {
					_ = l.flush(t.Context()) // a reader of sums; an error is told to it, and changes nothing
				}
			}
		})
	}
	wg.Wait()
	for l.flush(t.Context()) != nil {
	}
	check(t, l.close())
	found := map[string]int{}
	for _, r := range ledgerOf(t, s, testNow, testNow.Add(24*time.Hour)) {
		found[r.ID]++
	}
	for id, n := range found {
		if n != 1 {
			t.Errorf("record %s is there %d times", id, n)
		}
	}
	if len(found) != workers*each {
		t.Errorf("%d records, want %d", len(found), workers*each)
	}
}

func TestAFullBufferMakesCallsWaitAndLosesNothing(t *testing.T) { // llm.md §15.1
	synctest.Test(t, func(t *testing.T) {
		f, l := newFaulty(ledgerConfig())
		f.fail(errors.New("disk full"))
		for i := range ledgerBuffer {
			l.record(row(fmt.Sprint(i)))
		}
		passed := false
		go func() {
			l.record(row("one more"))
			passed = true
		}()
		time.Sleep(10 * time.Second)
		if passed {
			t.Error("a full buffer let a call pass")
		}
		f.fail(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !passed || f.count() != ledgerBuffer+1 {
			t.Errorf("passed %v, %d rows", passed, f.count())
		}
		check(t, l.close())
	})
}

func TestClosingReportsWhatItCouldNotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newFaulty(ledgerConfig())
		f.fail(errors.New("disk full"))
		for i := range 3 {
			l.record(row(fmt.Sprint(i)))
		}
		err := l.close()
		if err == nil || !strings.Contains(err.Error(), "disk full") || !strings.Contains(err.Error(), "3 ledger rows are lost") {
			t.Errorf("close = %v", err)
		}
		l.record(row("late")) // told in the log
	})
}

func TestTheSweeperRunsEveryFiveMinutes(t *testing.T) { // operations.md D8
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), Config{URL: "memory:", Log: quiet()})
		check(t, err)
		r := row("old")
		r.Time = time.Now().Add(-401 * 24 * time.Hour)
		s.Record(r)
		fresh := row("new")
		fresh.Time = time.Now()
		s.Record(fresh)
		for i := range 2500 { // more than one statement takes
			session := oauth.Session{Hash: fmt.Sprint(i), Expires: time.Now().Add(time.Minute)}
			check(t, s.PutSession(t.Context(), session))
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		m := s.backend.(*memory)
		m.mu.RLock()
		if len(m.rows) != 1 || m.rows[0].ID != "new" || len(m.seen) != 1 {
			t.Errorf("rows %v", m.rows)
		}
		if len(m.sessions) != 0 {
			t.Errorf("%d expired sessions are left", len(m.sessions))
		}
		m.mu.RUnlock()
		check(t, s.Close())
	})
}

func BenchmarkRecord(b *testing.B) {
	s := open(b, testConfig(b, databases["sqlite"](b)))
	r := row("")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.ID = fmt.Sprint(i)
		s.Record(r)
	}
}
