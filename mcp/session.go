package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Errors of a SessionStore.
var (
	// ErrNoSession: never was, ended, or idle for too long. A caller is not told which (mcp.md S2).
	ErrNoSession = errors.New("no such session")
	// ErrSessionsFull: limits.sessions is reached (S8).
	ErrSessionsFull = errors.New("too many sessions")
)

// MaxClientState bounds what of a client's capabilities a record keeps, so that a record stays small (S3, S9).
const MaxClientState = 192

// MaxUpstreamSession bounds the session id of an upstream. Common ids have 32 to 64 bytes; some servers put their state
// into it.
const MaxUpstreamSession = 512

// Session is the record of one legacy session (mcp.md §6). It says nothing about who is calling: the token does, on
// every request; Owner and Client are compared with the token's.
type Session struct {
	ID     string
	Server string
	Owner  string // subject of the token, or the subscription of a key
	Client string // OAuth client id; "" for keys
	Grant  string // grant of the token; what a revocation names (S10)

	Revision     string          // protocol revision agreed on
	Capabilities json.RawMessage // the client's, at most MaxClientState bytes; nil when larger
	ClientInfo   json.RawMessage // how the client names itself, where upstreams are told; at most MaxClientState bytes, nil when larger
	LogLevel     string          // "" until the client set one
	Upstream     string          // what a relay's upstream calls the session, at most MaxUpstreamSession bytes; "" without one
	Created      time.Time
	Used         time.Time // of the last request, or the last sign of life of an open stream
}

// SessionLimits bound the sessions of a store.
type SessionLimits struct {
	Total     int           // of everybody together
	PerCaller int           // of one Owner; one more ends that owner's longest idle session
	Idle      time.Duration // a session that was not used for so long has ended
	Max       time.Duration // age at which a session ends
}

// SessionStore keeps legacy sessions (operations.md §2.2). Every method is atomic and safe for concurrent use.
type SessionStore interface {
	// Create adds s. Over limits.PerCaller it ends the owner's longest idle session first; over limits.Total it answers
	// ErrSessionsFull.
	Create(ctx context.Context, s Session, limits SessionLimits) error
	// Get returns the session, or ErrNoSession.
	Get(ctx context.Context, id string, now time.Time) (Session, error)
	// Touch sets the time of last use and, when level is not "", the log level. ErrNoSession when it has ended: a late
	// Touch never brings a session back.
	Touch(ctx context.Context, id string, now time.Time, level string) error
	// End ends the session; ErrNoSession when there is none. Once End has returned, Get answers ErrNoSession here at
	// once and on every replica within a second, for limits.Max at least: a store that others share keeps a tombstone.
	End(ctx context.Context, id string, now time.Time) error
	// EndGrant ends every session of a grant (S10).
	EndGrant(ctx context.Context, grant string, now time.Time) error
}

// SelfEnding is a SessionStore that says when a session ended without its client's word: it was idle or old, made room for
// another of its caller's, or lost its grant. What is open of it is closed then as if it had been DELETEd (S7).
type SelfEnding interface {
	// OnEnd has ended called for each such session, from any goroutine, without locks. Call it before the first Create.
	OnEnd(ended func(Session))
	// Sweep ends what is idle or old now and returns how many sessions are left.
	Sweep(now time.Time) (left int)
}
