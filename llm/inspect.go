package llm

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
	"github.com/drawbridge-mcp/drawbridge/llm/internal/sse"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// inspect tells whether a stream begins with an error, while it can still be tried elsewhere (RE-3). A comment is a sign
// of life: a caller should not wait for what a provider thinks about.
func inspect(_ http.Header, first []byte, end bool) proxy.Look {
	e, err := sse.NewReader(bytes.NewReader(first)).Next()
	switch {
	case err != nil && end:
		return proxy.Look{Failed: true, Status: http.StatusBadGateway} // it ended before it began
	case err != nil || e.Partial && !end:
		return proxy.Look{More: true}
	}
	failed := e.Name == "error"
	status := http.StatusInternalServerError
	_ = jsonscan.Members(e.Data, func(key, value []byte) error { // what is no JSON is no error either
		if string(key) == "error" && !jsonscan.IsNull(value) {
			failed, status = true, statusOf(value)
		}
		return nil
	})
	if !failed {
		return proxy.Look{}
	}
	return proxy.Look{Failed: true, Status: status}
}

// statusOf is the HTTP status that an error object stands for.
func statusOf(raw []byte) int {
	status := http.StatusInternalServerError
	if raw[0] != '{' {
		return status
	}
	_ = jsonscan.Members(raw, func(key, value []byte) error { // raw was walked with what it is in
		switch string(key) {
		case "code", "type", "status":
			if n, ok := jsonscan.Int(value); ok && n >= 400 && n <= 599 {
				status = n
			} else if strings.Contains(jsonscan.Text(value), "rate_limit") {
				status = http.StatusTooManyRequests
			}
		}
		return nil
	})
	return status
}
