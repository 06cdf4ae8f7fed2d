// Package llmtest is a provider of language models for tests: a real HTTP server that speaks OpenAI's wire shape, or
// Azure's variant of it, answers what a struct says, and plays the faults of real providers on demand. It records what it
// was asked.
//
//	Start(t, Answer…) ─ httptest server ─ one Answer per request, the last repeats ─▶ Server.Requests()
package llmtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Answer is how one request is answered. The zero value is a good OpenAI answer with the text "Hello, world!".
type Answer struct {
	Azure    bool     // Azure's shape: content filter results, its headers
	Pieces   []string // of the text, one chunk each; nil means Hello, world!
	Finish   string   // finish_reason; "" means stop, or tool_calls when there is a tool call
	ToolCall *ToolCall
	Usage    *Usage // nil means 9 prompt and 4 completion tokens
	NoUsage  bool   // the provider never tells usage
	EachTime bool   // usage is told in every chunk, growing: only the last counts

	Status int         // other than 200: an error in place of an answer
	Body   string      // of an error, or of any answer that is to be given as it is; "" = a fitting one
	Raw    []string    // events of a stream, to be sent as they are; nil = fitting ones
	Header http.Header // further headers
	Fault  Fault
	Gate   <-chan struct{} // nothing is sent after the first event until it is closed; nil: no waiting
	Drip   time.Duration   // before each event
}

// ToolCall is a function that the model calls.
type ToolCall struct{ ID, Name, Arguments string }

// Usage is what the provider reports.
type Usage struct{ Prompt, Completion, Cached, Reasoning int }

// Fault is a way in which providers and networks misbehave.
type Fault string

// Faults. Those of streams change nothing in other answers, except Reset, ResetMidway and Gzip.
const (
	SplitBytes      Fault = "split at every byte"
	CRLF            Fault = "lines end with CRLF"
	CR              Fault = "lines end with CR"
	Comments        Fault = "comments between events"
	BigEvent        Fault = "an event of 1 MiB"
	HugeEvent       Fault = "an event of 5 MiB"
	Stall           Fault = "silence after the first text until the client has gone"
	Reset           Fault = "reset before the headers"
	ResetMidway     Fault = "reset in the middle"
	EOFMidway       Fault = "end of the body in the middle of the text"
	EOFInEvent      Fault = "end of the body inside an event"
	NoTerminator    Fault = "finish reason, but no [DONE]"
	NoBlankLine     Fault = "no blank line behind [DONE]"
	Gzip            Fault = "gzip, asked for or not"
	Junk            Fault = "junk behind [DONE]"
	ErrorFirst      Fault = "200 with an error as the first event"
	ErrorMidway     Fault = "an error event after some text"
	NotJSON         Fault = "an answer that is not JSON"
	IgnoresStream   Fault = "a JSON answer although a stream was asked for"
	NothingButEnd   Fault = "an empty body"
	MultilineData   Fault = "events of several data lines"
	ByteOrderMark   Fault = "a byte order mark before the first event"
	WhitespaceJSON  Fault = "JSON with white space of its own"
	UnknownMembers  Fault = "members that nobody knows"
	InterleavedPing Fault = "named ping events between chunks"
)

// Request is one request as it arrived.
type Request struct {
	Method, Path, Query string
	Header              http.Header
	Body                []byte
}

// Server is a running provider.
type Server struct {
	URL string // base; OpenAI's API is at URL + "/v1", Azure's resource at URL

	mu       sync.Mutex
	changed  *sync.Cond // of gone
	answers  []Answer
	served   int
	gone     int
	requests []Request
	done     chan struct{}
}

// Start starts a provider that ends with the test. Without answers it gives the zero Answer.
func Start(t testing.TB, answers ...Answer) *Server {
	t.Helper()
	s := &Server{answers: answers, done: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = server.URL
	t.Cleanup(func() {
		close(s.done)
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

// Requests returns what was asked so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Last returns the last request; it fails the test when there was none.
func (s *Server) Last(t testing.TB) Request {
	t.Helper()
	all := s.Requests()
	if len(all) == 0 {
		t.Fatal("llmtest: nothing was asked")
	}
	return all[len(all)-1]
}

// AwaitGone waits until n clients have left before their answer was complete.
func (s *Server) AwaitGone(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.gone < n {
		s.changed.Wait()
	}
}

// Set replaces the answers of the requests that come now.
func (s *Server) Set(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers, s.served = answers, 0
}

func (s *Server) next(r *http.Request, body []byte) Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Clone(), body})
	s.served++
	if len(s.answers) == 0 {
		return Answer{}
	}
	return s.answers[min(s.served, len(s.answers))-1]
}

// question is what the provider reads of a request.
type question struct {
	Model         string `json:"model"`
	Stream        bool   `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Input          any    `json:"input"`
	EncodingFormat string `json:"encoding_format"`
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		return
	}
	a := s.next(r, body)
	if a.Fault == Reset {
		reset(w)
		return
	}
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	if a.Azure {
		azureHeaders(w.Header())
	}
	var q question
	switch err := json.Unmarshal(body, &q); {
	case a.Status != 0 && a.Status != http.StatusOK:
		a.refuse(w)
	case err != nil:
		Answer{Status: http.StatusBadRequest}.refuse(w)
	case q.Input != nil:
		a.embed(w, q)
	case q.Stream && a.Fault != IgnoresStream:
		p := player{a: a, q: q, w: w, r: r, done: s.done}
		if !p.play() {
			s.mu.Lock()
			s.gone++
			s.changed.Broadcast()
			s.mu.Unlock()
		}
	default:
		a.whole(w, q)
	}
}

func azureHeaders(h http.Header) {
	h.Set("Apim-Request-Id", "5f0e7c9e-6a3c-4e2e-9a68-000000000001")
	h.Set("X-Ms-Region", "Sweden Central")
	h.Set("X-Ratelimit-Remaining-Requests", "499")
	h.Set("X-Ratelimit-Remaining-Tokens", "49991")
	h.Set("X-Ms-Deployment-Name", "gpt-4o-prod")
}

// reset closes the connection so that the client sees a reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
