package edge

import (
	"sync"
	"time"
)

// lookout tells which calls take longer than an answer may (E1). Nearly all are over long before, and a timer for each
// would cost more than anything else that is done to begin one: a single timer waits for whichever is due first, and finds
// most often that it is gone.
type lookout struct {
	mu    sync.Mutex
	ring  scope // calls in the order in which they are due: a ring through this one, which is none
	timer *time.Timer
	wakes time.Time // when the timer goes off; zero: it does not
}

func (l *lookout) init() { l.ring.prev, l.ring.next = &l.ring, &l.ring }

// watch has s.long run, on a goroutine of its own, once the call is that old; leave must follow.
func (l *lookout) watch(s *scope, within time.Duration) {
	now := time.Now()
	s.due = now.Add(within)
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.ring.prev
	for before != &l.ring && before.due.After(s.due) { // only where a reload made calls shorter
		before = before.prev
	}
	s.prev, s.next = before, before.next
	s.prev.next, s.next.prev = s, s
	l.wake(now)
}

// leave forgets a call. What began because it was a long one is not waited for.
func (l *lookout) leave(s *scope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unlink(s)
}

func (l *lookout) unlink(s *scope) {
	if s.next != nil {
		s.prev.next, s.next.prev = s.next, s.prev
	}
	s.prev, s.next = nil, nil
}

// wake sets the timer for the first call, unless it goes off before that anyway.
func (l *lookout) wake(now time.Time) {
	first := l.ring.next
	if first == &l.ring || !l.wakes.IsZero() && !l.wakes.After(first.due) {
		return
	}
	l.wakes = first.due
	if l.timer == nil {
		l.timer = time.AfterFunc(first.due.Sub(now), l.look)
		return
	}
	l.timer.Reset(first.due.Sub(now))
}

// look has all calls told that are due.
func (l *lookout) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.wakes = time.Time{}
	for s := l.ring.next; s != &l.ring && !s.due.After(now); s = l.ring.next {
		l.unlink(s)
		go s.long() // it takes locks of its call, which must not hold up the others
	}
	l.wake(now)
}
