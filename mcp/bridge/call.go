package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// call is one tools/call on its way.
type call struct {
	s    *Server
	r    *edge.Request
	tool *tool
	args json.RawMessage
	id   string            // of the request
	from *identity.Request // nil: not known
	sent *http.Request     // the last one made

	progress *progress // nil: nobody asked

	described proxy.Call    // for policies, pools and records
	answer    http.Response // what the operation reads
}

// callTool answers tools/call (B2): what may be called, with what, and how it went.
func (s *Server) callTool(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	m := r.Message
	name, ok := m.Text(m.Name)
	if !ok {
		return nil, edge.InvalidParams("params.name must be a string")
	}
	facts := identity.RequestFrom(ctx)
	t := s.byName[name]
	if t == nil || !s.rules.MayUse(r.Caller, name) {
		// The same words whether there is no such tool or it is not the caller's (A1). The decoded name decides, from the
		// current configuration, never a list or a header (A3).
		return nil, access.Unknown(name)
	}
	facts.Note(slog.String("tool", t.Name))
	if m.Task.Present() && !r.Modern {
		return nil, edge.MethodNotFound("tools/call as a task") // B8
	}
	if m.Arguments.Present() && !m.IsObject(m.Arguments) && string(m.Bytes(m.Arguments)) != "null" {
		return nil, edge.InvalidParams("params.arguments must be an object")
	}
	if err := s.rules.Scope(r.Caller, name); err != nil {
		return nil, err
	}
	c := &call{s: s, r: r, tool: t, args: json.RawMessage(m.Bytes(m.Arguments)), from: facts}
	if facts != nil {
		c.id = facts.ID
	}
	if !m.IsObject(m.Arguments) {
		c.args = json.RawMessage("{}")
	}
	if r.Modern {
		if err := paramheader.Check(t.headers, c.args, r.HTTP.Header); err != nil { // H8
			return nil, err
		}
	}
	body, err := c.do(ctx)
	if err != nil {
		return nil, err
	}
	return s.finish(body, r.Modern), nil
}

// do sends the call down the road and reads what came back.
func (c *call) do(ctx context.Context) (resultBody, error) {
	c.progress = c.startProgress()
	defer c.progress.stop() // nothing after the result (B5)
	answer, err := c.s.cfg.Doer.Do(ctx, c.describe())
	if err != nil {
		return c.fault(ctx, err)
	}
	defer answer.Settle(proxy.Outcome{Ending: proxy.EndError}) // for panics; the first one counts
	if answer.Entry != nil {
		answer.Settle(proxy.Outcome{Ending: proxy.EndOK, Status: answer.Entry.Status, Bytes: int64(len(answer.Entry.Body))})
		return resultBody{open: slices.Clip(answer.Entry.Body)}, nil // others read it, too
	}
	return c.read(ctx, answer)
}

// describe says what the call is, once, for policies, pools and records.
func (c *call) describe() *proxy.Call {
	t, r, d := c.tool, c.r, &c.described
	d.ID, d.Surface, d.Endpoint, d.Caller = c.id, proxy.MCP, t.Name, *r.Caller
	d.Server, d.Tool, d.API, d.Arguments = c.s.cfg.Name, t.Name, t.API, c.args
	d.Target, d.Policies, d.Idempotent = t.Target, t.Policies, c.repeatable()
	d.FollowSameOrigin, d.DeclaredCookies = true, true
	d.Build = c.build
	if safe(t.Method) {
		d.CacheKey = c.cacheKey
	}
	d.Request.Time = r.Arrived
	if r.HTTP != nil {
		d.Request.Method, d.Request.Header = r.HTTP.Method, r.HTTP.Header
		if r.HTTP.URL != nil {
			d.Request.Path = r.HTTP.URL.Path
		}
	}
	if c.from != nil {
		d.Request.IP = c.from.IP
	}
	return &c.described
}

// repeatable is openapi.md T2: what may be sent again although bytes of it left, such as what carries an Idempotency-Key.
func (c *call) repeatable() bool { return c.tool.Tool.Tool.Repeatable(c.args) }

func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "QUERY":
		return true
	}
	return false
}

// build makes the request for one try, with the arguments the shape policies wrote. Their headers are the pipeline's.
func (c *call) build(ctx context.Context, b *proxy.Backend) (*http.Request, error) {
	base := c.tool.Base
	if b != nil && b.URL != nil {
		base = b.URL
	}
	args, err := shaped(c.args, c.described.Shape.Arguments)
	if err != nil {
		return nil, err
	}
	req, err := c.tool.op.BuildRequest(ctx, base, args)
	if err != nil {
		return nil, err
	}
	c.sent = req
	return req, nil
}

// cacheKey is the call in a form that does not depend on how its arguments were spelt.
func (c *call) cacheKey() string {
	var args any
	if json.Unmarshal(c.args, &args) != nil {
		return ""
	}
	canonical, err := json.Marshal(args) // keys sorted
	if err != nil {
		return ""
	}
	// The bytes of numbers count too: floats would let two large ids meet.
	return c.s.cfg.Name + "\x00" + c.tool.Name + "\x00" + string(canonical) + "\x00" + string(c.args)
}

// read turns the backend's answer into a result, and settles.
func (c *call) read(ctx context.Context, answer *proxy.Answer) (resultBody, error) {
	defer answer.Body.Close()
	resp := &c.answer
	resp.StatusCode, resp.Status, resp.Header = answer.Status, http.StatusText(answer.Status), answer.Upstream
	resp.Proto, resp.ProtoMajor, resp.ProtoMinor = "HTTP/1.1", 1, 1
	resp.Body, resp.ContentLength, resp.Request = answer.Body, -1, c.sent
	if resp.Header == nil {
		resp.Header = answer.Header
	}
	options := openapi.ReadOptions{ResponsesConfig: c.tool.Responses, RequestID: c.id}
	if c.progress != nil {
		options.Event = c.progress.event
	}
	result, err := c.tool.op.ReadResult(resp, options)
	if err != nil {
		return c.brokeOff(ctx, answer, err)
	}
	body := encodeResult(result, c.s.tailSize)
	out := proxy.Outcome{Ending: proxy.EndOK, Status: answer.Status, Bytes: int64(len(body.open))}
	if answer.Status >= 400 {
		out.Ending = proxy.EndUpstreamError
	} else if !result.IsError && body.meta == nil && answer.Cache != "" {
		out.Cacheable = &proxy.CacheEntry{Status: answer.Status, Body: slices.Clip(body.open), Created: c.s.now()} // T9
	}
	answer.Settle(out)
	return body, nil
}

// brokeOff is an answer that ended before it was read.
func (c *call) brokeOff(ctx context.Context, answer *proxy.Answer, err error) (resultBody, error) {
	switch {
	case errors.Is(ctx.Err(), context.Canceled) && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		ending, code := proxy.Abandoned(ctx)
		answer.Settle(proxy.Outcome{Ending: ending, Code: code, Status: answer.Status})
		return resultBody{}, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || isTimeout(err):
		answer.Settle(proxy.Outcome{Ending: proxy.EndTimeout, Status: answer.Status, Code: "timeout"})
		return textResult(c.tooSlow(), true), nil
	default:
		answer.Settle(proxy.Outcome{Ending: proxy.EndUpstreamError, Status: answer.Status, Code: "broken_off"})
		return textResult(openapi.BrokenOff, true), nil
	}
}
