package upstream

import (
	"context"
	"sync"
	"time"
)

const (
	sessionsPerCaller = 4                // at one upstream, for one server (§11.1)
	sessionIdle       = 60 * time.Second // a session nobody uses is closed
	goodbyeWithin     = 5 * time.Second
)

// callerKey is one caller at one upstream.
type callerKey struct{ server, backend, kind, subject, subscription string }

// poolKey names sessions that are alike: whoever declares the same may use the same, one after the other.
type poolKey struct {
	callerKey
	capabilities, level string
}

func (l *Leg) poolKey(on *Behalf) poolKey {
	k := poolKey{callerKey{server: l.cfg.Server, backend: l.cfg.Backend}, string(on.capabilities()), on.LogLevel}
	if c := on.Caller; c != nil {
		k.kind, k.subject, k.subscription = string(c.Kind), c.Subject, c.Subscription.ID
	}
	return k
}

// mayAsk reports whether a session with these capabilities may be asked something: then one call has it alone, since a
// question on it must belong to somebody.
func (k poolKey) mayAsk() bool { return k.capabilities != "{}" }

// alone reports whether one call at a time has such a session: who asked for log messages gets those of their call (§11.1).
func (k poolKey) alone() bool { return k.mayAsk() || k.level != "" }

// pools are the sessions that are open at legacy upstreams.
type pools struct {
	mu       sync.Mutex
	callers  map[callerKey]*caller
	stopping bool
}

// caller is what one caller has open.
type caller struct {
	sessions []*session
	opening  int
	changed  chan struct{} // closed and made anew when a session was freed or ended
}

func (p *pools) init() { p.callers = map[callerKey]*caller{} }

// take returns a session of the pool; nil with a channel to wait on when the caller has as many as they may; nil without one
// when the caller is to open another, for which a place is kept.
func (p *pools) take(k poolKey) (s *session, wait <-chan struct{}, evicted *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.callers[k.callerKey]
	if c == nil {
		c = &caller{changed: make(chan struct{})}
		p.callers[k.callerKey] = c
	}
	for _, s := range c.sessions {
		if s.key == k && !s.dead && (s.users == 0 || !k.alone() && s.line == nil) {
			s.enter()
			return s, nil, nil
		}
	}
	if len(c.sessions)+c.opening >= sessionsPerCaller {
		if evicted = c.idle(); evicted == nil {
			return nil, c.changed, nil
		}
		c.remove(evicted)
	}
	c.opening++
	return nil, nil, evicted
}

// idle returns the session that was not used for the longest time; nil when all are in use.
func (c *caller) idle() *session {
	var oldest *session
	for _, s := range c.sessions {
		if s.users == 0 && (oldest == nil || s.freed.Before(oldest.freed)) {
			oldest = s
		}
	}
	return oldest
}

func (c *caller) remove(gone *session) bool {
	for i, s := range c.sessions {
		if s == gone {
			c.sessions = append(c.sessions[:i:i], c.sessions[i+1:]...)
			return true
		}
	}
	return false
}

// put gives a session that was opened its place; nil gives the place back.
func (p *pools) put(k poolKey, s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.callers[k.callerKey]
	c.opening--
	if s != nil {
		s.enter()
		c.sessions = append(c.sessions, s)
	}
	p.tell(k.callerKey, c)
}

// tell wakes who waits, and forgets a caller who has nothing.
func (p *pools) tell(k callerKey, c *caller) {
	close(c.changed)
	c.changed = make(chan struct{})
	if len(c.sessions) == 0 && c.opening == 0 {
		delete(p.callers, k)
	}
}

// free gives a session back. One that is dead is forgotten; true says that the upstream has to be told of its end.
func (p *pools) free(s *session, dead bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.callers[s.key.callerKey]
	s.users--
	s.dead = s.dead || dead
	if c == nil {
		return
	}
	if s.dead || p.stopping {
		c.remove(s)
	} else if s.users == 0 {
		s.freed = now
		s.timer = time.AfterFunc(sessionIdle, func() { p.expire(s) })
	}
	p.tell(s.key.callerKey, c)
	switch {
	case s.users > 0:
	case s.left:
		go s.goodbye()
	case s.dead:
		go s.hush()
	case p.stopping:
		go s.goodbye()
	}
}

// shared reports whether the session has a stream on which calls follow one another. One that was left in the middle may
// still ask and tell: the next call would be taken for its reader.
func (s *session) shared() bool { return s.line != nil || s.own != nil }

// abandon closes a session once it is given back, which the upstream is told.
func (p *pools) abandon(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.dead, s.left = true, true
}

// lost forgets a session whose connection the upstream closed; who uses it finds out by itself.
func (p *pools) lost(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.dead = true
	if c := p.callers[s.key.callerKey]; c != nil && s.users == 0 && c.remove(s) {
		if s.timer != nil {
			s.timer.Stop()
		}
		p.tell(s.key.callerKey, c)
	}
}

// expire closes a session that nobody used meanwhile.
func (p *pools) expire(s *session) {
	p.mu.Lock()
	c := p.callers[s.key.callerKey]
	gone := c != nil && s.users == 0 && c.remove(s)
	if gone {
		p.tell(s.key.callerKey, c)
	}
	p.mu.Unlock()
	if gone {
		s.goodbye()
	}
}

// close ends every session that is not in use, and the others when they are given back.
func (p *pools) close() {
	p.mu.Lock()
	p.stopping = true
	var idle []*session
	for k, c := range p.callers {
		for _, s := range append([]*session(nil), c.sessions...) {
			if s.users == 0 {
				s.timer.Stop()
				c.remove(s)
				idle = append(idle, s)
			}
		}
		p.tell(k, c)
	}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range idle {
		wg.Go(s.goodbye)
	}
	wg.Wait()
}

// session is one session at a legacy upstream. users, freed and timer belong to the pools' lock.
type session struct {
	l        *Leg
	on       *Behalf // who opened it
	key      poolKey
	id       string // "": the upstream keeps none
	revision string
	info     *Info
	own      *own  // its GET stream; nil: none
	line     *line // by the transport of 2024-11-05; nil: Streamable HTTP

	users int
	freed time.Time
	timer *time.Timer
	dead  bool // for nobody any more
	left  bool // in the middle of a call
}

func (s *session) enter() {
	s.users++
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// lease returns a session for this behalf, one of the pool or a new one; it must be given back.
func (l *Leg) lease(ctx context.Context, on *Behalf) (*session, error) {
	p, k := &l.cfg.Memory.pools, l.poolKey(on)
	for {
		s, wait, evicted := p.take(k)
		if evicted != nil {
			go evicted.goodbye()
		}
		switch {
		case s != nil:
			return s, nil
		case wait != nil:
			select {
			case <-wait:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		default:
			s, err := l.connect(ctx, on, k)
			p.put(k, s)
			return s, err
		}
	}
}
