package tokens

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	maxRemembered = 50_000
	shards        = 16 // a power of two; so that calls on many cores seldom wait for one lock
)

type tokenHash = [sha256.Size]byte

// verdict is a token that verified. It is immutable.
type verdict struct {
	token *Token
	ring  *secret.Keyring // that its key was in
}

// memory remembers tokens that verified, by hash, so that their signature is checked once. A verdict goes with the
// token's expiry and with any change of the ring; revocation is asked of the grant on each call and needs no place here.
type memory struct {
	shard [shards]struct {
		mu       sync.RWMutex
		verdicts map[tokenHash]verdict
	}
}

func (m *memory) get(hash tokenHash, ring *secret.Keyring, now time.Time) (*Token, bool) {
	s := &m.shard[hash[0]%shards]
	s.mu.RLock()
	v, ok := s.verdicts[hash]
	s.mu.RUnlock()
	return v.token, ok && v.ring == ring && now.Before(v.token.Expires)
}

func (m *memory) put(hash tokenHash, ring *secret.Keyring, t *Token, now time.Time) {
	s := &m.shard[hash[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.verdicts == nil {
		s.verdicts = map[tokenHash]verdict{}
	}
	makeRoom(s.verdicts, maxRemembered/shards, func(old verdict) bool {
		return old.ring != ring || !now.Before(old.token.Expires)
	})
	s.verdicts[hash] = verdict{token: t, ring: ring}
}

// makeRoom keeps records below limit: what is dead goes first, then, when that was too little, whatever the map names
// first, which is as good as any choice for a cache that is cheap to refill.
func makeRoom[K comparable, V any](records map[K]V, limit int, dead func(V) bool) {
	if len(records) < limit {
		return
	}
	for k, v := range records {
		if dead(v) {
			delete(records, k)
		}
	}
	drop := len(records) - (limit - 1 - limit/16) // some at once, so that a full map is not walked for each new record
	for k := range records {
		if drop <= 0 {
			return
		}
		delete(records, k)
		drop--
	}
}
