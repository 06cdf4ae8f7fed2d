package mcp

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// MemorySessions is a SessionStore in this process. A session that has ended is forgotten: since nothing but Create makes
// one, and ids are random, its absence is the tombstone. What was idle for too long is dropped as others come, so that
// memory is bounded by limits.sessions and no goroutine is needed (S9).
type MemorySessions struct {
	mu     sync.Mutex
	byID   map[string]*stored
	byUse  stored         // least recently used first: a ring through this one, which holds no session
	owners map[string]int // open sessions by owner
	limits SessionLimits  // of the last Create

	ended   func(Session) // nil: nobody wants to know
	gone    []Session     // ended by themselves, and not told yet
	telling atomic.Bool   // there are such
}

// stored is a session in the ring. The links are its own: an element around it would cost a tenth of what a session may.
type stored struct {
	s          Session
	prev, next *stored
}

// NewMemorySessions returns an empty store.
func NewMemorySessions() *MemorySessions {
	m := &MemorySessions{byID: map[string]*stored{}, owners: map[string]int{}}
	m.byUse.prev, m.byUse.next = &m.byUse, &m.byUse
	return m
}

// used puts e behind all others.
func (m *MemorySessions) used(e *stored) {
	e.unlink()
	e.prev, e.next = m.byUse.prev, &m.byUse
	e.prev.next, e.next.prev = e, e
}

// unlink takes e out of the ring, if it is in one.
func (e *stored) unlink() {
	if e.next != nil {
		e.prev.next, e.next.prev = e.next, e.prev
	}
	e.prev, e.next = nil, nil
}

// OnEnd implements SelfEnding.
func (m *MemorySessions) OnEnd(ended func(Session)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = ended
}

// Sweep implements SelfEnding.
func (m *MemorySessions) Sweep(now time.Time) (left int) {
	defer m.tell()
	m.mu.Lock()
	defer m.mu.Unlock()
	for e := m.byUse.next; e != &m.byUse; {
		next := e.next
		if m.over(&e.s, now) {
			m.expire(e)
		}
		e = next
	}
	return len(m.byID)
}

// Create implements SessionStore.
func (m *MemorySessions) Create(_ context.Context, s Session, limits SessionLimits) error {
	defer m.tell()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limits = limits
	m.sweep(s.Created)
	if limits.PerCaller > 0 && m.owners[s.Owner] >= limits.PerCaller {
		m.endLongestIdle(s.Owner)
	}
	if limits.Total > 0 && len(m.byID) >= limits.Total {
		return ErrSessionsFull
	}
	if len(s.Capabilities) > MaxClientState {
		s.Capabilities = nil
	}
	if len(s.ClientInfo) > MaxClientState {
		s.ClientInfo = nil
	}
	e := &stored{s: s}
	m.byID[s.ID] = e
	m.used(e)
	m.owners[s.Owner]++
	return nil
}

// Get implements SessionStore.
func (m *MemorySessions) Get(_ context.Context, id string, now time.Time) (Session, error) {
	defer m.tell()
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.live(id, now)
	if !ok {
		return Session{}, ErrNoSession
	}
	return e.s, nil
}

// Touch implements SessionStore.
func (m *MemorySessions) Touch(_ context.Context, id string, now time.Time, level string) error {
	defer m.tell()
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.live(id, now)
	if !ok {
		return ErrNoSession
	}
	if now.After(e.s.Used) {
		e.s.Used = now
	}
	if level != "" {
		e.s.LogLevel = level
	}
	m.used(e)
	return nil
}

// End implements SessionStore.
func (m *MemorySessions) End(_ context.Context, id string, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.live(id, now)
	if !ok {
		return ErrNoSession
	}
	m.drop(e)
	return nil
}

// EndGrant implements SessionStore.
func (m *MemorySessions) EndGrant(_ context.Context, grant string, _ time.Time) error {
	defer m.tell()
	m.mu.Lock()
	defer m.mu.Unlock()
	for e := m.byUse.next; e != &m.byUse; {
		next := e.next
		if grant != "" && e.s.Grant == grant {
			m.expire(e)
		}
		e = next
	}
	return nil
}

// Len returns how many sessions are kept.
func (m *MemorySessions) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.byID)
}

// live returns the session unless it has run out (S7).
func (m *MemorySessions) live(id string, now time.Time) (*stored, bool) {
	e, ok := m.byID[id]
	if !ok {
		return nil, false
	}
	if m.over(&e.s, now) {
		m.expire(e)
		return nil, false
	}
	return e, true
}

func (m *MemorySessions) over(s *Session, now time.Time) bool {
	return m.limits.Idle > 0 && now.Sub(s.Used) > m.limits.Idle || m.limits.Max > 0 && now.Sub(s.Created) > m.limits.Max
}

// sweep drops what is idle for too long: all of it is at the front.
func (m *MemorySessions) sweep(now time.Time) {
	for e := m.byUse.next; e != &m.byUse && m.over(&e.s, now); e = m.byUse.next {
		m.expire(e)
	}
}

func (m *MemorySessions) endLongestIdle(owner string) {
	for e := m.byUse.next; e != &m.byUse; e = e.next {
		if e.s.Owner == owner {
			m.expire(e)
			return
		}
	}
}

func (m *MemorySessions) drop(e *stored) {
	e.unlink()
	delete(m.byID, e.s.ID)
	if m.owners[e.s.Owner]--; m.owners[e.s.Owner] <= 0 {
		delete(m.owners, e.s.Owner)
	}
}

// expire drops a session that nobody asked to end.
func (m *MemorySessions) expire(e *stored) {
	if m.ended != nil {
		m.gone = append(m.gone, e.s)
		m.telling.Store(true)
	}
	m.drop(e)
}

// tell is called without the lock.
func (m *MemorySessions) tell() {
	if !m.telling.Load() {
		return
	}
	m.mu.Lock()
	gone, ended := m.gone, m.ended
	m.gone = nil
	m.telling.Store(false)
	m.mu.Unlock()
	for _, s := range gone {
		ended(s)
	}
}
