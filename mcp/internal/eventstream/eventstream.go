// Package eventstream cuts a stream of server-sent events into whole events, without changing a byte of them.
//
//	bytes as they come ─ Reader.Next ─▶ one or more whole events ─ Data ─▶ the message of one
//
// A relay sends on what Next returns: an event that broke off in the middle never reaches a client, and something of
// ours may be written between two calls. Pure; nothing here knows what a message is.
package eventstream

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLarge is an event that does not fit into the reader's limit.
var ErrTooLarge = errors.New("an event is too large")

const (
	firstBuffer = 4 << 10
	largest     = 32 << 20 // when no limit is given
)

// Reader cuts a stream into whole events.
type Reader struct {
	r     io.Reader
	most  int
	buf   []byte
	start int // of what Next has not returned
	seen  int // bytes of buf that were looked at
	end   int // after the last whole event that was seen
	line  bool
	cr    bool // the last byte seen was a carriage return
	begun bool // the first bytes were looked at
	err   error
}

// NewReader reads events of r, each at most most bytes; 0 means 32 MiB.
func NewReader(r io.Reader, most int) *Reader {
	if most <= 0 {
		most = largest
	}
	return &Reader{r: r, most: most, line: true}
}

// Next waits for at least one whole event and returns all that are there. The bytes are good until the next call. At the
// end of the stream the error is io.EOF; an event without its end is dropped then, as the standard asks
// (HTML §9.2.6).
func (s *Reader) Next() ([]byte, error) {
	s.compact()
	for {
		if s.look(); s.end > s.start {
			whole := s.buf[s.start:s.end]
			s.start = s.end
			return whole, nil
		}
		if s.err != nil {
			return nil, s.err
		}
		if len(s.buf)-s.start > s.most {
			return nil, ErrTooLarge
		}
		s.fill()
	}
}

// compact forgets what was returned.
func (s *Reader) compact() {
	if s.start == 0 {
		return
	}
	n := copy(s.buf, s.buf[s.start:])
	s.buf, s.seen, s.end, s.start = s.buf[:n], s.seen-s.start, 0, 0
}

func (s *Reader) fill() {
	if len(s.buf) == cap(s.buf) {
		s.buf = append(make([]byte, 0, max(firstBuffer, 2*cap(s.buf))), s.buf...)
	}
	n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
	s.buf = s.buf[:len(s.buf)+n]
	s.err = err
	if s.begun {
		return
	}
	if len(s.buf) < len(mark) && err == nil && bytes.HasPrefix(mark, s.buf) {
		s.fill() // it may become one
		return
	}
	s.begun, s.buf = true, s.buf[:copy(s.buf, bytes.TrimPrefix(s.buf, mark))]
}

// mark is a byte order mark. One at the start of a stream is not the stream's (HTML §9.2.5); behind something of ours it would
// spoil the first event.
var mark = []byte("\uFEFF")

// look finds the ends of events: empty lines. A line ends with LF, CR or CR LF; the LF of a CR LF whose CR was seen ends
// no line of its own, and travels with what follows.
func (s *Reader) look() {
	for ; s.seen < len(s.buf); s.seen++ {
		switch c := s.buf[s.seen]; {
		case c == '\n' && s.cr:
			s.cr = false
			if s.end == s.seen {
				s.end++ // the end of the event before it
			}
		case c == '\n' || c == '\r':
			s.cr = c == '\r'
			if s.line {
				s.end = s.seen + 1
			}
			s.line = true
		default:
			s.line, s.cr = false, false
		}
	}
}

// Split returns the first event of whole events, and what follows it.
func Split(events []byte) (first, rest []byte) {
	for left := events; len(left) > 0; {
		var line []byte
		line, left = cutLine(left)
		if at := len(events) - len(left); len(line) == 0 {
			return events[:at], left
		}
	}
	return events, nil
}

// Message returns the data of an event that bears a message: one of type message, which is also the type of an event that
// names none (HTML §9.2.6). What servers send under other names, to keep a connection open or for themselves, is nil.
func Message(event []byte) []byte {
	kind := []byte(nil)
	for rest := event; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		if value, ok := bytes.CutPrefix(line, []byte("event")); ok && (len(value) == 0 || value[0] == ':') {
			kind = bytes.TrimPrefix(bytes.TrimPrefix(value, []byte(":")), []byte(" "))
		}
	}
	if len(kind) > 0 && string(kind) != "message" {
		return nil
	}
	return Data(event)
}

// Data returns the data of one event, its lines joined by LF; nil when it has none (a comment, a retry).
func Data(event []byte) []byte {
	var data []byte
	found := false
	for len(event) > 0 {
		var line []byte
		line, event = cutLine(event)
		rest, ok := bytes.CutPrefix(line, []byte("data"))
		if !ok || len(rest) > 0 && rest[0] != ':' {
			continue
		}
		rest = bytes.TrimPrefix(bytes.TrimPrefix(rest, []byte(":")), []byte(" "))
		if found {
			data = append(append(data[:len(data):len(data)], '\n'), rest...)
			continue
		}
		data, found = rest, true
	}
	return data
}

func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexAny(b, "\r\n")
	if i < 0 {
		return b, nil
	}
	if b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
		return b[:i], b[i+2:]
	}
	return b[:i], b[i+1:]
}
