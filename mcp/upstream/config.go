package upstream

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Doer is the one road to backends; *proxy.Pipeline.
type Doer interface {
	Do(ctx context.Context, call *proxy.Call) (*proxy.Answer, error)
}

// Era says which revisions an upstream speaks.
type Era string

const (
	Auto   Era = "auto" // ask it
	Modern Era = "modern"
	Legacy Era = "legacy"
	SSE    Era = "sse" // legacy, by the transport of 2024-11-05
)

// Config is everything a leg needs to know.
type Config struct {
	Server  string // mcp_servers[].name, for records
	Backend string // whose url is the MCP endpoint
	Era     Era    // "": Auto
	Doer    Doer
	Memory  *Memory // what outlives snapshots; nil: one of its own
	// Policies are those of a call of a tool; "" asks for those of every other request. nil: none.
	Policies func(tool string) *proxy.Policies
	// ToolName is how policies' expressions and records call a tool of the upstream, in a server where it has another name
	// (C9). nil: as the upstream does.
	ToolName func(tool string) string
	Personal bool          // the credential is the person's own: nothing is shared between subjects (T4)
	ListTTL  time.Duration // of lists whose upstream names no time; 0: they are asked for each time
	Limits   Limits
	Timeout  time.Duration    // of the backend, for texts only; 0: unknown
	Version  string           // of the gateway; "" means dev
	Log      *slog.Logger     // nil: discarded
	Now      func() time.Time // nil: time.Now
}

// Limits bound what is read of an upstream. Zero values mean the defaults of the contract.
type Limits struct {
	Body    int64 // of an answer or an event; 0: 32 MiB
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

// Verdict says which eras an upstream speaks. SSE says that it speaks the legacy one by the transport of 2024-11-05.
type Verdict struct{ Modern, Legacy, SSE bool }

// Behalf is on whose behalf the upstream is asked.
type Behalf struct {
	Caller       *identity.Caller
	Capabilities json.RawMessage // exactly what the client declared; nil: {}
	ClientInfo   json.RawMessage // nil: ours
	LogLevel     string          // "": no log messages are wanted
	HTTP         *http.Request   // the client's, for records and for the headers that pass; nil: none
	Arrived      time.Time

	ours bool // the answer is for others, too: the caller's language and baggage do not go up
}

// Nobody returns the behalf of questions that we ask for ourselves with the caller's rights: it declares nothing, and nobody
// has others shown what is made for them alone.
func (b *Behalf) Nobody() *Behalf {
	return &Behalf{Caller: b.Caller, HTTP: b.HTTP, Arrived: b.Arrived, ours: true}
}

// lister returns the behalf of who asks for a list: it declares which questions the client answers, since some upstreams
// list by that, and nothing that would make two lists of one.
func (b *Behalf) lister() *Behalf {
	n := b.Nobody()
	n.Capabilities = edge.Offers(b.Capabilities)
	return n
}

func (b *Behalf) capabilities() json.RawMessage {
	if len(b.Capabilities) == 0 {
		return json.RawMessage("{}")
	}
	return b.Capabilities
}

// Info is what an upstream says of itself.
type Info struct {
	Modern       bool   // as it says to modern clients
	Revision     string // agreed on; of a modern upstream 2026-07-28
	Capabilities json.RawMessage
	ServerInfo   json.RawMessage // nil: it names itself not
	Instructions string
}

// Request is one request to the upstream.
type Request struct {
	On     *Behalf
	Modern bool // the era to speak; one of those the upstream speaks
	Method string
	// Params is an object or nil. Members of _meta that belong to an era are Do's business; others stay.
	Params json.RawMessage
	Tool   string // of tools/call, for policies and records; "" otherwise
	// Notify is told each notification on the stream of this request, in order, before Do returns. nil: dropped.
	Notify func(m *strictjson.Message)
	// Ask answers a request of the server. An *edge.Error goes up as a JSON-RPC error. nil: the server is told that there is
	// no such method. It may be called several times at once, and ends with ctx.
	Ask func(ctx context.Context, q *strictjson.Message) (result json.RawMessage, err error)
}

// List is a list of an upstream, all pages together.
type List struct {
	Items   []json.RawMessage // definitions as the upstream wrote them
	Hash    [32]byte          // of the items
	TTL     time.Duration
	Private bool // the caller's own

	bytes int // of its pages, which its items are parts of
}
