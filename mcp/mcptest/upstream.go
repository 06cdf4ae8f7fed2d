package mcptest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// Upstream is an MCP server elsewhere that does what a test says and records what it was asked.
//
//	NewUpstream(t) ─ On("tools/call", …) ─ URL ─▶ Requests()
//
// Without more it speaks both eras: it answers server/discover and initialize, and every other request with {}.
type Upstream struct {
	URL     string
	Session bool // initialize opens a session; requests of legacy clients with another id get 404

	t        testing.TB
	server   *httptest.Server
	mu       sync.Mutex
	on       map[string]Handler
	sessions map[string]bool
	opened   int
	requests []UpstreamRequest
}

// Handler answers one message. For GET and DELETE the message is empty.
type Handler func(w http.ResponseWriter, r *http.Request, m UpstreamMessage)

// UpstreamMessage is what a test reads of a message.
type UpstreamMessage struct {
	ID     json.RawMessage
	Method string
	Params json.RawMessage
}

// UpstreamRequest is one request as it arrived.
type UpstreamRequest struct {
	HTTP   string // method of HTTP
	Header http.Header
	Body   string
	Method string // of the message
}

// NewUpstream starts a server on a loopback port that ends with the test.
func NewUpstream(t testing.TB) *Upstream {
	t.Helper()
	u := &Upstream{t: t, on: map[string]Handler{}, sessions: map[string]bool{}}
	u.server = httptest.NewServer(http.HandlerFunc(u.serve))
	u.URL = u.server.URL + "/mcp"
	t.Cleanup(func() { u.server.CloseClientConnections(); u.server.Close() })
	return u
}

// On says how a method is answered; GET and DELETE are methods here, too.
func (u *Upstream) On(method string, h Handler) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.on[method] = h
}

// Requests returns what came, without server/discover.
func (u *Upstream) Requests() []UpstreamRequest {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]UpstreamRequest(nil), u.requests...)
}

// Forget ends every session, as a restart does.
func (u *Upstream) Forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.sessions)
}

func (u *Upstream) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var m UpstreamMessage
	if len(body) > 0 && json.Unmarshal(body, &m) != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	method := m.Method
	if r.Method != http.MethodPost {
		method = r.Method
	}
	u.mu.Lock()
	if method != "server/discover" {
		u.requests = append(u.requests, UpstreamRequest{r.Method, r.Header.Clone(), string(body), m.Method})
	}
	h := u.on[method]
	id := r.Header.Get("Mcp-Session-Id")
	known := u.sessions[id] || !u.Session || id == "" && (method == "initialize" || r.Header.Get("Mcp-Protocol-Version") == "2026-07-28")
	u.mu.Unlock()
	switch {
	case !known:
		http.Error(w, "session not found", http.StatusNotFound)
	case h != nil:
		h(w, r, m)
	default:
		u.answer(w, r, m, id)
	}
}

func (u *Upstream) answer(w http.ResponseWriter, r *http.Request, m UpstreamMessage, id string) {
	switch {
	case r.Method == http.MethodDelete:
		u.mu.Lock()
		delete(u.sessions, id)
		u.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case m.ID == nil || m.Method == "":
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "server/discover":
		JSON(w, m.ID, `{"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{"tools":{}}}`)
	case m.Method == "initialize":
		if u.Session {
			w.Header().Set("Mcp-Session-Id", u.open())
		}
		JSON(w, m.ID, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"upstream","version":"1"}}`)
	default:
		JSON(w, m.ID, `{}`)
	}
}

func (u *Upstream) open() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.opened++
	id := "upstream-" + strconv.Itoa(u.opened)
	u.sessions[id] = true
	return id
}

// JSON writes an answer with this result.
func JSON(w http.ResponseWriter, id json.RawMessage, result string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+string(id)+`,"result":`+result+`}`)
}

// Stream starts an event stream and returns what writes to it, at once.
func Stream(w http.ResponseWriter) func(text string) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	ctl := http.NewResponseController(w)
	_ = ctl.Flush()
	return func(text string) {
		_, _ = io.WriteString(w, text)
		_ = ctl.Flush()
	}
}
