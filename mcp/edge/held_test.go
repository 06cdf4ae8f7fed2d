package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// A tool call that no backend was asked about yet may still be refused: within a second that is a status, not an event of
// a stream that said 200 already. What a backend was asked, and what is no tool call, becomes a stream as ever (E1).
func TestACallThatMayBeRefusedIsNoStreamYet(t *testing.T) {
	for _, c := range []struct {
		name, method string
		sent         time.Duration // after the beginning; negative: never
		after        time.Duration
		status       int
		decided      time.Duration
	}{
		{"refused late", "tools/call", -1, 900 * time.Millisecond, http.StatusForbidden, 900 * time.Millisecond},
		{"refused too late", "tools/call", -1, 3 * time.Second, http.StatusOK, answerWithin + refusedWithin},
		{"refused by the backend", "tools/call", 0, 60 * time.Millisecond, http.StatusOK, answerWithin},
		{"asked late", "tools/call", 220 * time.Millisecond, time.Second, http.StatusOK, 250 * time.Millisecond},
		{"no tool call", "x", -1, 60 * time.Millisecond, http.StatusOK, answerWithin},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				facts := &identity.Request{}
				h := newHandler(t, &server{handle: func(context.Context, *Request) (json.RawMessage, error) {
					if c.sent >= 0 {
						time.AfterFunc(c.sent, facts.MarkSent)
						synctest.Wait()
					}
					time.Sleep(c.after)
					return nil, &Error{Status: http.StatusForbidden, Code: CodeServer, Msg: "no", Err: errors.New("refused")}
				}}, nil)
				r := modernRequest(c.method, `"name":"t"`)
				r.Header.Set("Mcp-Name", "t")
				w := &headed{wire: &wire{head: http.Header{}}}
				start := time.Now()
				h.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), facts)))
				if d := w.at.Sub(start); w.status != c.status || d != c.decided {
					t.Errorf("status %d after %v, want %d after %v", w.status, d, c.status, c.decided)
				}
			})
		})
	}
}
