package bridge

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Doer is the one road to backends; *proxy.Pipeline.
type Doer interface {
	Do(ctx context.Context, call *proxy.Call) (*proxy.Answer, error)
}

// Config is everything a bridge needs to know of its server.
type Config struct {
	Name         string // mcp_servers[].name
	Title        string
	Version      string // "" means 0.0.0
	Description  string
	Instructions string

	// Tools in the order of tools/list. Names are unique.
	Tools []Tool
	// Access reports whether a caller may use the server; when not, need names what is missing, for people. nil: everybody.
	Access func(c *identity.Caller) (ok bool, need string)
	// Match reports whether the caller is one of entries (role:…, group:…, user:…, or a bare role). nil: bare roles.
	Match func(c *identity.Caller, entries []string) bool
	// Challenge makes the WWW-Authenticate value of a 403 when a call needs a scope the token lacks (A2, oauth.md §8.3).
	// nil: without resource_metadata.
	Challenge func(c *identity.Caller, server, scope string) string

	ListTTL time.Duration // ttlMs of lists; 0: clients must not keep them
	Page    int           // tools in one page of tools/list; 0: all
	Keyring *secret.Keyring
	// Shared says that whoever can sign in sees the same lists, so that clients may share them (T5). Tools with rules
	// of their own make lists private whatever it says.
	Shared bool
	// Previous is the server of the same name in the snapshot that this one replaces; cursors of its lists go on (T6). nil: none.
	Previous *Server

	Doer Doer
	Log  *slog.Logger     // nil: discarded
	Now  func() time.Time // nil: time.Now
}

// Tool is one operation as this server offers it.
type Tool struct {
	*openapi.Tool
	Name   string   // public name; "" means the operation's
	API    string   // apis[].name
	Target string   // backend or pool
	Base   *url.URL // base of the requests when the pipeline's backend has none; nil: the backend's
	Roles  []string // who sees and calls it; empty: everybody who may use the server
	Scope  string   // needed to call it; ""
	// Policies are those of every scope that calls of this tool are in.
	Policies *proxy.Policies
	// Responses bound the results.
	Responses openapi.ResponsesConfig
	// Timeout of the backend, for texts only; 0: unknown.
	Timeout time.Duration
	// Operation makes requests and reads answers in place of the operation itself; nil: the operation. For tests.
	Operation Operation
}

// ToolInfo describes a tool a caller sees, for the consent page, the portal and the command line.
type ToolInfo struct {
	Name, Title, Description string
	Risk                     string // read, change, delete
	Scope                    string
	API                      string
	Tool                     *openapi.Tool
}
