package relay

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// maxFault is how much is read of an answer that says no.
const maxFault = 1 << 20

// back are the headers of an upstream that reach a client (§9.2).
var back = [...]string{"Content-Type", "Mcp-Protocol-Version", "Retry-After", "Deprecation"}

func isStream(h http.Header) bool { return mediaType(h) == "text/event-stream" }

// mediaType is the type of an answer without its parameters. The two that upstreams send need no reading.
func mediaType(h http.Header) string {
	given := h.Get("Content-Type")
	if given == "application/json" || given == "text/event-stream" {
		return given
	}
	kind, _, _ := mime.ParseMediaType(given)
	return kind
}

func passedHeaders(from http.Header) http.Header {
	to := make(http.Header, len(back))
	for _, name := range back {
		if v := from[name]; len(v) > 0 {
			to[name] = v[:1:1]
		}
	}
	return to
}

// forward sends the message on and hands back the answer as it comes.
func (x *exchange) forward(ctx context.Context) (*edge.Passed, error) {
	b, err := x.open(ctx)
	if err != nil {
		return x.fault(err)
	}
	p, err := x.judge(b.answer, b)
	if p == nil || p.Body == nil {
		_ = b.Close()
	}
	return p, err
}

// judge decides what an answer is, by its status and its type (§9.3).
func (x *exchange) judge(answer *proxy.Answer, b *body) (*edge.Passed, error) {
	kind := mediaType(answer.Upstream)
	status := answer.Status
	p := &edge.Passed{Status: status, Header: passedHeaders(answer.Upstream), Body: b, HangUp: b.hangUp, Length: -1, MaxEvent: int(x.s.cfg.Limits.Body)}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return x.refusedCredential()
	case status == http.StatusNotFound && x.r.Upstream != "":
		return nil, edge.ErrUpstreamSession
	case status == http.StatusMethodNotAllowed && x.r.Message == nil:
		return &edge.Passed{Status: status}, nil
	case status >= http.StatusBadRequest:
		return x.refusal(p, answer, b, kind)
	case status >= http.StatusMultipleChoices:
		return nil, notMCP("status " + strconv.Itoa(status))
	}
	p.Status = http.StatusOK // §2; and whoever looks into answers looks into all of them
	switch {
	case kind == "text/event-stream":
		p.Stream, b.stream = true, &changes{}
		if x.wantsAnswer() && x.r.Message != nil && x.r.Message.Method != "subscriptions/listen" {
			b.silent.watch(x.s.cfg.Timeout, b.hangUp)
		}
		return x.inForm(p, b)
	case !x.wantsAnswer():
		return &edge.Passed{Status: http.StatusAccepted}, nil
	case kind != "application/json":
		return nil, notMCP("content type " + strconv.Quote(mcp.Clip(kind)))
	}
	whole, err := b.look()
	if err != nil {
		return nil, err
	}
	if !b.resembles() {
		return nil, notMCP("no JSON-RPC message")
	}
	if x.s.guards() && x.r.Message != nil && !x.asksFor("tools/list") {
		if wrong := x.named(nil).look(b.first); wrong != nil {
			return nil, notMCP(wrong.Error())
		}
		if !whole {
			p.Body = x.named(b)
		}
	}
	if whole {
		p.Length = int64(len(b.first))
	} else if n, err := strconv.ParseInt(answer.Upstream.Get("Content-Length"), 10, 64); err == nil {
		p.Length = n
	}
	return p, nil
}

// wantsAnswer reports whether the client waits for one.
func (x *exchange) wantsAnswer() bool {
	return x.r.Message == nil && x.r.HTTP.Method == http.MethodGet || x.r.Message != nil && x.r.Message.Kind == strictjson.Request
}

// inForm gives a client that takes JSON only the answer alone (E1).
func (x *exchange) inForm(p *edge.Passed, b *body) (*edge.Passed, error) {
	switch {
	case !x.wantsAnswer():
		return &edge.Passed{Status: http.StatusAccepted}, nil
	case !x.r.JSONOnly || x.r.Message == nil:
		p.Body = x.sifted(b)
		return p, nil
	}
	w, err := x.readStream(b)
	if err != nil {
		return nil, err
	}
	return w.asJSON(p), nil
}

// refusal is an answer of 4xx or 5xx. A message of JSON-RPC passes as it is; a page never reaches a model.
func (x *exchange) refusal(p *edge.Passed, answer *proxy.Answer, b *body, kind string) (*edge.Passed, error) {
	text, err := io.ReadAll(io.LimitReader(b, maxFault))
	if err != nil {
		return nil, err
	}
	if x.r.Upstream != "" && upstream.LostSession(answer.Status, text) {
		return nil, edge.ErrUpstreamSession
	}
	m, err := x.decode(text)
	busy := answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusServiceUnavailable
	switch {
	case kind == "application/json" && err == nil && m.Error.Present():
		x.noteEra(m)
		p.Body, p.Length = again(b, text), int64(len(text))
		return p, nil
	case busy:
		e := &edge.Error{Status: answer.Status, Code: edge.CodeServer, Msg: "the upstream is busy; try again later"}
		if v := answer.Upstream.Get("Retry-After"); v != "" {
			e.Header = http.Header{"Retry-After": {v}}
		}
		return nil, e
	default:
		return nil, notMCP("status " + strconv.Itoa(answer.Status))
	}
}

// decode reads a message of the upstream strictly (§4: J1 to J3, J6, J9).
func (x *exchange) decode(text []byte) (*strictjson.Message, error) {
	l := x.s.cfg.Limits
	return strictjson.Decode(text, strictjson.Limits{Depth: l.Depth, Members: l.Members, Upstream: true})
}
