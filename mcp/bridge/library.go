package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

// library is mcp-go behind its transport-neutral handler, for the methods that are called rarely (B1). It never sees a
// caller's bytes: it matches keys without regard to case and lets the last duplicate win, so what it gets is encoded
// anew from what the strict decoder read. Its sessions, streams and HTTP code are not on the path (mcp.md §18).
type library struct{ server *server.MCPServer }

func newLibrary(cfg Config) *library {
	options := []server.ServerOption{
		server.WithToolCapabilities(true), server.WithLogging(), server.WithInstructions(cfg.Instructions),
		server.WithTitle(cfg.Title), server.WithDescription(cfg.Description),
	}
	return &library{server.NewMCPServer(cfg.Name, versionOf(cfg), options...)}
}

// serve has one request answered.
func (l *library) serve(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	message, err := encodeAnew(r)
	if err != nil {
		return nil, err
	}
	session := &librarySession{id: r.Session}
	answer, err := json.Marshal(l.server.HandleMessage(l.server.WithContext(ctx, session), message))
	if err != nil {
		return nil, fmt.Errorf("encode answer to %s: %w", r.Message.Method, err)
	}
	var got struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return nil, fmt.Errorf("read answer to %s: %w", r.Message.Method, err)
	}
	switch e := got.Error; {
	case e == nil:
	case e.Code == edge.CodeInvalidRequest: // the message is none of the client's: it was read once, and encoded anew
		return nil, &edge.Error{Code: edge.CodeInvalidParams, Msg: "the params of " + r.Message.Method + " cannot be read", Err: errors.New(e.Message)}
	default:
		return nil, &edge.Error{Code: e.Code, Msg: e.Message}
	}
	if session.level != "" {
		r.SetLogLevel(string(session.level))
	}
	return got.Result, nil
}

// encodeAnew writes the request as the library is to read it. The revision is the one the edge chose; the id is ours.
func encodeAnew(r *edge.Request) (json.RawMessage, error) {
	m := r.Message
	params := map[string]any{}
	if m.Params.Present() {
		if err := json.Unmarshal(m.Bytes(m.Params), &params); err != nil {
			return nil, edge.InvalidParams("params cannot be read")
		}
	}
	delete(params, "_meta") // progress and the like are the edge's
	if m.Method == "initialize" {
		params["protocolVersion"] = r.Revision // S11
	}
	message, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": m.Method, "params": params})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.Method, err)
	}
	return message, nil
}

// librarySession is what the library calls a session: the log level of one request.
type librarySession struct {
	id    string
	level mcp.LoggingLevel
}

func (s *librarySession) Initialize()                                         {}
func (s *librarySession) Initialized() bool                                   { return true }
func (s *librarySession) NotificationChannel() chan<- mcp.JSONRPCNotification { return nil }
func (s *librarySession) SessionID() string                                   { return s.id }
func (s *librarySession) SetLogLevel(level mcp.LoggingLevel)                  { s.level = level }
func (s *librarySession) GetLogLevel() mcp.LoggingLevel                       { return s.level }
