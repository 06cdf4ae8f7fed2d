package edge

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// errAnswered says that the answer has been written already.
var errAnswered = errors.New("answered")

// fail is the one place where errors become answers, and are logged.
func (x *exchange) fail(err error) {
	e := x.asError(err)
	for name, values := range e.Header {
		x.w.Header()[name] = values
	}
	x.note(e)
	if e.Result != nil && x.message != nil {
		x.writeResult(e.Result)
		return
	}
	if e.OAuth != "" {
		body, _ := json.Marshal(map[string]string{"error": e.OAuth, "error_description": e.Msg})
		x.writeJSON(e.status(x.modern), body)
		return
	}
	x.writeJSON(e.status(x.modern), x.errorBody(e))
}

// asError turns what a server or a row returned into what the client may know.
func (x *exchange) asError(err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: CodeInternal, Msg: "internal error", Err: err}
	}
	if e.Code == CodeInternal && e.Data == nil && !e.Upstream {
		shown := *e
		shown.Data, _ = json.Marshal(map[string]string{"requestId": identity.RequestID(x.r.Context())})
		e = &shown
	}
	return e
}

func (x *exchange) note(e *Error) {
	facts := identity.RequestFrom(x.r.Context())
	facts.Note(slog.Int("rpc_code", e.Code))
	left := x.r.Context().Err() != nil && errors.Is(e.Err, context.Canceled) // which is no fault of ours
	if e.Code == CodeInternal && !e.Upstream && !left {
		x.log.ErrorContext(x.r.Context(), "mcp request failed", "server", x.name, "request_id", identity.RequestID(x.r.Context()), "err", e.Error())
	}
}

// errorBody is the JSON-RPC error; its id is the request's once the message was read (row 10), else null.
func (x *exchange) errorBody(e *Error) []byte { return e.body(x.id()) }

func (e *Error) body(id []byte) []byte {
	b := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	b = append(b, `,"error":{"code":`...)
	b = strconv.AppendInt(b, int64(e.Code), 10)
	b = append(b, `,"message":`...)
	text, _ := json.Marshal(e.Msg)
	b = append(b, text...)
	if e.Data != nil {
		b = append(b, `,"data":`...)
		b = append(b, e.Data...)
	}
	return append(b, "}}"...)
}

func (x *exchange) id() []byte {
	if x.message != nil {
		if id := x.message.Bytes(x.message.ID); id != nil {
			return id
		}
	}
	return []byte("null")
}

const resultHead = `{"jsonrpc":"2.0","id":`

// pages are what small answers are put together in, which are written before the page is used again. An empty pool changes
// no answer.
var pages = sync.Pool{New: func() any { page := make([]byte, 0, smallBytes+1<<10); return &page }}

// writeResult writes the answer around the bytes of the result, which are not copied.
func (x *exchange) writeResult(result []byte) {
	id := x.id()
	const middle = `,"result":`
	x.jsonHeaders(len(resultHead) + len(id) + len(middle) + len(result) + 1)
	x.w.WriteHeader(http.StatusOK)
	page := pages.Get().(*[]byte)
	defer pages.Put(page)
	start := append(append(append((*page)[:0], resultHead...), id...), middle...)
	// Small results go out in one write; a long list is not copied.
	if len(result) < smallBytes {
		_, _ = x.w.Write(append(append(start, result...), '}'))
		return
	}
	s := newWriter(x.w, nil)
	defer s.release()
	to := patient{s}
	_, _ = to.Write(start)
	_, _ = to.Write(result)
	_, _ = to.Write([]byte{'}'})
}

func (x *exchange) resultBody(result []byte) []byte {
	b := make([]byte, 0, len(result)+len(resultHead)+64)
	b = append(append(b, resultHead...), x.id()...)
	b = append(append(b, `,"result":`...), result...)
	return append(b, '}')
}

func (x *exchange) writeJSON(status int, body []byte) {
	x.jsonHeaders(len(body))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body)
	}
}

// jsonHeaders are those of an answer that is one JSON document of this length.
func (x *exchange) jsonHeaders(length int) {
	x.eraHeader()
	head := x.w.Header()
	head["Content-Type"] = typeJSON
	head["Content-Length"] = x.value(1, strconv.Itoa(length))
}

// eraHeader names the revision on answers to initialize and to modern requests (mcp.md §3).
func (x *exchange) eraHeader() {
	if x.revision != "" && (x.modern || x.message != nil && x.message.Method == "initialize") {
		x.w.Header()[versionHeader] = x.value(2, x.revision)
	}
}
