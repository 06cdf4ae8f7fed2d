package oauthtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// RunGrantStore checks what every GrantStore must do.
func RunGrantStore(t *testing.T, newStore NewStore) {
	t.Run("a grant comes back as it was written", func(t *testing.T) {
		s, g := newStore(t), suiteGrant("g1", "t1/o1")
		finish(t, s, g)
		got, err := s.Grant(t.Context(), "g1")
		must(t, err)
		wantSame(t, "grant", got, g)
		_, err = s.Grant(t.Context(), "g2")
		wantError(t, "unknown", err, oauth.ErrNotFound)
	})
	t.Run("a grant without upstream has none when it comes back", func(t *testing.T) {
		s, g := newStore(t), suiteGrant("g1", "dev/alice")
		g.Upstream, g.Identity.Claims = nil, nil
		finish(t, s, g)
		got, err := s.Grant(t.Context(), "g1")
		must(t, err)
		wantSame(t, "grant", got, g)
	})
	t.Run("the first revocation counts", func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		finish(t, s, suiteGrant("g1", "t1/o1"))
		must(t, s.RevokeGrant(ctx, "g1", "reuse", suiteNow.Add(time.Second)))
		must(t, s.RevokeGrant(ctx, "g1", "user", suiteNow.Add(time.Minute)))
		must(t, s.RevokeGrant(ctx, "unknown", "user", suiteNow))
		got, err := s.Grant(ctx, "g1")
		must(t, err)
		wantSame(t, "revoked", got.Revoked, suiteNow.Add(time.Second))
		wantSame(t, "reason", got.Reason, "reuse")
	})
	runGrantChanges(t, newStore)
}

// runGrantChanges checks updates, and the list of a person's grants.
func runGrantChanges(t *testing.T, newStore NewStore) {
	t.Run("an update replaces identity and upstream and nothing else", func(t *testing.T) {
		s, ctx, g := newStore(t), t.Context(), suiteGrant("g1", "t1/o1")
		finish(t, s, g)
		changed := g
		changed.Identity.Roles, changed.Identity.Claims = []string{"c"}, map[string]any{"new": "claim"}
		changed.Upstream = suiteUpstream("new")
		want := changed
		changed.Resource, changed.ClientID, changed.Expires = "https://gw/mcp/other", "c2", suiteNow
		must(t, s.UpdateGrant(ctx, changed))
		got, err := s.Grant(ctx, "g1")
		must(t, err)
		wantSame(t, "grant", got, want)
	})
	t.Run("an update does not bring a revoked grant back", func(t *testing.T) { // oauth.md §11.7
		s, ctx, g := newStore(t), t.Context(), suiteGrant("g1", "t1/o1")
		finish(t, s, g)
		must(t, s.RevokeGrant(ctx, "g1", "user", suiteNow))
		wantError(t, "revoked", s.UpdateGrant(ctx, g), oauth.ErrConflict)
		wantError(t, "unknown", s.UpdateGrant(ctx, suiteGrant("g2", "t1/o1")), oauth.ErrConflict)
		got, err := s.Grant(ctx, "g1")
		must(t, err)
		if got.Revoked.IsZero() {
			t.Error("it is good again")
		}
	})
	t.Run("a person's grants are those that are good, newest first", func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		for i := range 5 {
			g := suiteGrant(fmt.Sprintf("g%d", i), "t1/o1")
			g.Created = suiteNow.Add(time.Duration(i) * time.Minute)
			if i == 4 {
				g.Expires = suiteNow.Add(time.Hour)
			}
			finish(t, s, g)
		}
		finish(t, s, suiteGrant("other", "t1/o2"))
		must(t, s.RevokeGrant(ctx, "g1", "user", suiteNow))
		list, err := s.GrantsOf(ctx, "t1/o1", suiteNow.Add(time.Hour))
		must(t, err)
		var ids []string
		for _, g := range list {
			ids = append(ids, g.ID)
		}
		wantSame(t, "grants", ids, []string{"g3", "g2", "g0"})
		list, err = s.GrantsOf(ctx, "t1/nobody", suiteNow)
		must(t, err)
		wantSame(t, "of nobody", len(list), 0)
	})
}

// withGrant is a store with grant g1 and its first refresh token, r1.
func withGrant(t *testing.T, newStore NewStore) oauth.Store {
	t.Helper()
	s := newStore(t)
	finish(t, s, suiteGrant("g1", "t1/o1"))
	must(t, s.PutRefresh(t.Context(), suiteRefresh("r1", "g1", 1)))
	return s
}

// RunRefreshStore checks what every RefreshStore must do.
func RunRefreshStore(t *testing.T, newStore NewStore) {
	t.Run("a token comes back as it was put", func(t *testing.T) {
		s := withGrant(t, newStore)
		got, err := s.Refresh(t.Context(), "r1")
		must(t, err)
		wantSame(t, "token", got, suiteRefresh("r1", "g1", 1))
		_, err = s.Refresh(t.Context(), "r2")
		wantError(t, "unknown", err, oauth.ErrNotFound)
	})
	t.Run("rotation uses the old one up and puts the next in its place", func(t *testing.T) { // oauth.md §9.3
		s, ctx := withGrant(t, newStore), t.Context()
		must(t, s.Rotate(ctx, "r1", suiteNow.Add(time.Minute), "dbr_r2.secret", suiteRefresh("r2", "g1", 2)))
		old, err := s.Refresh(ctx, "r1")
		must(t, err)
		want := suiteRefresh("r1", "g1", 1)
		want.UsedAt, want.Successor = suiteNow.Add(time.Minute), "dbr_r2.secret"
		wantSame(t, "old", old, want)
		next, err := s.Refresh(ctx, "r2")
		must(t, err)
		wantSame(t, "next", next, suiteRefresh("r2", "g1", 2))
		wantError(t, "rotating the used one", s.Rotate(ctx, "r1", suiteNow, "x", suiteRefresh("r3", "g1", 2)), oauth.ErrConflict)
		_, err = s.Refresh(ctx, "r3")
		wantError(t, "what lost", err, oauth.ErrNotFound)
		must(t, s.Rotate(ctx, "r2", suiteNow, "dbr_r4.secret", suiteRefresh("r4", "g1", 3)))
	})
	t.Run("of 50 rotations one wins", func(t *testing.T) { // oauth.md §9.3
		s, ctx := withGrant(t, newStore), t.Context()
		won := compete(t, oauth.ErrConflict, func(i int) error {
			id := fmt.Sprintf("n%d", i)
			return s.Rotate(ctx, "r1", suiteNow, "dbr_"+id, suiteRefresh(id, "g1", 2))
		})
		old, err := s.Refresh(ctx, "r1")
		must(t, err)
		made := []string{}
		for i := range contenders {
			if _, err := s.Refresh(ctx, fmt.Sprintf("n%d", i)); err == nil {
				made = append(made, fmt.Sprintf("dbr_n%d", i))
			}
		}
		if won != 1 || len(made) != 1 || made[0] != old.Successor {
			t.Errorf("%d won, made %q, successor %q", won, made, old.Successor)
		}
	})
	runRefreshEnds(t, newStore)
}

// runRefreshEnds checks tokens that do not rotate: unknown ones, and those of a grant that ended.
func runRefreshEnds(t *testing.T, newStore NewStore) {
	t.Run("an unknown token does not rotate", func(t *testing.T) {
		s := withGrant(t, newStore)
		wantError(t, "unknown", s.Rotate(t.Context(), "r9", suiteNow, "x", suiteRefresh("r10", "g1", 2)), oauth.ErrConflict)
		_, err := s.Refresh(t.Context(), "r10")
		wantError(t, "its successor", err, oauth.ErrNotFound)
	})
	t.Run("revoking the grant ends its tokens", func(t *testing.T) { // oauth.md §9.3
		s, ctx := withGrant(t, newStore), t.Context()
		must(t, s.RevokeGrant(ctx, "g1", "user", suiteNow))
		wantError(t, "rotating", s.Rotate(ctx, "r1", suiteNow, "x", suiteRefresh("r2", "g1", 2)), oauth.ErrConflict)
		_, err := s.Refresh(ctx, "r2")
		wantError(t, "its successor", err, oauth.ErrNotFound)
	})
	t.Run("a revocation and a rotation at once leave no token that works", func(t *testing.T) {
		s, ctx := withGrant(t, newStore), t.Context()
		compete(t, oauth.ErrConflict, func(i int) error {
			if i%2 == 0 {
				return s.RevokeGrant(ctx, "g1", "user", suiteNow)
			}
			return s.Rotate(ctx, "r1", suiteNow, "x", suiteRefresh(fmt.Sprintf("n%d", i), "g1", 2))
		})
		for i := range contenders {
			id := fmt.Sprintf("n%d", i)
			if _, err := s.Refresh(ctx, id); err == nil {
				wantError(t, id, s.Rotate(ctx, id, suiteNow, "x", suiteRefresh("after"+id, "g1", 3)), oauth.ErrConflict)
			}
		}
	})
}

// RunSessionStore checks what every SessionStore must do.
func RunSessionStore(t *testing.T, newStore NewStore) {
	t.Run("a session comes back as it was put, is replaced, and goes", func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		session := oauth.Session{Hash: "h1", Identity: suiteIdentity("t1/o1"), Created: suiteNow, Seen: suiteNow, Expires: suiteNow.Add(time.Hour)}
		must(t, s.PutSession(ctx, session))
		got, err := s.Session(ctx, "h1")
		must(t, err)
		wantSame(t, "session", got, session)
		session.Seen = suiteNow.Add(time.Minute)
		must(t, s.PutSession(ctx, session))
		got, err = s.Session(ctx, "h1")
		must(t, err)
		wantSame(t, "session", got, session)
		must(t, s.DeleteSession(ctx, "h1"))
		must(t, s.DeleteSession(ctx, "h1"))
		_, err = s.Session(ctx, "h1")
		wantError(t, "afterwards", err, oauth.ErrNotFound)
	})
}

// RunSweep checks what Sweep deletes and what it leaves (oauth.md §16).
func RunSweep(t *testing.T, newStore NewStore) {
	s, ctx := newStore(t), t.Context()
	session := oauth.Session{Hash: "h1", Identity: suiteIdentity("t1/o1"), Expires: suiteNow.Add(time.Hour)}
	must(t, s.PutSession(ctx, session))
	must(t, s.PutClient(ctx, suiteClient("c1")))
	finish(t, s, suiteGrant("g1", "t1/o1"))
	finish(t, s, suiteGrant("g2", "t1/o1"))
	must(t, s.PutRefresh(ctx, suiteRefresh("r1", "g1", 1)))
	must(t, s.PutRefresh(ctx, suiteRefresh("r2", "g2", 1)))
	_, err := s.SpendCode(ctx, "code-g1", suiteNow)
	must(t, err)
	must(t, s.RevokeGrant(ctx, "g1", "user", suiteNow))

	there := func(want map[string]bool) {
		t.Helper()
		finders := map[string]func() error{
			"session":     func() error { _, err := s.Session(ctx, "h1"); return err },
			"transaction": func() error { _, err := s.Transaction(ctx, "tx-g1"); return err },
			"state":       func() error { _, err := s.TransactionByState(ctx, "up-tx-g1"); return err },
			"code":        func() error { _, err := s.SpendCode(ctx, "code-g1", suiteNow); return err },
			"revoked":     func() error { _, err := s.Grant(ctx, "g1"); return err },
			"its token":   func() error { _, err := s.Refresh(ctx, "r1"); return err },
			"good":        func() error { _, err := s.Grant(ctx, "g2"); return err },
			"good token":  func() error { _, err := s.Refresh(ctx, "r2"); return err },
			"client":      func() error { _, err := s.Client(ctx, "c1"); return err },
		}
		for name, find := range finders {
			wantSame(t, name+" is there", !errors.Is(find(), oauth.ErrNotFound), want[name])
		}
	}
	all := map[string]bool{"session": true, "transaction": true, "state": true, "code": true, "revoked": true, "its token": true, "good": true, "good token": true, "client": true}
	must(t, s.Sweep(ctx, suiteNow.Add(time.Minute)))
	there(all)
	must(t, s.Sweep(ctx, suiteNow.Add(2*time.Hour)))
	all["session"], all["transaction"], all["state"] = false, false, false
	there(all) // the spent code is kept, so that reuse is noticed
	must(t, s.Sweep(ctx, suiteNow.Add(25*time.Hour)))
	all["code"] = false
	there(all)
	must(t, s.Sweep(ctx, suiteNow.Add(30*24*time.Hour+time.Minute)))
	all["revoked"], all["its token"] = false, false
	there(all)
	must(t, s.Sweep(ctx, suiteNow.Add(61*24*time.Hour)))
	there(map[string]bool{"client": true})
}
