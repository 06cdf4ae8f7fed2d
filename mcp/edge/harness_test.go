package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// server is an edge.Server made of functions.
type server struct {
	handle func(ctx context.Context, r *Request) (json.RawMessage, error)
	mu     sync.Mutex
	view   string
	denied bool
}

func (s *server) Name() string { return "s" }
func (s *server) Allowed(*identity.Caller) (bool, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.denied, "denied"
}
func (s *server) Handle(ctx context.Context, r *Request) (json.RawMessage, error) {
	if r.Message.Method == "initialize" || s.handle == nil {
		return json.RawMessage(`{}`), nil
	}
	return s.handle(ctx, r)
}
func (s *server) View(*identity.Caller) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view
}
func (s *server) set(view string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view = view
}

func newHandler(t *testing.T, s *server, change func(*Handler)) *Handler {
	t.Helper()
	keys, err := secret.NewKeyring(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := &Handler{
		PublicURL: "http://127.0.0.1:8080", Keyring: keys,
		Lookup: func(name string) (Server, State) {
			if name != "s" {
				return nil, Unknown
			}
			return s, Serving
		},
		Authenticate: func(_ http.ResponseWriter, r *http.Request, _ string) (*identity.Caller, bool) {
			name := r.Header.Get("Authorization")
			return &identity.Caller{Kind: identity.Person, Subject: name, ClientID: "c", GrantID: "g-" + name}, true
		},
	}
	if change != nil {
		change(h)
	}
	return h
}

// wire is a connection in memory: what the handler writes, and when, without a network, so that synctest's time rules.
type wire struct {
	head   http.Header
	status int
	mu     sync.Mutex
	body   strings.Builder
	broken bool
}

func (w *wire) Header() http.Header { return w.head }
func (w *wire) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return 0, io.ErrClosedPipe
	}
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
func (w *wire) Flush() {}
func (w *wire) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.body.String()
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func modernRequest(method, params string) *http.Request {
	if params != "" {
		params += ","
	}
	r := post(fmt.Sprintf(`{"jsonrpc":"2.0","id":"i1","method":%q,"params":{%s%s}}`, method, params, modernMeta))
	r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
	r.Header.Set("Mcp-Method", method)
	return r
}

func post(body string) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, "/mcp/s", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "alice")
	return r
}

// serve runs one request; wait returns when it was answered.
func serve(h *Handler, r *http.Request) (w *wire, wait func()) {
	w = &wire{head: http.Header{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(w, r)
	}()
	return w, func() { <-done }
}

func open(t *testing.T, h *Handler, as string) string {
	t.Helper()
	r := post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}`)
	r.Header.Set("Authorization", as)
	w, wait := serve(h, r)
	wait()
	id := w.head.Get("Mcp-Session-Id")
	if w.status != http.StatusOK || len(id) != 48 {
		t.Fatalf("initialize = %d %s, session %q", w.status, w.text(), id)
	}
	return id
}

func legacy(session, body string) *http.Request {
	r := post(body)
	r.Header.Set("Mcp-Session-Id", session)
	return r
}
