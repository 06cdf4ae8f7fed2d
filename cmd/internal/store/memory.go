package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const (
	sweepRows       = 1000 // a statement (operations.md D8)
	keepSpentCodes  = 24 * time.Hour
	keepEndedGrants = 30 * 24 * time.Hour
	memoryUsage     = 1_000_000 // ledger rows in memory; the oldest go
)

// memory is the database of `try` and of tests: everything ends with the process. Each method is one step under the lock.
// Records are copied on the way in and out, so that nobody holds a part of the database.
type memory struct {
	mu           sync.RWMutex
	clients      map[string]oauth.Client
	fingerprints map[string]string // of registered clients → id
	transactions map[string]oauth.Transaction
	states       map[string]string // upstream state → transaction id
	open         map[string]bool   // ids of transactions that are open, expired ones among them
	codes        map[string]oauth.Code
	grants       map[string]oauth.Grant
	subjects     map[string]map[string]bool // subject → grant ids
	refresh      map[string]oauth.RefreshToken
	sessions     map[string]oauth.Session
	rows         []proxy.Record
	seen         map[string]bool // ids of rows
	pins         map[pinKey]pins.Pin
}

func newMemory() *memory {
	return &memory{
		pins:    map[pinKey]pins.Pin{},
		clients: map[string]oauth.Client{}, fingerprints: map[string]string{},
		transactions: map[string]oauth.Transaction{}, states: map[string]string{}, open: map[string]bool{},
		codes: map[string]oauth.Code{}, grants: map[string]oauth.Grant{}, subjects: map[string]map[string]bool{},
		refresh: map[string]oauth.RefreshToken{}, sessions: map[string]oauth.Session{}, seen: map[string]bool{},
	}
}

func (m *memory) Ping(ctx context.Context) error { return ctx.Err() }

func (m *memory) close() error { return nil }

// write takes the lock for a change, unless the caller has gone.
func (m *memory) write(ctx context.Context, change func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return change()
}

// read finds one record and returns a copy of it.
func read[V any](ctx context.Context, m *memory, find func() (V, bool)) (V, error) {
	var none V
	if err := ctx.Err(); err != nil {
		return none, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := find()
	if !ok {
		return none, oauth.ErrNotFound
	}
	return copied(v)
}

// copied copies by way of JSON: deeply, and refusing what a database could not keep.
func copied[V any](v V) (out V, err error) {
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		return out, fmt.Errorf("copy %T: %w", v, err)
	}
	return out, nil
}

func (m *memory) Sweep(ctx context.Context, now time.Time) error {
	_, err := m.sweep(ctx, now)
	return err
}

func (m *memory) sweep(ctx context.Context, now time.Time) (more bool, err error) {
	err = m.write(ctx, func() error {
		a := sweep(m.transactions, func(t oauth.Transaction) bool { return now.After(t.Expires) }, func(t oauth.Transaction) {
			delete(m.states, t.UpstreamState)
			delete(m.open, t.ID)
		})
		b := sweep(m.sessions, func(s oauth.Session) bool { return now.After(s.Expires) }, nil)
		c := sweep(m.codes, func(c oauth.Code) bool {
			return now.After(c.Expires.Add(keepSpentCodes)) && now.After(c.SpentAt.Add(keepSpentCodes))
		}, nil)
		ended := map[string]bool{}
		d := sweep(m.grants, func(g oauth.Grant) bool { return now.After(endOf(g).Add(keepEndedGrants)) }, func(g oauth.Grant) {
			ended[g.ID] = true
			m.forgetSubject(g)
		})
		more = max(a, b, c, d) == sweepRows
		m.dropEnded(ended)
		return nil
	})
	return more, err
}

// dropEnded deletes what hangs on grants that are gone.
func (m *memory) dropEnded(grants map[string]bool) {
	if len(grants) == 0 {
		return
	}
	maps.DeleteFunc(m.codes, func(_ string, c oauth.Code) bool { return grants[c.GrantID] })
	maps.DeleteFunc(m.refresh, func(_ string, r oauth.RefreshToken) bool { return grants[r.GrantID] })
}

func endOf(g oauth.Grant) time.Time {
	if !g.Revoked.IsZero() && g.Revoked.Before(g.Expires) {
		return g.Revoked
	}
	return g.Expires
}

// sweep deletes at most sweepRows records and returns how many.
func sweep[V any](records map[string]V, gone func(V) bool, also func(V)) (n int) {
	for id, v := range records {
		if !gone(v) {
			continue
		}
		delete(records, id)
		if also != nil {
			also(v)
		}
		if n++; n == sweepRows {
			break
		}
	}
	return n
}

func (m *memory) writeUsage(ctx context.Context, rows []proxy.Record) error {
	return m.write(ctx, func() error {
		for _, r := range rows {
			if m.seen[r.ID] {
				continue
			}
			m.seen[r.ID] = true
			m.rows = append(m.rows, r)
		}
		if over := len(m.rows) - memoryUsage; over > 0 {
			m.drop(over)
		}
		return nil
	})
}

// drop forgets the first n rows.
func (m *memory) drop(n int) {
	for _, r := range m.rows[:n] {
		delete(m.seen, r.ID)
	}
	m.rows = slices.Delete(m.rows, 0, n)
}

func (m *memory) usage(ctx context.Context, from, to time.Time) ([]UsageSum, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	sums := usageSums{}
	for i := range m.rows {
		if r := &m.rows[i]; !r.Time.Before(from) && r.Time.Before(to) {
			sums.add(r)
		}
	}
	return sums.sorted(), nil
}

func (m *memory) dropUsage(ctx context.Context, before time.Time) (n int64, err error) {
	err = m.write(ctx, func() error {
		old := 0
		for old < len(m.rows) && old < sweepRows && m.rows[old].Time.Before(before) {
			old++
		}
		m.drop(old)
		n = int64(old)
		return nil
	})
	return n, err
}
