package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Codes of JSON-RPC and MCP errors (mcp.md §17).
const (
	CodeParse              = -32700
	CodeInvalidRequest     = -32600
	CodeMethodNotFound     = -32601
	CodeInvalidParams      = -32602
	CodeInternal           = -32603
	CodeServer             = -32000 // rate, quota, upstream down
	CodeSessionNotFound    = -32001
	CodeRoleLacking        = -32003
	CodeHeaderMismatch     = -32020
	CodeMissingCapability  = -32021
	CodeUnsupportedVersion = -32022
)

// Error is a fault that the client sees as a JSON-RPC error.
type Error struct {
	Code   int
	Msg    string          // for the client; never built from Err
	Data   json.RawMessage // error.data; nil: none
	Status int             // HTTP status in both eras; 0: 200 for legacy clients, 400 for modern ones, 404 for unknown methods
	Header http.Header     // Retry-After, WWW-Authenticate; nil: none
	OAuth  string          // RFC 6749 error code: the body is in that shape then, as for every challenge (mcp.md §3)
	Err    error           // for the log

	// Result is what the client gets instead where a tool was called: models read results, hosts swallow protocol errors
	// (mcp.md §9.3). nil: the error.
	Result json.RawMessage
	// Upstream says that an upstream said so: its words pass as they are, and its faults are not ours.
	Upstream bool
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// status returns the HTTP status of e for a client of one era (mcp.md §17).
func (e *Error) status(modern bool) int {
	switch {
	case e.Status != 0:
		return e.Status
	case e.Code == CodeInternal:
		return http.StatusInternalServerError
	case !modern:
		return http.StatusOK
	case e.Code == CodeMethodNotFound:
		return http.StatusNotFound
	default:
		return http.StatusBadRequest
	}
}

// InvalidParams is a fault in params: 200 for legacy clients, 400 for modern ones.
func InvalidParams(format string, args ...any) *Error {
	return &Error{Code: CodeInvalidParams, Msg: fmt.Sprintf(format, args...)}
}

// MethodNotFound is a method that the server does not have: 200 for legacy clients, 404 for modern ones (H11).
func MethodNotFound(method string) *Error {
	return &Error{Code: CodeMethodNotFound, Msg: fmt.Sprintf("unknown method: %s", method)}
}

func refuse(status, code int, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Msg: fmt.Sprintf(format, args...)}
}
