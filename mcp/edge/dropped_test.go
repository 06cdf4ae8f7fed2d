package edge

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Ten thousand streams are opened and dropped, by clients that leave in the middle: GET streams, subscriptions and calls of
// both eras. Nothing of them stays.
func TestDroppedStreamsLeaveNothing(t *testing.T) { // E11, E6
	const rounds, workers = 10_000, 16
	leaks := goleak.IgnoreCurrent()
	s := &server{handle: func(ctx context.Context, r *Request) (json.RawMessage, error) {
		r.Notify(json.RawMessage(`{"jsonrpc":"2.0","method":"notifications/message"}`), false) // makes it a stream
		if r.Modern {
			<-ctx.Done() // legacy calls go on without their client
		}
		return json.RawMessage(`{}`), nil
	}}
	h := newHandler(t, s, func(h *Handler) { h.Limits.ListensPerCaller = workers })
	l := &pipes{make(chan net.Conn), make(chan struct{})}
	var served atomic.Int64 // connections that are not closed yet
	web := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			served.Add(1)
		case http.StateClosed:
			served.Add(-1)
		}
	}}
	go func() { _ = web.Serve(timeless{l}) }()
	session := open(t, h, "alice")
	drop := func(i int) {
		r := modernRequestOver("x")
		switch i % 4 {
		case 0:
			r = getStream(session, "alice")
		case 1:
			r = modernRequest("subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
		case 2:
			r = legacy(session, `{"jsonrpc":"2.0","id":1,"method":"x"}`)
		}
		r.URL.Scheme, r.URL.Host = "http", "gw"
		_ = listenTo(t, l.dial(), r).conn.Close()
	}
	all := func(n int) {
		var wait sync.WaitGroup
		for w := range workers {
			wait.Go(func() {
				for i := w; i < n; i += workers {
					drop(i)
				}
			})
		}
		wait.Wait()
		for served.Load() > 0 || len(h.edge.hub.all()) > 0 || inFlight(&h.edge.calls) > 0 {
			runtime.Gosched()
		}
	}
	all(4 * maxTapes) // until the tapes of legacy calls, which are kept for a minute, are as many as they get
	before := heap()
	all(rounds)
	if after := heap(); after > before+2<<20 {
		t.Errorf("%d KiB of %d streams are left", (after-before)>>10, rounds)
	}
	_ = web.Close()
	goleak.VerifyNone(t, leaks)
}

// timeless are pipes without write deadlines: those of net.Pipe hold a connection that was closed until they are over.
type timeless struct{ *pipes }

func (l timeless) Accept() (net.Conn, error) {
	c, err := l.pipes.Accept()
	return timelessConn{c}, err
}

type timelessConn struct{ net.Conn }

func (timelessConn) SetWriteDeadline(time.Time) error { return nil }

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func inFlight(c *calls) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open) + len(c.long)
}
