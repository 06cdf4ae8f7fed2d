package edge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/eventstream"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// goodbyeWithin is how long an upstream has to take note of a session's end.
const goodbyeWithin = 5 * time.Second

// relayBody writes an answer that is no stream. One that breaks off is never made to look whole: the connection ends.
func (x *exchange) relayBody(ctx context.Context, p *Passed) {
	x.passedHeader(p)
	if p.Length >= 0 {
		x.w.Header().Set("Content-Length", strconv.FormatInt(p.Length, 10))
	}
	x.w.WriteHeader(p.Status)
	if p.Body == nil {
		return
	}
	to := io.Writer(x.w)
	if p.Length < 0 || p.Length >= smallBytes {
		s := newWriter(x.w, nil)
		defer s.release()
		to = patient{s}
	}
	if _, err := io.Copy(to, p.Body); err != nil {
		x.note(x.asError(err))
		if ctx.Err() == nil || restarting(ctx) {
			panic(http.ErrAbortHandler) // net/http's word for it: the client sees a broken answer
		}
	}
}

// chunk is some whole events on their way from the upstream's reader to the client's writer.
type chunk struct {
	events []byte
	err    error
}

// relayStream sends events on as they come. While the client takes nothing the upstream is not read (E5), and what is not
// whole never leaves. l is set for streams that belong to no request: what it has to say goes between two events.
func (x *exchange) relayStream(ctx context.Context, p *Passed, l *listener) {
	x.passedHeader(p)
	own := l.ownQueue()
	s := newWriter(x.w, own)
	s.alive = x.stillThere
	defer s.release()
	chunks, taken, stop, left := make(chan chunk), make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		read(eventstream.NewReader(p.Body, p.MaxEvent), chunks, taken, stop)
	}()
	defer func() { // nobody reads a body that is being closed
		close(stop)
		if p.HangUp != nil {
			p.HangUp()
		}
		<-left
	}()
	if s.open() != nil {
		x.drain(ctx, chunks, taken)
		return
	}
	last := lastEvent{nobody: x.message == nil}
	silence := time.NewTimer(pingEvery)
	defer silence.Stop()
	for {
		var err error
		select {
		case c := <-chunks:
			if c.err != nil {
				x.endStream(ctx, s, &last, c.err, l)
				return
			}
			if err = s.send(c.events); err == nil {
				last.keep(c.events)
			}
			taken <- struct{}{}
		case <-own.wake:
			if events, _ := own.take(); len(events) > 0 {
				err = s.write(events)
			}
		case <-silence.C:
			if !s.alive() {
				return
			}
			err = s.send(pingComment)
		case <-ctx.Done():
			x.endStream(ctx, s, &last, ctx.Err(), l)
			return
		}
		if err != nil {
			x.drain(ctx, chunks, taken)
			return
		}
		silence.Reset(pingEvery)
	}
}

// read hands over whole events and waits until they were taken, so that one buffer does.
func read(events *eventstream.Reader, chunks chan<- chunk, taken <-chan struct{}, stop <-chan struct{}) {
	for {
		b, err := events.Next()
		select {
		case chunks <- chunk{b, err}:
		case <-stop:
			return
		}
		if err != nil {
			return
		}
		select {
		case <-taken:
		case <-stop:
			return
		}
	}
}

// drain lets a legacy call go on although its client has left: closing is not cancelling there (E6), and the upstream
// may keep the answer for a client that comes back. The context ends when the grace is over.
func (x *exchange) drain(ctx context.Context, chunks <-chan chunk, taken chan<- struct{}) {
	for !x.modern && x.message != nil {
		select {
		case c := <-chunks:
			if c.err != nil {
				return
			}
			taken <- struct{}{}
		case <-ctx.Done():
			return
		}
	}
}

// endStream ends a stream as its upstream ended. A request that got no answer gets an error as its last event, unless
// the upstream ended a legacy stream in good order after it said where to take it up: its client comes back with
// Last-Event-ID then (SEP-1699).
func (x *exchange) endStream(ctx context.Context, s *writer, last *lastEvent, err error, l *listener) {
	clean := errors.Is(err, io.EOF)
	switch cause := context.Cause(ctx); {
	case l != nil || clean && !x.modern && last.named || last.answers(x.message):
		return
	case restarting(ctx):
		err = errRestarting
	case errors.Is(cause, context.DeadlineExceeded): // limits.stream_max
		err = &Error{Code: CodeServer, Msg: "the upstream did not answer in time", Err: cause}
	case cause != nil: // nobody is there to read it
		return
	case clean:
		err = &Error{Code: CodeServer, Msg: brokeOff}
	case errors.Is(err, eventstream.ErrTooLarge):
		err = &Error{Code: CodeServer, Msg: otherThing, Err: err}
	}
	e := x.asError(err)
	x.note(e)
	_ = s.write([]event{{kind: answerEvent, data: x.errorBody(e)}})
}

const (
	brokeOff   = "the connection to the upstream broke off"
	otherThing = "upstream sent something that is not MCP"
)

// lastEvent remembers the end of a stream, to see then whether the answer was sent. Nothing is parsed before.
type lastEvent struct {
	event  []byte // the last one
	plain  []byte // the last one without a method: what is told behind the answer does not hide it
	named  bool   // events have ids
	nobody bool   // the stream belongs to no request
}

func (l *lastEvent) keep(events []byte) {
	for len(events) > 0 {
		var one []byte
		one, events = eventstream.Split(events)
		l.named = l.named || bytes.HasPrefix(one, []byte("id:")) || bytes.Contains(one, []byte("\nid:"))
		if l.nobody || len(eventstream.Message(one)) == 0 {
			continue
		}
		l.event = append(l.event[:0], one...)
		if !bytes.Contains(one, []byte(`"method"`)) {
			l.plain = append(l.plain[:0], one...)
		}
	}
}

func (l *lastEvent) answers(m *Message) bool {
	return m == nil || isAnswer(l.event, m) || isAnswer(l.plain, m)
}

func isAnswer(event []byte, m *Message) bool {
	got, err := strictjson.Decode(eventstream.Data(event), strictjson.Limits{Upstream: true})
	return err == nil && got.Kind == strictjson.Response && bytes.Equal(got.Bytes(got.ID), m.Bytes(m.ID))
}
