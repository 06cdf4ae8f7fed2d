package proxy

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Surface is the face through which a call came.
type Surface string

const (
	MCP Surface = "mcp"
	LLM Surface = "llm"
)

// Call describes one call to a backend, once. Whoever makes it fills it and hands it to Pipeline.Do; nobody changes it
// afterwards but the shape policies, which run first.
type Call struct {
	ID       string // request id; sent upstream as x-request-id and kept in the record
	Surface  Surface
	Endpoint string // chat, embeddings, … (llm.md UR-2), or the tool's name; `operation` in expressions
	Caller   identity.Caller
	Request  RequestFacts

	Server string // MCP server; "" on /llm
	Tool   string
	API    string // the API or upstream a tool came from, "llm" on /llm

	Model  string // the name callers ask for; "" for tools
	Stream bool   // the caller wants a stream
	// Listen says that the answer may be silent for as long as its caller stays: neither silence nor the whole time ends
	// it (mcp.md E3). Whoever makes the call ends it by its context.
	Listen bool

	// Arguments are the tool's arguments as they came; nil for models.
	Arguments json.RawMessage
	// Body is the caller's request body, read only; nil for tools.
	Body []byte

	Prompt Prompt
	Price  *Price // nil: unpriced

	// Target names the backend or pool; a route policy may change it.
	Target string
	// Local calls are answered by whoever makes them: what the policies let pass is settled, and nothing is
	// sent. Refusals have their row in the ledger like any other.
	Local bool
	// Policies are those of every scope that the call is in, compiled and ordered when the snapshot was built; nil: none.
	Policies *Policies

	// Build makes the request for one try at one backend, relative to nothing: scheme, host and path are whole. It is
	// called again for every try. It must not attach credentials: the pipeline does, and only for b's own origin.
	Build func(ctx context.Context, b *Backend) (*http.Request, error)
	// Idempotent says that the call may be sent again although bytes of it left (llm.md RE-6, openapi.md T2).
	Idempotent bool

	// DeclaredCookies says that a Cookie header on what Build made consists of arguments which the API's document declares,
	// and so passes (openapi.md Q14). Without it no cookie does: the caller's own never reaches a backend (llm.md HH-6).
	DeclaredCookies bool

	// FollowSameOrigin lets the pipeline follow up to 3 redirects of a GET or HEAD, at the backend's own origin only.
	FollowSameOrigin bool
	// FollowUnchanged lets the pipeline follow up to 2 answers of 307 or 308, whatever the method, at the backend's own origin
	// only: the same request is meant for another path there, and was not looked at where it came first (mcp.md §9.3).
	FollowUnchanged bool

	// Inspect looks at the first bytes of a stream before its headers go to the caller, so that a 200 whose first event
	// is an error can still be tried again (llm.md RE-3). It is called with ever more bytes while it asks for more, and
	// with end true when there are none. nil: streams are handed through as soon as their headers are there.
	Inspect func(header http.Header, first []byte, end bool) Look

	// UpstreamModel tells the model's name at a backend, for the record; nil: Model.
	UpstreamModel func(backend string) string

	// CacheKey returns the canonical form of the request, hashed by the cache under its partition; nil or "" means that
	// the call is never cached (llm.md CA-6, CA-7).
	CacheKey func() string

	// Shape holds what shape policies decided, for the maker of the call to apply in Build.
	Shape Shape

	parsed struct{ body, arguments *any }
}

// BodyValue is the parsed Body, made when an expression first reads it; nil where it is not JSON.
func (c *Call) BodyValue() any { return parseOnce(&c.parsed.body, c.Body) }

// ArgumentValues are the parsed Arguments; empty for models.
func (c *Call) ArgumentValues() map[string]any {
	m, _ := parseOnce(&c.parsed.arguments, c.Arguments).(map[string]any)
	return m
}

func parseOnce(kept **any, text []byte) any {
	if *kept == nil {
		var v any
		if len(text) > 0 {
			_ = json.Unmarshal(text, &v) // faces have refused what is not JSON
		}
		*kept = &v
	}
	return **kept
}

// Look is what Call.Inspect says about the first bytes of a stream. The zero value means that the stream is good.
type Look struct {
	More   bool // not enough bytes to tell
	Failed bool // the stream is an error: try again if that is still possible, else hand it through as it is
	Status int  // the status that the error stands for, e.g. 429; 0 means 500
}

// RequestFacts are what expressions may read of the HTTP request (llm.md §4).
type RequestFacts struct {
	Method string
	Path   string
	IP     string
	Header http.Header // the caller's, never sent on from here
	Time   time.Time
}

// Shape is what the shape phase decided about the outgoing request.
//
// The maker of the call applies MaxTokens and Arguments in Build. The pipeline applies the headers itself, to the
// request that Build made: Remove, then Default, Header and Append.
type Shape struct {
	MaxTokens int         // the completion cap to write into the body; 0: as it came
	Arguments []Argument  // set_argument, in order
	Header    http.Header // set_header with on: request
	Default   http.Header // … with if_exists: skip
	Append    http.Header // … with if_exists: append
	Remove    []string    // remove_header with on: request; a final * matches any ending
}

// Argument is one value that a set_argument policy writes.
type Argument struct {
	Name  string
	Value json.RawMessage
}

// Prompt is what token limits need to know before the call. Zero values mean that the call has no tokens.
type Prompt struct {
	Bound int // upper bound of the prompt's tokens: its bytes and message overhead; cheap
	// Exact counts exactly; nil when Bound is already exact. Another call that would be refused may ask for it, from its
	// own goroutine, while this one is under way (llm.md TL-11).
	Exact      func() int
	Completion int // the cap the request names; 0: none
	Choices    int // n; 0 means 1
	// NoCompletion says that nothing is generated (embeddings): the completion cap is 0 (llm.md TL-18).
	NoCompletion bool
}

// Usage is what an answer cost in tokens. Cached and CacheWrite are parts of Input, Reasoning is a part of Output
// (normalised, llm.md CB-3).
type Usage struct {
	Input, Output, Cached, CacheWrite, Reasoning int
	Source                                       UsageSource
}

// UsageSource says where Usage comes from (llm.md UR-5).
type UsageSource string

const (
	UsageNone      UsageSource = "none" // nothing was generated
	UsageProvider  UsageSource = "provider"
	UsageEstimated UsageSource = "estimated"
	UsageCache     UsageSource = "cache"
)

// Ending is how a call ended (llm.md §13.4). Every ending passes the same settle.
type Ending string

const (
	EndOK            Ending = "ok"
	EndRefused       Ending = "refused"
	EndUpstreamError Ending = "upstream_error"
	EndTimeout       Ending = "timeout"
	EndClientGone    Ending = "client_gone"
	EndContentFilter Ending = "content_filter"
	EndError         Ending = "error" // ours
)

// Outcome is how a call ended, told once to Answer.Settle by whoever read the answer.
type Outcome struct {
	Ending Ending
	Code   string // error code, or ""
	Status int    // sent to the caller; 0: the upstream's
	Usage  Usage
	Bytes  int64 // of the answer, sent to the caller

	FirstByte time.Duration // from the call's start; 0: unknown
	// Cacheable is the complete answer to keep when a cache policy admitted the call; nil: do not store.
	Cacheable *CacheEntry
}

// CacheEntry is a complete answer as a cache keeps it. Body is opaque to the cache; the face that stored it replays it.
type CacheEntry struct {
	Status  int
	Header  http.Header
	Body    []byte
	Usage   Usage
	Created time.Time // zero: when it was stored
	// ToolCalls says that the answer contains tool calls, which not every cache policy keeps (llm.md CA-5).
	ToolCalls bool
}

// Answer is what came back, before its body was read. Whoever gets one must call Settle exactly once, on every path;
// further calls do nothing, so that a deferred Settle with EndError is a good guard against panics.
type Answer struct {
	Status int
	Header http.Header // filtered: only what may reach the caller (llm.md HH-4), plus what policies added
	// Upstream are all headers of the backend's answer, for readers inside (results of tools, sessions of upstreams);
	// never for callers. nil for cache hits.
	Upstream http.Header
	Body     io.ReadCloser // raw bytes of the upstream, decompressed; the caller closes it

	Backend  string // name of the last backend tried; "" for cache hits
	Attempts int    // tries; 0 for cache hits
	Cache    string // hit, semantic, miss; "" when no cache policy applied
	// Entry is the stored answer of a cache hit; Body is then nil and Status and Header are the entry's.
	Entry *CacheEntry

	// Limits are the headers limit policies want on the answer (x-ratelimit-…). They are final after Settle, so an
	// answer that is not a stream sends them after settling (llm.md TL-14).
	Limits func() http.Header

	settle func(Outcome)
}

// Settle ends the call: policies give back or spend what they reserved, one record is written. Safe to call from any
// goroutine; only the first call counts.
func (a *Answer) Settle(o Outcome) {
	if a != nil && a.settle != nil {
		a.settle(o)
	}
}

// NewAnswer returns an Answer whose first Settle runs settle. For the pipeline and for test doubles.
func NewAnswer(settle func(Outcome)) *Answer {
	return &Answer{Header: http.Header{}, Limits: func() http.Header { return nil }, settle: once(settle)}
}
