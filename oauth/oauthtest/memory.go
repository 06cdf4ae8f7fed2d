package oauthtest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

var _ oauth.Store = (*Memory)(nil)

// Memory is an oauth.Store in memory for tests: every method is atomic under one lock, and what goes in and out is
// copied, as a database would do. The zero value is empty and ready.
type Memory struct {
	mu           sync.Mutex
	fault        error
	clients      map[string]oauth.Client
	transactions map[string]oauth.Transaction
	codes        map[string]oauth.Code
	grants       map[string]oauth.Grant
	refresh      map[string]oauth.RefreshToken
	sessions     map[string]oauth.Session
}

// Fail makes every call return err from now on, as a database that is down does; nil mends it.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = err
}

// PutGrant puts a grant as it is, without a sign-in.
func (m *Memory) PutGrant(g oauth.Grant) {
	m.mu.Lock()
	defer m.mu.Unlock()
	put(&m.grants, g.ID, g)
}

// PutCode puts a code as it is, without a sign-in.
func (m *Memory) PutCode(c oauth.Code) {
	m.mu.Lock()
	defer m.mu.Unlock()
	put(&m.codes, c.Hash, c)
}

// RefreshTokens returns all generations of a grant's refresh family, the oldest first.
func (m *Memory) RefreshTokens(grantID string) []oauth.RefreshToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	var family []oauth.RefreshToken
	for _, r := range m.refresh {
		if r.GrantID == grantID {
			family = append(family, copyOf(r))
		}
	}
	slices.SortFunc(family, func(a, b oauth.RefreshToken) int { return a.Generation - b.Generation })
	return family
}

// ClientCount returns how many clients are stored.
func (m *Memory) ClientCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.clients)
}

// enter takes the lock and reports the fault that Fail asked for, or that the caller has gone.
func (m *Memory) enter(ctx context.Context) (leave func(), err error) {
	m.mu.Lock()
	if err := ctx.Err(); err != nil {
		m.mu.Unlock()
		return nil, err
	}
	if m.fault != nil {
		defer m.mu.Unlock()
		return nil, m.fault
	}
	return m.mu.Unlock, nil
}

func (m *Memory) Sweep(ctx context.Context, now time.Time) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	sweep(m.transactions, func(t oauth.Transaction) bool { return now.After(t.Expires) })
	sweep(m.sessions, func(s oauth.Session) bool { return now.After(s.Expires) })
	sweep(m.codes, func(c oauth.Code) bool { // kept for a day, so that reuse is noticed
		return now.After(c.Expires.Add(24*time.Hour)) && now.After(c.SpentAt.Add(24*time.Hour))
	})
	sweep(m.grants, func(g oauth.Grant) bool {
		end := g.Expires
		if !g.Revoked.IsZero() && g.Revoked.Before(end) {
			end = g.Revoked
		}
		return now.After(end.Add(30 * 24 * time.Hour))
	})
	sweep(m.refresh, func(r oauth.RefreshToken) bool { _, ok := m.grants[r.GrantID]; return !ok })
	return nil
}

func sweep[V any](records map[string]V, gone func(V) bool) {
	for k, v := range records {
		if gone(v) {
			delete(records, k)
		}
	}
}

// put stores a copy; the map is made when it is first needed.
func put[V any](records *map[string]V, key string, v V) {
	if *records == nil {
		*records = map[string]V{}
	}
	(*records)[key] = copyOf(v)
}

// get returns a copy, or ErrNotFound.
func get[V any](records map[string]V, key string) (V, error) {
	v, ok := records[key]
	if !ok {
		return v, oauth.ErrNotFound
	}
	return copyOf(v), nil
}

// copyOf copies deeply by way of JSON, which is also what a database column does to a record.
func copyOf[V any](v V) V {
	var out V
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		panic("oauthtest: record is not JSON: " + err.Error()) // a test put something there that no store could keep
	}
	return out
}
