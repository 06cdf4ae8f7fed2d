package oauth

import (
	"context"
	"errors"
	"time"
)

// Errors of stores. Anything else means that the store is unavailable: callers answer 503, never invalid_grant.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("changed meanwhile") // a compare-and-swap lost, or a single-use thing was spent
)

// ClientStore keeps registered clients and decisions about document clients. Configured clients are not in it.
type ClientStore interface {
	// PutClient creates or replaces. Atomic.
	PutClient(ctx context.Context, c Client) error
	// Client returns the client with this id, or ErrNotFound.
	Client(ctx context.Context, id string) (Client, error)
	// ClientByFingerprint returns the registered public client with this fingerprint, or ErrNotFound.
	ClientByFingerprint(ctx context.Context, fingerprint string) (Client, error)
	// TouchClient sets LastUsed. Unknown ids are ignored: document clients need no record.
	TouchClient(ctx context.Context, id string, at time.Time) error
	// EvictUnused deletes the oldest never-used registered client created before the given time when there are limit
	// or more never-used ones, and reports whether there is room for one more. Atomic.
	EvictUnused(ctx context.Context, limit int, before time.Time) (room bool, err error)
}

// TransactionStore keeps sign-in transactions. Every change is a compare-and-swap on the status.
type TransactionStore interface {
	// PutTransaction creates. It returns ErrConflict when total open ones would exceed limit.
	PutTransaction(ctx context.Context, t Transaction, limit int) error
	Transaction(ctx context.Context, id string) (Transaction, error)
	// TransactionByState finds a transaction by its upstream state, whatever its status; ErrNotFound else.
	TransactionByState(ctx context.Context, upstreamState string) (Transaction, error)
	// SwapTransaction replaces the record when its status is still from; ErrConflict when it is not. Atomic.
	SwapTransaction(ctx context.Context, from TransactionStatus, t Transaction) error
	// Finish moves a transaction from Consenting to Done and writes grant and code, all or nothing. ErrConflict when
	// it is not Consenting any more. Atomic.
	Finish(ctx context.Context, t Transaction, g Grant, c Code) error
}

// CodeStore keeps authorization codes.
type CodeStore interface {
	// SpendCode marks an unspent code as spent at the given time and returns it as it was before. A code that is
	// spent already is returned together with ErrConflict; an unknown one gives ErrNotFound. One of many concurrent
	// calls succeeds. Atomic.
	SpendCode(ctx context.Context, hash string, at time.Time) (Code, error)
}

// GrantStore keeps grants.
type GrantStore interface {
	Grant(ctx context.Context, id string) (Grant, error)
	// RevokeGrant ends a grant and all its refresh tokens; a revoked or unknown one is left as it is. Atomic.
	RevokeGrant(ctx context.Context, id, reason string, at time.Time) error
	// UpdateGrant stores a new identity snapshot and upstream after a check with the provider, unless the grant was
	// revoked meanwhile (ErrConflict).
	UpdateGrant(ctx context.Context, g Grant) error
	// GrantsOf lists the grants of a subject that are neither revoked nor expired, newest first.
	GrantsOf(ctx context.Context, subject string, now time.Time) ([]Grant, error)
}

// RefreshStore keeps refresh tokens.
type RefreshStore interface {
	PutRefresh(ctx context.Context, r RefreshToken) error
	Refresh(ctx context.Context, id string) (RefreshToken, error)
	// Rotate marks the current token id as used at the given time with successor (the whole token text) and inserts
	// next. ErrConflict when id is no longer current: exactly one of many concurrent calls wins. Atomic.
	Rotate(ctx context.Context, id string, at time.Time, successor string, next RefreshToken) error
}

// SessionStore keeps browser sessions of portal and console.
type SessionStore interface {
	PutSession(ctx context.Context, s Session) error
	Session(ctx context.Context, hash string) (Session, error)
	DeleteSession(ctx context.Context, hash string) error
}

// Store is all of them, as cmd/internal/store implements it over one database.
type Store interface {
	ClientStore
	TransactionStore
	CodeStore
	GrantStore
	RefreshStore
	SessionStore
	// Sweep deletes what has expired (oauth.md §16), at most 1,000 rows a table.
	Sweep(ctx context.Context, now time.Time) error
}
