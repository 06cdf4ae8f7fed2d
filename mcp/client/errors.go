package client

import (
	"encoding/json"
	"fmt"

	"github.com/drawbridge-mcp/drawbridge/mcp/authorization"
)

// AuthRequired is a 401, or a 403 that a wider scope would cure.
type AuthRequired = authorization.Required

// RPCError is a JSON-RPC error.
type RPCError struct {
	Status  int             `json:"-"`
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (e *RPCError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }
