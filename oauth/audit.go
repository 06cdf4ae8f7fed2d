package oauth

import (
	"context"
	"time"
)

// Event is one decision of the broker for the audit log (oauth.md §15). It never holds a token, code, verifier, secret,
// state, cookie or text of a provider.
type Event struct {
	Name      string    // of the closed list of oauth.md §15: token.issued, code.reused, …
	Time      time.Time // filled by whoever keeps it when zero
	RequestID string
	Subject   string
	ClientID  string
	Server    string // name of the resource
	Outcome   string // "ok" or "refused"
	Reason    string // a word of a closed set; "" when ok
	IP        string
	Grant     string // at most the first 8 characters of a grant id
}

// Outcomes of events.
const (
	OutcomeOK      = "ok"
	OutcomeRefused = "refused"
)

// Audit keeps events. It must not block; nil keeps nothing. Use Record, which allows nil.
type Audit func(ctx context.Context, e Event)

// Record hands an event on, if there is somebody to take it.
func (a Audit) Record(ctx context.Context, e Event) {
	if a != nil {
		a(ctx, e)
	}
}

// ShortID cuts a grant id to what logs may hold of it.
func ShortID(id string) string { return id[:min(len(id), 8)] }
