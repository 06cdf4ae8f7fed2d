package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/eventstream"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// maxFault is how much is read of an answer that says no.
const maxFault = 1 << 20

// wire is one HTTP exchange with the upstream, read message by message. One goroutine reads it.
type wire struct {
	l      *Leg
	ctx    context.Context // of whoever waits
	hangUp context.CancelFunc
	answer *proxy.Answer
	events *eventstream.Reader // nil: one message alone
	rest   []byte              // whole events that were read and not looked at
	single *strictjson.Message

	inSession bool // the request named a session of the upstream's

	lastID string        // of the events read
	retry  time.Duration // the server's wish; 0: none
	end    error
	n      int64
}

// open sends one HTTP request down the road and reads as much of the answer as tells what it is.
func (l *Leg) open(ctx context.Context, call *proxy.Call) (*wire, error) {
	inner, hangUp := context.WithCancel(ctx)
	answer, err := l.cfg.Doer.Do(inner, call)
	if err != nil {
		hangUp()
		return nil, l.fault(err)
	}
	return &wire{l: l, ctx: ctx, hangUp: hangUp, answer: answer}, nil
}

// begin reads the start of an answer to a message: a stream, one message, or what says no. none says that there is no
// message to come (202).
func (w *wire) begin() (none bool, err error) {
	status := w.answer.Status
	kind, _, _ := mime.ParseMediaType(w.answer.Upstream.Get("Content-Type"))
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return false, failed(http.StatusBadGateway, refusedOurs, errors.New("the upstream answered 401 or 403"))
	case status >= http.StatusBadRequest:
		return false, w.refusal(kind)
	case status >= http.StatusMultipleChoices:
		return false, notMCP("status " + strconv.Itoa(status))
	case kind == "text/event-stream": // also with 202, as servers of mcp-go before 0.36 begin them
		w.events = eventstream.NewReader(w, int(w.l.cfg.Limits.Body))
		return false, nil
	case status == http.StatusAccepted || status == http.StatusNoContent:
		return true, nil
	case kind != "application/json":
		return false, notMCP("content type " + strconv.Quote(mcp.Clip(kind)))
	}
	text, err := io.ReadAll(io.LimitReader(w, w.l.cfg.Limits.Body+1))
	if err != nil {
		return false, w.l.broke(err)
	}
	if int64(len(text)) > w.l.cfg.Limits.Body {
		return false, notMCP("more bytes than limits.upstream_body")
	}
	if w.single, err = w.l.decode(text); err != nil {
		return false, notMCP(err.Error())
	}
	return false, nil
}

// refusal reads an answer of 4xx or 5xx. A message of JSON-RPC is the answer; a page is not.
func (w *wire) refusal(kind string) error {
	text, err := io.ReadAll(io.LimitReader(w, maxFault))
	if err != nil {
		return w.l.broke(err)
	}
	status := w.answer.Status
	if w.inSession && LostSession(status, text) {
		return errNotFound
	}
	if m, err := w.l.decode(text); kind == "application/json" && err == nil && m.Error.Present() {
		w.single = m
		if status != http.StatusNotFound || string(m.Bytes(m.Member(m.Error, "code"))) != "-32001" {
			return nil
		}
	}
	switch status {
	case http.StatusNotFound:
		return errNotFound
	case http.StatusMethodNotAllowed:
		return errNotAllowed
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return busy(status, w.answer.Upstream.Get("Retry-After"))
	}
	return notMCP("status " + strconv.Itoa(status))
}

// Read implements io.Reader: the bytes of the answer, and how they ended.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.answer.Body.Read(p)
	w.n += int64(n)
	if err != nil {
		w.end = err
	}
	return n, err
}

// next returns the next message; io.EOF when the stream ended in good order.
func (w *wire) next() (*strictjson.Message, error) {
	if w.events == nil {
		m := w.single
		if w.single = nil; m == nil {
			return nil, io.EOF
		}
		return m, nil
	}
	for {
		for len(w.rest) > 0 {
			var one []byte
			one, w.rest = eventstream.Split(w.rest)
			w.note(one)
			data := eventstream.Message(one)
			if len(bytes.TrimSpace(data)) == 0 {
				continue
			}
			m, err := w.l.decode(bytes.Clone(data))
			if err != nil {
				return nil, notMCP(err.Error())
			}
			return m, nil
		}
		var err error
		if w.rest, err = w.events.Next(); err != nil {
			return nil, w.ended(err)
		}
	}
}

func (w *wire) ended(err error) error {
	switch {
	case errors.Is(err, eventstream.ErrTooLarge):
		return notMCP("more bytes than limits.upstream_body")
	case err == io.EOF: //nolint:errorlint // readers return io.EOF itself; a connection that broke off may wrap it
		return io.EOF
	default:
		return w.l.streamBroke(err)
	}
}

// note keeps what an event says of the stream itself (SEP-1699).
func (w *wire) note(event []byte) {
	if id, ok := field(event, "id"); ok && len(id) <= maxEventID {
		w.lastID = id
	}
	if text, ok := field(event, "retry"); ok {
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms >= 0 {
			w.retry = time.Duration(min(ms, maxRetry.Milliseconds())) * time.Millisecond
		}
	}
}

const (
	maxEventID = 1 << 10
	maxRetry   = 60 * time.Second
)

// field returns the last value of a field of one event.
func field(event []byte, name string) (value string, ok bool) {
	for line := range bytes.FieldsFuncSeq(event, func(r rune) bool { return r == '\n' || r == '\r' }) {
		rest, found := bytes.CutPrefix(line, []byte(name))
		if found && len(rest) > 0 && rest[0] == ':' {
			value, ok = string(bytes.TrimPrefix(rest[1:], []byte(" "))), true
		}
	}
	return value, ok
}

// close ends the exchange and tells the pipeline how it ended. done says that the answer that was waited for has come.
func (w *wire) close(done bool) {
	_ = w.answer.Body.Close()
	w.answer.Settle(w.outcome(done))
	w.hangUp()
}

func (w *wire) outcome(done bool) proxy.Outcome {
	o := proxy.Outcome{Ending: proxy.EndOK, Status: w.answer.Status, Bytes: w.n}
	var e *proxy.Error
	switch {
	case errors.As(w.end, &e) && e.Kind == proxy.Timeout:
		o.Ending, o.Code = proxy.EndTimeout, "timeout"
	case done && w.answer.Status < http.StatusBadRequest:
	case errors.As(w.end, &e) && e.Kind == proxy.Cancelled, w.ctx.Err() != nil:
		o.Ending, o.Code = proxy.Abandoned(w.ctx)
	case w.answer.Status >= http.StatusBadRequest:
		o.Ending = proxy.EndUpstreamError
	case !done && w.answer.Status == http.StatusOK:
		o.Ending, o.Code = proxy.EndUpstreamError, "broken_off"
	}
	return o
}

// decode reads a message of the upstream strictly (§4: J1 to J3, J6, J9).
func (l *Leg) decode(text []byte) (*strictjson.Message, error) {
	return strictjson.Decode(text, strictjson.Limits{Depth: l.cfg.Limits.Depth, Members: l.cfg.Limits.Members, Upstream: true})
}
