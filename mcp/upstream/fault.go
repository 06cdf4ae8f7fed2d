package upstream

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// Texts for clients and models: what happened and never where. No host, port or dial error (§9.3).
const (
	unavailable = "upstream is unavailable"
	refusedOurs = "the gateway's credential for this upstream was refused"
	brokeOff    = "the connection to the upstream broke off"
	otherThing  = "upstream sent something that is not MCP"
)

// ErrEra says that the upstream does not speak the era it was addressed in, although it did before: ask Speaks again.
var ErrEra = errors.New("the upstream no longer speaks this era")

// What an upstream says by its status alone.
var (
	errNotFound   = errors.New("the upstream answered 404")
	errNotAllowed = errors.New("the upstream answered 405")
)

// LostSession reports whether an answer to a request in a session says that the upstream no longer knows the session. That is
// what 404 says. Many say it with 400 instead, and with words: servers made with older SDKs for Python, and the reference
// server "everything". What is wrong with the request itself has a code of its own.
func LostSession(status int, answer []byte) bool {
	if status != http.StatusBadRequest && status != http.StatusNotFound {
		return false
	}
	m, err := strictjson.Decode(answer, strictjson.Limits{Upstream: true})
	if err == nil {
		switch code(m) {
		case "-32000", "-32001", "-32600":
			text, _ := m.Text(m.Member(m.Error, "message"))
			answer = []byte(text)
		default:
			return false
		}
	}
	if status == http.StatusNotFound {
		return true
	}
	text := strings.ToLower(mcp.Clip(string(answer)))
	return strings.Contains(text, "session") || strings.Contains(text, "not initialized")
}

// Failed reports whether err is an upstream that gave no answer, with the text for whoever asked: a tool's caller gets it as
// a result, since models read those and hosts swallow protocol errors.
func Failed(err error) (text string, ok bool) {
	var e *edge.Error
	if errors.As(err, &e) && errors.Is(e.Err, errNoAnswer) {
		return e.Msg, true
	}
	return "", false
}

// errNoAnswer marks errors of Failed.
var errNoAnswer = errors.New("no answer of the upstream")

func failed(status int, text string, err error) *edge.Error {
	e := &edge.Error{Status: status, Code: edge.CodeServer, Msg: text, Err: errors.Join(errNoAnswer, err)}
	var road *proxy.Error
	if errors.As(err, &road) && road.RetryAfter > 0 {
		e.Header = http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(road.RetryAfter.Seconds())))}}
	}
	return e
}

// fault turns an error of the road into what the client sees.
func (l *Leg) fault(err error) error {
	var e *proxy.Error
	if !errors.As(err, &e) {
		var ours *edge.Error
		if errors.As(err, &ours) {
			return ours
		}
		return err
	}
	switch e.Kind {
	case proxy.Refused:
		return edge.Refused(e)
	case proxy.Cancelled, proxy.Internal:
		return e
	case proxy.Invalid:
		return &edge.Error{Code: edge.CodeInvalidParams, Msg: "the request could not be made from these arguments", Err: e}
	case proxy.Timeout:
		return failed(http.StatusGatewayTimeout, l.tooSlow(), e)
	case proxy.Credential:
		return failed(http.StatusBadGateway, refusedOurs, e)
	case proxy.Unavailable, proxy.Overloaded:
		return failed(http.StatusServiceUnavailable, unavailable, e)
	default:
		return failed(http.StatusBadGateway, unavailable, e)
	}
}

// broke is an answer that ended before its end; one that did not come in its time is no answer.
func (l *Leg) broke(err error) error {
	var e *proxy.Error
	if errors.As(err, &e) && e.Kind == proxy.Timeout {
		return failed(http.StatusGatewayTimeout, l.tooSlow(), err)
	}
	return &edge.Error{Status: http.StatusBadGateway, Code: edge.CodeServer, Msg: brokeOff, Err: err}
}

// streamBroke is broke for a stream: the client would have seen its beginning, so that the fault is a message and not a status
// (§9.3).
func (l *Leg) streamBroke(err error) error {
	e := l.broke(err)
	if e, ok := e.(*edge.Error); ok && e.Msg == brokeOff { //nolint:errorlint // it was made a line above
		e.Status = http.StatusOK
	}
	return e
}

func sessionEnded(err error) error {
	return failed(http.StatusBadGateway, "the upstream ended the session; try again", err)
}

func notMCP(what string) error {
	return &edge.Error{Status: http.StatusBadGateway, Code: edge.CodeServer, Msg: otherThing, Err: fmt.Errorf("the upstream's answer has %s", what)}
}

func busy(status int, retryAfter string) error {
	e := &edge.Error{Status: status, Code: edge.CodeServer, Msg: "the upstream is busy; try again later"}
	if retryAfter != "" {
		e.Header = http.Header{"Retry-After": {retryAfter}}
	}
	return e
}

func (l *Leg) tooSlow() string {
	if l.cfg.Timeout <= 0 {
		return "the upstream did not answer in time"
	}
	s := l.cfg.Timeout.Round(time.Millisecond).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return "the upstream did not answer within " + s
}
