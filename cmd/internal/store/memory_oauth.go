package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

func (m *memory) PutClient(ctx context.Context, c oauth.Client) error {
	c, err := copied(c)
	if err != nil {
		return err
	}
	return m.write(ctx, func() error {
		m.dropClient(c.ID)
		m.clients[c.ID] = c
		if c.Kind == oauth.Registered && c.Fingerprint != "" {
			m.fingerprints[c.Fingerprint] = c.ID
		}
		return nil
	})
}

func (m *memory) dropClient(id string) {
	if old, ok := m.clients[id]; ok && m.fingerprints[old.Fingerprint] == id {
		delete(m.fingerprints, old.Fingerprint)
	}
	delete(m.clients, id)
}

func (m *memory) Client(ctx context.Context, id string) (oauth.Client, error) {
	return read(ctx, m, func() (oauth.Client, bool) { c, ok := m.clients[id]; return c, ok })
}

func (m *memory) ClientByFingerprint(ctx context.Context, fingerprint string) (oauth.Client, error) {
	return read(ctx, m, func() (oauth.Client, bool) {
		id, ok := m.fingerprints[fingerprint]
		return m.clients[id], ok
	})
}

func (m *memory) TouchClient(ctx context.Context, id string, at time.Time) error {
	return m.write(ctx, func() error {
		if c, ok := m.clients[id]; ok {
			c.LastUsed = at
			m.clients[id] = c
		}
		return nil
	})
}

func (m *memory) EvictUnused(ctx context.Context, limit int, before time.Time) (room bool, err error) {
	err = m.write(ctx, func() error {
		unused, oldest := 0, ""
		for id, c := range m.clients {
			if c.Kind != oauth.Registered || !c.LastUsed.IsZero() {
				continue
			}
			unused++
			if c.Created.Before(before) && (oldest == "" || c.Created.Before(m.clients[oldest].Created)) {
				oldest = id
			}
		}
		if unused >= limit && oldest != "" {
			m.dropClient(oldest)
			unused--
		}
		room = unused < limit
		return nil
	})
	return room, err
}

func (m *memory) PutTransaction(ctx context.Context, t oauth.Transaction, limit int) error {
	t, err := copied(t)
	if err != nil {
		return err
	}
	return m.write(ctx, func() error {
		_, taken := m.states[t.UpstreamState]
		if _, exists := m.transactions[t.ID]; exists || taken {
			return oauth.ErrConflict
		}
		if len(m.open) >= limit && m.openAt(t.Created) >= limit {
			return oauth.ErrConflict
		}
		m.keep(t)
		if t.UpstreamState != "" {
			m.states[t.UpstreamState] = t.ID
		}
		return nil
	})
}

// keep stores a transaction and whether it is open.
func (m *memory) keep(t oauth.Transaction) {
	m.transactions[t.ID] = t
	if t.Status == oauth.AtProvider || t.Status == oauth.Consenting {
		m.open[t.ID] = true
	} else {
		delete(m.open, t.ID)
	}
}

// openAt counts the open transactions that have not expired by then.
func (m *memory) openAt(now time.Time) (n int) {
	for id := range m.open {
		if m.transactions[id].Expires.After(now) {
			n++
		}
	}
	return n
}

func (m *memory) Transaction(ctx context.Context, id string) (oauth.Transaction, error) {
	return read(ctx, m, func() (oauth.Transaction, bool) { t, ok := m.transactions[id]; return t, ok })
}

func (m *memory) TransactionByState(ctx context.Context, upstreamState string) (oauth.Transaction, error) {
	return read(ctx, m, func() (oauth.Transaction, bool) {
		id, ok := m.states[upstreamState]
		return m.transactions[id], ok
	})
}

func (m *memory) SwapTransaction(ctx context.Context, from oauth.TransactionStatus, t oauth.Transaction) error {
	t, err := copied(t)
	if err != nil {
		return err
	}
	return m.write(ctx, func() error { return m.swap(from, t) })
}

// swap keeps the upstream state that the transaction was made with: it is how the callback finds it.
func (m *memory) swap(from oauth.TransactionStatus, t oauth.Transaction) error {
	old, ok := m.transactions[t.ID]
	if !ok || old.Status != from {
		return oauth.ErrConflict
	}
	t.UpstreamState = old.UpstreamState
	m.keep(t)
	return nil
}

func (m *memory) Finish(ctx context.Context, t oauth.Transaction, g oauth.Grant, c oauth.Code) error {
	t.Status = oauth.Done
	t, err1 := copied(t)
	g, err2 := copied(g)
	c, err3 := copied(c)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	return m.write(ctx, func() error {
		if err := m.swap(oauth.Consenting, t); err != nil {
			return err
		}
		m.grants[g.ID], m.codes[c.Hash] = g, c
		if m.subjects[g.Identity.Subject] == nil {
			m.subjects[g.Identity.Subject] = map[string]bool{}
		}
		m.subjects[g.Identity.Subject][g.ID] = true
		return nil
	})
}

func (m *memory) SpendCode(ctx context.Context, hash string, at time.Time) (before oauth.Code, err error) {
	err = m.write(ctx, func() error {
		c, ok := m.codes[hash]
		if !ok {
			return oauth.ErrNotFound
		}
		before = c
		before.Scopes = slices.Clone(c.Scopes)
		if !c.SpentAt.IsZero() {
			return oauth.ErrConflict
		}
		c.SpentAt = at
		m.codes[hash] = c
		return nil
	})
	return before, err
}

func (m *memory) Grant(ctx context.Context, id string) (oauth.Grant, error) {
	return read(ctx, m, func() (oauth.Grant, bool) { g, ok := m.grants[id]; return g, ok })
}

func (m *memory) RevokeGrant(ctx context.Context, id, reason string, at time.Time) error {
	return m.write(ctx, func() error {
		if g, ok := m.grants[id]; ok && g.Revoked.IsZero() {
			g.Revoked, g.Reason, g.Upstream = at, reason, nil
			m.grants[id] = g
		}
		return nil
	})
}

func (m *memory) UpdateGrant(ctx context.Context, g oauth.Grant) error {
	g, err := copied(g)
	if err != nil {
		return err
	}
	return m.write(ctx, func() error {
		old, ok := m.grants[g.ID]
		if !ok || !old.Revoked.IsZero() {
			return oauth.ErrConflict
		}
		g.Identity.Subject = old.Identity.Subject // a grant never changes its person
		old.Identity, old.Upstream = g.Identity, g.Upstream
		m.grants[g.ID] = old
		return nil
	})
}

func (m *memory) GrantsOf(ctx context.Context, subject string, now time.Time) ([]oauth.Grant, error) {
	list, err := read(ctx, m, func() ([]oauth.Grant, bool) {
		list := []oauth.Grant{}
		for id := range m.subjects[subject] {
			if g := m.grants[id]; g.Revoked.IsZero() && g.Expires.After(now) {
				list = append(list, g)
			}
		}
		return list, true
	})
	slices.SortFunc(list, func(a, b oauth.Grant) int { return b.Created.Compare(a.Created) })
	return list, err
}

func (m *memory) forgetSubject(g oauth.Grant) {
	delete(m.subjects[g.Identity.Subject], g.ID)
	if len(m.subjects[g.Identity.Subject]) == 0 {
		delete(m.subjects, g.Identity.Subject)
	}
}

func (m *memory) PutRefresh(ctx context.Context, r oauth.RefreshToken) error {
	return m.write(ctx, func() error {
		m.refresh[r.ID] = r
		return nil
	})
}

func (m *memory) Refresh(ctx context.Context, id string) (oauth.RefreshToken, error) {
	return read(ctx, m, func() (oauth.RefreshToken, bool) { r, ok := m.refresh[id]; return r, ok })
}

func (m *memory) Rotate(ctx context.Context, id string, at time.Time, successor string, next oauth.RefreshToken) error {
	return m.write(ctx, func() error {
		old, ok := m.refresh[id]
		if !ok || !old.UsedAt.IsZero() {
			return oauth.ErrConflict
		}
		if g, ok := m.grants[old.GrantID]; ok && !g.Revoked.IsZero() {
			return oauth.ErrConflict // the revocation ended the whole family
		}
		old.UsedAt, old.Successor = at, successor
		m.refresh[id], m.refresh[next.ID] = old, next
		return nil
	})
}

func (m *memory) PutSession(ctx context.Context, s oauth.Session) error {
	s, err := copied(s)
	if err != nil {
		return err
	}
	return m.write(ctx, func() error {
		m.sessions[s.Hash] = s
		return nil
	})
}

func (m *memory) Session(ctx context.Context, hash string) (oauth.Session, error) {
	return read(ctx, m, func() (oauth.Session, bool) { s, ok := m.sessions[hash]; return s, ok })
}

func (m *memory) DeleteSession(ctx context.Context, hash string) error {
	return m.write(ctx, func() error {
		delete(m.sessions, hash)
		return nil
	})
}
