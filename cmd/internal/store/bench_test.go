package store

import (
	"fmt"
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

// BenchmarkLedger writes full batches; the figure is of one row.
func BenchmarkLedger(b *testing.B) {
	for name, url := range databases {
		b.Run(name, func(b *testing.B) {
			s := open(b, testConfig(b, url(b)))
			batch := make([]proxy.Record, ledgerBatch)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				n := i % len(batch)
				batch[n] = proxy.Record{
					ID: fmt.Sprintf("%032x", i), RequestID: fmt.Sprintf("%026x", i), Time: testNow, Caller: "tenant/alice", ClientID: "dcr_abcdefghijklmnopqrstuvwxyz",
					Surface: proxy.MCP, Endpoint: "getOrder", Server: "orders", Tool: "getOrder", Backend: "orders", Attempts: 1, Status: 200, Ending: proxy.EndOK,
					Currency: "USD", Duration: time.Millisecond, Upstream: time.Millisecond,
				}
				if n == len(batch)-1 {
					check(b, s.ledger.to.writeUsage(b.Context(), batch))
				}
			}
		})
	}
}
