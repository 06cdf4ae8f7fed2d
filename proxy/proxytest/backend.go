// Package proxytest is a backend that plays what a test scripts: statuses in turn, delays, silence, resets, bodies that
// drip or end early. It records what it was asked.
//
//	New(t, steps…) ─ httptest server ─ one Step per request, the last one repeats ─▶ Requests()
//	InMemory(t, steps…) ─ the same over net.Pipe, for synctest bubbles ─▶ Transport()
package proxytest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Step is how one request is answered. The zero value is 200 with an empty body.
type Step struct {
	Status int               // 0 means 200
	Header map[string]string // of the answer
	Body   string
	Chunks []string // flushed one by one, after Body

	Delay time.Duration   // before the headers
	Drip  time.Duration   // before each chunk
	Hang  bool            // no headers until the client has gone
	Stall bool            // after the body: silence until the client has gone
	Gate  <-chan struct{} // headers wait until it is closed

	ResetBeforeHeaders bool // the connection is reset instead of an answer
	ResetMidBody       bool // … after body and chunks
	CloseEarly         bool // the answer says that more bytes follow, and ends
}

// Request is one request as it arrived.
type Request struct {
	Method string
	URL    string // path and query
	Host   string
	Header http.Header
	Body   []byte
}

// Backend is a scripted server.
type Backend struct {
	URL string

	t        testing.TB
	server   *httptest.Server
	pipe     *pipeListener
	closed   chan struct{}
	mu       sync.Mutex
	changed  *sync.Cond
	steps    []Step
	served   int
	gone     int
	requests []Request
}

// New starts a backend on a loopback port that ends with the test. Without steps every answer is an empty 200.
func New(t testing.TB, steps ...Step) *Backend {
	t.Helper()
	b := &Backend{t: t, steps: steps, closed: make(chan struct{})}
	b.changed = sync.NewCond(&b.mu)
	b.server = httptest.NewServer(http.HandlerFunc(b.serve))
	b.URL = b.server.URL
	t.Cleanup(b.Close)
	return b
}

// InMemory starts a backend that only Transport reaches, over net.Pipe: usable inside testing/synctest.
func InMemory(t testing.TB, steps ...Step) *Backend {
	t.Helper()
	b := &Backend{t: t, steps: steps, closed: make(chan struct{}), URL: "http://backend.test", pipe: newPipeListener()}
	b.changed = sync.NewCond(&b.mu)
	server := &http.Server{Handler: http.HandlerFunc(b.serve)} //nolint:gosec // in memory, no slow strangers
	go func() { _ = server.Serve(b.pipe) }()
	b.server = &httptest.Server{Config: server, Listener: b.pipe}
	t.Cleanup(b.Close)
	return b
}

// Close stops the backend and lets what hangs go. It runs by itself at the end of the test.
func (b *Backend) Close() {
	b.mu.Lock()
	select {
	case <-b.closed:
		b.mu.Unlock()
		return
	default:
		close(b.closed)
	}
	b.mu.Unlock() // what hangs takes the lock as it leaves
	if b.pipe != nil {
		_ = b.server.Config.Close()
		return
	}
	b.server.CloseClientConnections()
	b.server.Close()
}

// Transport reaches the backend; for InMemory it is the only way.
func (b *Backend) Transport() *http.Transport {
	t := &http.Transport{MaxIdleConnsPerHost: 64}
	if b.pipe != nil {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return b.pipe.dial(ctx) }
	}
	b.t.Cleanup(t.CloseIdleConnections)
	return t
}

// Script replaces the steps still to come.
func (b *Backend) Script(steps ...Step) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.steps, b.served = steps, 0
}

// Requests returns what arrived so far.
func (b *Backend) Requests() []Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Request(nil), b.requests...)
}

// Count returns how many requests arrived so far.
func (b *Backend) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.requests)
}

// Gone returns how many clients left while they were made to wait.
func (b *Backend) Gone() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gone
}

// AwaitRequests waits until n requests have arrived. The test's own timeout ends it.
func (b *Backend) AwaitRequests(n int) { b.await(func() bool { return len(b.requests) >= n }) }

// AwaitGone waits until n clients have left while they were made to wait.
func (b *Backend) AwaitGone(n int) { b.await(func() bool { return b.gone >= n }) }

func (b *Backend) await(reached func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !reached() {
		b.changed.Wait()
	}
}

func (b *Backend) next(r *http.Request) Step {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, Request{
		Method: r.Method, URL: r.URL.RequestURI(), Host: r.Host, Header: r.Header.Clone(), Body: body,
	})
	b.changed.Broadcast()
	if len(b.steps) == 0 {
		return Step{}
	}
	s := b.steps[min(b.served, len(b.steps)-1)]
	b.served++
	return s
}
