package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Config says where to connect. Token may be empty.
type Config struct {
	URL     string // the MCP endpoint
	Token   string // bearer token
	Name    string // how the client names itself; "" means drawbridge
	Version string
	HTTP    *http.Client // nil: one with a timeout of two minutes
}

// Tool is one entry of tools/list.
type Tool struct {
	Name         string          `json:"name"`
	Title        string          `json:"title"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"inputSchema"`
	OutputSchema json.RawMessage `json:"outputSchema"`
	Annotations  json.RawMessage `json:"annotations"`
	Wire         json.RawMessage `json:"-"` // the definition as it came
}

// Result is the result of a call. Raw is all of it.
type Result struct {
	Content    []Content       `json:"content"`
	Structured json.RawMessage `json:"structuredContent"`
	IsError    bool            `json:"isError"`
	Raw        json.RawMessage `json:"-"`
}

// Content is one block of a result.
type Content struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	Data     []byte          `json:"data"`
	MIMEType string          `json:"mimeType"`
	Resource json.RawMessage `json:"resource"`
}

// Client is a connection to one server. Methods are safe for concurrent use once Connect has returned it.
type Client struct {
	cfg      Config
	modern   bool
	revision string
	session  string
	info     ServerInfo
	nextID   atomic.Int64
}

// ServerInfo is how the server names itself.
type ServerInfo struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Version string `json:"version"`
}

const (
	modernRevision = "2026-07-28"
	legacyRevision = "2025-11-25"
	maxAnswer      = 64 << 20 // bytes of one answer
	maxPages       = 10_000
)

// Connect finds out which era the server speaks, and opens a session in the older one.
func Connect(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Name == "" {
		cfg.Name = "drawbridge"
	}
	if cfg.Version == "" {
		cfg.Version = "0.0.0"
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 2 * time.Minute}
	}
	c := &Client{cfg: cfg, modern: true, revision: modernRevision}
	result, err := c.send(ctx, "server/discover", "", nil)
	if err == nil {
		var discovered struct {
			Meta map[string]json.RawMessage `json:"_meta"`
		}
		_ = json.Unmarshal(result, &discovered)
		_ = json.Unmarshal(discovered.Meta["io.modelcontextprotocol/serverInfo"], &c.info)
		return c, nil
	}
	if !older(err) {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := c.initialize(ctx); err != nil {
		return nil, fmt.Errorf("initialize: %w", err)
	}
	return c, nil
}

// older reports whether an answer to server/discover means a server of the older era: it does not know the method, the
// headers or the revision. Silence and refusals of the token do not.
func older(err error) bool {
	var rpc *RPCError
	if !errors.As(err, &rpc) {
		return false
	}
	switch rpc.Status {
	case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return false
}

func (c *Client) initialize(ctx context.Context) error {
	c.modern, c.revision = false, ""
	result, err := c.send(ctx, "initialize", "", map[string]any{
		"protocolVersion": legacyRevision, "capabilities": map[string]any{},
		"clientInfo": map[string]string{"name": c.cfg.Name, "version": c.cfg.Version},
	})
	if err != nil {
		return err
	}
	var got struct {
		ProtocolVersion string     `json:"protocolVersion"`
		ServerInfo      ServerInfo `json:"serverInfo"`
	}
	if err := json.Unmarshal(result, &got); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	c.revision, c.info = got.ProtocolVersion, got.ServerInfo
	resp, err := c.post(ctx, map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"}, "notifications/initialized", "")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Revision returns the protocol revision in use, and Server how the server names itself.
func (c *Client) Revision() string   { return c.revision }
func (c *Client) Server() ServerInfo { return c.info }

// ListTools returns all tools, page after page, in the server's order.
func (c *Client) ListTools(ctx context.Context) ([]Tool, error) {
	var tools []Tool
	cursor := ""
	for range maxPages {
		params := map[string]any{}
		if cursor != "" {
			params["cursor"] = cursor
		}
		result, err := c.send(ctx, "tools/list", "", params)
		if err != nil {
			return nil, fmt.Errorf("list tools: %w", err)
		}
		var page struct {
			Tools      []json.RawMessage `json:"tools"`
			NextCursor string            `json:"nextCursor"`
		}
		if err := json.Unmarshal(result, &page); err != nil {
			return nil, fmt.Errorf("read the list of tools: %w", err)
		}
		for _, wire := range page.Tools {
			t := Tool{Wire: wire}
			if err := json.Unmarshal(wire, &t); err != nil {
				return nil, fmt.Errorf("read the list of tools: %w", err)
			}
			tools = append(tools, t)
		}
		if page.NextCursor == "" || page.NextCursor == cursor {
			return tools, nil
		}
		cursor = page.NextCursor
	}
	return nil, errors.New("list tools: the list has no end")
}

// CallTool calls a tool with arguments, a JSON object or nil. What a tool says went wrong is a Result with IsError; an
// error is the protocol's.
func (c *Client) CallTool(ctx context.Context, name string, arguments json.RawMessage) (*Result, error) {
	if arguments == nil {
		arguments = json.RawMessage("{}")
	}
	raw, err := c.send(ctx, "tools/call", name, map[string]any{"name": name, "arguments": arguments})
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", name, err)
	}
	result := Result{Raw: raw}
	if err := json.Unmarshal(raw, &result); err != nil {
		return nil, fmt.Errorf("read the result of %s: %w", name, err)
	}
	return &result, nil
}

// Close ends the session, if there is one.
func (c *Client) Close(ctx context.Context) error {
	if c.session == "" {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, c.cfg.URL, nil)
	if err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	c.setHeaders(req, "", "")
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	return resp.Body.Close()
}
