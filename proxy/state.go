package proxy

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
)

// State is what survives a reload: breakers, turns of pools, connections and tokens of backends, by the hash of their
// definition, secrets included (operations.md R5). One per process.
type State struct {
	mu    sync.Mutex
	cores map[stateKey]*core
	turns map[stateKey][]*turns
}

type stateKey struct {
	name string
	hash [sha256.Size]byte
}

// NewState returns an empty state.
func NewState() *State {
	return &State{cores: map[stateKey]*core{}, turns: map[stateKey][]*turns{}}
}

// core is the part of a backend that lives as long as its definition.
type core struct {
	breaker    *breaker
	budget     *budget
	credential credential
	transport  http.RoundTripper
	inFlight   atomic.Int64
}

// core returns what is kept for a definition, or makes it. A core that no pipeline has come to use costs nothing.
func (s *State) core(name string, definition any, create func() (*core, error)) (*core, stateKey, error) {
	key := newStateKey(name, definition)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.cores[key]; ok {
		return c, key, nil
	}
	c, err := create()
	if err != nil {
		return nil, key, err
	}
	s.cores[key] = c
	return c, key, nil
}

func (s *State) poolTurns(name string, definition any, tiers int) ([]*turns, stateKey) {
	key := newStateKey(name, definition)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.turns[key]; ok && len(t) == tiers {
		return t, key
	}
	list := make([]*turns, tiers)
	for i := range list {
		list[i] = &turns{}
	}
	s.turns[key] = list
	return list, key
}

// Retain forgets the backends and pools that p does not use, and closes their idle connections; calls in flight on the
// snapshot before finish as they are. Call it once p serves.
func (s *State) Retain(p *Pipeline) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, c := range s.cores {
		if p.keys[key] {
			continue
		}
		delete(s.cores, key)
		if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
	for key := range s.turns {
		if !p.keys[key] {
			delete(s.turns, key)
		}
	}
}

// newStateKey hashes a definition. Values of secrets are part of it: a rotated key is another definition.
func newStateKey(name string, definition any) stateKey {
	text, err := json.Marshal(definition)
	if err != nil {
		text = []byte(err.Error()) // only plain structs come here
	}
	return stateKey{name: name, hash: sha256.Sum256(text)}
}
