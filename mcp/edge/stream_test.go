package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

func answerAfter(d time.Duration) func(context.Context, *Request) (json.RawMessage, error) {
	return func(ctx context.Context, _ *Request) (json.RawMessage, error) {
		select {
		case <-time.After(d):
			return json.RawMessage(`{"done":true}`), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func TestQuickAnswersAreJSONAndSlowOnesStreams(t *testing.T) { // E1, E2, E3
	for _, c := range []struct {
		name  string
		after time.Duration
		kind  string
		pings int
	}{
		{"at once", 0, "application/json", 0},
		{"after 49 ms", 49 * time.Millisecond, "application/json", 0},
		{"after 60 ms", 60 * time.Millisecond, "text/event-stream", 0},
		{"after 40 s", 40 * time.Second, "text/event-stream", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHandler(t, &server{handle: answerAfter(c.after)}, nil)
				w, wait := serve(h, modernRequest("x", ""))
				wait()
				if got := w.head.Get("Content-Type"); got != c.kind {
					t.Errorf("Content-Type = %s, want %s", got, c.kind)
				}
				if n := strings.Count(w.text(), ": ping\n\n"); n != c.pings {
					t.Errorf("%d pings, want %d", n, c.pings)
				}
				if !strings.Contains(w.text(), `{"jsonrpc":"2.0","id":"i1","result":{"done":true}}`) {
					t.Errorf("answer is %s", w.text())
				}
				if c.kind == "text/event-stream" && (w.head.Get("X-Accel-Buffering") != "no" ||
					w.head.Get("Cache-Control") != "no-cache, no-transform" || w.head.Get("Content-Length") != "") {
					t.Errorf("headers of a stream: %v", w.head)
				}
			})
		})
	}
}

func TestNotificationsComeBeforeTheResult(t *testing.T) { // E4
	h := newHandler(t, &server{handle: func(_ context.Context, r *Request) (json.RawMessage, error) {
		for i := range 100 {
			r.Notify(json.RawMessage(fmt.Sprintf(`{"n":%d,`+"\n"+`"x":1}`, i)), false)
		}
		return json.RawMessage("{\n}"), nil
	}}, nil)
	for range 50 {
		w, wait := serve(h, modernRequest("x", ""))
		wait()
		events := strings.Split(strings.TrimSuffix(w.text(), "\n\n"), "\n\n")
		if len(events) != 101 {
			t.Fatalf("%d events, want 101: %s", len(events), w.text())
		}
		for i, e := range events[:100] {
			if want := fmt.Sprintf("event: message\ndata: {\"n\":%d, \"x\":1}", i); e != want {
				t.Fatalf("event %d = %q, want %q", i, e, want)
			}
		}
		if !strings.Contains(events[100], `"result"`) {
			t.Fatalf("the last event is %q", events[100])
		}
	}
}

func TestAClientThatTakesJSONOnlyGetsJSON(t *testing.T) { // E1
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &server{handle: func(_ context.Context, r *Request) (json.RawMessage, error) {
			r.Notify(json.RawMessage(`{}`), false)
			time.Sleep(time.Second)
			return json.RawMessage(`{}`), nil
		}}, nil)
		r := legacy(open(t, h, "alice"), `{"jsonrpc":"2.0","id":1,"method":"x"}`)
		r.Header.Set("Accept", "application/json")
		w, wait := serve(h, r)
		wait()
		if w.head.Get("Content-Type") != "application/json" || w.text() != `{"jsonrpc":"2.0","id":1,"result":{}}` {
			t.Errorf("%v %s", w.head, w.text())
		}
	})
}

func TestClosingAModernStreamCancelsTheCall(t *testing.T) { // E6
	synctest.Test(t, func(t *testing.T) {
		var ended time.Time
		var lines bytes.Buffer
		h := newHandler(t, &server{handle: func(ctx context.Context, _ *Request) (json.RawMessage, error) {
			<-ctx.Done()
			ended = time.Now()
			return nil, ctx.Err()
		}}, func(h *Handler) { h.Log = slog.New(slog.NewTextHandler(&lines, nil)) })
		ctx, leave := context.WithCancel(t.Context())
		_, wait := serve(h, modernRequest("x", "").WithContext(ctx))
		time.Sleep(time.Second)
		left := time.Now()
		leave()
		wait()
		if d := ended.Sub(left); d > 100*time.Millisecond {
			t.Errorf("the call went on for %v", d)
		}
		if lines.Len() > 0 { // whoever can call could fill the log with it
			t.Errorf("the log has %s", lines.String())
		}
	})
}

func TestClosingALegacyStreamLetsTheCallGoOnFor30s(t *testing.T) { // E6
	synctest.Test(t, func(t *testing.T) {
		var ended time.Time
		h := newHandler(t, &server{handle: func(ctx context.Context, _ *Request) (json.RawMessage, error) {
			<-ctx.Done()
			ended = time.Now()
			return nil, ctx.Err()
		}}, nil)
		ctx, leave := context.WithCancel(t.Context())
		_, wait := serve(h, legacy(open(t, h, "alice"), `{"jsonrpc":"2.0","id":1,"method":"x"}`).WithContext(ctx))
		time.Sleep(time.Second)
		left := time.Now()
		leave()
		wait()
		if d := ended.Sub(left); d != 30*time.Second {
			t.Errorf("the call went on for %v, want 30s", d)
		}
	})
}

func TestCancelledEndsTheCallAndNothingMoreIsSent(t *testing.T) { // E6, B6
	for _, c := range []struct {
		name, as, id string
		ends         bool
	}{
		{"its own", "alice", `7`, true},
		{"a text in place of a number", "alice", `"7"`, false},
		{"an unknown id", "alice", `8`, false},
		{"of another session", "bob", `7`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHandler(t, &server{handle: answerAfter(10 * time.Second)}, nil)
				session, other := open(t, h, "alice"), open(t, h, "bob")
				w, wait := serve(h, legacy(session, `{"jsonrpc":"2.0","id":7,"method":"x"}`))
				time.Sleep(time.Second)
				if c.as == "bob" {
					session = other
				}
				note := legacy(session, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+c.id+`}}`)
				note.Header.Set("Authorization", c.as)
				n, noted := serve(h, note)
				noted()
				if n.status != http.StatusAccepted {
					t.Errorf("cancelled = %d %s", n.status, n.text())
				}
				start := time.Now()
				wait()
				if took := time.Since(start); (took < time.Second) != c.ends {
					t.Errorf("the call ended after %v", took)
				}
				if answered := strings.Contains(w.text(), `"id":7`); answered == c.ends {
					t.Errorf("answer: %q", w.text())
				}
			})
		})
	}
}

func TestAStreamEndsWhenTheReaderIsGone(t *testing.T) { // E5, E11
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &server{}, nil)
		r := legacy(open(t, h, "alice"), "")
		r.Method = http.MethodGet
		w, wait := serve(h, r)
		synctest.Wait()
		w.mu.Lock()
		w.broken = true
		w.mu.Unlock()
		wait() // the first ping fails
	})
}

func TestAFullQueueKeepsAnswersAndCountsWhatItDrops(t *testing.T) { // E5
	q := newQueue()
	for range 10 {
		q.put(event{kind: progressEvent, data: []byte("p")})
		q.put(event{kind: changeEvent, data: []byte("c")})
	}
	if events, _ := q.take(); len(events) != 2 {
		t.Errorf("%d events, want one progress and one change", len(events))
	}
	for range queueEvents + 5 {
		q.put(event{kind: plainEvent, data: []byte("n")})
	}
	q.put(event{kind: answerEvent, data: []byte("a")})
	q.close()
	events, more := q.take()
	if len(events) != queueEvents+1 || string(events[queueEvents].data) != "a" || more {
		t.Errorf("%d events, more: %t", len(events), more)
	}
	if q.lost() != 5 {
		t.Errorf("lost = %d, want 5", q.lost())
	}
}

// A server that tells of one change in ever new words fills nothing, nor does one that speaks of changes in what is none.
func TestChangesCollapseHoweverTheyAreTold(t *testing.T) { // E5
	for _, passing := range []bool{true, false} {
		q := newQueue()
		e := &early{to: q, passing: passing}
		for i := range 10_000 {
			e.tell(fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"x":%d}}`, i))
			e.tell(fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a","list_changed":%d}}`, i))
		}
		e.tell([]byte(`{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`))
		e.pass()
		events, _ := q.take()
		changes, size := 0, 0
		for _, one := range events {
			if size += len(one.data); one.kind == changeEvent {
				changes++
			}
		}
		if passing && changes != 2 || len(events) > queueEvents+1 || size > 2*queueBytes {
			t.Errorf("passing %t: %d events, %d of them changes, %d bytes", passing, len(events), changes, size)
		}
		big := fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":%q}}`, strings.Repeat("x", queueBytes/2))
		e = &early{to: newQueue()}
		for range 10 {
			e.tell(big)
		}
		if e.bytes > queueBytes || len(e.held) > 2 {
			t.Errorf("%d bytes are held back", e.bytes)
		}
	}
}

func TestAReloadChangesOriginsAndLimits(t *testing.T) {
	h := newHandler(t, &server{}, nil)
	ask := func() int {
		r := modernRequest("x", "")
		r.Header.Set("Origin", "https://app.example")
		w, wait := serve(h, r)
		wait()
		return w.status
	}
	if got := ask(); got != http.StatusForbidden {
		t.Errorf("before: %d", got)
	}
	h.Configure("http://127.0.0.1:8080", []string{"https://app.example"}, Limits{})
	if got := ask(); got != http.StatusOK {
		t.Errorf("after: %d", got)
	}
	h.Configure("http://127.0.0.1:8080", []string{"https://app.example"}, Limits{MCPBody: 10})
	if got := ask(); got != http.StatusRequestEntityTooLarge {
		t.Errorf("with a small limit: %d", got)
	}
}

// timed is a wire that knows its write deadline.
type timed struct {
	wire
	deadlines []time.Time
}

func (w *timed) SetWriteDeadline(t time.Time) error {
	w.deadlines = append(w.deadlines, t)
	return nil
}

func TestEveryWriteHasADeadlineAndTheConnectionIsLeftWithoutOne(t *testing.T) { // E5, E11
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &server{handle: answerAfter(time.Minute)}, nil)
		w := &timed{wire: wire{head: http.Header{}}}
		start := time.Now()
		h.ServeHTTP(w, modernRequest("x", ""))
		last := len(w.deadlines) - 1
		if last < 4 || !w.deadlines[last].IsZero() {
			t.Fatalf("deadlines: %v", w.deadlines)
		}
		for i, d := range w.deadlines[:last] {
			at := start.Add(answerWithin + time.Duration(i)*pingEvery) // the head, three pings, the answer
			if i == last-1 {
				at = start.Add(time.Minute)
			}
			if got := d.Sub(at); got != readerWithin {
				t.Errorf("write %d: deadline %v after it, want %v", i, got, readerWithin)
			}
		}
	})
}

func TestAddressesOfAServer(t *testing.T) { // §2
	h := newHandler(t, &server{}, nil)
	e := echo.New()
	h.Mount(e.Group(""))
	for path, want := range map[string]int{
		"/mcp/s/": 404, "/mcp/s": 405, "/mcp/s/message": 405, "/mcp/nobody/sse": 404, "/mcp/s/other": 404, "/mcp/": 404, "/mcp": 404,
	} {
		for _, method := range []string{http.MethodGet, "BREW"} {
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != want {
				t.Errorf("%s %s = %d, want %d", method, path, w.Code, want)
			}
		}
	}
}

func TestMethodsNobodyKnowsAreCheckedLikeTheOthers(t *testing.T) { // §2: PUT, PATCH, others; after rows 1 to 6 of §3
	h := newHandler(t, &server{}, func(h *Handler) {
		h.Authenticate = func(w http.ResponseWriter, r *http.Request, _ string) (*identity.Caller, bool) {
			if r.Header.Get("Authorization") == "" {
				w.WriteHeader(http.StatusUnauthorized)
				return nil, false
			}
			return &identity.Caller{Subject: "a"}, true
		}
	})
	e := echo.New()
	h.Mount(e.Group(""))
	for path, allow := range map[string]string{
		"/mcp/s": "GET, POST, DELETE, OPTIONS", "/mcp/s/sse": "GET, OPTIONS", "/mcp/s/message": "POST, OPTIONS",
	} {
		for _, method := range []string{"BREW", "get", "QUERY", "PUT"} {
			ask := func(token, origin string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(method, path, nil)
				if token != "" {
					r.Header.Set("Authorization", token)
				}
				if origin != "" {
					r.Header.Set("Origin", origin)
				}
				w := httptest.NewRecorder()
				e.ServeHTTP(w, r)
				return w
			}
			if w := ask("", ""); w.Code != http.StatusUnauthorized || w.Header().Get("Allow") != "" {
				t.Errorf("%s %s without a token = %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
			}
			if w := ask("t", "https://evil.example"); w.Code != http.StatusForbidden {
				t.Errorf("%s %s from elsewhere = %d", method, path, w.Code)
			}
			w := ask("t", "")
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != allow || !strings.Contains(w.Body.String(), `"jsonrpc":"2.0","id":null`) {
				t.Errorf("%s %s = %d, Allow %q, %s", method, path, w.Code, w.Header().Get("Allow"), w.Body)
			}
		}
	}
}
