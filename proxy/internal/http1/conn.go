package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	readBuffer     = 8 << 10
	maxInformation = 5 // answers of 1xx ahead of the answer
)

// conn is one connection. It is in the hands of one exchange, or kept.
type conn struct {
	t       *Transport
	nc      net.Conn
	sock    *socket // nil: nc has none, and is written to and read as it is
	address string
	r       *bufio.Reader
	out     []byte // the request, until the first read for its answer sends it
	limit   int64  // bytes that may still be read as headers; negative: no limit
	used    bool   // before this exchange
	wrote   bool   // some of the request left
	heard   bool   // some of an answer came
	abort   func() // closes nc; made once

	keepable bool // after this answer
	since    time.Time
}

// answer is a response and its body in one piece of memory.
type answer struct {
	http.Response
	body body
}

func newConn(t *Transport, nc net.Conn, address string) *conn {
	c := &conn{t: t, nc: nc, sock: newSocket(nc), address: address}
	c.abort = func() { _ = nc.Close() }
	c.r = bufio.NewReaderSize(c, readBuffer)
	return c
}

// Read implements io.Reader for the buffer: headers are counted, bodies are not.
func (c *conn) Read(p []byte) (int, error) {
	if c.limit == 0 {
		return 0, errTooLarge
	}
	if c.limit > 0 && int64(len(p)) > c.limit {
		p = p[:c.limit]
	}
	n, err := c.receive(p)
	if c.limit > 0 {
		c.limit -= int64(n)
	}
	c.heard = c.heard || n > 0
	return n, err
}

func (c *conn) receive(p []byte) (int, error) {
	if c.out == nil {
		return c.nc.Read(p)
	}
	wrote, n, err := c.sock.exchange(c.out, p, !c.used)
	c.out, c.wrote = nil, wrote > 0
	return n, err
}

// exchange writes the request and reads the head of the answer. The end of the request's context closes the connection,
// which ends every read and write.
func (c *conn) exchange(req *http.Request, wire *buffer) (*http.Response, error) {
	c.wrote, c.heard = false, false
	ctx := req.Context()
	stop := afterFunc(ctx, c.abort)
	a, err := c.ask(req, wire)
	if err != nil {
		stop()
		_ = c.nc.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	resp := &a.Response
	a.body.c, a.body.stop = c, stop
	resp.Body = &a.body
	if noBody(req, resp) {
		a.body.finish(true)
	}
	unzip(wire, resp)
	return resp, nil
}

// afterFunc is context.AfterFunc without what that spends on a context which can do it itself.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	if own, ok := ctx.(interface{ AfterFunc(func()) func() bool }); ok {
		return own.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}

func (c *conn) ask(req *http.Request, wire *buffer) (*answer, error) {
	if c.sock != nil {
		c.out = wire.b
	} else {
		n, err := c.nc.Write(wire.b)
		if c.wrote = n > 0; err != nil {
			return nil, err
		}
	}
	for range maxInformation + 1 {
		c.limit = -1
		if c.t.HeaderBytes > 0 {
			c.limit = c.t.HeaderBytes
		}
		a, err := c.head(req)
		if err != nil {
			return nil, tooLarge(c, err)
		}
		c.limit = -1
		if a.StatusCode >= http.StatusOK {
			c.keepable = keepable(&a.Response)
			return a, nil
		}
		if a.StatusCode == http.StatusSwitchingProtocols {
			return nil, errors.New("the server switched protocols although nobody asked")
		}
	}
	return nil, errors.New("too many answers of 1xx")
}

// head reads the head of an answer: here when all of it came at once and is plain, else by net/http, which also reads the
// body then.
func (c *conn) head(req *http.Request) (*answer, error) {
	if _, err := c.r.Peek(1); err != nil {
		return nil, err
	}
	came, _ := c.r.Peek(c.r.Buffered())
	if a, length := parseHead(came, req); a != nil {
		_, _ = c.r.Discard(length)
		a.body.left = a.ContentLength
		return a, nil
	}
	resp, err := http.ReadResponse(c.r, req)
	if err != nil {
		return nil, err
	}
	a := &answer{Response: *resp}
	a.body.r = resp.Body
	return a, nil
}

// tooLarge puts the reason in place of what the parser made of it.
func tooLarge(c *conn, err error) error {
	if c.limit == 0 {
		return errTooLarge
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errClosed
	}
	return err
}

var (
	// errClosed is what a server that hangs up in place of an answer is reported as.
	errClosed = errors.New("the server closed the connection without an answer")
	// errStale is a kept connection that cannot be used: the other side closed it, or spoke while nobody asked, which is no
	// answer to the next request. Nothing was written.
	errStale = errors.New("the server closed the connection before the request")
)

// keepable reports whether the connection can serve another exchange once this answer was read to its end.
func keepable(resp *http.Response) bool {
	framed := resp.ContentLength >= 0 || len(resp.TransferEncoding) > 0
	return !resp.Close && resp.ProtoAtLeast(1, 1) && framed
}

// again reports whether a request that failed on a kept connection may be sent on another one: nothing of it left, or it
// changes nothing and nothing came back.
func (c *conn) again(req *http.Request) bool {
	if !c.used || c.heard || req.Context().Err() != nil {
		return false
	}
	return !c.wrote || idempotent(req)
}

func idempotent(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}

func noBody(req *http.Request, resp *http.Response) bool {
	return req.Method == http.MethodHead || resp.ContentLength == 0 || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
}
