package llm

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/body"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// completion is a call to a model under way.
type completion struct {
	*exchange
	view   *body.View
	prompt prompt
	call   proxy.Call
}

// complete takes a request for a model down the road and answers it.
func (x *exchange) complete() error {
	data, err := x.readBody()
	if err != nil {
		return err
	}
	view, err := body.Parse(data, x.limits.Members)
	if err != nil {
		return err
	}
	name := x.route.model
	if name == "" {
		if name = view.ModelName(); name == "" {
			return invalid(http.StatusBadRequest, "missing_required_parameter", "model", "Name the model in the member model.")
		}
	}
	if x.model = x.granted(name); x.model == nil {
		return unknownModel(name)
	}
	ctx, release := x.h.streams.track(x.r, x.model.Drain)
	defer release()
	c := &completion{exchange: x, view: view}
	c.prompt.of(x.snap.Models, x.model, view)
	c.describe(ctx)
	x.road = true
	answer, err := x.snap.Doer.Do(ctx, &c.call)
	if err != nil {
		return c.lost(ctx, err)
	}
	defer answer.Settle(proxy.Outcome{Ending: proxy.EndError, Code: "internal_error", Status: http.StatusInternalServerError,
		Usage: proxy.Usage{Source: proxy.UsageNone}}) // only a panic gets here unsettled (AC-9)
	if answer.Body != nil {
		defer answer.Body.Close() //nolint:errcheck // read to its end or given up
	}
	return c.answer(ctx, answer)
}

// lost says how a call that got no answer is answered.
func (c *completion) lost(ctx context.Context, err error) error {
	if c.r.Context().Err() == nil && context.Cause(ctx) == errShutdown { //nolint:errorlint // our own value
		return shuttingDown(err)
	}
	return err
}

func shuttingDown(err error) *failure {
	return &failure{status: http.StatusServiceUnavailable, kind: "server_error", code: "overloaded",
		msg: "The gateway is restarting. Try again in a moment.", header: http.Header{"Retry-After": {"1"}}, err: err}
}

// describe fills the call that the pipeline gets.
func (c *completion) describe(ctx context.Context) {
	facts := proxy.RequestFacts{Method: c.r.Method, Path: c.r.URL.Path, Header: c.r.Header, Time: c.start.UTC()}
	if req := identity.RequestFrom(c.r.Context()); req != nil {
		facts.IP, facts.Time = req.IP, req.Time
	}
	call := &c.call
	*call = proxy.Call{
		ID: c.id, Surface: proxy.LLM, Endpoint: c.route.endpoint, Caller: *c.caller, Request: facts,
		API: "llm", Model: c.model.Name, Stream: c.streams(), Body: c.view.Data, Prompt: c.prompt.call(ctx),
		Price: c.model.Price, Target: c.model.Target, Build: c.build, Idempotent: true, CacheKey: c.cacheKey,
		UpstreamModel: c.model.UpstreamModel,
	}
	if call.Stream {
		call.Inspect = inspect
	}
	if c.route.endpoint == completions {
		call.CacheKey = nil // what is stored is replayed as chat or embeddings only
	}
	if c.route.endpoint == embeddings {
		call.Prompt.Completion, call.Prompt.NoCompletion = 0, true // TL-18
	}
	if c.snap.Policies != nil {
		call.Policies = c.snap.Policies(c.caller, c.model)
	}
}

func (c *completion) streams() bool { return c.route.endpoint != embeddings && c.view.Streams() }

// cacheKey is the question in canonical form, as it would be sent (CA-6).
func (c *completion) cacheKey() string {
	view := c.shaped()
	if view == nil {
		return ""
	}
	key := make([]byte, 0, len(c.route.endpoint)+len(c.model.Name)+len(view.Data)+32)
	key = append(append(append(append(key, c.route.endpoint...), '\n'), c.model.Name...), '\n')
	key = append(strconv.AppendInt(key, int64(c.call.Shape.MaxTokens), 10), '\n')
	return string(view.AppendCanonical(key))
}

// shaped is the body with the arguments that policies set; nil when they made it unreadable.
func (c *completion) shaped() *body.View {
	args := c.call.Shape.Arguments
	if len(args) == 0 {
		return c.view
	}
	names, values := make([]string, len(args)), make([][]byte, len(args))
	for i, a := range args {
		names[i], values[i] = a.Name, a.Value
	}
	view, err := body.Parse(c.view.Set(names, values), c.limits.Members+len(args))
	if err != nil {
		return nil
	}
	return view
}

// build makes the request for one try at one backend: the caller's bytes with what must differ spliced in (WF-1).
func (c *completion) build(ctx context.Context, b *proxy.Backend) (*http.Request, error) {
	view := c.shaped()
	if view == nil {
		return nil, &proxy.Error{Kind: proxy.Internal, Code: "policy_error", Msg: "A policy set an argument that the request cannot take."}
	}
	at := c.snap.Endpoints[b.Name]
	upstream := c.model.UpstreamModel(b.Name)
	deployment := c.model.Provider == AzureOpenAI && at.API != "v1"
	change := body.Change{Model: upstream, MaxTokens: c.call.Shape.MaxTokens, CapName: c.model.capName,
		IncludeUsage: c.streams() && !at.NoUsageOption}
	if deployment && !view.Model.Present() {
		change.Model = "" // the address names it
	}
	switch c.route.endpoint {
	case embeddings:
		change.MaxTokens = 0
	case completions:
		change.CapName = "max_tokens"
	}
	data := view.Rewrite(change)
	req := &http.Request{
		Method: http.MethodPost, URL: address(b.URL, c.route.endpoint, c.model.Provider, at, upstream),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: b.URL.Host,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}
	if c.streams() && c.r.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "text/event-stream")
	}
	return req.WithContext(ctx), nil
}

// address is where a backend serves an endpoint (EP-1, EP-3, EP-4).
func address(base *url.URL, endpoint string, p Provider, at Endpoint, upstream string) *url.URL {
	path := "/" + endpoint
	if endpoint == chat {
		path = "/chat/completions"
	}
	name := path
	u := *base
	switch {
	case p == OpenAI:
	case at.API == "v1":
		name = "/openai/v1" + path
		path = name
	default:
		name = "/openai/deployments/" + upstream + path
		path = "/openai/deployments/" + url.PathEscape(upstream) + path
		version := at.APIVersion
		if version == "" {
			version = DefaultAPIVersion
		}
		u.RawQuery = "api-version=" + url.QueryEscape(version)
	}
	u.RawPath = strings.TrimSuffix(base.EscapedPath(), "/") + path
	u.Path = strings.TrimSuffix(base.Path, "/") + name
	return &u
}
