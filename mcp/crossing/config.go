package crossing

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Leg is the way to the upstream; *upstream.Leg.
type Leg interface {
	Speaks(ctx context.Context, on *upstream.Behalf) (upstream.Verdict, error)
	Info(ctx context.Context, on *upstream.Behalf, modern bool) (*upstream.Info, error)
	Do(ctx context.Context, r *upstream.Request) (*strictjson.Message, error)
	Send(ctx context.Context, on *upstream.Behalf, method string, params json.RawMessage) error
	Listen(ctx context.Context, on *upstream.Behalf, want edge.Interest, tell func(*strictjson.Message)) (edge.Interest, error)
	List(ctx context.Context, on *upstream.Behalf, method string) (*upstream.List, error)
	Declared(ctx context.Context, on *upstream.Behalf, tool string) []paramheader.Param
}

// Config is everything a Server needs to know.
type Config struct {
	Name         string // mcp_servers[].name
	Instructions string // in place of the upstream's; "": the upstream's own
	Upstream     string // backend behind Leg: one server may have several
	Leg          Leg

	// Access reports whether a caller may use the server; when not, need names what is missing, for people. nil: everybody.
	Access func(c *identity.Caller) (ok bool, need string)
	// Match reports whether the caller is one of entries (role:…, group:…, user:…, or a bare role). nil: bare roles.
	Match func(c *identity.Caller, entries []string) bool
	// Tools are the conditions of single tools, by the upstream's name.
	Tools map[string]Tool
	// Challenge makes the WWW-Authenticate value of a 403 when a call needs a scope the token lacks (A2, oauth.md §8.3).
	// nil: without resource_metadata.
	Challenge func(c *identity.Caller, server, scope string) string

	Pins    Pins          // holds changed tools back (§15); nil: nothing is held
	Page    int           // entries in one page of a list; 0: all
	ListTTL time.Duration // ttlMs of lists
	Keyring *secret.Keyring
	Memory  *Memory       // calls that wait for a person; it outlives snapshots. nil: one of its own
	Park    time.Duration // how long a call may wait for a person's answer; 0: 120s
	Log     *slog.Logger  // nil: discarded
	Now     func() time.Time
}

// Pins hold tools that changed; *pins.Book.
type Pins interface {
	SeeAs(ctx context.Context, prefix, offers string, tools []pins.Definition, whole bool) (withheld map[string]bool, err error)
	Held(tool string) (text string, held bool)
	Known(tool string) bool
	Editions(may func(tool string) bool) string
}

// Tool is a condition of one tool.
type Tool = access.Tool

const defaultPark = 120 * time.Second
