package strictjson

import "bytes"

// Span is a range of bytes in a message's body. The zero Span is absent: no value begins at the first byte of a message.
type Span struct{ Start, End int }

// Present reports whether there is a value.
func (s Span) Present() bool { return s.End > s.Start }

// Kind says what a message is.
type Kind int

const (
	Request      Kind = iota + 1 // method and id
	Notification                 // method without id
	Response                     // result or error
)

// Message is one JSON-RPC message: its bytes, and where in them the parts are that anybody may decide upon. Immutable.
type Message struct {
	Body   []byte
	Kind   Kind
	Method string // decoded

	ID, Params, Result, Error Span // values of the envelope

	// Members of params; values as they stand, of any type.
	Name, URI, Arguments, Cursor, RequestState, InputResponses, Meta Span
	// Further members of params that a server reads itself.
	TaskID, Task, Level, RequestID, ProtocolVersionParam, CapabilitiesParam, ClientInfoParam, Notifications Span

	// Members of params._meta.
	ProtocolVersion, ClientCapabilities, ClientInfo, LogLevel, ProgressToken, SubscriptionID Span

	version, method Span
}

// Bytes returns the bytes of s, or nil when it is absent. The caller must not change them.
func (m *Message) Bytes(s Span) []byte {
	if !s.Present() {
		return nil
	}
	return m.Body[s.Start:s.End:s.End]
}

// Text returns the decoded string at s; ok is false when s is absent or not a string.
func (m *Message) Text(s Span) (text string, ok bool) {
	if !s.Present() || m.Body[s.Start] != '"' {
		return "", false
	}
	return unquote(m.Body[s.Start+1 : s.End-1]), true
}

// Says reports whether the value at s is the string text, whatever its escapes.
func (m *Message) Says(s Span, text string) bool {
	if !s.Present() || m.Body[s.Start] != '"' {
		return false
	}
	inside := m.Body[s.Start+1 : s.End-1]
	if bytes.IndexByte(inside, '\\') < 0 {
		return string(inside) == text
	}
	return unquote(inside) == text
}

// IsObject reports whether the value at s is an object.
func (m *Message) IsObject(s Span) bool { return s.Present() && m.Body[s.Start] == '{' }
