package edge

import "time"

// Nearly all calls are over long before they have taken as long as an answer may (E1). A timer for each, and a place in a
// map under its id, would cost more than anything else that is done to begin one. So a call begins in a ring, in the order
// in which calls are due; a single timer waits for whichever is first, and finds most often that it is gone.

// watch makes a call one of those in flight, and has s.long run, on a goroutine of its own, once it is that old; leave must
// follow.
func (c *calls) watch(s *scope, within time.Duration) {
	now := time.Now()
	s.due = now.Add(within)
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.young.prev
	for before != &c.young && before.due.After(s.due) { // only where a reload made calls shorter
		before = before.prev
	}
	s.prev, s.next = before, before.next
	s.prev.next, s.next.prev = s, s
	c.wake(now)
}

// leave forgets a call. What began because it was a long one is not waited for.
func (c *calls) leave(s *scope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.next != nil {
		s.unlink()
	} else if !s.x.modern {
		c.drop(&s.entry)
	}
}

func (s *scope) unlink() {
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
}

// wake sets the timer for the call that is due first, unless it goes off before that anyway.
func (c *calls) wake(now time.Time) {
	first := c.young.next
	if first == &c.young || !c.wakes.IsZero() && !c.wakes.After(first.due) {
		return
	}
	c.wakes = first.due
	if c.timer == nil {
		c.timer = time.AfterFunc(first.due.Sub(now), c.look)
		return
	}
	c.timer.Reset(first.due.Sub(now))
}

// look has all calls told that are due. A legacy one gets its place under its id, for whoever cancels it later.
func (c *calls) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.wakes = time.Time{}
	for s := c.young.next; s != &c.young && !s.due.After(now); s = c.young.next {
		s.unlink()
		if !s.x.modern {
			s.entry.key = s.key()
			c.put(&s.entry)
		}
		go s.long() // it takes locks of its call, which must not hold up the others
	}
	c.wake(now)
}

// eachYoung visits the calls of a legacy session that have not lasted yet.
func (c *calls) eachYoung(session string, visit func(*scope)) {
	for s := c.young.next; s != &c.young; s = s.next {
		if !s.x.modern && s.x.session == session {
			visit(s)
		}
	}
}
