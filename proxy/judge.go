package proxy

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// judge decides what the try means for the breaker and whether another might do better. now is when the answer came.
func (t *try) judge(now time.Time) {
	if t.err != nil {
		t.failed = t.err.Kind == Timeout || t.err.Kind == Unreachable || t.err.Kind == Credential
		t.blame(now)
		t.end()
		return
	}
	t.stream = isStream(t.resp.Header)
	if t.stream {
		t.untime()
		t.life.listen()
		if !t.run.call.Listen {
			t.time(t.run.start.Add(t.road.total).Sub(now)) // from here silence counts, not the whole (TO-2, TO-3)
		}
		t.look()
		if t.err != nil {
			t.failed = t.err.Kind != Cancelled
			t.blame(now)
			t.end()
			return
		}
	}
	t.told = toldWait(t.resp.Header, now)
	t.failed = t.failed || t.road.retry.statuses.has(t.status)
	if t.road.failures.has(t.status) {
		t.decide(true, now)
	} else if t.pass.probe {
		t.decide(false, now) // a probe is decided by its status (BR-8)
	}
}

// blames reports whether an error is the backend's: not that its caller left, nor that the caller's own time was over.
func (t *try) blames(e *Error) bool {
	return t.parent.Err() == nil && (e.Kind == Timeout || e.Kind == Unreachable)
}

// blame tells the breaker of an error that is the backend's.
func (t *try) blame(now time.Time) {
	if t.blames(t.err) {
		t.decide(true, now)
		return
	}
	t.undecided()
}

// decide tells the breaker, once.
func (t *try) decide(bad bool, now time.Time) {
	t.decided.Do(func() {
		if bad {
			t.road.fail(t.pass, now, t.told)
			return
		}
		t.road.succeed(t.pass, now)
	})
}

// undecided tells the breaker that the try says nothing about the backend.
func (t *try) undecided() { t.decided.Do(t.pass.undecided) }

// look shows the first bytes of a stream to the maker of the call (RE-3).
func (t *try) look() {
	inspect := t.run.call.Inspect
	if inspect == nil || t.resp.StatusCode != http.StatusOK {
		return
	}
	buf := make([]byte, 4<<10)
	for {
		n, err := t.read(buf)
		t.first = append(t.first, buf[:n]...)
		if err != nil && err != io.EOF { //nolint:errorlint // readers return io.EOF itself
			if len(t.first) == 0 {
				t.err = asError(err) // nothing was seen: as good as no answer
				return
			}
			t.ahead = err
			return
		}
		seen := inspect(t.resp.Header, t.first, err != nil)
		if seen.Failed {
			t.failed = true
			if t.status = seen.Status; t.status == 0 {
				t.status = http.StatusInternalServerError
			}
			t.failed = t.road.retry.statuses.has(t.status)
		}
		t.ahead = err
		if !seen.More || err != nil || len(t.first) >= lookBytes {
			return
		}
	}
}

func isStream(h http.Header) bool {
	const media = "text/event-stream"
	v := strings.TrimSpace(first(h, "Content-Type"))
	if len(v) < len(media) || !strings.EqualFold(v[:len(media)], media) {
		return false
	}
	rest := strings.TrimLeft(v[len(media):], " \t")
	return rest == "" || rest[0] == ';'
}

// retryable reports whether the call may be sent again (RE-6).
func (t *try) retryable(idempotent bool) bool {
	return t.unsent || idempotent || t.road.retry.unsafe
}

// unauthorized reports whether the backend refused a credential that can be renewed (CR-6).
func (t *try) unauthorized() bool {
	return t.err == nil && t.status == http.StatusUnauthorized && t.parent.Err() == nil &&
		t.retryable(t.run.call.Idempotent) && t.road.core.credential.refused()
}

// reason is why a try is followed by another, for metrics: a closed set.
func (t *try) reason() string {
	switch {
	case t.err == nil:
		return statusReason(t.status)
	case t.err.Kind == Timeout:
		return "timeout"
	case t.unsent:
		return "connect"
	default:
		return "reset"
	}
}

func statusReason(status int) string {
	switch status {
	case http.StatusTooManyRequests:
		return "429"
	case http.StatusRequestTimeout:
		return "408"
	default:
		return statusClass(status)
	}
}

func statusClass(status int) string {
	switch status / 100 {
	case 2:
		return "2xx"
	case 3:
		return "3xx"
	case 4:
		return "4xx"
	default:
		return "5xx"
	}
}

// observe tells who watches how the try went. answered is when its headers came.
func (t *try) observe(answered time.Time) {
	watch := t.run.p.deps.Observer
	if watch == nil {
		return
	}
	outcome := "reset"
	switch {
	case t.err == nil:
		outcome = statusClass(t.status)
	case t.err.Kind == Timeout:
		outcome = "timeout"
	case t.unsent:
		outcome = "refused"
	case t.err.Kind == Cancelled || t.err.Kind == Invalid || t.err.Kind == Internal:
		return // says nothing about the backend: the caller left, or nothing could be sent
	}
	if t.stream {
		answered = t.run.p.deps.Now() // its first bytes were waited for too
	}
	watch.Attempt(t.road.backend.Name, outcome, answered.Sub(t.began))
}
