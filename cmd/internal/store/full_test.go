package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

func TestAFullDiskRefusesWritesKeepsReadsAndNeedsNoRestart(t *testing.T) { // operations.md §2.5
	cfg := testConfig(t, databases["sqlite"](t))
	cfg.Flush = time.Hour // the test flushes itself
	s := open(t, cfg)
	fill(t, s)
	db, ctx := s.backend.(*sqlite), t.Context()
	_, err := db.writer.ExecContext(ctx, `PRAGMA max_page_count = 1`) // SQLite takes the present size: not one page more
	check(t, err)

	put := func(i int) error {
		client := oauth.Client{ID: fmt.Sprint("big", i), Name: strings.Repeat("x", 3000)}
		return s.PutClient(ctx, client)
	}
	written := 0
	for ; written < 100; written++ {
		if err = put(written); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Fatalf("after %d writes: %v, want that it is full", written, err)
	}
	if _, err := s.Grant(ctx, "g1"); err != nil {
		t.Errorf("reading: %v", err)
	}
	if err := s.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
	for i := range 2000 {
		s.Record(row(fmt.Sprint("full-", i)))
	}
	if err := s.ledger.flush(ctx); err == nil {
		t.Fatal("the ledger was written to a full disk")
	}

	_, err = db.writer.ExecContext(ctx, `PRAGMA max_page_count = 1000000`)
	check(t, err)
	check(t, put(written))
	sums, err := s.Usage(ctx, testNow, testNow.Add(time.Hour))
	check(t, err)
	if n := Total(sums).Calls; n != 2001 { // and the one of fill
		t.Errorf("%d rows, want 2001", n)
	}
}
