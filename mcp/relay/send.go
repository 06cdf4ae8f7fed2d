package relay

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const (
	sessionHeader = "Mcp-Session-Id"
	versionHeader = "Mcp-Protocol-Version"
	paramPrefix   = "Mcp-Param-"
	bothForms     = "application/json, text/event-stream"
)

// always pass to the upstream; modernOnly are not trusted from legacy clients, who may say anything there (H13, §9.2), and
// where a stream is taken up again is nothing to modern ones (H12). An allow-list: what was not named here cannot be used to
// speak past the gateway.
var (
	always     = [...]string{"Traceparent", "Tracestate", "Baggage", "Accept-Language", "User-Agent"}
	modernOnly = [...]string{"Mcp-Method", "Mcp-Name"}
)

// send makes the call and takes it down the road.
func (x *exchange) send(ctx context.Context) (*proxy.Answer, error) {
	return x.s.cfg.Doer.Do(ctx, x.describe(ctx))
}

// describe says what the call is, once, for policies and records.
func (x *exchange) describe(ctx context.Context) *proxy.Call {
	r, m := x.r, x.r.Message
	call := &proxy.Call{
		ID: identity.RequestID(ctx), Surface: proxy.MCP, Endpoint: x.endpoint(), Caller: *r.Caller,
		Request: proxy.RequestFacts{Time: r.Arrived, Method: r.HTTP.Method, Path: r.HTTP.URL.Path, Header: r.HTTP.Header},
		Server:  x.s.cfg.Name, Tool: x.tool, API: x.s.cfg.Upstream, Target: x.s.cfg.Upstream,
		Listen: m == nil && r.HTTP.Method == http.MethodGet || m != nil && m.Method == "subscriptions/listen",
	}
	call.FollowUnchanged = true // §9.3
	call.Stream = call.Listen
	if q := identity.RequestFrom(ctx); q != nil {
		call.Request.IP = q.IP
	}
	if m != nil {
		call.Idempotent = rereadable(m.Method)
	}
	if x.tool != "" {
		call.Arguments = m.Bytes(m.Arguments)
	}
	if x.s.cfg.Policies != nil && x.policed() {
		call.Policies = x.s.cfg.Policies(x.tool)
	}
	call.Build = func(ctx context.Context, b *proxy.Backend) (*http.Request, error) { return x.build(ctx, b, call) }
	return call
}

// endpoint names the call in records and metrics: a closed set beside the names of tools.
func (x *exchange) endpoint() string {
	m := x.r.Message
	switch {
	case x.tool != "":
		return x.tool
	case m == nil:
		return strings.ToLower(x.r.HTTP.Method)
	case m.Kind == strictjson.Response:
		return "response"
	case m.Kind == strictjson.Notification:
		return "notification"
	}
	switch m.Method {
	case "initialize", "ping", "server/discover", "tools/list", "prompts/list", "prompts/get", "resources/list", "resources/templates/list",
		"resources/read", "resources/subscribe", "resources/unsubscribe", "subscriptions/listen", "completion/complete", "logging/setLevel":
		return m.Method
	}
	return "request"
}

// policed reports whether the server's limits count this message. What clients send to keep a connection, and lists, are
// not work: a bridge answers them without any policy, too.
func (x *exchange) policed() bool {
	m := x.r.Message
	if m == nil || m.Kind != strictjson.Request {
		return false
	}
	switch m.Method {
	case "initialize", "ping", "server/discover", "logging/setLevel", "subscriptions/listen", "resources/subscribe", "resources/unsubscribe":
		return false
	}
	return !strings.HasSuffix(m.Method, "/list")
}

// rereadable are requests that change nothing: they may be sent again. Never tools/call (§9.3).
func rereadable(method string) bool {
	switch method {
	case "ping", "server/discover", "resources/read", "prompts/get", "completion/complete":
		return true
	}
	return strings.HasSuffix(method, "/list")
}

// build makes the request for one try: the client's bytes, and the headers that may pass.
func (x *exchange) build(ctx context.Context, b *proxy.Backend, call *proxy.Call) (*http.Request, error) {
	var body []byte
	if m := x.r.Message; m != nil {
		var err error
		if body, err = splice.Arguments(m, call.Shape.Arguments); err != nil {
			return nil, err
		}
	}
	req := request(ctx, x.r.HTTP.Method, b.URL, body)
	x.headers(req.Header)
	if len(call.Shape.Arguments) > 0 && x.r.Modern {
		if err := paramheader.Rewrite(x.s.cfg.Leg.Known(behalf(x.r), x.tool), body, req.Header); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// request is http.NewRequestWithContext for an address that was read before, and a body that can be read again.
func request(ctx context.Context, method string, to *url.URL, body []byte) *http.Request {
	at := *to
	r := (&http.Request{
		Method: method, URL: &at, Host: at.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 8),
	}).WithContext(ctx)
	if body == nil {
		return r
	}
	r.ContentLength = int64(len(body))
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return r
}

// headers writes what the upstream is told beside the message.
func (x *exchange) headers(to http.Header) {
	from := x.r.HTTP.Header
	for _, name := range always {
		if v, ok := from[name]; ok {
			to[name] = v
		}
	}
	if x.r.Message != nil {
		to["Content-Type"] = []string{"application/json"}
	}
	to["Accept"] = x.accept(from["Accept"])
	if x.r.Modern {
		for _, name := range modernOnly {
			if v, ok := from[name]; ok {
				to[name] = v
			}
		}
		for name, v := range from {
			if strings.HasPrefix(name, paramPrefix) { // H9
				to[name] = v
			}
		}
		to.Set(versionHeader, edge.Modern)
		return
	}
	if v, ok := from["Last-Event-Id"]; ok {
		to["Last-Event-Id"] = v
	}
	if x.r.Upstream != "" {
		to.Set(sessionHeader, x.r.Upstream)
	}
	if v, ok := from[versionHeader]; ok {
		to[versionHeader] = v
	} else if x.r.Session != "" { // U3; VS Code sends none
		to.Set(versionHeader, x.r.Revision)
	}
}

// accept is the client's own Accept where the upstream can take it. Strict upstreams want both forms named, which is not
// what every client that the edge serves does.
func (x *exchange) accept(values []string) []string {
	if x.r.Message == nil {
		return values
	}
	if len(values) == 1 && strings.Contains(values[0], "application/json") && strings.Contains(values[0], "text/event-stream") {
		return values
	}
	return []string{bothForms}
}
