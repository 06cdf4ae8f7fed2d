package http1

import (
	"net"
	"sync"
	"time"
)

// aside is the listener from which net/http takes the connections that are not served here.
type aside struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	addr  net.Addr // of the listener the connections came from
}

func newAside() *aside { return &aside{conns: make(chan net.Conn), done: make(chan struct{})} }

func (a *aside) give(nc net.Conn) {
	select {
	case a.conns <- nc:
	case <-a.done:
		_ = nc.Close()
	}
}

// Accept implements net.Listener.
func (a *aside) Accept() (net.Conn, error) {
	select {
	case nc := <-a.conns:
		return nc, nil
	case <-a.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (a *aside) Close() error {
	a.once.Do(func() { close(a.done) })
	return nil
}

// Addr implements net.Listener.
func (a *aside) Addr() net.Addr { return a.addr }

// begun is a connection of which something was read already.
type begun struct {
	net.Conn
	first []byte
	until time.Time // when the head that was begun has to be there; zero: net/http's own time, or it was set
}

// SetReadDeadline lets net/http's time for the first head end when it would have ended here: a slow caller does not get it
// twice. Only the goroutine that reads the head comes here first.
func (b *begun) SetReadDeadline(t time.Time) error {
	if by := b.until; !by.IsZero() {
		b.until = time.Time{} // written once: later calls may come at the same time
		if t.After(by) {
			t = by
		}
	}
	return b.Conn.SetReadDeadline(t)
}

// CloseWrite is what net/http looks for to say that the answer is over, where it closes with a body unread.
func (b *begun) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.first)
	b.first = b.first[n:]
	return n, nil
}
