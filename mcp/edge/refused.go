package edge

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// Refused is what a policy said, with the time to wait in the error and in the header (mcp.md §17).
func Refused(e *proxy.Error) *Error {
	h := e.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	data := map[string]any{}
	if e.Code != "" {
		data["code"] = e.Code
	}
	if e.RetryAfter > 0 {
		data["retryAfter"] = seconds(e.RetryAfter)
		h.Set("Retry-After", strconv.Itoa(seconds(e.RetryAfter)))
	}
	raw, _ := json.Marshal(data)
	return &Error{Code: CodeServer, Status: e.HTTPStatus(), Msg: e.Msg, Data: raw, Header: h, Err: e.Err}
}

// seconds rounds up: a client that waits so long is not too early.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
