package oauth

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Body is the JSON that RFC 6749 §5.2 gives an error.
type Body struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// WriteJSON answers v as JSON that nobody may keep (RFC 6749 §5.1).
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // only for types that are not JSON, a fault of ours
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error","error_description":"internal error"}`)
	}
	NoStore(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller has gone
}

// WriteError answers an error of RFC 6749: JSON, no-store, and when to come back where the trouble is ours.
func WriteError(w http.ResponseWriter, e *Error) {
	if after := e.Retry(); after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	WriteJSON(w, e.HTTPStatus(), e.Body())
}

// Body returns what a client may know of e.
func (e *Error) Body() Body {
	if e.Code == ServerError {
		return Body{Error: ServerError, Description: "internal error"}
	}
	return Body{Error: e.Code, Description: e.Description}
}

// Retry returns when the client should come back; 0: never without changing something.
func (e *Error) Retry() time.Duration {
	if e.RetryAfter == 0 && e.Code == TemporarilyUnavailable {
		return 5 * time.Second
	}
	return e.RetryAfter
}

// Unavailable wraps a fault of store or provider: 503, and never invalid_grant, on which clients throw good tokens away.
func Unavailable(err error) *Error {
	return &Error{Code: TemporarilyUnavailable, Description: "try again in a moment", Err: err}
}

// NoStore forbids to keep the answer, for HTTP/1.0 caches too (RFC 6749 §5.1).
func NoStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}

// AllowAnyOrigin lets scripts of any origin read the answer; credentials never travel with it (oauth.md §3.4).
func AllowAnyOrigin(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, x-request-id")
}

// Preflight answers an OPTIONS request for an address with these methods, e.g. "POST".
func Preflight(w http.ResponseWriter, methods string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", "authorization, content-type, mcp-protocol-version")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// MethodNotAllowed answers 405 with what is allowed.
func MethodNotAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	WriteError(w, &Error{Code: InvalidRequest, Status: http.StatusMethodNotAllowed, Description: "method not allowed"})
}
