package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Server is one MCP server as the edge serves it. It belongs to a snapshot and does not change; calls in flight finish
// on the one they started with.
type Server interface {
	Name() string
	// Allowed reports whether the caller may use the server at all; when not, need names what is missing, for people:
	// "you need one of the roles Orders.Reader" (mcp.md §3 row 6).
	Allowed(c *identity.Caller) (ok bool, need string)
	// Handle answers one request with the bytes of its result. An error is a *Error, or ours: then the caller sees an
	// internal error and the log the rest. Handle must end soon after ctx does; its answer is then dropped.
	Handle(ctx context.Context, r *Request) (json.RawMessage, error)
	// View identifies what the caller sees of the lists: it changes exactly when a list of the caller changed (L3, L4).
	View(c *identity.Caller) string
}

// State is what the snapshot knows of a server's name.
type State int

const (
	Unknown State = iota // no such server, or one that is only catalogued
	Retired              // lifecycle retired: 410
	Serving
)

// Request is one decoded JSON-RPC request with everything known about it.
type Request struct {
	Message *Message
	// Modern is true for revision 2026-07-28, which has no sessions; Revision is the revision in force.
	Modern   bool
	Revision string
	Caller   *identity.Caller
	Session  string // id of the legacy session; "" otherwise
	Upstream string // what a relay's upstream calls that session; "" when it has none
	JSONOnly bool   // a legacy client that takes no event stream
	// HTTP is the request as it came, for facts that policies read. Its body is spent; its headers decide nothing.
	HTTP    *http.Request
	Arrived time.Time
	// Notify sends a notification ahead of the answer, on the same stream. It never blocks; a client that asked for JSON
	// only gets none. progress says that a newer one may take this one's place in the queue (E5).
	Notify func(message json.RawMessage, progress bool)
	// SetLogLevel keeps the level with the session.
	SetLogLevel func(level string)

	// What the client declared: in this request (modern) or for its session (legacy; nil when it was too large to keep).
	Capabilities json.RawMessage
	ClientInfo   json.RawMessage // of modern requests, of initialize, and of sessions that keep it; nil otherwise
	LogLevel     string          // the client's; "": it set none
	// Ask sends a request of the server to the client, on the stream of this call, and waits for the answer, which has Result
	// or Error. It may be called several times at once. nil where the client cannot be asked so: modern clients, clients
	// that take JSON only, and outside calls.
	Ask func(ctx context.Context, method string, params json.RawMessage) (*Message, error)
}

// Message is a JSON-RPC message as the strict decoder read it (mcp.md §4).
type Message = strictjson.Message
