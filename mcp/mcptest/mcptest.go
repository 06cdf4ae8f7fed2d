// Package mcptest holds the doubles with which the MCP rooms are tested: an API behind one tool, a road to it without
// limits and pools, and callers.
//
//	Operation ─ arguments as the body ─▶ Road ─ http.Client ─▶ httptest server ─▶ Operation ─ body as text
package mcptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Operation sends the arguments as they are and returns the answer's body as text.
type Operation struct{ Path string }

// BuildRequest posts args to base and Path. The argument "bad" is one that no API takes.
func (o Operation) BuildRequest(ctx context.Context, base *url.URL, args json.RawMessage) (*http.Request, error) {
	if bytes.Contains(args, []byte(`"bad"`)) {
		return nil, &openapi.ArgumentError{Problems: []string{`argument "bad": must not be there`}}
	}
	return http.NewRequestWithContext(ctx, http.MethodPost, base.JoinPath(o.Path).String(), bytes.NewReader(args))
}

// ReadResult returns the body as text; from 400 on it is an error of the tool.
func (o Operation) ReadResult(resp *http.Response, _ openapi.ReadOptions) (*openapi.Result, error) {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return &openapi.Result{
		Content: []openapi.Content{{Type: openapi.TextContent, Text: string(body)}}, IsError: resp.StatusCode >= 400,
	}, nil
}

// Road is a proxy.Pipeline without anything on the way. Calls counts what was handed to it.
type Road struct {
	Client *http.Client
	URL    *url.URL // where calls go; nil: the call's own base
	// Refuse, when not nil, is asked first; an error is the answer.
	Refuse  func(c *proxy.Call) error
	Calls   atomic.Int64
	Settled atomic.Int64
}

// Do sends the call once.
func (r *Road) Do(ctx context.Context, c *proxy.Call) (*proxy.Answer, error) {
	r.Calls.Add(1)
	if r.Refuse != nil {
		if err := r.Refuse(c); err != nil {
			return nil, err
		}
	}
	req, err := c.Build(ctx, &proxy.Backend{Name: c.Target, URL: r.URL})
	if err != nil {
		return nil, &proxy.Error{Kind: proxy.Invalid, Msg: "The request could not be built.", Err: err}
	}
	client := r.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		kind := proxy.Unreachable
		if ctx.Err() != nil {
			kind = proxy.Cancelled
		}
		return nil, &proxy.Error{Kind: kind, Msg: "The backend cannot be reached.", Err: fmt.Errorf("send: %w", err)}
	}
	answer := proxy.NewAnswer(func(proxy.Outcome) { r.Settled.Add(1) })
	answer.Status, answer.Upstream, answer.Body = resp.StatusCode, resp.Header, resp.Body
	return answer, nil
}

// Caller returns a person with these roles.
func Caller(name string, roles ...string) *identity.Caller {
	return &identity.Caller{Kind: identity.Person, Subject: "dev/" + name, Name: name, ClientID: "client-1", Roles: roles, GrantID: "grant-" + name}
}

// Tool returns a tool of this name for Config.Tools, with a small schema.
func Tool(name string) *openapi.Tool {
	return &openapi.Tool{
		Name: name, Title: "The " + name, Description: "Does " + name + ".", Method: http.MethodPost, Path: "/" + name,
		InputSchema: json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"}}}`),
	}
}
