package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func BenchmarkGrant(b *testing.B) {
	for name, url := range databases {
		b.Run(name, func(b *testing.B) {
			s := open(b, testConfig(b, url(b)))
			fill(b, s)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Grant(b.Context(), "g1"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRotate(b *testing.B) {
	for name, url := range databases {
		b.Run(name, func(b *testing.B) {
			s := open(b, testConfig(b, url(b)))
			fill(b, s)
			last := "r2"
			for i := 0; b.Loop(); i++ {
				next := fmt.Sprint("n", i)
				token := oauth.RefreshToken{ID: next, GrantID: "g1", Expires: testNow.Add(time.Hour)}
				if err := s.Rotate(b.Context(), last, testNow, "dbr_successor", token); err != nil {
					b.Fatal(err)
				}
				last = next
			}
		})
	}
}

func BenchmarkSignIn(b *testing.B) { // transaction, swap, grant and code
	for name, url := range databases {
		b.Run(name, func(b *testing.B) {
			s, ctx := open(b, testConfig(b, url(b))), b.Context()
			for i := 0; b.Loop(); i++ {
				id := fmt.Sprint(i)
				tx := oauth.Transaction{ID: id, Status: oauth.AtProvider, UpstreamState: id, Created: testNow, Expires: testNow.Add(time.Minute)}
				check(b, s.PutTransaction(ctx, tx, 10_000))
				tx.Status = oauth.Consenting
				check(b, s.SwapTransaction(ctx, oauth.AtProvider, tx))
				g := oauth.Grant{ID: id, Upstream: &oauth.Upstream{RefreshToken: "rt"}, Created: testNow, Expires: testNow.Add(time.Hour)}
				check(b, s.Finish(ctx, tx, g, oauth.Code{Hash: id, GrantID: id, Expires: testNow.Add(time.Minute)}))
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for name, url := range databases {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, err := Open(b.Context(), testConfig(b, url(b)))
				check(b, err)
				check(b, s.Close())
			}
		})
	}
}

// calls are records as a busy gateway makes them: of many people and many tools, in no order.
func calls(n int) []proxy.Record {
	records := make([]proxy.Record, n)
	for i := range records {
		records[i] = proxy.Record{
			ID: fmt.Sprintf("%032x", i), RequestID: fmt.Sprintf("%026x", i), Time: testNow.Add(time.Duration(i) * time.Millisecond), Subscription: "team-a",
			Caller: fmt.Sprint("tenant/person-", i*7919%50), ClientID: "dcr_abcdefghijklmnopqrstuvwxyz", Surface: proxy.MCP,
			Endpoint: fmt.Sprint("tool-", i*7919%20), Server: "orders", Tool: fmt.Sprint("tool-", i*7919%20), Backend: "orders", Attempts: 1, Status: 200,
			Ending: proxy.EndOK, Currency: "USD", Duration: time.Duration(i*7919%5000) * time.Microsecond, Upstream: time.Duration(i*7919%4000) * time.Microsecond,
		}
	}
	return records
}

// BenchmarkLedger writes full batches; the figure is of one record.
func BenchmarkLedger(b *testing.B) {
	for name, url := range databases {
		b.Run(name, func(b *testing.B) {
			s := open(b, testConfig(b, url(b)))
			batch := calls(ledgerBatch)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%len(batch) == 0 {
					for n := range batch {
						batch[n].Time = batch[n].Time.Add(time.Second) // of another time: another batch
					}
					batch[0].ID = fmt.Sprint(i)
					check(b, s.ledger.to.writeUsage(b.Context(), batch))
				}
			}
		})
	}
}

// BenchmarkPack has no database in it; the figure is of one record.
func BenchmarkPack(b *testing.B) {
	records := calls(ledgerBatch)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(records) == 0 {
			pack(records)
		}
	}
}

// BenchmarkUsage sums a hundred batches; the figure is of one record.
func BenchmarkUsage(b *testing.B) {
	s := open(b, testConfig(b, databases["sqlite"](b)))
	records := calls(100 * ledgerBatch)
	for batch := range slices.Chunk(records, ledgerBatch) {
		check(b, s.ledger.to.writeUsage(b.Context(), batch))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(records) > 0 {
			continue
		}
		if sums, err := s.Usage(b.Context(), testNow, testNow.Add(time.Hour)); err != nil || Total(sums).Calls != int64(len(records)) {
			b.Fatal(Total(sums).Calls, err)
		}
	}
}
