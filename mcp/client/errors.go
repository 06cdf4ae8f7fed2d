package client

import (
	"encoding/json"
	"fmt"
)

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
