package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Each call becomes a stream exactly when it has taken as long as an answer may, however many others began and ended
// before (E1).
func TestEveryCallIsWatchedFromItsOwnBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := []time.Duration{answerWithin + 20*time.Millisecond, time.Millisecond, answerWithin - time.Millisecond, time.Second, answerWithin + time.Millisecond, 0}
		h := newHandler(t, &server{handle: func(_ context.Context, r *Request) (json.RawMessage, error) {
			var params struct{ Takes time.Duration }
			_ = json.Unmarshal(r.Message.Bytes(r.Message.Params), &params)
			time.Sleep(params.Takes)
			return json.RawMessage(`{}`), nil
		}}, nil)
		session := open(t, h, "alice")
		var calls sync.WaitGroup
		for round := range 3 {
			for i, d := range takes {
				body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": "i", "method": "x", "params": map[string]any{"takes": d}})
				calls.Go(func() {
					w := &headed{wire: &wire{head: http.Header{}}}
					start := time.Now()
					h.ServeHTTP(w, legacy(session, string(body)))
					stream, after := w.head.Get("Content-Type") == "text/event-stream", w.at.Sub(start)
					if stream != (d > answerWithin) || after != min(d, answerWithin) {
						t.Errorf("round %d, call %d of %v: a stream %t after %v", round, i, d, stream, after)
					}
				})
				time.Sleep(3 * time.Millisecond)
			}
		}
		calls.Wait()
		if ring := &h.edge.calls.young; ring.next != ring || ring.prev != ring {
			t.Error("calls that are over are still watched")
		}
	})
}

// headed notes when the form of the answer was decided.
type headed struct {
	*wire
	at time.Time
}

func (w *headed) WriteHeader(status int) {
	w.at = time.Now()
	w.wire.WriteHeader(status)
}

// A reload that makes streams shorter than an answer may take is the one way to be due before an earlier call.
func TestAShorterCallIsToldBeforeOneThatBeganEarlier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &server{handle: answerAfter(time.Hour)}, nil)
		start := time.Now()
		_, first := serve(h, modernRequest("x", ""))
		time.Sleep(time.Millisecond)
		h.Configure(h.PublicURL, nil, Limits{StreamMax: 10 * time.Millisecond})
		w, second := serve(h, modernRequest("x", ""))
		second()
		if d := time.Since(start); d != 11*time.Millisecond || !strings.Contains(w.text(), `"error"`) {
			t.Errorf("the shorter one ended after %v: %s", d, w.text())
		}
		h.Cut()
		first()
		if d := time.Since(start); d != answerWithin {
			t.Errorf("the longer one ended after %v", d)
		}
	})
}

// However long a call is under way, its id and the end of its session reach it, and no other (B6, E10).
func TestACallOfAnyAgeIsReached(t *testing.T) {
	for _, age := range []time.Duration{0, answerWithin - time.Millisecond, answerWithin, time.Minute} {
		for _, by := range []string{"notification", "end of the session"} {
			synctest.Test(t, func(t *testing.T) {
				h := newHandler(t, &server{handle: answerAfter(time.Hour)}, nil)
				mine, others := open(t, h, "alice"), open(t, h, "alice")
				call := func(session, id string) (*wire, func()) {
					return serve(h, legacy(session, `{"jsonrpc":"2.0","id":`+id+`,"method":"x"}`))
				}
				start := time.Now()
				_, ended := call(mine, `"\u0069"`)
				_, theirs := call(others, `"i"`)
				_, another := call(mine, `"j"`)
				time.Sleep(age)
				synctest.Wait()
				r := legacy(mine, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"i"}}`)
				if by != "notification" {
					r.Method, r.Body = http.MethodDelete, http.NoBody
				}
				_, told := serve(h, r)
				told()
				ended()
				if by != "notification" {
					another()
				}
				if d := time.Since(start); d != age {
					t.Errorf("%s after %v: the call ended after %v", by, age, d)
				}
				if theirs(); time.Since(start) != time.Hour {
					t.Errorf("%s after %v: another session's call ended after %v", by, age, time.Since(start))
				}
				another()
				if c := &h.edge.calls; len(c.open)+len(c.long) > 0 || c.young.next != &c.young {
					t.Errorf("%s after %v: calls that are over are still known", by, age)
				}
			})
		}
	}
}
