package edge

import (
	"errors"
	"net/http"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// post takes one message through rows 7 to 12 of mcp.md §3 and has it served.
func (x *exchange) post() {
	if err := x.decode(); err != nil {
		x.fail(err)
		return
	}
	if err := x.chooseEra(); err != nil { // row 11
		x.fail(err)
		return
	}
	if !x.modern { // row 12
		if err := x.findSession(); err != nil {
			x.fail(err)
			return
		}
	}
	switch to, err := x.relays(); {
	case err != nil:
		x.fail(err)
		return
	case to != nil:
		x.relay(to)
		return
	}
	switch x.message.Kind {
	case strictjson.Request:
		x.request()
	case strictjson.Notification:
		x.notification()
	default: // an answer; whether anybody asked is not the client's to know
		x.questions.answer(x.session, x.message)
		x.accepted()
	}
}

// decode runs rows 7 to 10: the media types, the size, the strict decode.
func (x *exchange) decode() error {
	if err := checkContentType(x.r.Header); err != nil {
		return err
	}
	jsonOK, stream := accepts(x.r.Header)
	// A client of the old revisions that takes JSON only gets JSON; one that says it is modern must take both.
	if !jsonOK || !stream && isModern(x.r.Header.Get(versionHeader)) {
		return errNotAcceptable()
	}
	x.jsonOnly = !stream
	body, err := x.readBody()
	if err != nil {
		return err
	}
	x.message, err = Decode(body, x.limits)
	return err
}

// Decode reads one message of a client, strictly and once (mcp.md §4).
func Decode(body []byte, l Limits) (*Message, error) {
	m, err := strictjson.Decode(body, strictjson.Limits{Depth: l.JSONDepth, Members: l.JSONMembers})
	if err == nil {
		return m, nil
	}
	var bad *strictjson.Error
	if errors.As(err, &bad) {
		return nil, refuse(http.StatusBadRequest, bad.Code, "%s", bad.Msg)
	}
	return nil, err
}

func errNotAcceptable() error {
	return refuse(http.StatusNotAcceptable, CodeInvalidRequest, "Accept must cover application/json and text/event-stream")
}

func (x *exchange) accepted() {
	if x.old {
		x.oldAccepted()
		return
	}
	x.w.WriteHeader(http.StatusAccepted)
}

// request serves a message that wants an answer.
func (x *exchange) request() {
	switch {
	case x.message.Method == "initialize": // legacy: chooseEra refused it for modern clients
		x.initialize()
	case x.message.Method == "subscriptions/listen" && x.modern:
		x.listen()
	default:
		x.call()
	}
}

// notification takes a message that wants none. Unknown ones are ignored (JSON-RPC 2.0 §4.1).
func (x *exchange) notification() {
	if x.message.Method == "notifications/cancelled" && !x.modern {
		// A modern client cancels by closing the stream of the call: it has no session in which ids mean something, and
		// one client's id must never end another's call (E10).
		x.calls.cancel(x.session, callID(x.message, x.message.RequestID))
	}
	if to, ok := x.server.(Notified); ok {
		to.Notified(x.r.Context(), x.described())
	}
	x.accepted()
}

// callID is how a call is known inside its session: the decoded text, so that spelling an id differently does not make
// it another, apart from numbers.
func callID(m *Message, s strictjson.Span) string {
	if text, ok := m.Text(s); ok {
		return `"` + text
	}
	return string(m.Bytes(s))
}

// removed are the methods that 2026-07-28 no longer has (H11).
func removed(method string) bool {
	switch method {
	case "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe",
		"notifications/roots/list_changed", "tasks/result", "tasks/list":
		return true
	}
	return false
}

// named returns the value that Mcp-Name must equal for this method (H5).
func named(m *Message) (value strictjson.Span, member string, ok bool) {
	switch m.Method {
	case "tools/call", "prompts/get":
		return m.Name, "name", true
	case "resources/read":
		return m.URI, "uri", true
	case "tasks/get", "tasks/update", "tasks/cancel":
		return m.TaskID, "taskId", true
	}
	return strictjson.Span{}, "", false
}

func quotedList(values []string) string { return `"` + strings.Join(values, `","`) + `"` }
