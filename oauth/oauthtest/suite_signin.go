package oauthtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// RunClientStore checks what every ClientStore must do.
func RunClientStore(t *testing.T, newStore NewStore) {
	t.Run("a client comes back as it was put, and put again is replaced", func(t *testing.T) {
		s, ctx, c := newStore(t), t.Context(), suiteClient("c1")
		must(t, s.PutClient(ctx, c))
		got, err := s.Client(ctx, "c1")
		must(t, err)
		wantSame(t, "client", got, c)
		c.Status, c.Fingerprint, c.RedirectURIs, c.LastUsed = oauth.Blocked, "fp-other", nil, suiteNow.Add(time.Second)
		must(t, s.PutClient(ctx, c))
		got, err = s.Client(ctx, "c1")
		must(t, err)
		wantSame(t, "client", got, c)
		_, err = s.ClientByFingerprint(ctx, "fp-c1")
		wantError(t, "the fingerprint it had", err, oauth.ErrNotFound)
	})
	t.Run("an unknown client is not found", func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		for _, id := range []string{"", "c1", "' OR 1=1 --"} {
			_, err := s.Client(ctx, id)
			wantError(t, id, err, oauth.ErrNotFound)
		}
	})
	t.Run("a fingerprint finds registered clients only, and nothing has no fingerprint", func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		document, plain := suiteClient("https://c.example/doc"), suiteClient("c2")
		document.Kind, document.Fingerprint, plain.Fingerprint = oauth.Document, "fp-doc", ""
		for _, c := range []oauth.Client{suiteClient("c1"), document, plain} {
			must(t, s.PutClient(ctx, c))
		}
		got, err := s.ClientByFingerprint(ctx, "fp-c1")
		must(t, err)
		wantSame(t, "id", got.ID, "c1")
		for _, fingerprint := range []string{"", "fp-doc", "fp-none"} {
			_, err := s.ClientByFingerprint(ctx, fingerprint)
			wantError(t, fingerprint, err, oauth.ErrNotFound)
		}
	})
	t.Run("touching sets the last use and ignores strangers", func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		must(t, s.PutClient(ctx, suiteClient("c1")))
		must(t, s.TouchClient(ctx, "c1", suiteNow.Add(time.Hour)))
		must(t, s.TouchClient(ctx, "https://stranger", suiteNow))
		got, err := s.Client(ctx, "c1")
		must(t, err)
		wantSame(t, "last used", got.LastUsed, suiteNow.Add(time.Hour))
		_, err = s.Client(ctx, "https://stranger")
		wantError(t, "stranger", err, oauth.ErrNotFound)
	})
	t.Run("eviction takes the oldest that was never used", testEvict(newStore))
}

func testEvict(newStore NewStore) func(*testing.T) { // oauth.md §6.4
	return func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		used, document := suiteClient("used"), suiteClient("document")
		used.Created, used.LastUsed = suiteNow.Add(-9*time.Hour), suiteNow
		document.Created, document.Kind = suiteNow.Add(-9*time.Hour), oauth.Document
		must(t, s.PutClient(ctx, used))
		must(t, s.PutClient(ctx, document))
		for i := range 3 {
			c := suiteClient(fmt.Sprintf("c%d", i))
			c.Created = suiteNow.Add(time.Duration(-i) * time.Hour)
			must(t, s.PutClient(ctx, c))
		}
		room := func(limit int, before time.Time, want bool) {
			t.Helper()
			got, err := s.EvictUnused(ctx, limit, before)
			must(t, err)
			wantSame(t, "room", got, want)
		}
		room(4, suiteNow, true)                    // three of four: nothing goes
		room(3, suiteNow.Add(-3*time.Hour), false) // full, and none is old enough
		for _, id := range []string{"c0", "c1", "c2", "used", "document"} {
			_, err := s.Client(ctx, id)
			must(t, err)
		}
		room(3, suiteNow.Add(-30*time.Minute), true)
		_, err := s.Client(ctx, "c2")
		wantError(t, "the oldest", err, oauth.ErrNotFound)
		_, err = s.ClientByFingerprint(ctx, "fp-c2")
		wantError(t, "the oldest by fingerprint", err, oauth.ErrNotFound)
		for _, id := range []string{"c0", "c1", "used", "document"} {
			_, err := s.Client(ctx, id)
			must(t, err)
		}
	}
}

// RunTransactionStore checks what every TransactionStore must do.
func RunTransactionStore(t *testing.T, newStore NewStore) {
	t.Run("a transaction comes back as it was put, by id and by state", func(t *testing.T) {
		s, ctx, tx := newStore(t), t.Context(), suiteTransaction("t1")
		must(t, s.PutTransaction(ctx, tx, 10))
		got, err := s.Transaction(ctx, "t1")
		must(t, err)
		wantSame(t, "transaction", got, tx)
		got, err = s.TransactionByState(ctx, "up-t1")
		must(t, err)
		wantSame(t, "transaction", got, tx)
	})
	t.Run("an unknown one is not found, an empty state least of all", func(t *testing.T) {
		s, ctx, tx := newStore(t), t.Context(), suiteTransaction("t1")
		tx.UpstreamState = ""
		must(t, s.PutTransaction(ctx, tx, 10))
		other := suiteTransaction("t2")
		other.UpstreamState = ""
		must(t, s.PutTransaction(ctx, other, 10)) // having none is no conflict
		_, err := s.Transaction(ctx, "t3")
		wantError(t, "by id", err, oauth.ErrNotFound)
		_, err = s.TransactionByState(ctx, "")
		wantError(t, "by empty state", err, oauth.ErrNotFound)
		_, err = s.TransactionByState(ctx, "up-t1")
		wantError(t, "by state", err, oauth.ErrNotFound)
	})
	t.Run("the same id or upstream state twice is a conflict", func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		must(t, s.PutTransaction(ctx, suiteTransaction("t1"), 10))
		wantError(t, "same id", s.PutTransaction(ctx, suiteTransaction("t1"), 10), oauth.ErrConflict)
		other := suiteTransaction("t2")
		other.UpstreamState = "up-t1"
		wantError(t, "same state", s.PutTransaction(ctx, other, 10), oauth.ErrConflict)
	})
	t.Run("only open ones that have not expired count against the limit", testOpenLimit(newStore))
	runTransactionSwaps(t, newStore)
}

// runTransactionSwaps checks how a transaction goes on and ends, and what callers have in their hands.
func runTransactionSwaps(t *testing.T, newStore NewStore) {
	t.Run("a swap from another status is a conflict and changes nothing", func(t *testing.T) {
		s, ctx, tx := newStore(t), t.Context(), suiteTransaction("t1")
		must(t, s.PutTransaction(ctx, tx, 10))
		next := tx
		next.Status, next.Nonce = oauth.Consenting, "changed"
		wantError(t, "from consenting", s.SwapTransaction(ctx, oauth.Consenting, next), oauth.ErrConflict)
		got, err := s.Transaction(ctx, "t1")
		must(t, err)
		wantSame(t, "transaction", got, tx)
		unknown := suiteTransaction("t9")
		wantError(t, "unknown", s.SwapTransaction(ctx, oauth.AtProvider, unknown), oauth.ErrConflict)
	})
	t.Run("of 50 callbacks one takes the transaction", func(t *testing.T) { // oauth.md §4
		s, ctx, tx := newStore(t), t.Context(), suiteTransaction("t1")
		must(t, s.PutTransaction(ctx, tx, 10))
		identity := suiteIdentity("t1/o1")
		tx.Status, tx.Identity, tx.Upstream = oauth.Consenting, &identity, suiteUpstream("x")
		if won := compete(t, oauth.ErrConflict, func(int) error { return s.SwapTransaction(ctx, oauth.AtProvider, tx) }); won != 1 {
			t.Errorf("%d took it", won)
		}
		got, err := s.TransactionByState(ctx, "up-t1")
		must(t, err)
		wantSame(t, "transaction", got, tx)
	})
	t.Run("finishing writes grant and code or nothing", testFinish(newStore))
	t.Run("of 50 approvals one finishes", testFinishRace(newStore))
	t.Run("what was put is not held", func(t *testing.T) {
		s, ctx, tx := newStore(t), t.Context(), suiteTransaction("t1")
		must(t, s.PutTransaction(ctx, tx, 10))
		tx.Scopes[0], tx.Client.RedirectURIs[0] = "changed", "changed"
		got, err := s.Transaction(ctx, "t1")
		must(t, err)
		wantSame(t, "transaction", got, suiteTransaction("t1"))
	})
	t.Run("a caller who has gone changes nothing", func(t *testing.T) {
		s := newStore(t)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.PutTransaction(gone, suiteTransaction("t1"), 10); err == nil {
			t.Error("PutTransaction succeeded")
		}
		_, err := s.Transaction(t.Context(), "t1")
		wantError(t, "afterwards", err, oauth.ErrNotFound)
	})
}

func testOpenLimit(newStore NewStore) func(*testing.T) { // oauth.md §17
	return func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		old := suiteTransaction("old")
		old.Created, old.Expires = suiteNow.Add(-time.Hour), suiteNow.Add(-time.Minute)
		must(t, s.PutTransaction(ctx, old, 2))
		for _, id := range []string{"t1", "t2"} {
			must(t, s.PutTransaction(ctx, suiteTransaction(id), 2))
		}
		wantError(t, "one too many", s.PutTransaction(ctx, suiteTransaction("t3"), 2), oauth.ErrConflict)
		failed := suiteTransaction("t1")
		failed.Status = oauth.Failed
		must(t, s.SwapTransaction(ctx, oauth.AtProvider, failed))
		must(t, s.PutTransaction(ctx, suiteTransaction("t3"), 2))
		won := compete(t, oauth.ErrConflict, func(i int) error {
			return s.PutTransaction(ctx, suiteTransaction(fmt.Sprintf("r%d", i)), 7)
		})
		wantSame(t, "let in of those that compete for five places", won, 5)
	}
}

func testFinish(newStore NewStore) func(*testing.T) {
	return func(t *testing.T) {
		s, ctx, tx, g := newStore(t), t.Context(), suiteTransaction("t1"), suiteGrant("g1", "t1/o1")
		must(t, s.PutTransaction(ctx, tx, 10))
		code := suiteCode("h1", "g1")
		wantError(t, "at the provider still", s.Finish(ctx, tx, g, code), oauth.ErrConflict)
		_, err := s.Grant(ctx, "g1")
		wantError(t, "the grant of a refused finish", err, oauth.ErrNotFound)
		_, err = s.SpendCode(ctx, "h1", suiteNow)
		wantError(t, "the code of a refused finish", err, oauth.ErrNotFound)

		tx.Status = oauth.Consenting
		must(t, s.SwapTransaction(ctx, oauth.AtProvider, tx))
		must(t, s.Finish(ctx, tx, g, code))
		done, err := s.Transaction(ctx, "t1")
		must(t, err)
		wantSame(t, "status", done.Status, oauth.Done)
		got, err := s.Grant(ctx, "g1")
		must(t, err)
		wantSame(t, "grant", got, g)
		wantError(t, "finishing again", s.Finish(ctx, tx, suiteGrant("g2", "t1/o1"), suiteCode("h2", "g2")), oauth.ErrConflict)
	}
}

func testFinishRace(newStore NewStore) func(*testing.T) {
	return func(t *testing.T) {
		s, ctx, tx := newStore(t), t.Context(), suiteTransaction("t1")
		tx.Status = oauth.Consenting
		must(t, s.PutTransaction(ctx, tx, 10))
		won := compete(t, oauth.ErrConflict, func(i int) error {
			id := fmt.Sprintf("g%d", i)
			return s.Finish(ctx, tx, suiteGrant(id, "t1/o1"), suiteCode("h"+id, id))
		})
		grants, err := s.GrantsOf(ctx, "t1/o1", suiteNow)
		must(t, err)
		if won != 1 || len(grants) != 1 {
			t.Fatalf("%d finished, %d grants", won, len(grants))
		}
		codes := 0
		for i := range contenders {
			if _, err := s.SpendCode(ctx, fmt.Sprintf("hg%d", i), suiteNow); err == nil {
				codes++
			}
		}
		wantSame(t, "codes", codes, 1)
	}
}

// RunCodeStore checks what every CodeStore must do.
func RunCodeStore(t *testing.T, newStore NewStore) {
	t.Run("a code is spent once, and comes back as it was", func(t *testing.T) { // oauth.md §9.2
		s, ctx := newStore(t), t.Context()
		want := finish(t, s, suiteGrant("g1", "t1/o1"))
		got, err := s.SpendCode(ctx, want.Hash, suiteNow.Add(time.Second))
		must(t, err)
		wantSame(t, "code", got, want)
		got, err = s.SpendCode(ctx, want.Hash, suiteNow.Add(time.Hour))
		wantError(t, "again", err, oauth.ErrConflict)
		want.SpentAt = suiteNow.Add(time.Second)
		wantSame(t, "code", got, want)
	})
	t.Run("an unknown code is not found", func(t *testing.T) {
		_, err := newStore(t).SpendCode(t.Context(), "none", suiteNow)
		wantError(t, "unknown", err, oauth.ErrNotFound)
	})
	t.Run("of 50 redemptions one succeeds", func(t *testing.T) { // oauth.md §9.2
		s, ctx := newStore(t), t.Context()
		code := finish(t, s, suiteGrant("g1", "t1/o1"))
		won := compete(t, oauth.ErrConflict, func(int) error {
			got, err := s.SpendCode(ctx, code.Hash, suiteNow)
			if got.GrantID != "g1" {
				t.Errorf("grant %q", got.GrantID)
			}
			return err
		})
		wantSame(t, "winners", won, 1)
	})
}
