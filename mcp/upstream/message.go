package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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
	bothForms     = "application/json, text/event-stream"
	metaPrefix    = "io.modelcontextprotocol/"
)

// passed are headers of the client that the upstream gets: an allow-list, so that nothing else can speak past the gateway
// (§9.2). The first ones alone go where others are shown the answer.
var passed = [...]string{"Traceparent", "Tracestate", "Baggage", "Accept-Language", "User-Agent"}

const tracing = 2

// sending is one HTTP request on its way to the upstream.
type sending struct {
	l      *Leg
	on     *Behalf
	http   string              // method of HTTP
	m      *strictjson.Message // nil: no body
	tool   string
	header http.Header // of the protocol
	listen bool        // a stream that may be silent
	quiet  bool        // not work that policies count
	to     *url.URL    // nil: the backend's own
	at     *url.URL    // where it went, once it was made
}

// message makes a message of ours from a method and params; id nil makes a notification.
func message(id []byte, method string, params []byte) (*strictjson.Message, error) {
	name, _ := json.Marshal(method)
	b := make([]byte, 0, len(params)+len(name)+64)
	b = append(b, `{"jsonrpc":"2.0"`...)
	if id != nil {
		b = append(append(b, `,"id":`...), id...)
	}
	b = append(append(b, `,"method":`...), name...)
	if params != nil {
		b = append(append(b, `,"params":`...), params...)
	}
	m, err := strictjson.Decode(append(b, '}'), strictjson.Limits{Upstream: true, Depth: 512, Members: 1_000_000})
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", method, err)
	}
	return m, nil
}

// nextID is the id of a request of ours.
func (l *Leg) nextID() []byte { return strconv.AppendUint(nil, l.ids.Add(1), 10) }

// eraMeta are the members of _meta that belong to the modern era (S26). A legacy upstream gets none of them.
func (l *Leg) eraMeta(on *Behalf, modern bool) map[string][]byte {
	set := map[string][]byte{
		metaPrefix + "protocolVersion": nil, metaPrefix + "clientCapabilities": nil, metaPrefix + "clientInfo": nil, metaPrefix + "logLevel": nil,
	}
	if !modern {
		return set
	}
	set[metaPrefix+"protocolVersion"] = []byte(`"` + edge.Modern + `"`)
	set[metaPrefix+"clientCapabilities"] = on.capabilities()
	set[metaPrefix+"clientInfo"] = l.clientInfo(on)
	if on.LogLevel != "" {
		set[metaPrefix+"logLevel"], _ = json.Marshal(on.LogLevel)
	}
	return set
}

// clientInfo names the client, or us where it has not named itself.
func (l *Leg) clientInfo(on *Behalf) []byte {
	if len(on.ClientInfo) > 0 {
		return on.ClientInfo
	}
	text, _ := json.Marshal(map[string]string{"name": "drawbridge", "version": l.cfg.Version})
	return text
}

// addressed is params with the members of _meta that the era wants, and without those it does not know.
func (l *Leg) addressed(m *strictjson.Message, on *Behalf, modern bool) *strictjson.Message {
	set := l.eraMeta(on, modern)
	var body []byte
	switch {
	case m.IsObject(m.Meta):
		body = splice.Apply(m.Body, splice.Members(m, m.Meta, set))
	case !modern:
		return m
	default:
		meta := object(set)
		if m.Params.Present() {
			body = splice.Apply(m.Body, splice.Members(m, m.Params, map[string][]byte{"_meta": meta}))
			break
		}
		end := bytes.LastIndexByte(m.Body, '}')
		body = append(append(append(append([]byte(nil), m.Body[:end]...), `,"params":{"_meta":`...), meta...), "}}"...)
	}
	made, err := strictjson.Decode(body, strictjson.Limits{Upstream: true, Depth: 512, Members: 1_000_000})
	if err != nil {
		return m // what was good stays good; the upstream judges it
	}
	return made
}

func object(members map[string][]byte) []byte {
	empty, _ := strictjson.Decode([]byte(`{"jsonrpc":"2.0","method":"m","params":{}}`), strictjson.Limits{})
	whole := splice.Apply(empty.Body, splice.Members(empty, empty.Params, members))
	return whole[empty.Params.Start : len(whole)-1]
}

// modernHeaders are those of a request of the modern era: they say what the body says (SEP-2243).
func (l *Leg) modernHeaders(ctx context.Context, r *Request, m *strictjson.Message) http.Header {
	h := http.Header{versionHeader: {edge.Modern}, "Mcp-Method": {m.Method}}
	if name, ok := named(m); ok {
		h["Mcp-Name"] = []string{paramheader.Value(name)}
	}
	if m.Method == "tools/call" {
		if name, ok := m.Text(m.Name); ok {
			paramheader.Write(l.declared(ctx, r.On, name), m.Bytes(m.Arguments), h)
		}
	}
	return h
}

// named is the value of Mcp-Name (H5).
func named(m *strictjson.Message) (string, bool) {
	switch m.Method {
	case "tools/call", "prompts/get":
		return m.Text(m.Name)
	case "resources/read":
		return m.Text(m.URI)
	case "tasks/get", "tasks/update", "tasks/cancel":
		return m.Text(m.TaskID)
	}
	return "", false
}

// call describes the exchange, once, for policies and records.
func (s *sending) call(ctx context.Context) *proxy.Call {
	caller := identity.Caller{}
	if s.on.Caller != nil {
		caller = *s.on.Caller
	}
	call := &proxy.Call{
		ID: identity.RequestID(ctx), Surface: proxy.MCP, Endpoint: s.endpoint(), Caller: caller, Server: s.l.cfg.Server, Tool: s.toolName(),
		API: s.l.cfg.Backend, Target: s.l.cfg.Backend, Listen: s.listen, Stream: s.listen, Request: s.facts(ctx),
	}
	call.FollowUnchanged = true // §9.3
	if s.m != nil && s.m.Kind == strictjson.Request {
		call.Idempotent = rereadable(s.m.Method)
	}
	if s.tool != "" {
		call.Arguments = s.m.Bytes(s.m.Arguments)
	}
	if s.l.cfg.Policies != nil && !s.quiet {
		call.Policies = s.l.cfg.Policies(s.tool)
	}
	call.Build = func(ctx context.Context, b *proxy.Backend) (*http.Request, error) { return s.build(ctx, b, call) }
	return call
}

func (s *sending) facts(ctx context.Context) proxy.RequestFacts {
	f := proxy.RequestFacts{Time: s.on.Arrived, Method: http.MethodPost}
	if s.on.HTTP != nil {
		f.Method, f.Header = s.on.HTTP.Method, s.on.HTTP.Header
		if s.on.HTTP.URL != nil {
			f.Path = s.on.HTTP.URL.Path
		}
	}
	if q := identity.RequestFrom(ctx); q != nil {
		f.IP = q.IP
	}
	return f
}

// endpoint names the call in records and metrics: a closed set beside the names of tools.
func (s *sending) endpoint() string {
	switch {
	case s.tool != "":
		return s.toolName()
	case s.m == nil:
		return strings.ToLower(s.http)
	case s.m.Kind == strictjson.Response:
		return "response"
	case s.m.Kind == strictjson.Notification:
		return "notification"
	}
	switch s.m.Method {
	case "initialize", "ping", "server/discover", "tools/list", "prompts/list", "prompts/get", "resources/list", "resources/templates/list",
		"resources/read", "resources/subscribe", "resources/unsubscribe", "subscriptions/listen", "completion/complete", "logging/setLevel":
		return s.m.Method
	}
	return "request"
}

// toolName is the tool as this server's people know it.
func (s *sending) toolName() string {
	if s.tool == "" || s.l.cfg.ToolName == nil {
		return s.tool
	}
	return s.l.cfg.ToolName(s.tool)
}

// rereadable are requests that change nothing: they may be sent again. Never tools/call (§9.3).
func rereadable(method string) bool {
	switch method {
	case "ping", "server/discover", "resources/read", "prompts/get", "completion/complete":
		return true
	}
	return strings.HasSuffix(method, "/list")
}

// build makes the request for one try.
func (s *sending) build(ctx context.Context, b *proxy.Backend, call *proxy.Call) (*http.Request, error) {
	var body []byte
	if s.m != nil {
		var err error
		if body, err = splice.Arguments(s.m, call.Shape.Arguments); err != nil {
			return nil, err
		}
	}
	if s.at = s.to; s.at == nil {
		s.at = b.URL
	}
	req, err := http.NewRequestWithContext(ctx, s.http, s.at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if s.m == nil {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.on.HTTP != nil {
		names := passed[:]
		if s.on.ours {
			names = passed[:tracing]
		}
		for _, name := range names {
			if v, ok := s.on.HTTP.Header[name]; ok {
				req.Header[name] = v
			}
		}
	}
	req.Header.Set("Accept", bothForms)
	if s.http == http.MethodGet {
		req.Header.Set("Accept", "text/event-stream")
	}
	for name, v := range s.header {
		req.Header[name] = v
	}
	if len(call.Shape.Arguments) > 0 && s.header["Mcp-Method"] != nil {
		name, _ := s.m.Text(s.m.Name)
		if err := paramheader.Rewrite(s.l.declared(ctx, s.on, name), body, req.Header); err != nil {
			return nil, err
		}
	}
	return req, nil
}
