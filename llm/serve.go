package llm

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Endpoints, as records and expressions name them (UR-2).
const (
	chat        = "chat"
	completions = "completions" // the older shape: a prompt, no messages
	embeddings  = "embeddings"
	models      = "models"
	other       = "other"
)

// route is what an address below /llm means.
type route struct {
	endpoint string // "" = no such address
	method   string // the one that it takes
	model    string // named by the address; "" = by the body
	shape    shape
	unbuilt  bool // part of the contract, not served yet
}

// routeOf reads the address behind /llm, still escaped.
func routeOf(path string) route {
	if rest, ok := strings.CutPrefix(path, "/anthropic/"); ok {
		return route{shape: anthropic, unbuilt: strings.HasPrefix(rest, "v1/")}
	}
	if rest, ok := strings.CutPrefix(path, "/openai/deployments/"); ok {
		name, rest, _ := strings.Cut(rest, "/")
		model, err := url.PathUnescape(name)
		if err != nil || model == "" {
			return route{}
		}
		rt := operation(rest)
		rt.model = model
		if rt.endpoint == models {
			return route{}
		}
		return rt
	}
	for _, prefix := range [...]string{"/v1/", "/openai/v1/"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			return operation(rest)
		}
	}
	return route{unbuilt: strings.HasPrefix(path, "/openai/responses") || strings.HasPrefix(path, "/passthrough/") || path == "/openai/realtime"}
}

// operation reads what follows the version.
func operation(path string) route {
	switch path {
	case "chat/completions":
		return route{endpoint: chat, method: http.MethodPost}
	case "completions":
		return route{endpoint: completions, method: http.MethodPost}
	case "embeddings":
		return route{endpoint: embeddings, method: http.MethodPost}
	case "models":
		return route{endpoint: models, method: http.MethodGet}
	case "responses", "moderations", "realtime":
		return route{unbuilt: true}
	}
	if id, ok := strings.CutPrefix(path, "models/"); ok && id != "" {
		if name, err := url.PathUnescape(id); err == nil {
			return route{endpoint: models, method: http.MethodGet, model: name}
		}
	}
	first, _, _ := strings.Cut(path, "/")
	return route{unbuilt: first == "responses" || first == "images" || first == "audio"}
}

// exchange is one request and what became of it.
type exchange struct {
	h      *Handler
	snap   *Snapshot
	route  route
	caller *identity.Caller
	model  *Model
	id     string // request id
	start  time.Time
	limits Limits
	road   bool // handed to the pipeline, which records it
	w      http.ResponseWriter
	r      *http.Request
	sent   watched // w, while the exchange is served
}

// serve answers one request below /llm; path is what follows /llm, escaped. Every error is rendered here.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, path string) {
	x := &exchange{h: h, route: routeOf(path), w: w, r: r, id: requestID(r), start: h.now(), limits: h.Limits.withDefaults()}
	w.Header().Set("X-Request-Id", x.id)
	x.sent.ResponseWriter = w
	x.w = &x.sent
	defer x.recover(&x.sent)
	if err := x.serve(); err != nil && !x.sent.wrote {
		x.fail(err)
	}
}

func (x *exchange) serve() error {
	rt := x.route
	switch {
	case rt.unbuilt:
		return invalid(http.StatusNotFound, "not_built", "", "This address is not served by this version of the gateway.")
	case rt.endpoint == "":
		return invalid(http.StatusNotFound, "not_found", "", "There is nothing at this address. Check the base URL of your client.")
	case x.r.Method != rt.method && (rt.method != http.MethodGet || x.r.Method != http.MethodHead):
		f := invalid(http.StatusMethodNotAllowed, "method_not_allowed", "", "This address takes "+rt.method+" only.")
		f.header = http.Header{"Allow": {rt.method}}
		return f
	}
	if !knownVersion(x.r.URL.RawQuery) {
		return invalid(http.StatusBadRequest, "invalid_api_version", "api-version", "The api-version is not one. Leave it out, or send a date such as 2024-10-21.")
	}
	caller, refusal := x.h.Authenticate(x.r)
	if refusal != nil {
		return refusal.failure()
	}
	x.caller, x.snap = caller, x.h.Snapshot()
	if rt.endpoint == models {
		return x.listModels()
	}
	return x.complete()
}

// knownVersion reports whether the api-version of a query, when there is one, looks like one (EP-8). It goes nowhere: the
// backend has its own.
func knownVersion(query string) bool {
	if !strings.Contains(query, "api-version") {
		return true
	}
	values, err := url.ParseQuery(query)
	version := values.Get("api-version")
	if err != nil || len(version) > 32 {
		return false
	}
	return !strings.ContainsFunc(version, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-'
	})
}

// failure renders why a caller was not let in (ER-1…ER-3).
func (r *Refusal) failure() *failure {
	f := &failure{status: r.Status, kind: "invalid_request_error", code: r.Code, msg: r.Message, header: http.Header{}, ending: proxy.EndRefused}
	if r.Status == http.StatusForbidden {
		f.kind = "permission_error"
	}
	(&proxy.Error{Status: r.Status, RetryAfter: r.RetryAfter, NoRetry: r.Status == http.StatusForbidden}).WriteHeader(f.header)
	if r.Challenge != "" {
		f.header.Set("WWW-Authenticate", r.Challenge)
	}
	return f
}

// fail answers with an error, and keeps the row of a call that never reached the pipeline (PX-11).
func (x *exchange) fail(err error) {
	f := failureOf(err)
	identity.RequestFrom(x.r.Context()).Note(slog.String("code", f.code))
	if f.status >= http.StatusInternalServerError && f.err != nil {
		identity.RequestFrom(x.r.Context()).Note(slog.String("error", f.err.Error()))
	}
	if x.caller != nil && !x.road && x.h.Recorder != nil {
		x.h.Recorder.Record(x.refusedRow(f))
	}
	f.render(x.w, x.route.shape)
}

func (x *exchange) refusedRow(f *failure) proxy.Record {
	row := proxy.Record{
		ID: rand.Text(), RequestID: x.id, Time: x.start.UTC(),
		Subscription: x.caller.Subscription.ID, Product: x.caller.Subscription.Product,
		Caller: x.caller.Subject, ClientID: x.caller.ClientID,
		Surface: proxy.LLM, Endpoint: x.route.endpoint, Status: f.status, Ending: f.ending, Code: f.code,
		Usage: proxy.Usage{Source: proxy.UsageNone}, Duration: x.h.now().Sub(x.start),
	}
	if x.route.endpoint == models {
		row.Endpoint = other
	}
	if x.model != nil {
		row.Model = x.model.Name
	}
	return row
}

// recover keeps the process alive when a handler panics (AC-9). What was reserved is settled by the deferred Settle of
// whoever held the answer.
func (x *exchange) recover(sent *watched) {
	p := recover()
	switch {
	case p == nil:
	case p == http.ErrAbortHandler || sent.wrote: //nolint:errorlint // the sentinel that net/http compares, too
		if p != http.ErrAbortHandler { //nolint:errorlint // as above
			x.h.log().ErrorContext(x.r.Context(), "handler panicked", "panic", p, "stack", string(debug.Stack()))
		}
		panic(http.ErrAbortHandler) // the connection must not end as if the answer were whole
	default:
		x.h.log().ErrorContext(x.r.Context(), "handler panicked", "panic", p, "stack", string(debug.Stack()))
		x.fail(&failure{status: http.StatusInternalServerError, kind: "server_error", code: "internal_error",
			msg: "The gateway failed. Try again later.", ending: proxy.EndError})
	}
}

// watched knows whether an answer has begun.
type watched struct {
	http.ResponseWriter
	wrote bool
}

func (w *watched) WriteHeader(status int) {
	w.wrote = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find what lies below.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// requestID is the id that the listener chose; without a listener the caller's own when it is well formed (PX-15).
func requestID(r *http.Request) string {
	if id := identity.RequestID(r.Context()); id != "" {
		return id
	}
	if id := r.Header.Get("X-Request-Id"); wellFormed(id) {
		return id
	}
	return rand.Text()
}

func wellFormed(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}

func (h *Handler) log() *slog.Logger {
	if h.Log != nil {
		return h.Log
	}
	return slog.Default()
}
