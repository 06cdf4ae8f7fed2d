package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

var errNotRead = errors.New("body was closed")

// Read hands the answer's bytes through as they come. Errors are *Error, apart from io.EOF; a broken stream counts for
// the breaker.
func (t *try) Read(p []byte) (int, error) {
	if len(t.first) > 0 {
		n := copy(p, t.first)
		t.first = t.first[n:]
		return n, nil
	}
	if t.ahead != nil {
		return 0, t.ahead
	}
	return t.read(p)
}

func (t *try) read(p []byte) (int, error) {
	watched := t.stream && !t.run.call.Listen
	if watched {
		t.watchSilence()
	}
	n, err := t.resp.Body.Read(p)
	if watched {
		t.idle.Stop()
	}
	if err == nil || err == io.EOF { //nolint:errorlint // readers return io.EOF itself
		return n, err
	}
	if errors.Is(err, http.ErrBodyReadAfterClose) || errors.Is(t.life.why(), errDone) {
		return n, errNotRead
	}
	e := t.fault(err)
	if e.Kind == Unreachable {
		e.Msg = "The upstream's answer ended early. Try again later."
	}
	if t.blames(e) {
		t.broken()
	}
	return n, e
}

// watchSilence starts the idle clock for one read (TO-3).
func (t *try) watchSilence() {
	if t.idle == nil {
		t.idle = time.AfterFunc(t.road.idle, func() { t.life.end(context.Canceled, errIdleTimeout) })
		return
	}
	t.idle.Reset(t.road.idle)
}

// broken: the backend did not keep up the answer it began. Where its headers already decided a probe, this is one more
// failure.
func (t *try) broken() {
	told := false
	now := t.run.p.deps.Now()
	t.decided.Do(func() { told = true; t.road.fail(t.pass, now, 0) })
	if !told && t.pass.probe {
		t.road.fail(pass{b: t.pass.b}, now, 0)
	}
}

// Close ends the exchange and frees what it holds. Closing before the end of the body stops the backend.
func (t *try) Close() error { t.end(); return nil }

func (t *try) end() {
	t.closed.Do(func() {
		t.untime()
		if t.idle != nil {
			t.idle.Stop()
		}
		if t.resp != nil {
			_ = t.resp.Body.Close()
		}
		t.life.finish()
		t.road.core.inFlight.Add(-1)
	})
}

// ended is told how the whole call ended: a stream without its terminator is known only to whoever read it (ST-10).
func (t *try) ended(e Ending) {
	if e == EndError {
		t.end() // a reader that panicked closes nothing
	}
	if e == EndUpstreamError && t.err == nil && !t.failed && t.status < http.StatusBadRequest || e == EndTimeout && t.err == nil {
		t.broken()
		return
	}
	t.undecided()
}

// discard ends a try that is followed by another. A short rest is read, so that the connection can be used again.
func (t *try) discard() {
	if t.resp != nil && t.resp.ContentLength >= 0 && t.resp.ContentLength <= 16<<10 && !t.stream {
		_, _ = io.CopyN(io.Discard, t.resp.Body, 16<<10)
	}
	t.undecided()
	t.end()
}

// abandon ends the last try of a call that failed on our side.
func (t *try) abandon() { t.end() }
