package http1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Transport is an http.RoundTripper. Fields are set before the first request; the zero values of limits mean none are kept.
type Transport struct {
	// Next sends what is not for this package, and is closed with it. Required.
	Next *http.Transport
	// DialContext makes connections. Required.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	IdlePerHost int           // connections kept for one host and port
	IdleTimeout time.Duration // how long they are kept
	HeaderBytes int64         // most of the headers of an answer
	Now         func() time.Time

	mu   sync.Mutex
	idle map[string][]*conn // the last one used is the last
	tidy *time.Timer        // closes those that were kept for too long; nil: none are kept
}

// errTooLarge is what reading headers beyond HeaderBytes ends with.
var errTooLarge = errors.New("the headers of the answer are too large")

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !plain(req) {
		return t.Next.RoundTrip(req)
	}
	if err := req.Context().Err(); err != nil {
		closeBody(req)
		return nil, err
	}
	wire := getBuffer()
	defer wire.put()
	if err := wire.write(req); err != nil {
		return nil, err
	}
	address := hostPort(req)
	for {
		c, err := t.connect(req.Context(), address)
		if err != nil {
			return nil, err
		}
		resp, err := c.exchange(req, wire)
		if err == nil {
			return resp, nil
		}
		if !c.again(req) {
			return nil, err
		}
	}
}

// connect returns a connection that is kept, or a new one. Whether a kept one is still open shows when it is used.
func (t *Transport) connect(ctx context.Context, address string) (*conn, error) {
	for {
		c := t.take(address)
		if c == nil {
			break
		}
		if c.r.Buffered() == 0 { // else the answer before was longer than it said
			c.used = true
			return c, nil
		}
		_ = c.nc.Close()
	}
	nc, err := t.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return newConn(t, nc, address), nil
}

func (t *Transport) take(address string) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.idle[address]
	if len(list) == 0 {
		return nil
	}
	last := len(list) - 1
	c := list[last]
	list[last] = nil
	t.idle[address] = list[:last]
	return c
}

// keep takes back a connection whose answer was read to its end.
func (t *Transport) keep(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle[c.address]) >= t.IdlePerHost {
		_ = c.nc.Close()
		return
	}
	if t.idle == nil {
		t.idle = map[string][]*conn{}
	}
	c.since = t.now()
	t.idle[c.address] = append(t.idle[c.address], c)
	if t.tidy == nil && t.IdleTimeout > 0 {
		t.tidy = time.AfterFunc(t.IdleTimeout, t.expire)
	}
}

func (t *Transport) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

// expire closes what was kept for too long, and comes back while there is something left.
func (t *Transport) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.now().Add(-t.IdleTimeout)
	for address, list := range t.idle {
		n := 0
		for n < len(list) && !list[n].since.After(before) {
			_ = list[n].nc.Close()
			n++
		}
		if n == len(list) {
			delete(t.idle, address)
			continue
		}
		t.idle[address] = append([]*conn(nil), list[n:]...)
	}
	t.tidy = nil
	if len(t.idle) > 0 {
		t.tidy = time.AfterFunc(t.IdleTimeout, t.expire)
	}
}

// CloseIdleConnections closes what is kept; exchanges under way go on.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	for _, list := range t.idle {
		for _, c := range list {
			_ = c.nc.Close()
		}
	}
	t.idle = nil
	if t.tidy != nil {
		t.tidy.Stop()
		t.tidy = nil
	}
	t.mu.Unlock()
	t.Next.CloseIdleConnections()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
