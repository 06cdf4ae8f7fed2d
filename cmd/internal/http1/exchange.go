package http1

import (
	"context"
	"net/http"
)

// exchange is one request and its answer.
type exchange struct {
	request  *http.Request
	response response
	body     body
	cancel   context.CancelFunc
}

// exchange makes the request that a handler gets. Its context ends when the handler returns or the caller leaves.
func (c *conn) exchange(h *head) *exchange {
	x := &exchange{}
	ctx, cancel := context.WithCancel(c.ctx)
	x.cancel = cancel
	x.request = new(http.Request).WithContext(ctx)
	r := x.request
	r.Method, r.URL, r.Host, r.RequestURI = h.method, h.url, h.host, h.target
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.Header, r.ContentLength, r.RemoteAddr = h.fields, h.length, c.remote
	x.body.c, x.body.left = c, h.length
	x.body.came.Store(h.length <= int64(c.buffered()))
	r.Body = http.NoBody
	if h.length > 0 {
		r.Body = &x.body
	}
	x.response = response{x: x, c: c, header: make(http.Header, 8), length: unknown}
	return x
}
