package edge

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Outside writes what the gateway says about a request at an address of the edge's that never got here: it was misdirected,
// too long, or came while the gateway stops. Errors at these addresses are JSON-RPC's, whoever found the fault (mcp.md §3).
// It reports whether path is such an address.
func Outside(w http.ResponseWriter, path string, status int, text, requestID string) bool {
	if !strings.HasPrefix(path, "/mcp/") {
		return false
	}
	e := &Error{Code: CodeInvalidRequest, Msg: text}
	switch {
	case status == http.StatusInternalServerError:
		e.Code = CodeInternal
		e.Data, _ = json.Marshal(map[string]string{"requestId": requestID})
	case status > http.StatusInternalServerError || status == http.StatusTooManyRequests:
		e.Code = CodeServer
	}
	body := e.body([]byte("null"))
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Type", "application/json")
	head.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return true
}
