// Package sse reads event streams as they come: whatever way the bytes were split, with every line end that the standard
// knows, and without waiting for more than the event at hand.
//
//	reads of any size ─ Reader.Next ─▶ Event{Raw: to pass on, Name, Data: to read on the side}
//
// Raw is what was received, byte for byte, apart from line ends: where an event used CR they become LF.
package sse

import (
	"bytes"
	"errors"
	"io"
)

// MaxEvent is how long one event may be (llm.md SZ-3).
const MaxEvent = 4 << 20

// firstBuffer is what an idle stream holds; most events are far smaller (llm.md PF-6).
const firstBuffer = 8 << 10

// ErrTooLong says that an event is longer than MaxEvent.
var ErrTooLong = errors.New("event too long")

// Event is one block of a stream, up to and with its blank line. Its bytes are good until the next call of Next.
type Event struct {
	Raw  []byte
	Name string // of the event field; "" when there is none
	Data []byte // data lines, joined by LF; nil when there are none (comments, blank lines)
	// Partial says that the stream ended before the blank line.
	Partial bool
}

// Reader cuts a stream into events.
type Reader struct {
	src     io.Reader
	buf     []byte // buf[start:end] was read and not yet returned
	start   int
	end     int
	line    int  // where the line begins that is being read, from start
	scanned int  // how far that line was searched for its end, from start
	ready   int  // length of the event at start, once its end was found
	carried bool // the byte before start was a CR that ended an event: an LF that follows belongs to it
	begun   bool // the first event is behind us: no byte order mark any more
	joined  []byte
	plain   []byte
}

// NewReader returns a Reader of src.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Next returns the next event. At the end of the stream it returns io.EOF, or first what was there of an event that never
// ended, marked Partial.
func (r *Reader) Next() (Event, error) {
	for {
		if r.Ready() {
			e := r.event(r.buf[r.start : r.start+r.ready])
			r.start += r.ready
			r.line, r.scanned, r.ready = 0, 0, 0
			return e, nil
		}
		err := r.fill()
		if err == nil {
			continue
		}
		if rest := r.buf[r.start:r.end]; err == io.EOF && len(rest) > 0 {
			e := r.event(rest)
			e.Partial = true
			r.start = r.end
			return e, nil
		}
		return Event{}, err
	}
}

// Ready reports whether Next has a whole event without reading.
func (r *Reader) Ready() bool {
	if r.ready == 0 {
		r.ready, _ = r.block()
	}
	return r.ready > 0
}

// block looks for the blank line that ends the event at start and returns the length of the event, blank line included.
func (r *Reader) block() (length int, ok bool) {
	if r.carried && r.start < r.end {
		if r.buf[r.start] == '\n' {
			r.start++
		}
		r.carried = false
	}
	pending := r.buf[r.start:r.end]
	for r.scanned < len(pending) {
		i := lineEnd(pending[r.scanned:])
		if i < 0 {
			r.scanned = len(pending)
			break
		}
		i += r.scanned
		blank, next := i == r.line, i+1
		if pending[i] == '\r' {
			switch {
			case next < len(pending) && pending[next] == '\n':
				next++
			case next == len(pending) && blank:
				r.carried = true
			case next == len(pending):
				r.scanned = i // whether an LF follows is not known yet, and the line is not blank: there is time
				return 0, false
			}
		}
		r.line, r.scanned = next, next
		if blank {
			return next, true
		}
	}
	return 0, false
}

// lineEnd returns where the first CR or LF is; −1 for none.
func lineEnd(b []byte) int {
	lf := bytes.IndexByte(b, '\n')
	if lf >= 0 {
		b = b[:lf]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// fill reads once, making room first.
func (r *Reader) fill() error {
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.start, r.end = 0, r.end-r.start
	}
	if r.end == len(r.buf) {
		if r.end >= MaxEvent {
			return ErrTooLong
		}
		more := min(max(firstBuffer, len(r.buf)), MaxEvent-len(r.buf))
		r.buf = append(r.buf, make([]byte, more)...)
		r.buf = r.buf[:min(cap(r.buf), MaxEvent)]
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			return nil // an error comes again with the next read
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// event reads the fields of a block.
func (r *Reader) event(block []byte) Event {
	if !r.begun {
		r.begun = true
		block = bytes.TrimPrefix(block, []byte("\ufeff"))
	}
	e := Event{Raw: block}
	if bytes.IndexByte(block, '\r') >= 0 {
		e.Raw = r.unix(block)
	}
	lines := 0
	for rest := e.Raw; len(rest) > 0; {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "data":
			e.Data = r.join(e.Data, value, lines)
			lines++
		case "event":
			e.Name = string(value)
		}
	}
	return e
}

// join adds a data line to those that came before.
func (r *Reader) join(data, line []byte, before int) []byte {
	switch before {
	case 0:
		if line == nil {
			return []byte{}
		}
		return line
	case 1:
		r.joined = append(r.joined[:0], data...)
	}
	r.joined = append(append(r.joined, '\n'), line...)
	return r.joined
}

// unix returns block with LF for every line end.
func (r *Reader) unix(block []byte) []byte {
	r.plain = r.plain[:0]
	for i, c := range block {
		switch {
		case c != '\r':
			r.plain = append(r.plain, c)
		case i+1 >= len(block) || block[i+1] != '\n':
			r.plain = append(r.plain, '\n')
		}
	}
	return r.plain
}
