package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/eventstream"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

const (
	endpointWithin = 5 * time.Second // for the first event of a stream of 2024-11-05 (§16.1)
	maxEndpoint    = 8 << 10
	maxUnheard     = 64 // messages before the endpoint
)

// line is a session's connection to an upstream of 2024-11-05: everything that the server says comes down one stream, and
// what is said to the server is POSTed to the address that the stream's first event names. Its session is one call's at a
// time: nothing on the stream says to which call it belongs.
type line struct {
	w    *wire
	to   *url.URL      // for POSTs
	left chan struct{} // closed when nobody reads any more

	mu      sync.Mutex
	waiting map[string]chan<- *strictjson.Message // answers that somebody waits for, by id
	current *exchange
	ear     func(*strictjson.Message) // of a listening stream; nil: none
	stray   int                       // questions that belong to no call and are being refused
	err     error                     // how the stream ended
}

// errNoEndpoint is an upstream that does not speak the transport of 2024-11-05.
var errNoEndpoint = errors.New("the upstream opened no stream of 2024-11-05")

// openLine opens the stream and waits for its first event. The stream outlives ctx.
func (l *Leg) openLine(ctx context.Context, on *Behalf) (*line, error) {
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	give := context.AfterFunc(ctx, cancel)
	late := time.AfterFunc(endpointWithin, cancel)
	first := &sending{l: l, on: on.quiet(), http: http.MethodGet, listen: true, quiet: true}
	w, err := l.open(reading, first.call(reading))
	if err != nil {
		cancel()
		return nil, err
	}
	to, err := w.endpoint(first.at)
	if !late.Stop() || !give() {
		err = errors.Join(errNoEndpoint, context.Cause(ctx))
	}
	if err != nil {
		w.close(false)
		cancel()
		return nil, err
	}
	return &line{w: w, to: to, left: make(chan struct{}), waiting: map[string]chan<- *strictjson.Message{}}, nil
}

// endpoint reads the first event of a stream of 2024-11-05 and returns the address it names, which is of the upstream's own
// origin: a server that could send our credential elsewhere would.
func (w *wire) endpoint(at *url.URL) (*url.URL, error) {
	if none, err := w.begin(); err != nil || none || w.events == nil {
		return nil, errors.Join(errNoEndpoint, err)
	}
	for range maxUnheard {
		events, err := w.events.Next()
		if err != nil {
			return nil, errors.Join(errNoEndpoint, w.ended(err))
		}
		for len(events) > 0 {
			var one []byte
			one, events = eventstream.Split(events)
			kind, _ := field(one, "event")
			text := strings.TrimSpace(string(eventstream.Data(one)))
			if kind == "" && text == "" || kind != "" && kind != "message" && kind != "endpoint" {
				continue // a comment, or something that is no business of ours
			}
			if kind != "endpoint" || len(text) > maxEndpoint {
				return nil, errNoEndpoint
			}
			w.rest = bytes.Clone(events)
			return sameOrigin(at, text)
		}
	}
	return nil, errNoEndpoint
}

func sameOrigin(at *url.URL, reference string) (*url.URL, error) {
	to, err := at.Parse(reference)
	if err != nil || to.Scheme != at.Scheme || !strings.EqualFold(to.Hostname(), at.Hostname()) || port(to) != port(at) || to.User != nil {
		return nil, notMCP("an endpoint of another origin")
	}
	to.Host, to.Fragment, to.RawFragment = at.Host, "", "" // spelt alike, too
	return to, nil
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// connectLine opens a session by the transport of 2024-11-05.
func (l *Leg) connectLine(ctx context.Context, on *Behalf, k poolKey) (*session, error) {
	ln, err := l.openLine(ctx, on)
	if err != nil {
		if errors.Is(err, errNoEndpoint) && l.cfg.Era == Auto { // it did before: ask again what it speaks
			l.ForgetEra()
		}
		return nil, l.final(ctx, err)
	}
	s := &session{l: l, on: on, key: k, line: ln}
	go ln.read(s)
	m, err := l.hello(on)
	if err == nil {
		var answer *strictjson.Message
		if answer, err = ln.request(ctx, s, m); err == nil {
			err = s.begin(ctx, answer)
		}
	}
	if err != nil {
		ln.hangUp()
		return nil, l.final(ctx, err)
	}
	return s, nil
}

// read hands out what comes until the stream ends; then the session is over.
func (ln *line) read(s *session) {
	defer close(ln.left)
	for {
		m, err := ln.w.next()
		if err != nil {
			ln.end(err)
			break
		}
		ln.hand(s, m)
	}
	ln.w.close(true)
	s.l.cfg.Memory.pools.lost(s)
}

// end tells everybody who waits that nothing comes any more.
func (ln *line) end(err error) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.err = err
	for id, c := range ln.waiting {
		close(c)
		delete(ln.waiting, id)
	}
}

func (ln *line) hand(s *session, m *strictjson.Message) {
	if m.Kind == strictjson.Notification {
		s.l.heard(m)
	}
	ln.mu.Lock()
	x, ear := ln.current, ln.ear
	switch {
	case m.Kind == strictjson.Response:
		if c := ln.waiting[string(m.Bytes(m.ID))]; c != nil {
			c <- m // has room for the one
			delete(ln.waiting, string(m.Bytes(m.ID)))
		}
	case m.Kind == strictjson.Notification && ear != nil:
		ear(m)
	case m.Kind == strictjson.Notification && x != nil:
		x.notify(m)
	case m.Kind == strictjson.Request && x != nil:
		x.question(m)
	}
	ln.mu.Unlock()
	if m.Kind == strictjson.Request && x == nil {
		ln.refuse(s, m)
	}
}

// refuse answers a question that belongs to no call, beside the stream: the server may be waiting to write there. One that asks
// without end gets no more answers than it takes.
func (ln *line) refuse(s *session, m *strictjson.Message) {
	count := func(by int) int {
		ln.mu.Lock()
		defer ln.mu.Unlock()
		ln.stray += by
		return ln.stray
	}
	if count(1) > maxQuestions {
		count(-1)
		return
	}
	go func() {
		s.refuse(ln.w.ctx, m)
		count(-1)
	}()
}

// request sends a request and waits for its answer.
func (ln *line) request(ctx context.Context, s *session, m *strictjson.Message) (*strictjson.Message, error) {
	c, id := make(chan *strictjson.Message, 1), string(m.Bytes(m.ID))
	ln.mu.Lock()
	if ln.err != nil {
		ln.mu.Unlock()
		return nil, errSessionGone
	}
	ln.waiting[id] = c
	ln.mu.Unlock()
	defer func() {
		ln.mu.Lock()
		delete(ln.waiting, id)
		ln.mu.Unlock()
	}()
	if err := ln.post(ctx, s, m); err != nil {
		return nil, err
	}
	select {
	case answer, ok := <-c:
		if !ok {
			return nil, s.l.streamBroke(io.ErrUnexpectedEOF)
		}
		return answer, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// post sends a message to the server, which takes it or does not; what it has to say comes down the stream.
func (ln *line) post(ctx context.Context, s *session, m *strictjson.Message) error {
	out := &sending{l: s.l, on: s.on, http: http.MethodPost, m: m, to: ln.to, header: s.header(), quiet: true}
	if x := ln.exchangeOf(m); x != nil { // the caller's own work, which policies count
		out.on, out.tool, out.quiet = x.r.On, x.r.Tool, unpoliced(x.r.Method)
	}
	w, err := s.l.open(ctx, out.call(ctx))
	if err != nil {
		return err
	}
	status := w.answer.Status
	err = nil
	switch {
	case status == http.StatusNotFound:
		err = errSessionGone
	case status >= http.StatusMultipleChoices:
		if _, err = w.begin(); err == nil { // a message of JSON-RPC that says no, where none belongs
			err = notMCP("a refusal outside the stream")
		}
	}
	w.close(status < http.StatusBadRequest)
	return err
}

// exchangeOf returns the call whose request m is; nil for what we say ourselves.
func (ln *line) exchangeOf(m *strictjson.Message) *exchange {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.current == nil || ln.current.m != m {
		return nil
	}
	return ln.current
}

// serve gives the stream to a call, and takes it back.
func (ln *line) serve(x *exchange) (done func()) {
	set := func(x *exchange) {
		ln.mu.Lock()
		ln.current = x
		ln.mu.Unlock()
	}
	set(x)
	return func() { set(nil) }
}

// hear passes what belongs to no call to tell, until ctx or the stream ends.
func (ln *line) hear(ctx context.Context, tell func(*strictjson.Message)) error {
	set := func(to func(*strictjson.Message)) {
		ln.mu.Lock()
		ln.ear = to
		ln.mu.Unlock()
	}
	set(tell)
	defer set(nil)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-ln.left:
		return io.EOF
	}
}

// hangUp closes the stream, which ends the session.
func (ln *line) hangUp() {
	ln.w.hangUp()
	<-ln.left
}
