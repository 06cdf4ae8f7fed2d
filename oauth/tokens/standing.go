package tokens

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const (
	standingAge  = 5 * time.Second // how late a revocation by another replica may be noticed here
	storeTimeout = 2 * time.Second
	storePause   = time.Second // after a store fault, so that calls do not wait for a dead store one by one
)

// GrantReader reads grants; every oauth.GrantStore is one.
type GrantReader interface {
	Grant(ctx context.Context, id string) (oauth.Grant, error)
}

// BlockedFunc reports whether a client was blocked or deleted. An error means that nobody can tell now.
type BlockedFunc func(ctx context.Context, clientID string) (bool, error)

// standing is what was last read about a grant. It is immutable.
type standing struct {
	ended  bool // revoked, unknown, or its client blocked: final
	groups []string
	claims map[string]any
	read   time.Time
}

// standings remembers for 5 s whether grants are still good, and for a day which are not.
type standings struct {
	everRead atomic.Bool  // some answer of the store came since the start
	failed   atomic.Int64 // Unix nanoseconds of the last store fault

	shard [shards]struct {
		mu      sync.RWMutex
		byGrant map[string]standing
	}
}

// check returns the standing of the token's grant (oauth.md §8.2 row 5). While the store is down, what this replica knows
// decides, and calls go on: clients throw good tokens away on 401. A replica that has not read anything yet knows
// nothing, and says so with 503.
func (s *standings) check(ctx context.Context, v *Verifier, t *Token, now time.Time) (standing, error) {
	known, ok := s.get(t.GrantID)
	if ok && known.ended {
		return known, invalid(errors.New("the grant was revoked"))
	}
	if age := now.Sub(known.read); ok && age >= 0 && age < standingAge {
		return known, nil
	}
	if down := time.Duration(now.UnixNano() - s.failed.Load()); down >= 0 && down < storePause && s.everRead.Load() {
		return known, nil
	}
	fresh, err := v.read(ctx, t, now)
	switch {
	case err == nil:
		s.everRead.Store(true)
		fresh = s.put(t.GrantID, fresh, now)
		if fresh.ended {
			return fresh, invalid(errors.New("the grant was revoked"))
		}
		return fresh, nil
	case ctx.Err() != nil: // the caller has gone: says nothing about the store
		return known, oauth.Unavailable(err)
	case !s.everRead.Load():
		return known, oauth.Unavailable(err)
	default:
		s.failed.Store(now.UnixNano())
		return known, nil
	}
}

// read asks the store. Service clients have no grant, only a client.
func (v *Verifier) read(ctx context.Context, t *Token, now time.Time) (standing, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	fresh := standing{read: now}
	if t.Caller.Kind == identity.Person {
		g, err := v.Grants.Grant(ctx, t.GrantID)
		switch {
		case errors.Is(err, oauth.ErrNotFound):
			fresh.ended = true
			return fresh, nil
		case err != nil:
			return standing{}, err
		}
		fresh.ended = !g.Revoked.IsZero()
		fresh.groups, fresh.claims = g.Identity.Groups, g.Identity.Claims
	}
	if v.Blocked != nil && !fresh.ended {
		blocked, err := v.Blocked(ctx, t.ClientID)
		if err != nil {
			return standing{}, err
		}
		fresh.ended = blocked
	}
	return fresh, nil
}

func (s *standings) get(grantID string) (standing, bool) {
	shard := &s.shard[shardOf(grantID)]
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	st, ok := shard.byGrant[grantID]
	return st, ok
}

// put keeps fresh unless the grant is known to have ended: a read that began before a revocation must not undo it.
func (s *standings) put(grantID string, fresh standing, now time.Time) standing {
	shard := &s.shard[shardOf(grantID)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if old, ok := shard.byGrant[grantID]; ok && old.ended {
		return old
	}
	if shard.byGrant == nil {
		shard.byGrant = map[string]standing{}
	}
	makeRoom(shard.byGrant, maxRemembered/shards, func(old standing) bool {
		age := now.Sub(old.read)
		return age > 24*time.Hour || !old.ended && age > standingAge
	})
	shard.byGrant[grantID] = fresh
	return fresh
}

// shardOf spreads grants by their first character, which is random.
func shardOf(grantID string) int {
	if grantID == "" {
		return 0
	}
	return int(grantID[0] % shards)
}

func (s *standings) drop(grantID string, now time.Time) {
	s.put(grantID, standing{ended: true, read: now}, now)
}
