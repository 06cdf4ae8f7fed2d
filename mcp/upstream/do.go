package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// Do sends one request and returns its answer, which has Result or Error. Faults of the upstream are *edge.Error (§9.3); when
// ctx ends, the upstream is told and its exchange is aborted.
func (l *Leg) Do(ctx context.Context, r *Request) (*strictjson.Message, error) {
	if r.Modern {
		return l.doModern(ctx, r)
	}
	return l.doLegacy(ctx, r)
}

// doModern is a POST that stands alone. Closing it is cancelling (S26).
func (l *Leg) doModern(ctx context.Context, r *Request) (*strictjson.Message, error) {
	m, err := message(l.nextID(), r.Method, r.Params)
	if err != nil {
		return nil, err
	}
	m = l.addressed(m, r.On, true)
	s := &sending{l: l, on: r.On, http: http.MethodPost, m: m, tool: r.Tool, header: l.modernHeaders(ctx, r, m), quiet: unpoliced(r.Method)}
	w, err := l.open(ctx, s.call(ctx))
	if err != nil {
		return nil, err
	}
	answer, err := w.answerTo(m, r.Notify, nil)
	w.close(answer != nil)
	if err != nil {
		return nil, l.final(ctx, err)
	}
	if code(answer) == "-32022" { // what was known of the upstream is no longer true (§16.1, U2)
		l.ForgetEra()
		return nil, ErrEra
	}
	return answer, nil
}

// unpoliced are messages that keep a connection or read lists: not work, and a bridge answers them without policies, too.
func unpoliced(method string) bool {
	switch method {
	case "initialize", "ping", "server/discover", "logging/setLevel", "subscriptions/listen", "resources/subscribe", "resources/unsubscribe",
		"tools/list", "prompts/list", "resources/list", "resources/templates/list":
		return true
	}
	return false
}

// answerTo reads messages until the answer to m has come. Questions are handed to asked, which must not block; nil: there
// are none in this era.
func (w *wire) answerTo(m *strictjson.Message, notify func(*strictjson.Message), asked func(*strictjson.Message)) (*strictjson.Message, error) {
	if none, err := w.begin(); err != nil {
		return nil, err
	} else if none {
		return nil, notMCP("no message")
	}
	for {
		got, err := w.next()
		if err != nil {
			return nil, err
		}
		switch {
		case got.Kind == strictjson.Response && (bytes.Equal(got.Bytes(got.ID), m.Bytes(m.ID)) || w.events == nil):
			return got, nil
		case got.Kind == strictjson.Notification:
			w.l.heard(got)
			if notify != nil {
				notify(got)
			}
		case got.Kind == strictjson.Request && asked != nil:
			asked(got)
		}
	}
}

// final is what a reader's error means to whoever waited for an answer.
func (l *Leg) final(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.EOF):
		return l.streamBroke(io.ErrUnexpectedEOF)
	case errors.Is(err, errNoEndpoint):
		var e *edge.Error
		if !errors.As(err, &e) {
			return notMCP("no stream of 2024-11-05: " + err.Error())
		}
	case errors.Is(err, errSessionGone): // before it began
		return sessionEnded(err)
	case errors.Is(err, errNotFound):
		return notMCP("status 404")
	case errors.Is(err, errNotAllowed):
		return notMCP("status 405")
	}
	return err
}

// code returns the code of an answer's error as it is written; "" without one.
func code(m *strictjson.Message) string {
	if m == nil {
		return ""
	}
	return string(m.Bytes(m.Member(m.Error, "code")))
}

// heard looks at what belongs to no request: a list that changed is no longer kept (T3).
func (l *Leg) heard(m *strictjson.Message) {
	what := ""
	switch m.Method {
	case "notifications/tools/list_changed":
		what = "tools/list"
	case "notifications/prompts/list_changed":
		what = "prompts/list"
	case "notifications/resources/list_changed":
		what = "resources/"
	default:
		return
	}
	l.forgetLists(what)
}

// Error makes an *edge.Error of an answer's error: code, message and data as the upstream wrote them.
func Error(m *strictjson.Message) *edge.Error {
	e := &edge.Error{Code: edge.CodeInternal, Msg: otherThing}
	if n, ok := integer(m.Bytes(m.Member(m.Error, "code"))); ok {
		e.Code = n
	}
	if text, ok := m.Text(m.Member(m.Error, "message")); ok {
		e.Msg = text
	}
	if data := m.Member(m.Error, "data"); data.Present() {
		e.Data = bytes.Clone(m.Bytes(data))
	}
	return e
}

func integer(b []byte) (int, bool) {
	n, sign := 0, 1
	if len(b) > 0 && b[0] == '-' {
		sign, b = -1, b[1:]
	}
	if len(b) == 0 || len(b) > 9 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return sign * n, true
}
