package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

func TestCallersWhoGoInTheMiddleLeaveNothingHalfDone(t *testing.T) { // oauth.md §16
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			s := open(t, testConfig(t, url(t)))
			const signIns = 200
			random := rand.New(rand.NewPCG(5, 6))
			var wg sync.WaitGroup
			for i := range signIns {
				id, patience := fmt.Sprint(i), random.IntN(2000)
				tx := oauth.Transaction{ID: id, Status: oauth.Consenting, UpstreamState: id, Created: testNow, Expires: testNow.Add(time.Hour)}
				check(t, s.PutTransaction(t.Context(), tx, 1000))
				ctx, cancel := context.WithCancel(t.Context())
				wg.Go(func() {
					g := oauth.Grant{ID: id, Created: testNow, Expires: testNow.Add(time.Hour)}
					_ = s.Finish(ctx, tx, g, oauth.Code{Hash: id, GrantID: id, Expires: testNow.Add(time.Hour)})
				})
				wg.Go(func() {
					for range patience {
						runtime.Gosched()
					}
					cancel()
				})
			}
			wg.Wait()
			finished := 0
			for i := range signIns {
				if wholeOrNothing(t, s, fmt.Sprint(i)) {
					finished++
				}
			}
			t.Logf("%d of %d finished before their caller went", finished, signIns)
		})
	}
}

// wholeOrNothing checks that a sign-in has its grant, its code and its status, or none of them.
func wholeOrNothing(t *testing.T, s *Store, id string) bool {
	t.Helper()
	tx, err := s.Transaction(t.Context(), id)
	check(t, err)
	_, grant := s.Grant(t.Context(), id)
	_, code := s.SpendCode(t.Context(), id, testNow)
	for _, err := range []error{grant, code} {
		if err != nil && !errors.Is(err, oauth.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	done := tx.Status == oauth.Done
	if done != (grant == nil) || done != (code == nil) {
		t.Errorf("%s: transaction %s, grant %v, code %v", id, tx.Status, grant, code)
	}
	return done
}
