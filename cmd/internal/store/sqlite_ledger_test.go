package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// ledgerOf returns all records of a period.
func ledgerOf(t *testing.T, s *Store, from, to time.Time) (records []proxy.Record) {
	t.Helper()
	check(t, s.backend.(*sqlite).eachUsage(t.Context(), from, to, func(r *proxy.Record) error {
		records = append(records, *r)
		return nil
	}))
	return records
}

// alter changes one row behind the program's back.
func alter(t *testing.T, s *Store, statement string, args ...any) {
	t.Helper()
	n, err := exec(t.Context(), s.backend.(*sqlite).writer, statement, args...)
	check(t, err)
	if n != 1 {
		t.Fatalf("%s changed %d rows", statement, n)
	}
}

func TestReadingTheLedgerEndsWithTheFirstError(t *testing.T) {
	s := open(t, testConfig(t, databases["sqlite"](t)))
	check(t, s.writeUsage(t.Context(), []proxy.Record{row("a"), row("b")}))
	enough, calls := errors.New("enough"), 0
	err := s.backend.(*sqlite).eachUsage(t.Context(), testNow, testNow.Add(time.Hour), func(*proxy.Record) error {
		calls++
		return enough
	})
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.backend.usage(ctx, testNow, testNow.Add(time.Hour)); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has gone: %v", err)
	}
}

// Two batches are the same by all that is in them: a record that begins both takes no other with it.
func TestABatchThatBeginsAsAnotherIsKept(t *testing.T) {
	s := open(t, testConfig(t, databases["sqlite"](t)))
	check(t, s.writeUsage(t.Context(), []proxy.Record{row("a"), row("b")}))
	check(t, s.writeUsage(t.Context(), []proxy.Record{row("a"), row("c")}))
	found := map[string]bool{}
	for _, r := range ledgerOf(t, s, testNow, testNow.Add(time.Hour)) {
		found[r.ID] = true
	}
	if !found["a"] || !found["b"] || !found["c"] {
		t.Errorf("found %v", found)
	}
}

func TestADamagedBatchIsNamedAndNeverPassedOver(t *testing.T) {
	s := open(t, testConfig(t, databases["sqlite"](t)))
	check(t, s.writeUsage(t.Context(), []proxy.Record{row("good")}))
	bad := row("bad-one")
	bad.Time = testNow.Add(2 * time.Hour)
	batch := pack([]proxy.Record{bad})[0]
	stored := func() storedBatch {
		return storedBatch{slices.Clone(batch.packed), checksumOf(batch.packed), batch.records}
	}
	damaged := map[string]storedBatch{}
	for i := range batch.packed { // a checksum finds what reads as other numbers
		b := stored()
		b.packed[i] ^= 1
		damaged[fmt.Sprint("byte ", i)] = b
	}
	for name, damage := range map[string]func(b *storedBatch){
		"the end":                     func(b *storedBatch) { b.packed = b.packed[:len(b.packed)-1] },
		"more":                        func(b *storedBatch) { b.packed = append(b.packed, 0) },
		"all":                         func(b *storedBatch) { b.packed = []byte{} },
		"the number":                  func(b *storedBatch) { b.records = 2 },
		"cut, with the right sum":     func(b *storedBatch) { b.packed = b.packed[:20]; b.checksum = checksumOf(b.packed) },
		"no record, with a right sum": func(b *storedBatch) { b.packed = header(1, 1); b.checksum = checksumOf(b.packed) },
	} {
		b := stored()
		damage(&b)
		damaged[name] = b
	}
	for name, b := range damaged {
		alter(t, s, `INSERT INTO usage_batches VALUES (?, ?, ?, ?, ?, ?)`, batch.first, batch.last, batch.id, b.checksum, b.records, b.packed)
		sums, err := s.Usage(t.Context(), testNow, testNow.Add(3*time.Hour))
		if err == nil || sums != nil || !strings.Contains(err.Error(), "batch bad-one: is damaged") {
			t.Errorf("%s: %v, %v", name, sums, err)
		}
		if sums, err := s.Usage(t.Context(), testNow, testNow.Add(time.Hour)); err != nil || Total(sums).Calls != 1 {
			t.Errorf("%s: another period: %v, %v", name, sums, err)
		}
		alter(t, s, `DELETE FROM usage_batches WHERE id = ?`, batch.id)
	}
}

// storedBatch is what a row of usage_batches may have wrong.
type storedBatch struct {
	packed   []byte
	checksum int64
	records  int
}

func TestRowsOfAnOlderProgramAreCountedAndGo(t *testing.T) { // operations.md M2, M6
	cfg := testConfig(t, databases["sqlite"](t))
	older := fstest.MapFS{}
	for _, name := range []string{"00001_first.sql", "00002_tool_pins.sql"} {
		text, err := migrations.ReadFile("migrations/sqlite/" + name)
		check(t, err)
		older[name] = &fstest.MapFile{Data: text}
	}
	check(t, migrateTest(t, strings.TrimPrefix(cfg.URL, "sqlite:"), older, cfg))
	s := open(t, cfg)
	alter(t, s, `INSERT INTO usage VALUES ('a', 'req', 1795176000000, 'team-a', 'p', 't1/o1', 'c1', 'llm', 'chat', 'srv', 'tool', 'gpt-4o', 'gpt-4o-prod',
		'east', 2, 200, 'ok', 'code', 1, 'miss', 'provider', 10, 4, 1, 20, 5, 100, 7, 'USD', 'v1', 1000, 100, 900)`)
	alter(t, s, `INSERT INTO usage VALUES ('tool', '', 1795176000001, '', '', '', '', 'mcp', '', '', '', '', '', '', 0, 0, 'ok', '', 0, '', 'none',
		NULL, NULL, NULL, NULL, NULL, 0, 0, '', '', 0, 0, NULL)`)
	full := row("a")
	full.Server, full.Tool, full.Code = "srv", "tool", "code"
	tool := proxy.Record{ID: "tool", Time: testNow.Add(time.Millisecond), Surface: proxy.MCP, Ending: proxy.EndOK, Usage: proxy.Usage{Source: proxy.UsageNone}}
	tool.FirstByte = 1 // known, and less than a millisecond
	sameRecords(t, ledgerOf(t, s, testNow, testNow.Add(time.Hour)), []proxy.Record{full, tool})

	newer := full
	newer.ID = "b"
	s.Record(newer)
	sums, err := s.Usage(t.Context(), testNow, testNow.Add(time.Millisecond))
	check(t, err)
	if len(sums) != 1 || sums[0].Calls != 2 || sums[0].TokensIn != 20 || sums[0].CostMicro != 200 {
		t.Errorf("sums %+v", sums)
	}
	for n := int64(1); n > 0; {
		n, err = s.dropUsage(t.Context(), testNow.Add(time.Hour))
		check(t, err)
	}
	if left := ledgerOf(t, s, time.Time{}, testNow.Add(time.Hour)); len(left) != 0 {
		t.Errorf("left %+v", left)
	}
}

func TestABatchGoesWhenAllOfItIsOld(t *testing.T) { // operations.md D8
	s := open(t, testConfig(t, databases["sqlite"](t)))
	early, late := row("early"), row("late")
	late.Time = testNow.Add(30 * time.Minute)
	check(t, s.writeUsage(t.Context(), []proxy.Record{late, early}))
	for _, step := range []struct {
		before time.Duration
		left   int64
	}{{time.Minute, 2}, {30 * time.Minute, 2}, {30*time.Minute + time.Millisecond, 0}} {
		_, err := s.dropUsage(t.Context(), testNow.Add(step.before))
		check(t, err)
		for from, want := range map[time.Duration]int64{0: step.left, 10 * time.Minute: step.left / 2} {
			sums, err := s.Usage(t.Context(), testNow.Add(from), testNow.Add(time.Hour))
			check(t, err)
			if n := Total(sums).Calls; n != want {
				t.Errorf("old is before %s: %d records from %s on, want %d", step.before, n, from, want)
			}
		}
	}
}

func TestAStatementDeletesFewBatches(t *testing.T) { // operations.md D8
	s := open(t, testConfig(t, databases["sqlite"](t)))
	for i := range 2*sweepBatches + 1 {
		check(t, s.writeUsage(t.Context(), []proxy.Record{row(fmt.Sprint(i))}))
	}
	for _, want := range []int64{sweepBatches, sweepBatches, 1, 0} {
		if n, err := s.dropUsage(t.Context(), testNow.Add(time.Hour)); err != nil || n != want {
			t.Errorf("dropped %d, %v, want %d", n, err, want)
		}
	}
}
