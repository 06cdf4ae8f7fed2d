package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/drawbridge-mcp/drawbridge/mcp/authorization"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
)

// send sends one request and returns its result.
func (c *Client) send(ctx context.Context, method, name string, params map[string]any) (json.RawMessage, error) {
	id := c.nextID.Add(1)
	if params == nil {
		params = map[string]any{}
	}
	if c.modern {
		params["_meta"] = map[string]any{
			"io.modelcontextprotocol/protocolVersion":    c.revision,
			"io.modelcontextprotocol/clientInfo":         map[string]string{"name": c.cfg.Name, "version": c.cfg.Version},
			"io.modelcontextprotocol/clientCapabilities": map[string]any{},
		}
	}
	resp, err := c.post(ctx, map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params}, method, name)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if s := resp.Header.Get("Mcp-Session-Id"); s != "" && method == "initialize" {
		c.session = s
	}
	return readAnswer(resp, id)
}

func (c *Client) post(ctx context.Context, message any, method, name string) (*http.Response, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	c.setHeaders(req, method, name)
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the server: %w", err)
	}
	if auth := authorization.ReadChallenge(resp); auth != nil {
		_ = resp.Body.Close()
		return nil, auth
	}
	return resp, nil
}

func (c *Client) setHeaders(req *http.Request, method, name string) {
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	if c.revision != "" {
		req.Header.Set("MCP-Protocol-Version", c.revision)
	}
	if c.session != "" {
		req.Header.Set("Mcp-Session-Id", c.session)
	}
	if c.modern && method != "" {
		req.Header.Set("Mcp-Method", method)
	}
	if c.modern && name != "" {
		req.Header.Set("Mcp-Name", paramheader.Value(name))
	}
}

// readAnswer finds the answer to a request, in JSON or in an event stream.
func readAnswer(resp *http.Response, id int64) (json.RawMessage, error) {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	limited := io.LimitReader(resp.Body, maxAnswer)
	if kind == "text/event-stream" {
		return fromStream(limited, resp.StatusCode, id)
	}
	body, err := io.ReadAll(limited)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	result, _, err := fromMessage(body, resp.StatusCode, id)
	return result, err
}

// fromMessage reads one message; mine is false when it is not the answer to id.
func fromMessage(body []byte, status int, id int64) (result json.RawMessage, mine bool, err error) {
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Result json.RawMessage `json:"result"`
		Error  *RPCError       `json:"error"`
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Result == nil && m.Error == nil && m.Method == "" {
		// Not a server of this protocol, or a proxy in between; its page is nobody's business.
		return nil, true, &RPCError{Status: status, Message: fmt.Sprintf("the server answered %d without a message", status)}
	}
	if m.Error != nil {
		m.Error.Status = status
		return nil, true, m.Error
	}
	if m.Method != "" || string(m.ID) != strconv.FormatInt(id, 10) {
		return nil, false, nil
	}
	return m.Result, true, nil
}

// fromStream reads events until the answer comes; notifications before it are passed over.
func fromStream(r io.Reader, status int, id int64) (json.RawMessage, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxAnswer)
	var data []byte
	for lines.Scan() {
		line := bytes.TrimSuffix(lines.Bytes(), []byte("\r"))
		if rest, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(data, bytes.TrimPrefix(rest, []byte(" "))...)
			continue
		}
		if len(line) > 0 || len(data) == 0 {
			continue
		}
		result, mine, err := fromMessage(data, status, id)
		if mine {
			return result, err
		}
		data = data[:0]
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return nil, errors.New("the stream ended without an answer")
}
