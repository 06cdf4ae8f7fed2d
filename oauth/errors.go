package oauth

import (
	"net/http"
	"time"
)

// Codes of errors as clients see them (oauth.md §10.1).
const (
	InvalidRequest          = "invalid_request"
	InvalidClient           = "invalid_client"
	InvalidGrant            = "invalid_grant"
	UnauthorizedClient      = "unauthorized_client"
	UnsupportedGrantType    = "unsupported_grant_type"
	UnsupportedResponseType = "unsupported_response_type"
	InvalidScope            = "invalid_scope"
	InvalidTarget           = "invalid_target"
	AccessDenied            = "access_denied"
	TemporarilyUnavailable  = "temporarily_unavailable"
	ServerError             = "server_error"
	LoginRequired           = "login_required"
	RequestNotSupported     = "request_not_supported"
	RequestURINotSupported  = "request_uri_not_supported"
	InvalidRedirectURI      = "invalid_redirect_uri"
	InvalidClientMetadata   = "invalid_client_metadata"
	InvalidToken            = "invalid_token"
	InsufficientScope       = "insufficient_scope"
)

// Error is an RFC 6749 error. Description is ASCII, for the client, and never echoes input; Err is for the log.
type Error struct {
	Code        string
	Description string
	Status      int           // HTTP status; 0: 400, or 401 for invalid_client, 503 for temporarily_unavailable, 500 for server_error
	RetryAfter  time.Duration // 0: none; temporarily_unavailable answers 5 s when it is 0
	Err         error
}

func (e *Error) Error() string {
	s := e.Code
	if e.Description != "" {
		s += ": " + e.Description
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus returns Status, or the one that belongs to Code.
func (e *Error) HTTPStatus() int {
	switch {
	case e.Status != 0:
		return e.Status
	case e.Code == InvalidClient || e.Code == InvalidToken:
		return http.StatusUnauthorized
	case e.Code == InsufficientScope:
		return http.StatusForbidden
	case e.Code == TemporarilyUnavailable:
		return http.StatusServiceUnavailable
	case e.Code == ServerError:
		return http.StatusInternalServerError
	default:
		return http.StatusBadRequest
	}
}
