package http1

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// body is the body of a request whose length is known. Whoever still reads when the request has ended gets an error, not
// the bytes of the next request.
type body struct {
	c *conn

	mu     sync.Mutex
	left   int64 // still to be read by the handler
	failed error // of the connection
	closed bool
	came   atomic.Bool // nothing more of it is to come from the connection
}

// Whole reports that all of the body had come with its head: there is nothing to wait for.
func (b *body) Whole() bool { return b.came.Load() }

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.failed != nil:
		return 0, b.failed
	case b.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.c.read(p)
	b.left -= int64(n)
	if b.left <= int64(b.c.buffered()) {
		b.came.Store(true)
	}
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF: //nolint:errorlint // connections return io.EOF itself
		err = io.ErrUnexpectedEOF
	}
	b.failed = err
	return n, err
}

// Close lets nobody read on; what is left is the connection's.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// end takes what is left of the body off the connection's buffer and reports whether the next request can follow.
func (b *body) end() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.failed != nil || b.left > int64(b.c.buffered()) {
		return false
	}
	b.c.skip(int(b.left))
	b.left = 0
	return true
}
