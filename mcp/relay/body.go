package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const bufferSize = 32 << 10 // X4

// buffers is a cache and nothing else: an empty one changes no result.
var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// body is an answer on its way to the client: bytes as they come, errors in the client's words, and the end of the call
// told to the pipeline once.
type body struct {
	x      *exchange
	ctx    context.Context // of whoever waits for the answer
	hangUp func()          // ends a read from another goroutine, before Close
	answer *proxy.Answer
	buf    *[]byte // from the pool; nil until it is needed
	first  []byte  // read ahead and not handed out
	end    error   // of reading
	n      int64

	closed sync.Once
	silent silence
	stream *changes // of lists, told on an event stream; nil when the answer is none
}

// open makes the call and returns its answer, which must be closed.
func (x *exchange) open(ctx context.Context) (*body, error) {
	call, hangUp := context.WithCancel(ctx)
	answer, err := x.send(call)
	if err != nil {
		hangUp()
		return nil, err
	}
	return &body{x: x, ctx: ctx, hangUp: hangUp, answer: answer}, nil
}

// look reads the start of an answer into the buffer; whole says that nothing follows.
func (b *body) look() (whole bool, err error) {
	b.buf = buffers.Get().(*[]byte)
	n, err := io.ReadFull(b.answer.Body, *b.buf)
	b.first = (*b.buf)[:n]
	var broken *proxy.Error // a connection that broke off; what else there is are ReadFull's words for a short body
	switch {
	case err == nil:
		return false, nil
	case errors.As(err, &broken) || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		b.end = err
		return true, b.x.broke(err)
	}
	b.end = io.EOF
	return true, nil
}

// resembles reports whether the answer can be a message of JSON-RPC, by its start.
func (b *body) resembles() bool {
	text := bytes.TrimLeft(b.first, " \t\r\n")
	return len(text) > 0 && text[0] == '{' && bytes.Contains(text, []byte(`"jsonrpc"`))
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		b.n += int64(n)
		return n, nil
	}
	if b.end != nil {
		return 0, b.told()
	}
	n, err := b.answer.Body.Read(p)
	b.n += int64(n)
	b.silent.broken(p[:n])
	if b.stream.told(p[:n]) {
		b.x.s.cfg.Leg.Changed()
	}
	if err != nil {
		b.end = err
		return n, b.told()
	}
	return n, nil
}

// WriteTo implements io.WriterTo: one buffer from the pool carries the answer.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	if b.buf == nil {
		b.buf = buffers.Get().(*[]byte)
	}
	var written int64
	for {
		n, err := b.Read(*b.buf)
		if n > 0 {
			m, failed := w.Write((*b.buf)[:n])
			written += int64(m)
			if failed != nil {
				return written, failed
			}
		}
		if err == io.EOF { //nolint:errorlint // readers return io.EOF itself
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}

func (b *body) told() error {
	if b.end == io.EOF { //nolint:errorlint // readers return io.EOF itself; a broken connection may wrap it
		return io.EOF
	}
	if b.silent.over() {
		return &edge.Error{Status: http.StatusGatewayTimeout, Code: edge.CodeServer, Msg: b.x.tooSlow(), Err: b.end}
	}
	return b.x.broke(b.end)
}

// Close implements io.Closer: the exchange ends, the call is settled.
func (b *body) Close() error {
	b.closed.Do(func() {
		b.silent.stop()
		_ = b.answer.Body.Close()
		b.answer.Settle(b.outcome())
		b.hangUp()
		if b.buf != nil {
			buffers.Put(b.buf)
			b.buf = nil
		}
	})
	return nil
}

func (b *body) outcome() proxy.Outcome {
	o := proxy.Outcome{Ending: proxy.EndOK, Status: b.answer.Status, Bytes: b.n}
	var e *proxy.Error
	switch {
	case errors.As(b.end, &e) && e.Kind == proxy.Timeout, b.silent.over():
		o.Ending, o.Code = proxy.EndTimeout, "timeout"
	case errors.As(b.end, &e) && e.Kind == proxy.Cancelled, b.end == nil && b.ctx.Err() != nil:
		o.Ending, o.Code = proxy.Abandoned(b.ctx)
	case b.end != nil && b.end != io.EOF: //nolint:errorlint // as above
		o.Ending, o.Code = proxy.EndUpstreamError, "broken_off"
	case b.answer.Status >= http.StatusBadRequest:
		o.Ending = proxy.EndUpstreamError
	}
	return o
}

// replay is a body that was read, perhaps changed, and is handed out from memory; closing it ends the exchange.
type replay struct {
	bytes.Reader
	end io.Closer
}

func again(end io.Closer, text []byte) *replay {
	r := &replay{end: end}
	r.Reset(text)
	return r
}

func (r *replay) Close() error { return r.end.Close() }
