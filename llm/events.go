package llm

import (
	"net/http"
	"sync"
	"time"
)

// events writes an event stream to a caller. Besides the handler, a timer writes: the comment line that keeps idle
// connections open (ST-5). Only whole events are written, so it never comes between the bytes of one.
type events struct {
	mu        sync.Mutex
	w         http.ResponseWriter
	rc        *http.ResponseController
	head      func() // sets the headers; called once, before the first byte
	committed bool
	closed    bool
	written   int64
	err       error // of the first write that failed: the caller has gone

	stalled  time.Duration
	deadline time.Time // until when the caller has to take something; renewed at most once a second
	ping     *time.Timer
	every    time.Duration
}

func (c *completion) newEvents(head func()) *events {
	e := &events{w: c.w, rc: http.NewResponseController(c.w), head: head, stalled: c.limits.Stalled, every: c.limits.Ping}
	e.ping = time.AfterFunc(e.every, e.keepAlive)
	return e
}

// write sends one or more whole events; flush says that nothing follows at once.
func (e *events) write(raw []byte, flush bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ping.Reset(e.every)
	return e.send(raw, flush)
}

func (e *events) send(raw []byte, flush bool) error {
	if e.err != nil || e.closed {
		return e.err
	}
	e.commit()
	if now := time.Now(); e.deadline.Sub(now) < e.stalled-min(time.Second, e.stalled/2) {
		e.deadline = now.Add(e.stalled)
		_ = e.rc.SetWriteDeadline(e.deadline) // where there is no connection to a caller, none can stall
	}
	n, err := e.w.Write(raw)
	e.written += int64(n)
	if err == nil && flush {
		err = e.rc.Flush()
	}
	e.err = err
	return err
}

// commit sends status and headers (ST-2).
func (e *events) commit() {
	if e.committed {
		return
	}
	e.committed = true
	e.head()
	header := e.w.Header()
	header["Content-Type"] = []string{"text/event-stream"}
	header["Cache-Control"] = []string{"no-cache"}
	header["X-Accel-Buffering"] = []string{"no"}
	header.Del("Content-Length")
	e.w.WriteHeader(http.StatusOK)
}

// keepAlive writes the comment line after a silence.
func (e *events) keepAlive() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.err != nil {
		return
	}
	_ = e.send([]byte(": ping\n\n"), true) // kept in err
	e.ping.Reset(e.every)
}

// close ends the writing: the timer writes no more.
func (e *events) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.closed = true
		e.ping.Stop()
		if !e.deadline.IsZero() {
			_ = e.rc.SetWriteDeadline(time.Time{}) // the next request on the connection has its own
		}
	}
}

// abandon closes a stream of which the caller has got nothing, so that an error can be answered in its place.
func (e *events) abandon() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.committed {
		return false
	}
	e.closed = true
	e.ping.Stop()
	return true
}

// failed reports whether a write failed.
func (e *events) failed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err != nil
}

func (e *events) sent() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.written
}
