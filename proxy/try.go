package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Causes with which a try is cancelled by us.
var (
	errHeaderTimeout = errors.New("no answer in time")
	errIdleTimeout   = errors.New("no bytes in time")
	errTotalTimeout  = errors.New("exchange took too long")
	errDone          = errors.New("exchange ended")
)

const (
	maxRedirects = 3
	maxUnchanged = 2        // of FollowUnchanged
	lookBytes    = 64 << 10 // most that Inspect is shown
)

// try is one exchange with one backend, and the body of its answer.
type try struct {
	run   *run
	road  *road
	pass  pass
	began time.Time

	parent context.Context // of the call
	life   lifetime        // of this try: ends with the call's, and earlier
	place  place           // in the line of those that wait for headers, then for the whole exchange
	timer  *time.Timer     // out of the line, whose time is not this try's; nil: it is in it
	idle   *time.Timer     // streams: silence

	resp   *http.Response
	err    *Error // no answer
	status int    // the answer's, or what its first event stands for
	told   time.Duration
	failed bool // another try might do better
	unsent bool // the connection was never made

	first  []byte // read ahead by Inspect
	ahead  error  // what reading ahead ended with
	stream bool

	decided sync.Once // the breaker learns once
	closed  sync.Once
}

// try sends the call to one backend.
func (r *run) try(ctx context.Context, road *road, p pass, now time.Time) *try {
	t := &r.firstTry
	if r.attempts > 0 {
		t = &try{}
	}
	t.run, t.road, t.pass, t.began, t.parent = r, road, p, now, ctx
	r.attempts++
	r.last = t
	t.life.Context = ctx
	t.place.life, t.place.cause = &t.life, errHeaderTimeout
	if left := r.start.Add(road.total).Sub(now); left < road.header {
		t.place.cause = errTotalTimeout
		t.life.listen()
		t.time(left)
	} else {
		road.vigil.add(&t.place, now)
	}
	road.core.inFlight.Add(1)
	t.send()
	answered := r.p.deps.Now()
	t.judge(answered)
	t.observe(answered)
	return t
}

// time gives the try a time of its own.
func (t *try) time(left time.Duration) {
	t.timer = time.AfterFunc(left, func() { t.life.end(context.Canceled, t.place.cause) })
}

// untime takes the try's time away.
func (t *try) untime() {
	if t.timer != nil {
		t.timer.Stop()
		return
	}
	t.road.vigil.remove(&t.place)
}

// send builds, cleans, signs and sends the request, and follows redirects where the call asks for that.
func (t *try) send() {
	for hops := 0; ; hops++ {
		req, err := t.request()
		if err != nil {
			t.err = t.buildError(err)
			return
		}
		if hops > 0 {
			req.URL = t.resp.Request.URL
		}
		if err := t.road.core.credential.attach(&t.life, req); err != nil {
			closeBody(req)
			t.err = t.credentialError(err)
			return
		}
		resp, err := t.road.core.transport.RoundTrip(req) //nolint:bodyclose // t is its reader
		if err != nil {
			t.err = t.fault(err)
			return
		}
		t.resp, t.status = resp, resp.StatusCode
		t.run.reached = true
		if resp.Request == nil {
			resp.Request = req
		}
		if !t.follows(req, hops) || !t.redirected(req) {
			return
		}
	}
}

// request is what Build made, with nothing on it that may not pass.
func (t *try) request() (*http.Request, error) {
	call, b := t.run.call, t.road.backend
	req, err := call.Build(&t.life, b)
	if err != nil {
		return nil, err
	}
	if !b.sameOrigin(req) {
		closeBody(req)
		return nil, &Error{Kind: Internal, Code: "internal_error", Type: "server_error", Msg: "The gateway failed. Try again later.",
			Err: fmt.Errorf("request would leave the origin of backend %s", b.Name)} // CR-7
	}
	h := t.run.p.hygiene
	if req.Header == nil {
		req.Header = http.Header{}
	}
	theirs := first(req.Header, "User-Agent")
	var cookies []string
	if call.DeclaredCookies {
		cookies = req.Header["Cookie"]
	}
	h.carry(req.Header, call.Request.Header, call.Surface, t.road.forward)
	h.clean(req.Header, call.Surface, t.road.forward)
	if len(cookies) > 0 {
		req.Header["Cookie"] = cookies
	}
	call.Shape.apply(req.Header)
	ours := [...]string{t.run.p.agent, call.ID}
	if theirs != "" && call.Surface == MCP {
		ours[0] = theirs + " " + t.run.p.agent // a relay tells both
	}
	req.Header["User-Agent"] = ours[:1:1]
	if call.ID != "" {
		req.Header["X-Request-Id"] = ours[1:]
	}
	delete(req.Header, "Accept-Encoding") // ours: the transport asks for gzip and undoes it (HH-3)
	req.Host = ""
	return req, nil
}

// follows reports whether the call wants a 3xx followed.
func (t *try) follows(req *http.Request, hops int) bool {
	call := t.run.call
	switch t.resp.StatusCode {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if call.FollowUnchanged {
			return hops < maxUnchanged
		}
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
	default:
		return false
	}
	return call.FollowSameOrigin && hops < maxRedirects && (req.Method == http.MethodGet || req.Method == http.MethodHead)
}

// redirected goes on where a 3xx points to: only at the backend's own origin, so that the credential stays there.
func (t *try) redirected(req *http.Request) bool {
	to, err := req.URL.Parse(t.resp.Header.Get("Location"))
	if err != nil || t.resp.Header.Get("Location") == "" {
		return false
	}
	next := &http.Request{URL: to}
	if !t.road.backend.sameOrigin(next) {
		return false
	}
	_ = t.resp.Body.Close()
	t.resp.Request = next
	return true
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

func (t *try) buildError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if t.parent.Err() != nil {
		return t.fault(err)
	}
	return &Error{Kind: Invalid, Code: "invalid_request", Type: "invalid_request_error",
		Msg: "The request cannot be sent as it is.", Err: fmt.Errorf("build request: %w", err)}
}

func (t *try) credentialError(err error) *Error {
	if t.life.Err() != nil {
		return t.fault(err)
	}
	t.unsent = true
	return &Error{Kind: Credential, Code: "upstream_auth_failed", Type: "upstream_error", Err: fmt.Errorf("attach credential: %w", err),
		Msg: "The gateway could not get a credential for the upstream. Try again later."}
}

// fault says what an error of the exchange means: the caller has gone, time is over, or the backend failed.
func (t *try) fault(err error) *Error {
	e := &Error{Type: "upstream_error", Backend: t.road.backend.Name, Attempts: t.run.attempts, Err: err}
	cause := t.life.why()
	switch {
	case errors.Is(context.Cause(t.parent), ErrShutdown):
		e.Kind, e.Code, e.Msg = Cancelled, codeShutdown, "The gateway is restarting. Try again in a moment."
	case t.parent.Err() != nil && !errors.Is(context.Cause(t.parent), context.DeadlineExceeded):
		e.Kind, e.Code, e.Msg = Cancelled, "client_gone", "The caller has gone."
	case cause != nil:
		e.Kind, e.Code, e.Msg = Timeout, "upstream_timeout", "The upstream did not answer in time. Try again later."
		e.Err = cause
	default:
		e.Kind, e.Code, e.Msg = Unreachable, "upstream_error", "The upstream could not be reached. Try again later."
		t.unsent = neverConnected(err)
	}
	t.run.reached = t.run.reached || !t.unsent
	return e
}

// neverConnected reports whether an error came before the first byte of a request could leave.
func neverConnected(err error) bool {
	var dial *dialError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &dial) || errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &authority) || strings.Contains(err.Error(), "TLS handshake timeout")
}
