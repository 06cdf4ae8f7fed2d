package mcp

import (
	"container/list"
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
	byID   map[string]*list.Element // of *stored
	byUse  *list.List               // least recently used first
	owners map[string]int           // open sessions by owner
	limits SessionLimits            // of the last Create

	ended   func(Session) // nil: nobody wants to know
	gone    []Session     // ended by themselves, and not told yet
	telling atomic.Bool   // there are such
}

type stored struct{ s Session }

// NewMemorySessions returns an empty store.
func NewMemorySessions() *MemorySessions {
	return &MemorySessions{byID: map[string]*list.Element{}, byUse: list.New(), owners: map[string]int{}}
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
	for e := m.byUse.Front(); e != nil; {
		next := e.Next()
		if m.over(&e.Value.(*stored).s, now) {
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
	m.byID[s.ID] = m.byUse.PushBack(&stored{s})
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
	return e.Value.(*stored).s, nil
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
	s := &e.Value.(*stored).s
	if now.After(s.Used) {
		s.Used = now
	}
	if level != "" {
		s.LogLevel = level
	}
	m.byUse.MoveToBack(e)
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
	for e := m.byUse.Front(); e != nil; {
		next := e.Next()
		if s := e.Value.(*stored).s; grant != "" && s.Grant == grant {
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

// live returns the session's element unless it has run out (S7).
func (m *MemorySessions) live(id string, now time.Time) (*list.Element, bool) {
	e, ok := m.byID[id]
	if !ok {
		return nil, false
	}
	if m.over(&e.Value.(*stored).s, now) {
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
	for e := m.byUse.Front(); e != nil && m.over(&e.Value.(*stored).s, now); e = m.byUse.Front() {
		m.expire(e)
	}
}

func (m *MemorySessions) endLongestIdle(owner string) {
	for e := m.byUse.Front(); e != nil; e = e.Next() {
		if e.Value.(*stored).s.Owner == owner {
			m.expire(e)
			return
		}
	}
}

func (m *MemorySessions) drop(e *list.Element) {
	s := m.byUse.Remove(e).(*stored).s
	delete(m.byID, s.ID)
	if m.owners[s.Owner]--; m.owners[s.Owner] <= 0 {
		delete(m.owners, s.Owner)
	}
}

// expire drops a session that nobody asked to end.
func (m *MemorySessions) expire(e *list.Element) {
	if m.ended != nil {
		m.gone = append(m.gone, e.Value.(*stored).s)
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
