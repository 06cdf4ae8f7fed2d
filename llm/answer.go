package llm

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// answer gives the caller what came back, and settles.
func (c *completion) answer(ctx context.Context, a *proxy.Answer) error {
	switch {
	case a.Entry != nil:
		return c.replay(a)
	case a.Status != http.StatusOK:
		return c.refusedUpstream(a)
	case isEventStream(a.Header.Get("Content-Type")):
		if !c.streams() {
			return c.broken(ctx, a, nil, errors.New("a stream came that nobody asked for"))
		}
		return c.relay(ctx, a)
	}
	return c.whole(ctx, a)
}

func isEventStream(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}

// head sets the headers that every answer has: those that the road lets through and adds (x-drawbridge-…, age), and the
// limits, which are final after settling (TL-14).
func (c *completion) head(a *proxy.Answer) {
	header := c.w.Header()
	for name, values := range a.Header {
		header[name] = values
	}
	if a.Limits != nil {
		for name, values := range a.Limits() {
			header[name] = values
		}
	}
	if n, ok := c.prompt.known(); ok {
		header["X-Drawbridge-Estimated-Tokens"] = []string{strconv.Itoa(n)} // TL-19
	}
	header["X-Request-Id"] = []string{c.id}
}

// readAnswer reads the body of an answer that is not a stream, up to the limit.
func (c *completion) readAnswer(a *proxy.Answer) ([]byte, error) {
	size := int64(-1)
	if told := a.Upstream.Get("Content-Length"); told != "" {
		if n, err := strconv.ParseInt(told, 10, 64); err == nil {
			size = n
		}
	}
	data, err := readAll(a.Body, size, c.limits.UpstreamBody)
	if err == nil && int64(len(data)) > c.limits.UpstreamBody {
		err = errors.New("answer too large")
	}
	return data, err
}

// whole passes on a JSON answer, byte for byte (WF-2).
func (c *completion) whole(ctx context.Context, a *proxy.Answer) error {
	data, err := c.readAnswer(a)
	first := c.h.now().Sub(c.start)
	if err != nil {
		return c.broken(ctx, a, nil, err)
	}
	var o observed
	if _, err := o.read(data); err != nil {
		return c.broken(ctx, a, &o, err)
	}
	out := proxy.Outcome{Ending: proxy.EndOK, Status: http.StatusOK, Usage: c.usage(&o), Bytes: int64(len(data)), FirstByte: first}
	switch {
	case c.r.Context().Err() != nil:
		out.Ending = proxy.EndClientGone
	case o.failed: // some providers answer 200 with an error
		out.Ending, out.Code = proxy.EndUpstreamError, "upstream_error"
	}
	if a.Cache == "miss" && c.storable(&o, data) {
		out.Cacheable = &proxy.CacheEntry{Status: http.StatusOK, Header: http.Header{"Content-Type": a.Header["Content-Type"]},
			Body: data, Usage: out.Usage, Created: c.h.now()}
	}
	c.settle(a, out)
	if c.streams() && c.route.endpoint == chat { // a provider that does not stream: the caller gets events all the same
		return c.replayStream(a, data)
	}
	c.head(a)
	c.w.Header()["Content-Length"] = []string{strconv.Itoa(len(data))}
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(data) // settled already: what was generated is charged, read or not (TO-6)
	return nil
}

func (c *completion) storable(o *observed, data []byte) bool {
	if c.route.endpoint == chat {
		return o.storable(c.view.Choices())
	}
	found := false
	_ = jsonscan.Members(data, func(key, value []byte) error { // data was read before
		found = found || string(key) == "data" && len(value) > 2
		return nil
	})
	return found && !o.failed
}

// usage is what the answer cost: as reported, else estimated (AC-1, AC-2).
func (c *completion) usage(o *observed) proxy.Usage {
	if o != nil && o.reported {
		return o.usage
	}
	ctx := context.WithoutCancel(c.r.Context()) // who has gone is charged, too
	u := proxy.Usage{Input: c.prompt.count(ctx), Source: proxy.UsageEstimated}
	if o != nil && len(o.text) > 0 {
		u.Output = c.count(ctx, string(o.text))
		u.Output += u.Output * o.more / len(o.text)
	}
	return u
}

// settle ends the call, and tells the request's log line what only the reader of an answer knows (operations.md §4.1).
func (c *completion) settle(a *proxy.Answer, out proxy.Outcome) {
	a.Settle(out)
	line := identity.RequestFrom(c.r.Context())
	line.Note(slog.Int("tokens_in", out.Usage.Input), slog.Int("tokens_out", out.Usage.Output),
		slog.Int("tokens_cached", out.Usage.Cached), slog.Int64("ttft_ms", out.FirstByte.Milliseconds()))
	if out.Code != "" {
		line.Note(slog.String("code", out.Code))
	}
}

// count counts generated text.
func (c *completion) count(ctx context.Context, text string) int {
	t, err := c.snap.Models.counter.Begin(ctx, c.model.family, len(text))
	if err != nil {
		return len(text)
	}
	defer t.End()
	return t.Count(text)
}

// broken settles an answer that could not be read whole and of which the caller has seen nothing (AC-3, AC-4).
func (c *completion) broken(ctx context.Context, a *proxy.Answer, o *observed, err error) error {
	f := &failure{status: http.StatusBadGateway, kind: "upstream_error", code: "upstream_error",
		msg: "The model's answer could not be read. Try again.", err: err}
	ending := proxy.EndUpstreamError
	switch {
	case c.r.Context().Err() != nil:
		ending, f.code = proxy.EndClientGone, ""
	case context.Cause(ctx) == errShutdown: //nolint:errorlint // our own value
		f = shuttingDown(err)
	case timedOut(err):
		ending = proxy.EndTimeout
		f.status, f.code, f.msg = http.StatusGatewayTimeout, "upstream_timeout", "The model did not answer in time. Try again."
	}
	c.settle(a, proxy.Outcome{Ending: ending, Code: f.code, Status: f.status, Usage: c.usage(o)})
	f.header = withRoad(f.header, a)
	return f
}

// withRoad adds what the road and the limits tell to an answer that we make in place of an upstream's.
func withRoad(header http.Header, a *proxy.Answer) http.Header {
	all := a.Header.Clone()
	for _, name := range [...]string{"Content-Type", "Content-Length", "Retry-After", "Retry-After-Ms"} {
		all.Del(name) // of the upstream's own answer
	}
	if a.Limits != nil {
		for name, values := range a.Limits() {
			all[name] = values
		}
	}
	for name, values := range header {
		all[name] = values
	}
	return all
}

func timedOut(err error) bool {
	var pe *proxy.Error
	if errors.As(err, &pe) {
		return pe.Kind == proxy.Timeout
	}
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// passes reports whether an error of the upstream reaches the caller as it is (ER-22).
func passes(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return true
	}
	return false
}

// refusedUpstream answers for an upstream that said no. Nothing was generated (AC-6).
func (c *completion) refusedUpstream(a *proxy.Answer) error {
	out := proxy.Outcome{Ending: proxy.EndUpstreamError, Code: "upstream_error", Usage: proxy.Usage{Source: proxy.UsageNone}}
	if passes(a.Status) {
		data, err := c.readAnswer(a)
		if err == nil {
			out.Status, out.Bytes = a.Status, int64(len(data))
			c.settle(a, out)
			c.head(a)
			c.w.Header()["Content-Length"] = []string{strconv.Itoa(len(data))}
			c.w.WriteHeader(a.Status)
			_, _ = c.w.Write(data)
			return nil
		}
	}
	f := upstreamFailure(a, c.h.now())
	out.Code, out.Status = f.code, f.status
	c.settle(a, out)
	f.header = withRoad(f.header, a)
	_, _ = io.CopyN(io.Discard, a.Body, 64<<10) // a short body read to its end keeps the connection
	return f
}

// upstreamFailure is the answer in place of an upstream's error that tells about us, not about the request (ER-16…ER-18).
func upstreamFailure(a *proxy.Answer, now time.Time) *failure {
	e := proxy.UpstreamError(a.Status, a.Upstream, now)
	if e == nil {
		e = &proxy.Error{Kind: proxy.Unreachable, Msg: "The model gave an answer that cannot be passed on. Try again."}
	}
	e.Err = errors.New("upstream answered " + strconv.Itoa(a.Status))
	return proxyFailure(e)
}
