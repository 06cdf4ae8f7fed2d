package http1

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	unknown  = -1
	bodyRoom = 4 << 10 // bytes of an answer that wait for more before they are sent
)

var errEnded = errors.New("http1: the request has ended")

// response is the http.ResponseWriter of one request. An answer of up to bodyRoom bytes goes out in one write with its
// head, and with its length; a longer one, or one that is flushed, in chunks unless the handler has said how long it is.
type response struct {
	x *exchange
	c *conn

	header  http.Header
	status  int   // 0: not decided
	length  int64 // what the handler says; unknown: nothing
	written int64 // bytes of the body the handler has given

	out    *bytesOut // nil: nothing is pending
	sent   bool      // the head has gone out
	chunks bool
	shut   bool  // the connection ends with this answer
	ended  bool  // the handler has returned
	failed error // of the connection
}

// bytesOut is what waits to be sent: the head, as far as it is known, and the body.
type bytesOut struct{ head, body []byte }

// outs is a cache and nothing else.
var outs = sync.Pool{New: func() any { return &bytesOut{make([]byte, 0, 1<<10), make([]byte, 0, bodyRoom)} }}

func (w *response) pending() *bytesOut {
	if w.out == nil {
		w.out, _ = outs.Get().(*bytesOut)
	}
	return w.out
}

func (w *response) release() {
	if w.out != nil {
		w.out.head, w.out.body = w.out.head[:0], w.out.body[:0]
		outs.Put(w.out)
		w.out = nil
	}
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. The fields are taken down now: what a handler changes later has no effect.
func (w *response) WriteHeader(status int) {
	switch {
	case w.ended || w.status != 0:
		return
	case status < 100 || status > 999:
		panic("http1: status " + strconv.Itoa(status))
	case status < 200:
		w.inform(status)
		return
	}
	w.status = status
	w.length = w.declared()
	o := w.pending()
	o.head = appendStatus(o.head, status)
	o.head = w.appendFields(o.head)
}

// inform sends an answer that comes before the answer, as 103 is.
func (w *response) inform(status int) {
	if status == http.StatusSwitchingProtocols {
		panic("http1: a request to switch protocols is not served here")
	}
	b := w.appendFields(appendStatus(nil, status))
	w.send(net.Buffers{append(b, "\r\n"...)})
}

// declared is the length that the handler gives; a value that is none is dropped.
func (w *response) declared() int64 {
	text := w.header["Content-Length"]
	if len(text) == 0 {
		return unknown
	}
	n, err := strconv.ParseUint(text[0], 10, 62)
	if err != nil {
		delete(w.header, "Content-Length")
		return unknown
	}
	return int64(n) //nolint:gosec // 62 bits
}

// bare reports an answer that has no body, whatever is written.
func (w *response) bare() bool {
	return w.x.request.Method == http.MethodHead || bodiless(w.status)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if err := w.room(len(p)); err != nil {
		return 0, err
	}
	o := w.pending()
	if w.bare() { // only its type can still be asked for
		o.body = append(o.body, p[:min(len(p), bodyRoom-len(o.body))]...)
		return len(p), nil
	}
	if len(o.body)+len(p) <= bodyRoom {
		o.body = append(o.body, p...)
		return len(p), nil
	}
	if w.push(p, false); w.failed != nil {
		return 0, w.failed // how much of it has gone out nobody can use
	}
	return len(p), nil
}

// room counts n more bytes of body and says why they cannot be taken.
func (w *response) room(n int) error {
	if w.ended {
		return errEnded
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.written += int64(n)
	switch {
	case w.failed != nil:
		return w.failed
	case bodiless(w.status):
		return http.ErrBodyNotAllowed
	case w.length != unknown && w.written > w.length:
		return http.ErrContentLength
	}
	return nil
}

// Flush implements http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController looks for.
func (w *response) FlushError() error {
	if w.ended {
		return errEnded
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.push(nil, false)
	w.release()
	return w.failed
}

// SetReadDeadline is what http.ResponseController looks for. It holds until the end of the request.
func (w *response) SetReadDeadline(t time.Time) error {
	if w.ended {
		return errEnded
	}
	w.c.deadlines.read.Store(true)
	return w.c.nc.SetReadDeadline(t)
}

// SetWriteDeadline is what http.ResponseController looks for. It holds until the end of the request.
func (w *response) SetWriteDeadline(t time.Time) error {
	if w.ended {
		return errEnded
	}
	w.c.deadlines.write.Store(true)
	return w.c.nc.SetWriteDeadline(t)
}

// EnableFullDuplex is what http.ResponseController looks for: here an answer never waits for the request's body.
func (w *response) EnableFullDuplex() error { return nil }

// finish sends what is left, after the handler has returned.
func (w *response) finish() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.ended = true
	if !w.sent && !w.x.body.came.Load() {
		w.shut = true // the connection ends with the part of the body that nobody read; a caller that is told sends nothing after it
	}
	w.push(nil, true)
	w.release()
	if w.length != unknown && w.written != w.length && !w.bare() {
		w.shut = true // the caller must not take the next answer for the rest of this one
	}
}

// keeps reports whether the connection can be used for another request.
func (w *response) keeps() bool { return !w.shut && w.failed == nil }

// push sends the head if it has not gone out, what is pending and then p. last says that nothing follows.
func (w *response) push(p []byte, last bool) {
	o := w.pending()
	if !w.sent {
		w.sent = true
		o.head = w.appendRest(o.head, o.body, p, last)
	}
	if w.bare() {
		o.body, p = o.body[:0], nil
	}
	size := len(o.body) + len(p)
	if w.chunks && size > 0 {
		o.head = append(strconv.AppendInt(o.head, int64(size), 16), "\r\n"...)
	}
	tail := ""
	if w.chunks {
		tail = chunkTail(size > 0, last)
	}
	w.sendAll(o, p, tail)
	o.head, o.body = o.head[:0], o.body[:0]
}

func chunkTail(some, last bool) string {
	switch {
	case some && last:
		return "\r\n0\r\n\r\n"
	case some:
		return "\r\n"
	case last:
		return "0\r\n\r\n"
	}
	return ""
}

// sendAll makes one write of small parts, and one system call of large ones.
func (w *response) sendAll(o *bytesOut, p []byte, tail string) {
	if len(p) > bodyRoom {
		w.send(net.Buffers{o.head, o.body, p, []byte(tail)})
		return
	}
	o.head = append(append(append(o.head, o.body...), p...), tail...)
	if len(o.head) > 0 {
		w.send(net.Buffers{o.head})
	}
}

// send writes to the connection. Once that has failed nobody waits for the answer.
func (w *response) send(parts net.Buffers) {
	if w.failed != nil {
		return
	}
	var err error
	if len(parts) == 1 {
		_, err = w.c.nc.Write(parts[0])
	} else {
		_, err = parts.WriteTo(w.c.nc)
	}
	if err != nil {
		w.failed = err
		w.x.cancel()
	}
}
