package client

import (
	"encoding/json"
	"fmt"
	"net/http"
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

// AuthRequired is a 401, or a 403 that a wider scope would cure.
type AuthRequired struct {
	Status           int
	ResourceMetadata string // address of the RFC 9728 document; "" when the challenge names none
	Scope            string // what to ask for; "" when the challenge names none
	Code             string // error of the challenge; ""
}

func (e *AuthRequired) Error() string {
	if e.Code == "insufficient_scope" {
		return fmt.Sprintf("the token lacks a scope: %s", e.Scope)
	}
	return "sign-in is needed"
}

// RPCError is a JSON-RPC error.
type RPCError struct {
	Status  int             `json:"-"`
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (e *RPCError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }
