package edge

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

const (
	answerWithin = 50 * time.Millisecond // an answer that takes longer becomes an event stream (E1)
	pingEvery    = 15 * time.Second      // of silence (E3)
	readerWithin = 30 * time.Second      // a reader that takes nothing for so long is cut (E5)
)

var pingComment = []byte(": ping\n\n")

// writer writes one event stream. Only one goroutine runs it: that is what keeps a notification in front of the result
// it was sent before (E4; mcp-go loses them, mark3labs/mcp-go#969).
type writer struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	queue *queue
	// alive runs with every ping; false ends the stream. nil: nothing to do.
	alive func() bool
}

func newWriter(w http.ResponseWriter, q *queue) *writer {
	return &writer{w: w, ctl: http.NewResponseController(w), queue: q}
}

// open sends the headers of an event stream. Without X-Accel-Buffering nginx, Application Gateway and others hold
// events back; a stream never has a length.
func (s *writer) open() error {
	head := s.w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-cache, no-transform")
	head.Set("X-Accel-Buffering", "no")
	head.Del("Content-Length")
	_ = s.ctl.SetWriteDeadline(time.Now().Add(readerWithin)) // it may have taken nothing of the answer before this one
	s.w.WriteHeader(http.StatusOK)
	return s.ctl.Flush()
}

// release leaves the connection without a deadline: it is used again (E11).
func (s *writer) release() { _ = s.ctl.SetWriteDeadline(time.Time{}) }

// run writes until the queue is closed and empty, the context ends, or the reader is gone.
func (s *writer) run(ctx context.Context) {
	defer s.release()
	silence := time.NewTimer(pingEvery)
	defer silence.Stop()
	for {
		select {
		case <-s.queue.wake:
			events, more := s.queue.take()
			if len(events) > 0 && s.write(events) != nil {
				return
			}
			if !more {
				return
			}
			silence.Reset(pingEvery)
		case <-silence.C:
			if s.alive != nil && !s.alive() || s.send(pingComment) != nil {
				return
			}
			silence.Reset(pingEvery)
		case <-ctx.Done():
			return
		}
	}
}

// write sends what waits in one go. Lines: an event's data is one line of JSON; white space between its tokens may hold
// line ends, which would cut the event in two.
func (s *writer) write(events []event) error {
	var b bytes.Buffer
	for _, e := range events {
		b.WriteString("event: message\n")
		if e.id != "" {
			b.WriteString("id: " + e.id + "\n") // E2
		}
		b.WriteString("data: ")
		start := b.Len()
		b.Write(e.data)
		for i, c := range b.Bytes()[start:] {
			if c == '\n' || c == '\r' {
				b.Bytes()[start+i] = ' '
			}
		}
		b.WriteString("\n\n")
	}
	return s.send(b.Bytes())
}

// patient writes an answer of any length: its reader has time for each piece, not for the whole.
type patient struct{ s *writer }

const (
	smallBytes = 8 << 10 // the connection takes them whole
	pieceBytes = 64 << 10
)

func (p patient) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		_ = p.s.ctl.SetWriteDeadline(time.Now().Add(readerWithin))
		m, err = p.s.w.Write(b[n:min(n+pieceBytes, len(b))])
		n += m
	}
	return n, err
}

func (s *writer) send(b []byte) error {
	_ = s.ctl.SetWriteDeadline(time.Now().Add(readerWithin))
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return s.ctl.Flush()
}
