package http1

import "time"

const (
	lookEvery = 20 * time.Millisecond // how soon a caller that leaves is looked for; found in twice that
	idleEvery = time.Second / 2       // how exactly idle connections are ended
)

// sighting is what a sweep has seen of a connection: the state it was in, and since when.
type sighting struct {
	state   uint64
	since   time.Time
	watched bool // somebody waits for its caller to leave, or for more bytes
}

// watchSoon has callers of requests that take longer looked at. It is asked by every request, and nearly always does
// nothing.
func (s *Server) watchSoon() {
	if !s.watching.Load() && s.watching.CompareAndSwap(false, true) {
		time.AfterFunc(lookEvery, s.sweepCallers)
	}
}

// sweepCallers waits at each connection whose request has been served for some time for the caller to leave. It comes
// again as long as there are requests nobody waits at; idle streams cost nothing.
func (s *Server) sweepCallers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watching.Store(false) // a request that begins from here on asks again
	again := false
	for c, seen := range s.conns {
		state := c.state.Load()
		if !serves(state) {
			continue
		}
		if state != seen.state {
			*seen = sighting{state: state, since: time.Now()}
		} else if x := c.current.Load(); !seen.watched && x != nil && x.body.came.Load() {
			seen.watched = true
			go c.await(x)
		}
		again = again || !seen.watched
	}
	if again {
		s.watchSoon()
	}
}

// await waits for the caller to leave while x is under way, or for anything else to come from it.
func (c *conn) await(x *exchange) {
	if !c.look() && c.current.Load() == x {
		x.cancel()
	}
}

// sweepIdle ends connections that wait for longer than they may.
func (s *Server) sweepIdle() {
	if s.stopping.Load() {
		return
	}
	defer time.AfterFunc(idleEvery, s.sweepIdle)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for c, seen := range s.conns {
		state := c.state.Load()
		if state != seen.state {
			*seen = sighting{state: state, since: now}
			continue
		}
		limit := s.Rest.IdleTimeout
		if state < oneMore && s.Rest.ReadHeaderTimeout > 0 { // nothing came yet
			limit = s.Rest.ReadHeaderTimeout
		}
		if limit > 0 && waits(state) && now.Sub(seen.since) >= limit && c.state.CompareAndSwap(state, state+retired) {
			_ = c.nc.Close()
		}
	}
}
