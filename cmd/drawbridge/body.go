package main

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// A body comes at least this fast (operations.md §14). What counts is time in which the handler waits for it: one that is
// sent on while it comes is as slow as where it goes.
const (
	bodyRate   = 1 << 10         // bytes a second
	rateWithin = 5 * time.Second // of waiting, over which the rate is taken
)

// timedBody ends a body that takes too long, or comes too slowly. The time starts at the first read and is over at the end of the body, so that
// the stream that may follow as an answer has all the time it needs. A timer that is stopped in time costs a tenth of
// moving the connection's deadline to and fro.
type timedBody struct {
	io.ReadCloser
	w     http.ResponseWriter
	limit time.Duration

	mu     sync.Mutex
	taken  int64         // bytes so far
	waited time.Duration // for them, all reads together that have ended
	since  time.Time     // of the read under way; zero: there is none
	mark   struct {      // when the rate was taken last
		taken  int64
		waited time.Duration
	}
	timer *time.Timer // nil: not read from yet
	start time.Time
	done  bool // nothing more is read: the end was reached, or the handler has returned
	late  bool // the connection's deadline was set
}

func (b *timedBody) Read(p []byte) (int, error) {
	b.begin()
	n, err := b.ReadCloser.Read(p)
	b.came(n)
	if err != nil && b.end(err == io.EOF) { //nolint:errorlint // readers return io.EOF itself
		if w, ok := b.w.(*echo.Response); ok {
			w.Before(func() { timedOut(w) })
		}
	}
	return n, err
}

// timedOut makes the refusal of a body that came too slowly, whatever the handler took it for, a 408 (operations.md §14).
func timedOut(w *echo.Response) {
	if w.Status >= http.StatusBadRequest {
		w.Status = http.StatusRequestTimeout
		w.Header().Set("Connection", "close")
	}
}

func (b *timedBody) Close() error {
	b.end(false)
	return b.ReadCloser.Close()
}

func (b *timedBody) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since = time.Now()
	if b.timer == nil {
		b.start, b.timer = b.since, time.AfterFunc(min(b.limit, time.Second), b.check)
	}
}

func (b *timedBody) came(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken += int64(n)
	b.waited += time.Since(b.since)
	b.since = time.Time{}
}

// check runs each second of a body that takes that long.
func (b *timedBody) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done || b.late {
		return
	}
	left := b.limit - time.Since(b.start)
	if left <= 0 || b.trickles() {
		b.late = true
		b.deadline(time.Unix(1, 0))
		return
	}
	b.timer.Reset(min(left, time.Second))
}

// trickles reports whether the body came too slowly while it was waited for. mu is held.
func (b *timedBody) trickles() bool {
	waited := b.waited
	if !b.since.IsZero() {
		waited += time.Since(b.since)
	}
	over, came := waited-b.mark.waited, b.taken-b.mark.taken
	if over < rateWithin {
		return false
	}
	b.mark.waited, b.mark.taken = waited, b.taken
	return float64(came) < bodyRate*over.Seconds()
}

// end ends the watch and reports whether the body was cut. Then the connection's deadline stays: the server would wait
// without end for the rest of the body before it sent the answer.
func (b *timedBody) end(whole bool) (cut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stop()
	if b.late && whole {
		b.late = false
		b.deadline(time.Time{})
	}
	return b.late
}

// leave is called when the handler has returned. The server reads on in a body that was not read to its end, for which
// the time that is left holds; it sets its own deadline before the next request.
func (b *timedBody) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return
	}
	if b.timer == nil {
		b.start = time.Now()
	}
	b.stop()
	b.deadline(b.start.Add(b.limit))
}

// stop makes sure that the timer does nothing any more: the next request on this connection is another one's.
func (b *timedBody) stop() {
	b.done = true
	if b.timer != nil {
		b.timer.Stop()
	}
}

// deadline ignores that not every writer has one; then the header timeout is all there is.
func (b *timedBody) deadline(t time.Time) {
	_ = http.NewResponseController(b.w).SetReadDeadline(t)
}
