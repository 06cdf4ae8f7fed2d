package strictjson

import "fmt"

// JSON-RPC codes of the faults.
const (
	CodeParse   = -32700 // not JSON
	CodeInvalid = -32600 // not a JSON-RPC 2.0 message
	CodeParams  = -32602 // params is not an object
)

// Error is a message that was refused. Msg is for the caller.
type Error struct {
	Code int
	Msg  string
	At   int // byte offset at which it was noticed
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d at byte %d)", e.Msg, e.Code, e.At) }

func (d *decoder) syntax(what string) error {
	return &Error{Code: CodeParse, Msg: fmt.Sprintf("not JSON: %s at byte %d", what, d.pos), At: d.pos}
}

func (d *decoder) invalid(format string, args ...any) error {
	return &Error{Code: CodeInvalid, Msg: fmt.Sprintf(format, args...), At: d.pos}
}
