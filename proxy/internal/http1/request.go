package http1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"
)

const (
	maxBody = 64 << 10 // longer ones are written while the answer may come already: not here
	maxKept = 96 << 10
)

// plain reports whether a request is for this package: plain HTTP, a method everybody knows, a short body of known
// length, and nothing that changes what the connection is.
func plain(req *http.Request) bool {
	if req.URL == nil || req.URL.Scheme != "http" || req.URL.Host == "" || req.URL.Opaque != "" || req.Close || req.Trailer != nil || len(req.TransferEncoding) > 0 {
		return false
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		return false
	}
	if req.Body != nil && req.Body != http.NoBody && (req.ContentLength <= 0 || req.ContentLength > maxBody) {
		return false
	}
	for name := range req.Header {
		switch name {
		case "Upgrade", "Connection", "Expect", "Te", "Trailer", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection":
			return false
		}
	}
	return httpguts.ValidHostHeader(hostOf(req))
}

func hostOf(req *http.Request) string {
	if req.Host != "" {
		return req.Host
	}
	return req.URL.Host
}

// hostPort is where to connect.
func hostPort(req *http.Request) string {
	host := req.URL.Host
	if req.URL.Port() != "" {
		return host
	}
	return strings.TrimSuffix(host, ":") + ":80"
}

// buffer holds a request as it is written.
type buffer struct {
	b    []byte
	gzip bool // the server was told that it may compress, by us
}

// pool is a cache and nothing else: an empty one changes no result.
var pool = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 2<<10)} }}

func getBuffer() *buffer {
	w := pool.Get().(*buffer)
	w.b, w.gzip = w.b[:0], false
	return w
}

func (w *buffer) put() {
	if cap(w.b) <= maxKept {
		pool.Put(w)
	}
}

// write makes the bytes of a request. A name or value that could end a line ends the exchange before it begins.
func (w *buffer) write(req *http.Request) error {
	defer closeBody(req)
	uri := req.URL.RequestURI()
	for i := range len(uri) {
		if uri[i] <= ' ' || uri[i] == 0x7f {
			return errors.New("http1: the address holds a control character")
		}
	}
	w.b = append(append(append(append(w.b, req.Method...), ' '), uri...), " HTTP/1.1\r\nHost: "...)
	w.b = append(append(w.b, hostOf(req)...), '\r', '\n')
	if err := w.headers(req); err != nil {
		return err
	}
	return w.body(req)
}

func (w *buffer) headers(req *http.Request) error {
	for name, values := range req.Header {
		if name == "Host" || name == "Content-Length" {
			continue // they follow from the request
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("http1: invalid header name %q", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("http1: invalid value of header %q", name) // never the value: it may be a credential
			}
			w.b = append(append(append(w.b, name...), ':', ' '), v...)
			w.b = append(w.b, '\r', '\n')
		}
	}
	if req.Header["Accept-Encoding"] == nil && req.Header["Range"] == nil && req.Method != http.MethodHead {
		w.gzip = true
		w.b = append(w.b, "Accept-Encoding: gzip\r\n"...)
	}
	return nil
}

func (w *buffer) body(req *http.Request) error {
	none := req.Body == nil || req.Body == http.NoBody
	if none {
		switch req.Method {
		case http.MethodPost, http.MethodPut, http.MethodPatch:
			w.b = append(w.b, "Content-Length: 0\r\n"...)
		}
		w.b = append(w.b, '\r', '\n')
		return nil
	}
	w.b = append(w.b, "Content-Length: "...)
	w.b = strconv.AppendInt(w.b, req.ContentLength, 10)
	w.b = append(w.b, "\r\n\r\n"...)
	start, size := len(w.b), int(req.ContentLength)
	for cap(w.b)-start < size {
		w.b = append(w.b[:cap(w.b)], 0)
	}
	w.b = w.b[:start+size]
	if _, err := io.ReadFull(req.Body, w.b[start:]); err != nil {
		return fmt.Errorf("http1: read the request's body: %w", err)
	}
	var more [1]byte
	if n, _ := req.Body.Read(more[:]); n > 0 {
		return errors.New("http1: the request's body is longer than it says")
	}
	return nil
}
