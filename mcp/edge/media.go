package edge

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// checkContentType is row 7: a page can send forms and text/plain without asking first, JSON it cannot.
func checkContentType(h http.Header) error {
	values := h["Content-Type"]
	if len(values) != 1 {
		return refuse(http.StatusUnsupportedMediaType, CodeInvalidRequest, "Content-Type must be application/json")
	}
	if values[0] != "application/json" {
		kind, params, err := mime.ParseMediaType(values[0])
		if err != nil || kind != "application/json" {
			return refuse(http.StatusUnsupportedMediaType, CodeInvalidRequest, "Content-Type must be application/json")
		}
		if c, ok := params["charset"]; ok && !strings.EqualFold(c, "utf-8") {
			return refuse(http.StatusUnsupportedMediaType, CodeInvalidRequest, "charset must be utf-8")
		}
	}
	for _, v := range h["Content-Encoding"] {
		if !strings.EqualFold(strings.TrimSpace(v), "identity") {
			return refuse(http.StatusUnsupportedMediaType, CodeInvalidRequest, "Content-Encoding must be identity")
		}
	}
	return nil
}

// accepts reads Accept (row 8): which of the two forms of an answer the client takes. No header takes everything
// (RFC 9110 §12.5.1). Either wildcard of a type counts for that type.
func accepts(h http.Header) (jsonOK, stream bool) {
	values := h["Accept"]
	if len(values) == 0 {
		return true, true
	}
	for _, line := range values {
		if line == "application/json, text/event-stream" { // what nearly everybody sends
			return true, true
		}
		for part := range strings.SplitSeq(line, ",") {
			kind, params, _ := strings.Cut(part, ";")
			if quality(params) == 0 {
				continue
			}
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "*/*":
				return true, true
			case "application/json", "application/*":
				jsonOK = true
			case "text/event-stream", "text/*":
				stream = true
			}
		}
	}
	return jsonOK, stream
}

// asksForStream reports whether a GET names event streams; a wildcard is a browser or a probe (§2).
func asksForStream(h http.Header) bool {
	for _, line := range h["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			kind, params, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(kind), "text/event-stream") && quality(params) > 0 {
				return true
			}
		}
	}
	return false
}

// quality returns the q of a media range; 1 when there is none or it makes no sense.
func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		if q, err := strconv.ParseFloat(value, 64); err == nil {
			return q
		}
	}
	return 1
}

// readBody reads the whole request into one buffer (row 9, E12). The limit holds whatever Content-Length says.
func (x *exchange) readBody() ([]byte, error) {
	limit := x.limits.MCPBody
	if x.r.ContentLength > limit {
		return nil, x.tooLarge()
	}
	size := 2 << 10
	if x.r.ContentLength > 0 {
		size = int(x.r.ContentLength)
	}
	body := make([]byte, 0, size+1)
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := x.r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if int64(len(body)) > limit {
			return nil, x.tooLarge()
		}
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return nil, refuse(http.StatusBadRequest, CodeParse, "the request was cut short")
		}
	}
}

// tooLarge reads on for a moment and throws it away: a client that is still sending would else see a broken connection
// in place of the answer.
func (x *exchange) tooLarge() error {
	if x.r.Header.Get("Expect") == "" { // who asks first has sent nothing yet
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(2 * time.Second))
		_, _ = io.CopyN(io.Discard, x.r.Body, 4*x.limits.MCPBody)
	}
	x.w.Header().Set("Connection", "close")
	return refuse(http.StatusRequestEntityTooLarge, CodeInvalidRequest, "the request is larger than %s", size(x.limits.MCPBody))
}

func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
