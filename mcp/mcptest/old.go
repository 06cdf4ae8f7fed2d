package mcptest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// OldUpstream is an MCP server elsewhere that speaks the transport of 2024-11-05: a stream that a GET opens, and an address
// for POSTs that its first event names. It refuses POSTs to the address of the stream with 405.
type OldUpstream struct {
	URL string
	// Endpoint is what the first event names, where %s is the stream's id; "": /message?sessionId=%s. Set it before use.
	Endpoint string
	// Before is what a stream says ahead of its first event.
	Before string
	// Silent streams send no first event.
	Silent bool
	// Hold keeps the POST of a message waiting for its 202; nil: none.
	Hold func(m UpstreamMessage)

	server *httptest.Server
	mu     sync.Mutex
	on     map[string]OldHandler
	open   map[string]*oldStream
	opened int
	seen   []UpstreamRequest
}

// OldHandler answers one message; say puts a message on the stream it came by.
type OldHandler func(say func(message string), m UpstreamMessage)

type oldStream struct {
	events chan string
	end    chan struct{}
}

// NewOldUpstream starts a server on a loopback port that ends with the test.
func NewOldUpstream(t testing.TB) *OldUpstream {
	t.Helper()
	u := &OldUpstream{on: map[string]OldHandler{}, open: map[string]*oldStream{}}
	u.server = httptest.NewServer(http.HandlerFunc(u.serve))
	u.URL = u.server.URL + "/sse"
	t.Cleanup(func() { u.Drop(); u.server.CloseClientConnections(); u.server.Close() })
	return u
}

// On says how a method is answered.
func (u *OldUpstream) On(method string, h OldHandler) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.on[method] = h
}

// Requests returns the POSTs that came to the address of a stream.
func (u *OldUpstream) Requests() []UpstreamRequest {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]UpstreamRequest(nil), u.seen...)
}

// Streams returns how many streams are open, and how many were opened.
func (u *OldUpstream) Streams() (open, opened int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.open), u.opened
}

// Drop ends every stream, as a restart does.
func (u *OldUpstream) Drop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, s := range u.open {
		close(s.end)
		delete(u.open, id)
	}
}

// Say puts a message on every stream.
func (u *OldUpstream) Say(message string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range u.open {
		s.events <- message
	}
}

func (u *OldUpstream) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/sse":
		u.stream(w, r)
	case r.Method == http.MethodPost && r.URL.Path == "/message":
		u.take(w, r)
	case r.Method == http.MethodPost:
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	default:
		http.NotFound(w, r)
	}
}

func (u *OldUpstream) stream(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.opened++
	id, s := strconv.Itoa(u.opened), &oldStream{events: make(chan string, 64), end: make(chan struct{})}
	u.open[id] = s
	endpoint := u.Endpoint
	u.mu.Unlock()
	if endpoint == "" {
		endpoint = "/message?sessionId=%s"
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if _, _ = io.WriteString(w, u.Before); !u.Silent {
		_, _ = fmt.Fprintf(w, "event: endpoint\ndata: "+endpoint+"\n\n", id)
	}
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	for {
		select {
		case m := <-s.events:
			_, _ = io.WriteString(w, "event: message\ndata: "+m+"\n\n")
			_ = flush.Flush()
		case <-s.end:
			return
		case <-r.Context().Done():
			u.mu.Lock()
			delete(u.open, id)
			u.mu.Unlock()
			return
		}
	}
}

func (u *OldUpstream) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var m UpstreamMessage
	if err != nil || json.Unmarshal(body, &m) != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	u.mu.Lock()
	s, h := u.open[r.URL.Query().Get("sessionId")], u.on[m.Method]
	u.seen = append(u.seen, UpstreamRequest{r.Method, r.Header.Clone(), string(body), m.Method})
	u.mu.Unlock()
	if s == nil {
		http.NotFound(w, r)
		return
	}
	if u.Hold != nil {
		u.Hold(m)
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, "Accepted")
	say := func(message string) {
		select {
		case s.events <- message:
		case <-s.end:
		}
	}
	switch {
	case h != nil:
		go h(say, m)
	case m.ID == nil || m.Method == "":
	case m.Method == "initialize":
		say(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"protocolVersion":"2024-11-05","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"old","version":"1"}}}`)
	default:
		say(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{}}`)
	}
}

// Answer is the message that answers m with this result.
func Answer(m UpstreamMessage, result string) string {
	return `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":` + result + `}`
}
