package proxy

import (
	"net/http"
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
