package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

const (
	maxQuestions = 64 // of the server during one call, at once
	maxResumes   = 10 // of a stream that ended before its answer (U4)
	firstWait    = time.Second
)

// doLegacy sends a request in a session of the pool. A session that the upstream has forgotten is replaced once; a call of a
// tool is not sent again (U3).
func (l *Leg) doLegacy(ctx context.Context, r *Request) (*strictjson.Message, error) {
	for again := false; ; again = true {
		s, err := l.lease(ctx, r.On)
		if err != nil {
			return nil, l.final(ctx, err)
		}
		answer, err := l.inSession(ctx, s, r)
		gone := errors.Is(err, errSessionGone)
		if s.shared() && (ctx.Err() != nil || unfinished(err)) {
			l.cfg.Memory.pools.abandon(s)
		}
		l.cfg.Memory.pools.free(s, gone, l.now())
		switch {
		case gone && !again && r.Method != "tools/call":
			continue
		case gone:
			return nil, sessionEnded(err)
		case err != nil:
			return nil, l.final(ctx, err)
		}
		return answer, nil
	}
}

// unfinished reports whether the upstream may still be at work although nobody waits for it.
func unfinished(err error) bool {
	var e *edge.Error
	return errors.Is(err, errSilent) || errors.As(err, &e) && e.Msg == brokeOff
}

// exchange is one request in a session on its way.
type exchange struct {
	l       *Leg
	s       *session
	r       *Request
	m       *strictjson.Message
	ctx     context.Context
	patient *patience

	wg        sync.WaitGroup
	mu        sync.Mutex
	questions map[string]context.CancelFunc // that wait for an answer, by the server's id
	refusals  int                           // of questions that were too many, under way
}

// inSession sends the request and answers the server's questions until its answer has come.
func (l *Leg) inSession(ctx context.Context, s *session, r *Request) (*strictjson.Message, error) {
	m, err := message(l.nextID(), r.Method, r.Params)
	if err != nil {
		return nil, err
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x := &exchange{l: l, s: s, r: r, m: l.addressed(m, r.On, false), ctx: inner}
	x.patient = newPatience(l.cfg.Timeout, func() { cancel(errSilent) })
	defer x.patient.stop()
	done := s.serve(x)
	answer, err := x.run()
	done() // behind this no question is taken in, so that those that were can be waited for
	if ctx.Err() != nil && answer == nil {
		x.tellCancelled()
	}
	cancel(nil)
	x.wg.Wait()
	if errors.Is(context.Cause(inner), errSilent) && answer == nil {
		go x.tellCancelled() // who waited has waited long enough
		return nil, failed(http.StatusGatewayTimeout, l.tooSlow(), errSilent)
	}
	return answer, err
}

// errSilent is an upstream that said nothing for as long as the backend's timeout, while nobody was being asked.
var errSilent = errors.New("the upstream said nothing in time")

// run posts the request and reads; a stream that ends before the answer is taken up again where it ended (U4).
func (x *exchange) run() (*strictjson.Message, error) {
	if x.s.line != nil {
		return x.s.line.request(x.ctx, x.s, x.m)
	}
	s := &sending{l: x.l, on: x.r.On, http: http.MethodPost, m: x.m, tool: x.r.Tool, header: x.s.header(), quiet: unpoliced(x.r.Method), listen: x.s.key.mayAsk()}
	last, wait := "", firstWait
	for range maxResumes + 1 {
		w, err := x.l.open(x.ctx, s.call(x.ctx))
		if err != nil {
			return nil, err
		}
		w.lastID, w.retry, w.inSession = last, wait, x.s.id != ""
		answer, err := w.answerTo(x.m, x.notify, x.question)
		w.close(answer != nil)
		switch {
		case errors.Is(err, errNotFound) && x.s.id != "":
			return nil, errSessionGone
		case last != "" && (errors.Is(err, errNotFound) || errors.Is(err, errNotAllowed)): // it cannot be taken up
			return nil, io.EOF
		case !errors.Is(err, io.EOF) || w.lastID == "" || w.events == nil:
			return answer, err
		}
		last, wait = w.lastID, w.retry
		if !sleep(x.ctx, wait) {
			return nil, context.Cause(x.ctx)
		}
		h := x.s.header()
		h.Set("Last-Event-Id", last)
		s = &sending{l: x.l, on: x.r.On, http: http.MethodGet, header: h, quiet: true, listen: true}
	}
	return nil, io.EOF
}

func (x *exchange) notify(m *strictjson.Message) {
	x.patient.again()
	switch {
	case m.Method == "notifications/cancelled": // its ids are the server's, and mean nothing to our client or something else
		x.withdrawn(string(m.Bytes(m.RequestID)))
	case x.r.Notify != nil:
		x.r.Notify(m)
	}
}

// withdrawn ends a question that the server asks no more.
func (x *exchange) withdrawn(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if end, ok := x.questions[id]; ok {
		end()
	}
}

// ask notes a question; false when there are too many. done forgets it.
func (x *exchange) ask(id string) (ctx context.Context, done func(), ok bool) {
	ctx, end := context.WithCancel(x.ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.questions[id] != nil || len(x.questions) >= maxQuestions {
		return ctx, end, false
	}
	if x.questions == nil {
		x.questions = map[string]context.CancelFunc{}
	}
	x.questions[id] = end
	return ctx, func() {
		end()
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.questions, id)
	}, true
}

// refusal reports whether a question that is one too many gets an answer that says so. A server that asks without end gets no
// more answers than it takes. done is for when it was given.
func (x *exchange) refusal() (done func(), ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.refusals >= maxQuestions {
		return nil, false
	}
	x.refusals++
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.refusals--
	}, true
}

func (x *exchange) question(q *strictjson.Message) {
	ctx, done, ok := x.ask(string(q.Bytes(q.ID)))
	if !ok {
		forget := done
		refused, may := x.refusal()
		if !may {
			forget()
			return
		}
		done = func() { forget(); refused() }
	}
	x.patient.pause()
	x.wg.Go(func() {
		defer x.patient.resume()
		defer done()
		var result json.RawMessage
		var err error
		switch {
		case q.Method == "ping":
			result = json.RawMessage("{}")
		case !ok:
			err = &edge.Error{Code: edge.CodeServer, Msg: "too many questions at once"}
		case x.r.Ask == nil:
			err = edge.MethodNotFound(q.Method)
		default:
			result, err = x.r.Ask(ctx, q)
		}
		if m, err := reply(q, result, err); err == nil && ctx.Err() == nil {
			_ = x.s.send(x.ctx, m)
		}
	})
}

// reply is the answer to a request of the server, with its id as it wrote it.
func reply(q *strictjson.Message, result json.RawMessage, err error) (*strictjson.Message, error) {
	b := append([]byte(`{"jsonrpc":"2.0","id":`), q.Bytes(q.ID)...)
	if err == nil {
		b = append(append(append(b, `,"result":`...), result...), '}')
	} else {
		var e *edge.Error
		if !errors.As(err, &e) {
			e = &edge.Error{Code: edge.CodeInternal, Msg: "internal error"}
		}
		text, _ := json.Marshal(struct {
			Code    int             `json:"code"`
			Message string          `json:"message"`
			Data    json.RawMessage `json:"data,omitempty"`
		}{e.Code, e.Msg, e.Data})
		b = append(append(append(b, `,"error":`...), text...), '}')
	}
	return strictjson.Decode(b, strictjson.Limits{Upstream: true, Depth: 512, Members: 1_000_000})
}

// tellCancelled says that nobody waits any more: in this era closing a stream does not (§11.1).
func (x *exchange) tellCancelled() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.ctx), goodbyeWithin)
	defer cancel()
	_ = x.s.notify(ctx, "notifications/cancelled", append(append([]byte(`{"requestId":`), bytes.Clone(x.m.Bytes(x.m.ID))...), '}'))
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// patience ends an exchange that is silent for too long, but not while a person is being asked.
type patience struct {
	mu     sync.Mutex
	most   time.Duration
	timer  *time.Timer // nil: without end
	paused int
}

func newPatience(most time.Duration, over func()) *patience {
	p := &patience{most: most}
	if most > 0 {
		p.timer = time.AfterFunc(most, over)
	}
	return p
}

func (p *patience) again() { p.change(0) }

func (p *patience) pause() { p.change(1) }

func (p *patience) resume() { p.change(-1) }

func (p *patience) change(by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused += by; p.timer == nil {
		return
	}
	if p.timer.Stop(); p.paused == 0 {
		p.timer.Reset(p.most)
	}
}

func (p *patience) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// Send passes a notification of the client on, to every session that is open for it. Modern upstreams know none.
func (l *Leg) Send(ctx context.Context, on *Behalf, method string, params json.RawMessage) error {
	var errs []error
	for _, s := range l.cfg.Memory.pools.of(l.poolKey(on)) {
		errs = append(errs, s.notify(ctx, method, params))
	}
	return errors.Join(errs...)
}

// of returns the sessions that are alike.
func (p *pools) of(k poolKey) []*session {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []*session
	if c := p.callers[k.callerKey]; c != nil {
		for _, s := range c.sessions {
			if s.key.capabilities == k.capabilities {
				list = append(list, s)
			}
		}
	}
	return list
}
