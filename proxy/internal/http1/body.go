package http1

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// body is the body of an answer. At its end the connection is kept; closed before, the connection is closed: the server
// is to stop. Close may come while another goroutine reads.
type body struct {
	c    *conn
	r    io.Reader // net/http's; nil: the next left bytes of c
	left int64
	stop func() bool

	mu   sync.Mutex
	done bool
	end  error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if done, err := b.ended(); done {
		return 0, err
	}
	n, err := b.read(p)
	if err == nil {
		return n, nil
	}
	b.set(err)
	b.finish(err == io.EOF) //nolint:errorlint // readers return io.EOF itself
	return n, err
}

func (b *body) read(p []byte) (int, error) {
	if b.r != nil {
		return b.r.Read(p)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.c.r.Read(p)
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF: //nolint:errorlint // readers return io.EOF itself
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *body) ended() (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done && b.end == nil {
		return true, http.ErrBodyReadAfterClose
	}
	return b.done, b.end
}

func (b *body) set(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end == nil {
		b.end = err
	}
}

// finish lets go of the connection, once.
func (b *body) finish(whole bool) {
	b.mu.Lock()
	done := b.done
	b.done = true
	if whole && b.end == nil {
		b.end = io.EOF
	}
	b.mu.Unlock()
	if done {
		return
	}
	if inTime := b.stop(); inTime && whole && b.c.keepable {
		b.c.t.keep(b.c)
		return
	}
	_ = b.c.nc.Close()
}

// Close implements io.Closer. It never reads: the rest of a stream may never come.
func (b *body) Close() error {
	b.finish(false)
	return nil
}

// unzip undoes the compression that this package asked for.
func unzip(wire *buffer, resp *http.Response) {
	if coding := resp.Header["Content-Encoding"]; !wire.gzip || len(coding) == 0 || !strings.EqualFold(coding[0], "gzip") {
		return
	}
	resp.Body = &unzipped{of: resp.Body}
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	resp.ContentLength = -1
	resp.Uncompressed = true
}

// unzipped reads the head of the compressed stream with the first read: it may take as long as the body.
type unzipped struct {
	of  io.ReadCloser
	zip *gzip.Reader
	err error
}

func (u *unzipped) Read(p []byte) (int, error) {
	if u.zip == nil && u.err == nil {
		u.zip, u.err = gzip.NewReader(u.of)
		if errors.Is(u.err, io.EOF) {
			u.err = io.EOF // an empty body
		}
	}
	if u.err != nil {
		return 0, u.err
	}
	return u.zip.Read(p)
}

func (u *unzipped) Close() error { return u.of.Close() }
