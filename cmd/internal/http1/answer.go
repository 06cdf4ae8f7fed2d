package http1

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How the head of an answer is written: what the handler has set, then what follows from the answer itself.

const sniffed = 512 // bytes that http.DetectContentType looks at

// appendFields writes the handler's fields, sorted, without those that are decided when the head goes out.
func (w *response) appendFields(b []byte) []byte {
	var room [16]string
	names := room[:0]
	for name := range w.header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch {
		case name == "Transfer-Encoding" || name == "Content-Length" || !isToken(name):
			continue
		case name == "Content-Type" && w.status == http.StatusNotModified:
			continue
		case name == "Connection":
			w.shut = w.shut || slices.ContainsFunc(w.header[name], isClose)
			continue
		}
		for _, value := range w.header[name] {
			b = appendField(b, name, value)
		}
	}
	return b
}

func isClose(s string) bool { return strings.EqualFold(strings.TrimSpace(s), "close") }

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	start := len(b)
	b = append(b, strings.Trim(value, " \t\r\n")...)
	for i := start; i < len(b); i++ { // a value must not end its line
		if b[i] == '\r' || b[i] == '\n' {
			b[i] = ' '
		}
	}
	return append(b, "\r\n"...)
}

// appendRest ends the head: length or chunks, type, date, and whether the connection ends. body and p are what is known
// of the body, and all of it if last.
func (w *response) appendRest(b, body, p []byte, last bool) []byte {
	b = w.appendFraming(b, len(body)+len(p), last)
	if len(body)+len(p) > 0 && w.typeless() {
		first := append(body[:len(body):len(body)], p[:min(len(p), sniffed)]...)
		b = appendField(b, "Content-Type", http.DetectContentType(first))
	}
	if !w.has("Date") {
		b = append(b, dateLine(time.Now())...)
	}
	if w.shut || w.c.server.stopping.Load() {
		w.shut = true
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}

// appendFraming says where the answer ends (RFC 9112 section 6): size bytes, if nothing follows, or what the handler said.
func (w *response) appendFraming(b []byte, size int, last bool) []byte {
	head := w.x.request.Method == http.MethodHead
	switch {
	case bodiless(w.status):
		return b
	case w.length != unknown:
		return appendLength(b, w.length)
	case last && !head:
		return appendLength(b, int64(size))
	case last && w.written > 0 && w.written <= bodyRoom: // as the answer to GET would say
		return appendLength(b, w.written)
	case head:
		return b
	}
	w.chunks = true
	return append(b, "Transfer-Encoding: chunked\r\n"...)
}

func bodiless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

// typeless reports an answer whose type is to be found from its bytes. A handler that sets a nil value wants none.
func (w *response) typeless() bool {
	return !bodiless(w.status) && !w.has("Content-Type") && len(w.header["Content-Encoding"]) == 0
}

func (w *response) has(name string) bool {
	_, ok := w.header[name]
	return ok
}

func appendLength(b []byte, n int64) []byte {
	b = append(b, "Content-Length: "...)
	return append(strconv.AppendInt(b, n, 10), "\r\n"...)
}

func appendStatus(b []byte, status int) []byte {
	if status == http.StatusOK {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10)
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	return append(append(append(b, ' '), text...), "\r\n"...)
}
