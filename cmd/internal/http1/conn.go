package http1

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	headRoom   = 4 << 10                // bytes of a head that are read here; longer ones are net/http's
	maxBlanks  = 4                      // line ends that net/http skips after the body of a POST
	lingerTime = 500 * time.Millisecond // in which a caller can read an answer before it learns that its body was not taken
)

// A connection's state: what it does, in the two lowest bits, and how many requests it has begun.
const (
	waiting = 0 // for a request
	serving = 1
	retired = 2 // it takes no further request
	doing   = 3
	oneMore = 4
)

func waits(state uint64) bool  { return state&doing == waiting }
func serves(state uint64) bool { return state&doing == serving }

// conn is one connection and the goroutine that serves it.
type conn struct {
	server *Server
	nc     net.Conn
	look   func() (open bool)
	remote string
	ctx    context.Context

	state   atomic.Uint64
	current atomic.Pointer[exchange] // nil between requests

	buf       []byte    // read from the connection
	from, to  int       // what of it was not used yet
	blanks    int       // line ends that may still come in front of the next head
	until     time.Time // when the head that is read has to be there; zero: it was not waited for
	deadlines deadlines
}

// deadlines are those that handlers have set and that must not outlive their request.
type deadlines struct{ read, write atomic.Bool }

func newConn(s *Server, nc net.Conn, look func() bool) *conn {
	ctx := context.WithValue(context.Background(), http.ServerContextKey, s.Rest)
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, nc.LocalAddr())
	c := &conn{server: s, nc: nc, look: look, ctx: ctx, buf: make([]byte, headRoom)}
	if remote := nc.RemoteAddr(); remote != nil { // some systems accept connections whose caller has left, and name none
		c.remote = remote.String()
	}
	return c
}

// run serves requests until the connection ends or has to be given away.
func (c *conn) run() {
	away := false
	defer func() {
		if !away {
			_ = c.nc.Close()
		}
		c.server.forget(c)
	}()
	for {
		h, v := c.next()
		switch {
		case v == strange && c.retire():
			away = true
			c.server.aside.give(&begun{Conn: c.nc, first: bytes.Clone(c.buf[c.from:c.to]), until: c.until})
			return
		case v != plain || !c.take() || !c.serve(&h):
			return
		}
	}
}

// next reads until a head is there. partial means that the connection has ended.
func (c *conn) next() (head, verdict) {
	c.until = time.Time{}
	for {
		c.skipBlanks()
		h, size, v := parseHead(c.buf[c.from:c.to])
		if v == plain {
			c.skip(size)
			c.mayBlank(h.method)
		}
		if v == partial && c.to-c.from == len(c.buf) {
			v = strange
		}
		if v != partial {
			if !c.until.IsZero() {
				_ = c.nc.SetReadDeadline(time.Time{})
			}
			return h, v
		}
		if within := c.server.Rest.ReadHeaderTimeout; c.until.IsZero() && c.buffered() > 0 && within > 0 {
			c.until = time.Now().Add(within)
			_ = c.nc.SetReadDeadline(c.until)
		}
		if !c.fill() {
			return h, partial
		}
	}
}

// mayBlank lets line ends follow the body of a POST: old clients send them, and net/http, given them as the first bytes of
// a connection, would refuse the request behind them.
func (c *conn) mayBlank(method string) {
	c.blanks = 0
	if method == http.MethodPost {
		c.blanks = maxBlanks
	}
}

func (c *conn) skipBlanks() {
	for ; c.blanks > 0 && c.buffered() > 0 && (c.buf[c.from] == '\r' || c.buf[c.from] == '\n'); c.blanks-- {
		c.skip(1)
	}
}

// fill reads more behind what is buffered.
func (c *conn) fill() bool {
	if c.from > 0 {
		c.to, c.from = copy(c.buf, c.buf[c.from:c.to]), 0
	}
	n, err := c.nc.Read(c.buf[c.to:])
	c.to += n
	return n > 0 || err == nil
}

func (c *conn) buffered() int { return c.to - c.from }

func (c *conn) skip(n int) { c.from += n }

// read gives a body what is buffered, then what comes.
func (c *conn) read(p []byte) (int, error) {
	if c.from == c.to {
		return c.nc.Read(p)
	}
	n := copy(p, c.buf[c.from:c.to])
	c.from += n
	return n, nil
}

// take makes a waiting connection a serving one, unless it was retired meanwhile.
func (c *conn) take() bool {
	now := c.state.Load()
	return waits(now) && c.state.CompareAndSwap(now, now+serving)
}

// leave makes a serving connection wait for the next request.
func (c *conn) leave() { c.state.Add(oneMore - serving) }

// retire takes a waiting connection out of use, and reports whether it was waiting.
func (c *conn) retire() bool {
	now := c.state.Load()
	return waits(now) && c.state.CompareAndSwap(now, now+retired)
}

// serve answers one request and reports whether another may follow.
func (c *conn) serve(h *head) (more bool) {
	x := c.exchange(h)
	c.current.Store(x)
	c.server.watchSoon()
	done := c.handle(x)
	c.current.Store(nil)
	if !done {
		return false
	}
	x.response.finish()
	whole := x.body.end()
	if !whole && x.response.failed == nil {
		c.linger()
	}
	keep := whole && x.response.keeps()
	c.deadlines.clear(c.nc)
	c.leave()
	return keep && !c.server.stopping.Load() // asked after leave: a shutdown sees the connection waiting, or is seen here
}

// handle runs the handler. A panic ends the connection, and is told unless it is the one that says no more than that.
func (c *conn) handle(x *exchange) (done bool) {
	defer func() {
		x.cancel() // before anything that a slow reader can hold up
		if done {
			return
		}
		p := recover()
		if err, ok := p.(error); p != nil && !(ok && errors.Is(err, http.ErrAbortHandler)) {
			c.server.logf("http1: panic serving %s: %v\n%s", c.remote, p, debug.Stack())
		}
	}()
	c.server.Handler.ServeHTTP(&x.response, x.request)
	return true
}

// linger lets the caller read the answer: closing with bytes unread would reset the connection, and the answer with it.
func (c *conn) linger() {
	if tcp, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = tcp.CloseWrite()
		time.Sleep(lingerTime)
	}
}

// clear ends the deadlines that a handler has left.
func (d *deadlines) clear(nc net.Conn) {
	if d.read.CompareAndSwap(true, false) {
		_ = nc.SetReadDeadline(time.Time{})
	}
	if d.write.CompareAndSwap(true, false) {
		_ = nc.SetWriteDeadline(time.Time{})
	}
}
