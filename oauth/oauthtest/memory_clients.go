package oauthtest

import (
	"context"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

func (m *Memory) PutClient(ctx context.Context, c oauth.Client) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	put(&m.clients, c.ID, c)
	return nil
}

func (m *Memory) Client(ctx context.Context, id string) (oauth.Client, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return oauth.Client{}, err
	}
	defer leave()
	return get(m.clients, id)
}

func (m *Memory) ClientByFingerprint(ctx context.Context, fingerprint string) (oauth.Client, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return oauth.Client{}, err
	}
	defer leave()
	for _, c := range m.clients {
		if c.Kind == oauth.Registered && c.Fingerprint != "" && c.Fingerprint == fingerprint {
			return copyOf(c), nil
		}
	}
	return oauth.Client{}, oauth.ErrNotFound
}

func (m *Memory) TouchClient(ctx context.Context, id string, at time.Time) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if c, ok := m.clients[id]; ok {
		c.LastUsed = at
		put(&m.clients, id, c)
	}
	return nil
}

func (m *Memory) EvictUnused(ctx context.Context, limit int, before time.Time) (room bool, err error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
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
	if unused < limit {
		return true, nil
	}
	if oldest == "" {
		return false, nil
	}
	delete(m.clients, oldest)
	return unused-1 < limit, nil
}

func (m *Memory) PutSession(ctx context.Context, s oauth.Session) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	put(&m.sessions, s.Hash, s)
	return nil
}

func (m *Memory) Session(ctx context.Context, hash string) (oauth.Session, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return oauth.Session{}, err
	}
	defer leave()
	return get(m.sessions, hash)
}

func (m *Memory) DeleteSession(ctx context.Context, hash string) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	delete(m.sessions, hash)
	return nil
}
