package oauthtest

import (
	"context"
	"slices"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

func (m *Memory) PutTransaction(ctx context.Context, t oauth.Transaction, limit int) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	open := 1 // with the new one
	for id, old := range m.transactions {
		if id == t.ID || old.UpstreamState == t.UpstreamState && t.UpstreamState != "" {
			return oauth.ErrConflict
		}
		if isOpen(old) && old.Expires.After(t.Created) {
			open++
		}
	}
	if open > limit {
		return oauth.ErrConflict
	}
	put(&m.transactions, t.ID, t)
	return nil
}

func isOpen(t oauth.Transaction) bool {
	return t.Status == oauth.AtProvider || t.Status == oauth.Consenting
}

func (m *Memory) Transaction(ctx context.Context, id string) (oauth.Transaction, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return oauth.Transaction{}, err
	}
	defer leave()
	return get(m.transactions, id)
}

func (m *Memory) TransactionByState(ctx context.Context, upstreamState string) (oauth.Transaction, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return oauth.Transaction{}, err
	}
	defer leave()
	for _, t := range m.transactions {
		if t.UpstreamState == upstreamState && upstreamState != "" {
			return copyOf(t), nil
		}
	}
	return oauth.Transaction{}, oauth.ErrNotFound
}

func (m *Memory) SwapTransaction(ctx context.Context, from oauth.TransactionStatus, t oauth.Transaction) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return m.swap(from, t)
}

func (m *Memory) swap(from oauth.TransactionStatus, t oauth.Transaction) error {
	if old, ok := m.transactions[t.ID]; !ok || old.Status != from {
		return oauth.ErrConflict
	}
	put(&m.transactions, t.ID, t)
	return nil
}

func (m *Memory) Finish(ctx context.Context, t oauth.Transaction, g oauth.Grant, c oauth.Code) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	t.Status = oauth.Done
	if err := m.swap(oauth.Consenting, t); err != nil {
		return err
	}
	put(&m.grants, g.ID, g)
	put(&m.codes, c.Hash, c)
	return nil
}

func (m *Memory) SpendCode(ctx context.Context, hash string, at time.Time) (oauth.Code, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return oauth.Code{}, err
	}
	defer leave()
	c, err := get(m.codes, hash)
	if err != nil {
		return c, err
	}
	if !c.SpentAt.IsZero() {
		return c, oauth.ErrConflict
	}
	spent := c
	spent.SpentAt = at
	put(&m.codes, hash, spent)
	return c, nil
}

func (m *Memory) Grant(ctx context.Context, id string) (oauth.Grant, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return oauth.Grant{}, err
	}
	defer leave()
	return get(m.grants, id)
}

func (m *Memory) RevokeGrant(ctx context.Context, id, reason string, at time.Time) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if g, ok := m.grants[id]; ok && g.Revoked.IsZero() {
		g.Revoked, g.Reason = at, reason
		put(&m.grants, id, g)
	}
	return nil
}

func (m *Memory) UpdateGrant(ctx context.Context, g oauth.Grant) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	old, ok := m.grants[g.ID]
	if !ok || !old.Revoked.IsZero() {
		return oauth.ErrConflict
	}
	old.Identity, old.Upstream = g.Identity, g.Upstream
	put(&m.grants, g.ID, old)
	return nil
}

func (m *Memory) GrantsOf(ctx context.Context, subject string, now time.Time) ([]oauth.Grant, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []oauth.Grant
	for _, g := range m.grants {
		if g.Identity.Subject == subject && g.Revoked.IsZero() && g.Expires.After(now) {
			list = append(list, copyOf(g))
		}
	}
	slices.SortFunc(list, func(a, b oauth.Grant) int { return b.Created.Compare(a.Created) })
	return list, nil
}

func (m *Memory) PutRefresh(ctx context.Context, r oauth.RefreshToken) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	put(&m.refresh, r.ID, r)
	return nil
}

func (m *Memory) Refresh(ctx context.Context, id string) (oauth.RefreshToken, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return oauth.RefreshToken{}, err
	}
	defer leave()
	return get(m.refresh, id)
}

func (m *Memory) Rotate(ctx context.Context, id string, at time.Time, successor string, next oauth.RefreshToken) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	old, ok := m.refresh[id]
	if !ok || !old.UsedAt.IsZero() {
		return oauth.ErrConflict
	}
	if g, ok := m.grants[old.GrantID]; ok && !g.Revoked.IsZero() {
		return oauth.ErrConflict // revoking ended every refresh token of the grant
	}
	old.UsedAt, old.Successor = at, successor
	put(&m.refresh, id, old)
	put(&m.refresh, next.ID, next)
	return nil
}
