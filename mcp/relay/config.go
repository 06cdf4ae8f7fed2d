package relay

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
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Doer is the one road to backends; *proxy.Pipeline.
type Doer interface {
	Do(ctx context.Context, call *proxy.Call) (*proxy.Answer, error)
}

// Leg knows which eras the upstream speaks; *upstream.Leg.
type Leg interface {
	Speaks(ctx context.Context, on *upstream.Behalf) (upstream.Verdict, error)
	ForgetEra()
	OnlyModern()
	OldTransport(ctx context.Context, on *upstream.Behalf, status int) bool
	List(ctx context.Context, on *upstream.Behalf, method string) (*upstream.List, error)
	Learn(on *upstream.Behalf, tools []upstream.Tool, ttl time.Duration)
	Known(on *upstream.Behalf, tool string) []paramheader.Param
	Page(ctx context.Context, on *upstream.Behalf, of upstream.PageOf, ask func() *strictjson.Message) *strictjson.Message
	Changed()
}

// Pins hold tools that changed (§15); *pins.Book.
type Pins interface {
	SeeAs(ctx context.Context, prefix, offers string, tools []pins.Definition, whole bool) (withheld map[string]bool, err error)
	Held(tool string) (text string, held bool)
	Known(tool string) bool
	Complete(prefix string) bool
	Editions(may func(tool string) bool) string
}

// Search is what a relay asks of tool search; *search.Server.
type Search interface {
	// View changes when the caller's list becomes one that is searched, or one that is not.
	View(c *identity.Caller) string
	// Instead returns what stands in place of tools in the caller's list; more says that other pages follow. nil: they stand.
	Instead(ctx context.Context, r *edge.Request, tools []json.RawMessage, more bool) []byte
	// Instruct returns the instructions with what they say about searching.
	Instruct(r *edge.Request, text string) string
	// Begin answers a call of a tool of its own by result, or has inner go up in place of r; with neither r goes up.
	Begin(ctx context.Context, r *edge.Request) (result json.RawMessage, inner *edge.Request, err error)
	// Amend returns what becomes of the result of such an inner call; nil: it goes on as it comes.
	Amend(inner *edge.Request) func(result json.RawMessage) json.RawMessage
}

// Config is everything a relay needs to know of its server.
type Config struct {
	Name         string // mcp_servers[].name
	Instructions string // in place of the upstream's; "": the upstream's own
	Upstream     string // backend whose url is the MCP endpoint
	Leg          Leg    // required
	// Crossing serves clients whose era the upstream does not speak (§11). nil: they are refused.
	Crossing edge.Server
	Pins     Pins // nil: nothing is held
	// Search shows three tools in place of a long list (§14). nil: never.
	Search Search

	// Private says that not everybody who can sign in may use the server: its lists are nobody's to share (T5). Tools with
	// rules of their own make lists private whatever it says.
	Private bool
	// Access reports whether a caller may use the server; when not, need names what is missing, for people. nil: everybody.
	Access func(c *identity.Caller) (ok bool, need string)
	// Match reports whether the caller is one of entries (role:…, group:…, user:…, or a bare role). nil: bare roles.
	Match func(c *identity.Caller, entries []string) bool
	// Tools are the conditions of single tools, by the upstream's name.
	Tools map[string]Tool
	// Challenge makes the WWW-Authenticate value of a 403 when a call needs a scope the token lacks (A2, oauth.md §8.3).
	// nil: without resource_metadata.
	Challenge func(c *identity.Caller, server, scope string) string
	// Policies are those of a call of a tool; "" asks for those of every other request. nil: none.
	Policies func(tool string) *proxy.Policies

	Timeout time.Duration // of the backend, for texts only; 0: unknown
	Limits  Limits
	Doer    Doer
	Log     *slog.Logger     // nil: discarded
	Now     func() time.Time // nil: time.Now
}

// Tool is a condition of one tool.
type Tool = access.Tool

// Limits bound what is read of an upstream. Zero values mean the defaults of the contract.
type Limits struct {
	Body    int64 // of an answer that is looked into, and of one event; 0: 32 MiB
	Depth   int   // of its JSON; 0: 64
	Members int   // of its JSON; 0: 1,000,000
}

func (l Limits) orDefaults() Limits {
	if l.Body <= 0 {
		l.Body = 32 << 20
	}
	if l.Members <= 0 {
		l.Members = 1_000_000
	}
	return l
}
