package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/mcp/authorization"
	"github.com/drawbridge-mcp/drawbridge/mcp/crossing"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// conformanceClientCommand runs the gateway's leg to upstreams against the official conformance suite, which plays the upstream and
// its authorization server (mcp.md §16.2): the same packages as serve, with this program in place of the person.
func (p *program) conformanceClientCommand() *cobra.Command {
	return &cobra.Command{
		Use: "conformance-client URL", Short: "Play the client in the MCP conformance suite", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newConformer(args[0], p.env)
			if err != nil {
				return usage("%w", err)
			}
			defer c.memory.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Minute)
			defer cancel()
			if err := c.run(ctx); err != nil {
				return failed("%w", err)
			}
			return nil
		},
	}
}

// conformer drives one server.
type conformer struct {
	scenario string
	context  struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		ToolCalls    []struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"toolCalls"`
	}
	memory *upstream.Memory
	server *crossing.Server
	id     int
}

// The redirect address and the client document are never visited: the suite answers with a redirect at once.
const (
	conformanceRedirect = "http://localhost:3000/callback"
	conformanceDocument = "https://conformance-test.local/client-metadata.json"
)

func newConformer(address string, env func(string) (string, bool)) (*conformer, error) {
	c := &conformer{memory: upstream.NewMemory()}
	c.scenario, _ = env("MCP_CONFORMANCE_SCENARIO")
	if text, ok := env("MCP_CONFORMANCE_CONTEXT"); ok && text != "" {
		if err := json.Unmarshal([]byte(text), &c.context); err != nil {
			return nil, fmt.Errorf("MCP_CONFORMANCE_CONTEXT: %w", err)
		}
	}
	guard, err := egress.New(egress.Config{AllowLoopback: true, MinTime: 1})
	if err != nil {
		return nil, err
	}
	cfg := authorization.Config{Guard: guard, RedirectURL: conformanceRedirect, DocumentURL: conformanceDocument, Native: true, Name: "Drawbridge"}
	if c.context.ClientID != "" {
		cfg.Registered = map[string]authorization.Credentials{"": {ID: c.context.ClientID, Secret: c.context.ClientSecret}}
	}
	client, err := authorization.New(cfg)
	if err != nil {
		return nil, err
	}
	signedIn := &authorization.Transport{Client: client, Base: &http.Transport{DialContext: guard.DialContext}, Follow: followRedirect}
	pipeline, err := proxy.New(proxy.Config{Backends: []proxy.BackendConfig{{Name: "server", URL: address, Timeout: 30 * time.Second}}}, proxy.NewState(),
		proxy.Deps{Transport: func(proxy.BackendConfig) http.RoundTripper { return signedIn }})
	if err != nil {
		return nil, err
	}
	era := upstream.Auto
	if version, ok := env("MCP_CONFORMANCE_PROTOCOL_VERSION"); ok && version != "" && version < edge.Modern {
		era = upstream.Legacy
	}
	leg, err := upstream.New(upstream.Config{Server: "conformance", Backend: "server", Era: era, Doer: pipeline, Memory: c.memory, ListTTL: time.Minute, Timeout: 30 * time.Second, Version: version})
	if err != nil {
		return nil, err
	}
	keys, err := secret.NewKeyring(time.Now())
	if err != nil {
		return nil, err
	}
	c.server, err = crossing.New(crossing.Config{Name: "conformance", Upstream: "server", Leg: leg, Keyring: keys})
	return c, err
}

// followRedirect is the person: the suite's authorization server redirects at once.
func followRedirect(ctx context.Context, address string) (url.Values, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		return nil, fmt.Errorf("the authorization endpoint answered %d without a redirect", resp.StatusCode)
	}
	return to.Query(), nil
}

// run connects, lists, and calls what is listed or what the suite says.
func (c *conformer) run(ctx context.Context) error {
	if _, err := c.ask(ctx, "initialize", `{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"drawbridge","version":"1"}}`); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	list, err := c.ask(ctx, "tools/list", "{}")
	if err != nil {
		return fmt.Errorf("list tools: %w", err)
	}
	if c.scenario == "initialize" {
		return nil
	}
	var errs []error
	for _, call := range c.calls(list) {
		if _, err := c.ask(ctx, "tools/call", call); err != nil {
			errs = append(errs, fmt.Errorf("call a tool: %w", err))
		}
	}
	c.readSome(ctx)
	if strings.HasPrefix(c.scenario, "auth/") || c.scenario == "tools_call" {
		return errors.Join(errs...)
	}
	return nil // the suite judges what it saw; some of its tools fail on purpose
}

// calls are the params of the calls to make.
func (c *conformer) calls(list json.RawMessage) []string {
	var calls []string
	for _, call := range c.context.ToolCalls {
		calls = append(calls, callParams(call.Name, call.Arguments))
	}
	if calls != nil {
		return calls
	}
	var all struct {
		Tools []struct {
			Name        string          `json:"name"`
			InputSchema json.RawMessage `json:"inputSchema"`
		} `json:"tools"`
	}
	_ = json.Unmarshal(list, &all)
	for _, t := range all.Tools {
		if t.Name == "json_schema_echo" { // it is called with what came of another tool's schema
			for _, other := range all.Tools {
				if other.Name == "json_schema_2020_12_tool" {
					calls = append(calls, callParams(t.Name, json.RawMessage(`{"schema":`+string(other.InputSchema)+`}`)))
				}
			}
			continue
		}
		calls = append(calls, callParams(t.Name, fitting(t.InputSchema)))
	}
	return calls
}

func callParams(name string, arguments json.RawMessage) string {
	quoted, _ := json.Marshal(name)
	if len(arguments) == 0 {
		arguments = json.RawMessage("{}")
	}
	return `{"name":` + string(quoted) + `,"arguments":` + string(arguments) + `}`
}

// fitting makes arguments that a schema takes.
func fitting(schema json.RawMessage) json.RawMessage {
	var s struct {
		Properties map[string]struct {
			Type    any               `json:"type"`
			Enum    []json.RawMessage `json:"enum"`
			Default json.RawMessage   `json:"default"`
		} `json:"properties"`
	}
	_ = json.Unmarshal(schema, &s)
	args := map[string]any{}
	for name, p := range s.Properties {
		switch {
		case p.Default != nil:
			args[name] = p.Default
		case len(p.Enum) > 0:
			args[name] = p.Enum[0]
		case p.Type == "number" || p.Type == "integer":
			args[name] = 1
		case p.Type == "boolean":
			args[name] = true
		case p.Type == "array":
			args[name] = []any{}
		case p.Type == "object":
			args[name] = map[string]any{}
		default:
			args[name] = "text"
		}
	}
	text, _ := json.Marshal(args)
	return text
}

// readSome reads the first resource and gets the first prompt, where there are any.
func (c *conformer) readSome(ctx context.Context) {
	if strings.HasPrefix(c.scenario, "auth/") {
		return
	}
	var resources struct{ Resources []struct{ URI string } }
	if list, err := c.ask(ctx, "resources/list", "{}"); err == nil && json.Unmarshal(list, &resources) == nil && len(resources.Resources) > 0 {
		uri, _ := json.Marshal(resources.Resources[0].URI)
		_, _ = c.ask(ctx, "resources/read", `{"uri":`+string(uri)+`}`)
	}
	var prompts struct{ Prompts []struct{ Name string } }
	if list, err := c.ask(ctx, "prompts/list", "{}"); err == nil && json.Unmarshal(list, &prompts) == nil && len(prompts.Prompts) > 0 {
		_, _ = c.ask(ctx, "prompts/get", callParams(prompts.Prompts[0].Name, nil))
	}
}

// ask puts one request to the server, whichever era it speaks.
func (c *conformer) ask(ctx context.Context, method, params string) (json.RawMessage, error) {
	c.id++
	m, err := edge.Decode(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, c.id, method, params), edge.Limits{}.OrDefaults())
	if err != nil {
		return nil, err
	}
	return c.server.Handle(ctx, &edge.Request{
		Message: m, Revision: edge.LatestLegacy, Caller: &identity.Caller{}, Session: "conformance", Arrived: time.Now(),
		Capabilities: json.RawMessage(`{"elicitation":{}}`), Notify: func(json.RawMessage, bool) {}, SetLogLevel: func(string) {}, Ask: answerWithDefaults,
	})
}

// answerWithDefaults accepts a form with what it proposes.
func answerWithDefaults(_ context.Context, method string, params json.RawMessage) (*edge.Message, error) {
	if method != "elicitation/create" {
		return edge.Decode([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"not offered"}}`), edge.Limits{}.OrDefaults())
	}
	var p struct{ RequestedSchema json.RawMessage }
	_ = json.Unmarshal(params, &p)
	return edge.Decode(append(append([]byte(`{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":`), fitting(p.RequestedSchema)...), "}}"...), edge.Limits{}.OrDefaults())
}
