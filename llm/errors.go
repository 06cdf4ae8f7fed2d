package llm

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/body"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// shape is the wire shape of the address that was called; errors have it too.
type shape int

const (
	openAI    shape = iota // Azure's is the same
	anthropic              // not served yet, but its 404 must be readable for its SDKs
)

// failure is an answer that we make ourselves (§3).
type failure struct {
	status int
	kind   string // OpenAI type
	code   string
	param  string // "" = null
	msg    string // a sentence for the caller: no host, no key, no text of an upstream
	header http.Header
	ending proxy.Ending // for the row of a call that never reached the pipeline
	err    error        // for the log
}

func (f *failure) Error() string { return f.msg }
func (f *failure) Unwrap() error { return f.err }

// invalid is a request that the caller has to change.
func invalid(status int, code, param, msg string) *failure {
	return &failure{status: status, kind: "invalid_request_error", code: code, param: param, msg: msg, ending: proxy.EndRefused}
}

// unknownModel is the answer for models that do not exist and for models that the caller may not use: they must not be
// told apart (ER-4, KEY-6).
func unknownModel(name string) *failure {
	return invalid(http.StatusNotFound, "model_not_found", "model",
		"The model "+strconv.Quote(clip(name))+" does not exist or you may not use it. Ask for GET models to see what you may use.")
}

// clip keeps what a caller sent short where it is quoted back.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// failureOf says how an error of any kind is answered.
func failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var fault *body.Fault
	if errors.As(err, &fault) {
		return invalid(http.StatusBadRequest, fault.Code, fault.Param, fault.Msg)
	}
	var pe *proxy.Error
	if errors.As(err, &pe) {
		return proxyFailure(pe)
	}
	return &failure{status: http.StatusInternalServerError, kind: "server_error", code: "internal_error",
		msg: "The gateway failed. Try again later.", ending: proxy.EndError, err: err}
}

// proxyFailure renders what the road says (ER-7…ER-21).
func proxyFailure(e *proxy.Error) *failure {
	f := &failure{status: e.HTTPStatus(), kind: e.Type, code: e.Code, msg: e.Msg, header: http.Header{}, err: e}
	e.WriteHeader(f.header)
	kind, code := kindOf(e.Kind)
	if f.code == "" {
		f.code = code
	}
	if f.kind == "" {
		f.kind = typeOf(f.code, f.status, kind)
	}
	if (e.Kind == proxy.Unavailable || e.Kind == proxy.Overloaded) && e.RetryAfter == 0 && f.header.Get("Retry-After") == "" {
		f.header.Set("Retry-After", "1")
	}
	if f.msg == "" {
		f.msg = http.StatusText(f.status) + "."
	}
	return f
}

// kindOf is type and code where the road names none.
func kindOf(k proxy.Kind) (kind, code string) {
	switch k {
	case proxy.Refused:
		return "permission_error", "policy_refused"
	case proxy.Invalid:
		return "invalid_request_error", "invalid_request"
	case proxy.Unavailable:
		return "upstream_error", "no_backend_available"
	case proxy.Unreachable:
		return "upstream_error", "upstream_error"
	case proxy.Credential:
		return "upstream_error", "upstream_auth_failed"
	case proxy.Timeout:
		return "upstream_error", "upstream_timeout"
	case proxy.Overloaded:
		return "server_error", "overloaded"
	default:
		return "server_error", "internal_error"
	}
}

// typeOf is the OpenAI type that belongs to a code (§3).
func typeOf(code string, status int, other string) string {
	switch code {
	case "rate_limit_exceeded":
		return "requests"
	case "request_too_large_for_limit":
		return "tokens"
	case "quota_exceeded", "token_quota_exceeded", "budget_exceeded":
		return "insufficient_quota"
	case "content_filter", "max_tokens_too_large":
		return "invalid_request_error"
	case "policy_error":
		return "server_error"
	}
	if status == http.StatusInternalServerError {
		return "server_error"
	}
	return other
}

// anthropicType is the error type of the Anthropic shape (§3).
func anthropicType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusServiceUnavailable:
		return "overloaded_error"
	case http.StatusGatewayTimeout:
		return "timeout_error"
	}
	if status < 500 {
		return "invalid_request_error"
	}
	return "api_error"
}

// render writes f in the caller's shape: the one place where errors become bytes.
func (f *failure) render(w http.ResponseWriter, s shape) {
	header := w.Header()
	for name, values := range f.header {
		header[name] = values
	}
	text := f.json(s, header.Get("X-Request-Id"))
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(f.status)
	_, _ = w.Write(text) // who is gone reads no errors
}

// openAIError is the error object of the OpenAI and Azure shape.
type openAIError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
}

func (f *failure) json(s shape, requestID string) []byte {
	var v any
	if s == anthropic {
		type inner struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		}
		v = struct {
			Type      string `json:"type"`
			Error     inner  `json:"error"`
			RequestID string `json:"request_id"`
		}{"error", inner{anthropicType(f.status), f.msg}, requestID}
	} else {
		e := openAIError{Message: f.msg, Type: f.kind, Code: f.code}
		if f.param != "" {
			e.Param = &f.param
		}
		v = map[string]openAIError{"error": e}
	}
	text, _ := json.Marshal(v) // texts only: no error is possible
	return text
}
