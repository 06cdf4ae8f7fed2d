package proxy

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Kind is a closed set of what can go wrong on the road; it decides the status of every face.
type Kind int

const (
	Internal    Kind = iota // ours: 500
	Refused                 // by a policy: Status says how
	Invalid                 // the request could not be built from what the caller sent: 400
	Unavailable             // no member available, breaker open: 503
	Unreachable             // refused, reset, malformed: 502
	Credential              // our credential was refused by the upstream: 502
	Timeout                 // 504
	Cancelled               // the caller has gone
	Overloaded              // draining or too many calls: 503
)

// ErrShutdown is the cause of a call's context that the gateway ended because it stops: the caller is still there.
var ErrShutdown = errors.New("the gateway is restarting")

// Abandoned says how a call ended whose context did: its caller has gone, or the gateway stops.
func Abandoned(ctx context.Context) (Ending, string) {
	if errors.Is(context.Cause(ctx), ErrShutdown) {
		return EndError, codeShutdown
	}
	return EndClientGone, ""
}

const codeShutdown = "server_shutdown"

// Error is a call that did not get an answer. Msg is for the caller and is never built from Err; Err is for the log.
type Error struct {
	Kind   Kind
	Code   string // llm.md §3: rate_limit_exceeded, token_quota_exceeded, no_backend_available, …
	Type   string // OpenAI error type for Code; "" where Kind says enough
	Status int    // HTTP status; 0: by Kind
	Msg    string // starts with a capital letter, ends with a full stop, says what to do; no host, no key
	Policy string // name and position of the policy that refused; for records and the log

	RetryAfter time.Duration // 0: unknown
	NoRetry    bool          // x-should-retry: false
	Header     http.Header   // further headers of the refusal (x-ratelimit-…); may be nil

	Backend  string // last one tried; "" when none was
	Attempts int
	Err      error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// WriteHeader writes what belongs to the refusal into h: retry-after in whole seconds, rounded up, the exact wait in
// retry-after-ms, x-should-retry: false where SDKs would retry in vain, and Header (llm.md ER-23). An entry of Header
// without values removes the name.
func (e *Error) WriteHeader(h http.Header) {
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(WholeSeconds(e.RetryAfter), 10))
		if e.HTTPStatus() != http.StatusForbidden { // a quota ends at a boundary: TQ-2
			h.Set("Retry-After-Ms", strconv.FormatInt(max((e.RetryAfter+time.Millisecond-1).Milliseconds(), 1), 10))
		}
	}
	if e.NoRetry || e.RetryAfter > time.Minute {
		h.Set("X-Should-Retry", "false")
	}
	for name, values := range e.Header {
		if len(values) == 0 {
			h.Del(name)
			continue
		}
		h[http.CanonicalHeaderKey(name)] = values
	}
}

// WholeSeconds is a wait as retry-after tells it: rounded up, at least 1.
func WholeSeconds(d time.Duration) int64 { return max(int64((d+time.Second-1)/time.Second), 1) }

// UpstreamError is the error that a status of a backend stands for where its own answer must not reach the caller
// (llm.md ER-16 to ER-18); nil for every other status.
func UpstreamError(status int, header http.Header, now time.Time) *Error {
	e := &Error{Type: "upstream_error"}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Kind, e.Code, e.Msg = Credential, "upstream_auth_failed", "The gateway's credential was refused by the upstream. Tell the gateway's operator."
	case status == http.StatusServiceUnavailable || status == 529:
		e.Kind, e.Code, e.Msg = Unavailable, "no_backend_available", "The upstream is overloaded. Try again later."
		e.RetryAfter = max(toldWait(header, now), time.Second)
	case status >= 500:
		e.Kind, e.Code, e.Msg = Unreachable, "upstream_error", "The upstream failed. Try again later."
	default:
		return nil
	}
	return e
}

// HTTPStatus returns Status, or the one that belongs to Kind.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	switch e.Kind {
	case Refused:
		return http.StatusForbidden
	case Invalid:
		return http.StatusBadRequest
	case Unavailable, Overloaded:
		return http.StatusServiceUnavailable
	case Unreachable, Credential:
		return http.StatusBadGateway
	case Timeout:
		return http.StatusGatewayTimeout
	case Cancelled:
		return 499
	default:
		return http.StatusInternalServerError
	}
}
