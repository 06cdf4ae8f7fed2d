package oauth

import "context"

// Event is one decision worth keeping (oauth.md §15). It never holds a token, code, verifier, secret, state, cookie or
// text of the provider. Time, request id and address come from the request in the context.
type Event struct {
	Name     string // "signin.ok", "consent.granted", …
	Subject  string // "" before anybody has signed in
	ClientID string
	Server   string // name of the resource; "" unknown
	Outcome  string // ok, refused, failed
	Reason   string // a word of a closed set; "" none
	GrantID  string // at most the first 8 characters
}

// Outcomes of events.
const (
	OutcomeOK      = "ok"
	OutcomeRefused = "refused"
)

// Recorder takes audit events. nil drops them.
type Recorder func(ctx context.Context, e Event)

// Record calls r, when there is one.
func (r Recorder) Record(ctx context.Context, e Event) {
	if r == nil {
		return
	}
	if len(e.GrantID) > 8 {
		e.GrantID = e.GrantID[:8]
	}
	r(ctx, e)
}
