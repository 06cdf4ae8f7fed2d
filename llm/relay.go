package llm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
	"github.com/drawbridge-mcp/drawbridge/llm/internal/sse"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const doneEvent = "data: [DONE]\n\n"

// relay is a stream on its way from a provider to a caller.
type relay struct {
	*completion
	a         *proxy.Answer
	in        *sse.Reader
	out       *events
	seen      observed
	hideUsage bool // the caller did not ask for usage: we did (ST-6)
	first     time.Duration
}

// relay passes events on as they come, reads them on the side and settles, however the stream ends (§13).
func (c *completion) relay(ctx context.Context, a *proxy.Answer) error {
	r := &relay{completion: c, a: a, in: sse.NewReader(a.Body), hideUsage: !c.view.IncludesUsage()}
	r.seen.keepTexts = a.Cache == "miss"
	r.out = c.newEvents(func() { c.head(a) })
	defer r.out.close()
	for {
		e, err := r.in.Next()
		if err == nil && e.Partial {
			e, err = completed(e)
		}
		if err != nil {
			return r.end(ctx, err)
		}
		if string(bytes.TrimSpace(e.Data)) == "[DONE]" {
			r.finish(e.Raw)
			return nil
		}
		if err := r.pass(e); err != nil && !c.model.Drain {
			return r.end(ctx, err)
		}
	}
}

// completed takes an event whose blank line never came, where its data is whole all the same. Some servers forget the
// line behind the last event; a cut one must not reach the caller.
func completed(e sse.Event) (sse.Event, error) {
	data := bytes.TrimSpace(e.Data)
	if end, err := jsonscan.Skip(data, 0); string(data) != "[DONE]" && (err != nil || end != len(data)) {
		return e, io.ErrUnexpectedEOF
	}
	e.Raw = append(bytes.TrimRight(e.Raw, "\n"), "\n\n"...)
	return e, nil
}

// pass sends one event on, without the usage that the caller did not ask for.
func (r *relay) pass(e sse.Event) error {
	raw := e.Raw
	if e.Data != nil {
		if r.first == 0 {
			r.first = r.h.now().Sub(r.start)
		}
		if e.Name == "error" {
			r.seen.failed = true
		}
		part, err := r.seen.read(e.Data)
		if err == nil && r.hideUsage && part.usage != nil {
			if part.choices && part.empty && !part.filter {
				return nil
			}
			raw = withoutUsage(e, part.usage)
		}
	}
	return r.out.write(raw, !r.in.Ready())
}

// withoutUsage is the event with null in place of its usage (ST-6).
func withoutUsage(e sse.Event, usage []byte) []byte {
	from := cap(e.Data) - cap(usage) // usage is a part of the data, so their capacities end at the same byte
	data := bytes.Join([][]byte{e.Data[:from], []byte("null"), e.Data[from+len(usage):]}, nil)
	var out bytes.Buffer
	if e.Name != "" {
		out.WriteString("event: " + e.Name + "\n")
	}
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		out.WriteString("data: ")
		out.Write(line)
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// finish ends a stream whose terminator came, or that needs no more than one (ST-9, ST-11). It settles first: who has
// read the terminator may ask for the numbers.
func (r *relay) finish(terminator []byte) {
	out := proxy.Outcome{Ending: proxy.EndOK}
	if r.seen.failed {
		out.Ending, out.Code = proxy.EndUpstreamError, "upstream_error"
	}
	if r.r.Context().Err() != nil {
		out.Ending = proxy.EndClientGone
	}
	if r.a.Cache == "miss" && out.Ending == proxy.EndOK && r.seen.storable(r.view.Choices()) {
		out.Cacheable = r.assemble()
	}
	r.close(out, len(terminator))
	_ = r.out.write(terminator, true)
	r.drainBody()
}

// drainBody reads the end of the body that follows the terminator, so that the connection can be used again. What a
// provider still says then is dropped; a silent one is not waited for.
func (r *relay) drainBody() {
	r.out.close()
	timer := time.AfterFunc(100*time.Millisecond, func() { _ = r.a.Body.Close() })
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, r.a.Body, 16<<10)
}

// end says how a stream ended that has no terminator (ST-10…ST-13): a clean end of the body would look like success.
func (r *relay) end(ctx context.Context, err error) error {
	out := proxy.Outcome{Ending: proxy.EndUpstreamError, Code: "stream_truncated"}
	kind, msg := "upstream_error", "The model's answer ended early."
	switch {
	case r.r.Context().Err() != nil, r.out.failed():
		out.Ending, out.Code = proxy.EndClientGone, ""
		r.close(out, 0)
		return nil
	case errors.Is(err, io.EOF) && !r.seen.failed && r.seen.finished(r.view.Choices()):
		r.finish([]byte(doneEvent))
		return nil
	case context.Cause(ctx) == errShutdown: //nolint:errorlint // our own value
		out.Ending, out.Code, kind, msg = proxy.EndError, "server_shutdown", "server_error", "the gateway is restarting"
	case r.seen.failed:
		out.Code = "upstream_error"
	case timedOut(err):
		out.Ending, out.Code = proxy.EndTimeout, "upstream_timeout"
	}
	identity.RequestFrom(r.r.Context()).Note(slog.String("error", "stream: "+err.Error()))
	if r.out.abandon() {
		return r.broken(ctx, r.a, &r.seen, err) // nothing was sent: the caller gets a status that says it
	}
	f := failure{kind: kind, code: out.Code, msg: msg}
	text := append(append([]byte("data: "), f.json(openAI, r.id)...), "\n\n"...)
	if r.seen.failed { // the provider has said it already (ST-12)
		text = nil
	}
	r.close(out, len(text))
	if text != nil {
		_ = r.out.write(text, true)
	}
	return nil
}

// close ends the call; more is what will still be sent.
func (r *relay) close(out proxy.Outcome, more int) {
	out.Status, out.Usage, out.FirstByte = 200, r.usage(&r.seen), r.first
	out.Bytes = r.out.sent() + int64(more)
	r.settle(r.a, out)
}
