package http1

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves what is plain itself and hands every other connection to Rest. Its limits are those of Rest:
// ReadHeaderTimeout for a head that has begun or a connection that says nothing, IdleTimeout between requests, ErrorLog
// for panics; zero is no limit. It serves one listener, once.
type Server struct {
	Handler http.Handler
	Rest    *http.Server // its Handler serves the rest

	start    sync.Once
	aside    *aside // takes connections to Rest
	stopping atomic.Bool

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]*sighting
	emptied  chan struct{} // closed when the last connection has gone; nil: nobody waits

	watching atomic.Bool // a sweep for callers that leave is due
}

// Serve answers on l until Shutdown or Close, and then returns http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	s.start.Do(s.prepare)
	if !s.keep(l) {
		_ = l.Close()
		return http.ErrServerClosed
	}
	go func() { _ = s.Rest.Serve(s.aside) }() // ends with the server
	err := s.accept(l)
	if s.stopping.Load() {
		return http.ErrServerClosed
	}
	_ = s.Close()
	return err
}

func (s *Server) prepare() {
	s.aside = newAside()
	s.conns = map[*conn]*sighting{}
	s.sweepIdle()
}

func (s *Server) keep(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		return false
	}
	s.listener = l
	s.aside.addr = l.Addr()
	return true
}

// accept waits a little where the machine is short of something, as net/http does: descriptors come back.
func (s *Server) accept(l net.Listener) error {
	wait := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err == nil {
			wait = 0
			s.serve(nc)
			continue
		}
		var temporary interface{ Temporary() bool }
		if s.stopping.Load() || !errors.As(err, &temporary) || !temporary.Temporary() {
			return fmt.Errorf("accept: %w", err)
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		time.Sleep(wait)
	}
}

// serve starts the connection, or gives it away where sockets cannot be looked at.
func (s *Server) serve(nc net.Conn) {
	look := watch(nc)
	if look == nil {
		s.aside.give(nc)
		return
	}
	c := newConn(s, nc, look)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		_ = nc.Close()
		return
	}
	s.conns[c] = &sighting{since: time.Now()}
	go c.run()
}

// forget is told by each connection that has ended or was given away.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if len(s.conns) == 0 && s.emptied != nil {
		close(s.emptied)
		s.emptied = nil
	}
}

// Shutdown takes no new connections and no further requests, and waits for those under way until ctx ends. What then
// still runs goes on; Close ends it.
func (s *Server) Shutdown(ctx context.Context) error {
	s.start.Do(s.prepare)
	gone := s.stop(func(c *conn) {
		if c.retire() {
			_ = c.nc.Close()
		}
	})
	err := s.Rest.Shutdown(ctx)
	select {
	case <-gone:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends everything at once.
func (s *Server) Close() error {
	s.start.Do(s.prepare)
	s.stop(func(c *conn) { _ = c.nc.Close() })
	return s.Rest.Close()
}

// stop closes the listener, tells each connection, and returns what is closed when the last one has gone.
func (s *Server) stop(tell func(c *conn)) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping.Store(true)
	if s.listener != nil {
		_ = s.listener.Close()
	}
	for c := range s.conns {
		tell(c)
	}
	switch {
	case len(s.conns) == 0:
		gone := make(chan struct{})
		close(gone)
		return gone
	case s.emptied == nil:
		s.emptied = make(chan struct{})
	}
	return s.emptied
}

func (s *Server) logf(format string, args ...any) {
	if s.Rest.ErrorLog != nil {
		s.Rest.ErrorLog.Printf(format, args...)
	}
}
