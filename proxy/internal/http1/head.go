package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

const (
	version   = "HTTP/1.1 "
	maxFields = 64 // lines of a head that is read here
	maxDigits = 15 // of a Content-Length that is read here
)

// parseHead reads the head of an answer where nothing about it is special, and returns how many bytes it had. All of it
// must be in b. nil says nothing about the answer: net/http reads it, from its first byte on, and decides.
//
// What is taken here is what nobody can read in two ways: lines that end in CR LF, names that are tokens, values without
// control characters, no name twice, no line that continues another, exactly one Content-Length of digits alone and no other word about
// where the body ends (RFC 9112 §5, §6.3). Splitting and smuggling live in all the rest, and that is net/http's to refuse.
func parseHead(b []byte, req *http.Request) (*answer, int) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 || req.Method == http.MethodHead {
		return nil, 0
	}
	line, rest := cutLine(b[:end+2])
	status := statusOf(line)
	fields := bytes.Count(rest, []byte("\n"))
	if status == 0 || fields > maxFields {
		return nil, 0
	}
	a := &answer{}
	a.Proto, a.ProtoMajor, a.ProtoMinor = version[:len(version)-1], 1, 1
	a.Status, a.StatusCode = statusText(line[len(version):]), status
	a.Header = make(http.Header, fields)
	a.ContentLength, a.Request = -1, req
	values := make([]string, fields)
	for i := range values {
		line, rest = cutLine(rest)
		if !a.field(line, values[i:i+1:i+1]) {
			return nil, 0
		}
	}
	if a.ContentLength < 0 {
		return nil, 0
	}
	return a, end + len("\r\n\r\n")
}

// cutLine cuts at the first LF. The line comes without its CR LF; nil: it has none.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil
	}
	return b[:i-1], b[i+1:]
}

// statusOf reads a status line; 0: it is not for us. Answers without a body whatever their head says are not.
func statusOf(line []byte) int {
	const shortest = len(version) + len("200 ")
	if len(line) < shortest || string(line[:len(version)]) != version || line[shortest-1] != ' ' || !printable(line) {
		return 0
	}
	status := 0
	for _, c := range line[len(version) : shortest-1] {
		if c < '0' || c > '9' {
			return 0
		}
		status = status*10 + int(c-'0')
	}
	if status < http.StatusOK || status == http.StatusNoContent || status == http.StatusNotModified || status > 599 {
		return 0
	}
	return status
}

func statusText(text []byte) string {
	if string(text) == "200 OK" {
		return "200 OK"
	}
	return string(text)
}

// field takes one line of the head; false: it is not for us. value is where its value is kept.
func (a *answer) field(line []byte, value []string) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 || !httpguts.ValidHeaderFieldName(string(line[:colon])) || !printable(line[colon+1:]) {
		return false
	}
	name, text := nameOf(line[:colon]), trim(line[colon+1:])
	switch name {
	case "Content-Length":
		length, ok := lengthOf(text)
		if !ok || a.ContentLength >= 0 {
			return false
		}
		a.ContentLength = length
	case "Connection":
		if !strings.EqualFold(string(text), "keep-alive") {
			return false
		}
	case "Transfer-Encoding", "Trailer", "Upgrade", "Pragma":
		return false // the last one implies another header
	}
	value[0] = valueOf(text)
	before := len(a.Header)
	a.Header[name] = value
	return len(a.Header) > before // else its second value replaced the first
}

// trim cuts the optional white space around a value (RFC 9110 §5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

func lengthOf(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > maxDigits {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// nameOf is the canonical form of a name. Those that most answers have cost no memory.
func nameOf(b []byte) string {
	switch string(b) {
	case "Content-Length":
		return "Content-Length"
	case "Content-Type":
		return "Content-Type"
	case "Date":
		return "Date"
	case "Connection":
		return "Connection"
	case "Server":
		return "Server"
	}
	return textproto.CanonicalMIMEHeaderKey(string(b))
}

func valueOf(b []byte) string {
	if string(b) == "application/json" {
		return "application/json"
	}
	return string(b)
}

// printable reports whether b holds no control character but tabs.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
