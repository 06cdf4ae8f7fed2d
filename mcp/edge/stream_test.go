package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// server is an edge.Server made of functions.
type server struct {
	handle func(ctx context.Context, r *Request) (json.RawMessage, error)
	mu     sync.Mutex
	view   string
	denied bool
}

func (s *server) Name() string { return "s" }
func (s *server) Allowed(*identity.Caller) (bool, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.denied, "denied"
}
func (s *server) Handle(ctx context.Context, r *Request) (json.RawMessage, error) {
	if r.Message.Method == "initialize" || s.handle == nil {
		return json.RawMessage(`{}`), nil
	}
	return s.handle(ctx, r)
}
func (s *server) View(*identity.Caller) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view
}
func (s *server) set(view string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view = view
}

func newHandler(t *testing.T, s *server, change func(*Handler)) *Handler {
	t.Helper()
	keys, err := secret.NewKeyring(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := &Handler{
		PublicURL: "http://127.0.0.1:8080", Keyring: keys,
		Lookup: func(name string) (Server, State) {
			if name != "s" {
				return nil, Unknown
			}
			return s, Serving
		},
		Authenticate: func(_ http.ResponseWriter, r *http.Request, _ string) (*identity.Caller, bool) {
			name := r.Header.Get("Authorization")
			return &identity.Caller{Kind: identity.Person, Subject: name, ClientID: "c", GrantID: "g-" + name}, true
		},
	}
	if change != nil {
		change(h)
	}
	return h
}

// wire is a connection in memory: what the handler writes, and when, without a network, so that synctest's time rules.
type wire struct {
	head   http.Header
	status int
	mu     sync.Mutex
	body   strings.Builder
	broken bool
}

func (w *wire) Header() http.Header { return w.head }
func (w *wire) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return 0, io.ErrClosedPipe
	}
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
func (w *wire) Flush() {}
func (w *wire) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.body.String()
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func modernRequest(method, params string) *http.Request {
	if params != "" {
		params += ","
	}
	r := post(fmt.Sprintf(`{"jsonrpc":"2.0","id":"i1","method":%q,"params":{%s%s}}`, method, params, modernMeta))
	r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
	r.Header.Set("Mcp-Method", method)
	return r
}

func post(body string) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, "/mcp/s", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "alice")
	return r
}

// serve runs one request; wait returns when it was answered.
func serve(h *Handler, r *http.Request) (w *wire, wait func()) {
	w = &wire{head: http.Header{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(w, r)
	}()
	return w, func() { <-done }
}

func open(t *testing.T, h *Handler, as string) string {
	t.Helper()
	r := post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}`)
	r.Header.Set("Authorization", as)
	w, wait := serve(h, r)
	wait()
	id := w.head.Get("Mcp-Session-Id")
	if w.status != http.StatusOK || len(id) != 48 {
		t.Fatalf("initialize = %d %s, session %q", w.status, w.text(), id)
	}
	return id
}

func legacy(session, body string) *http.Request {
	r := post(body)
	r.Header.Set("Mcp-Session-Id", session)
	return r
}

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
		h := newHandler(t, &server{handle: func(ctx context.Context, _ *Request) (json.RawMessage, error) {
			<-ctx.Done()
			ended = time.Now()
			return nil, ctx.Err()
		}}, nil)
		ctx, leave := context.WithCancel(t.Context())
		_, wait := serve(h, modernRequest("x", "").WithContext(ctx))
		time.Sleep(time.Second)
		left := time.Now()
		leave()
		wait()
		if d := ended.Sub(left); d > 100*time.Millisecond {
			t.Errorf("the call went on for %v", d)
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

func TestListenIsAcknowledgedAndToldOfChangesOnce(t *testing.T) { // L1, L2, L4, L6
	synctest.Test(t, func(t *testing.T) {
		s := &server{view: "v1"}
		h := newHandler(t, s, nil)
		w, wait := serve(h, modernRequest("subscriptions/listen", `"notifications":{"toolsListChanged":true,"promptsListChanged":true}`))
		synctest.Wait()
		h.Changed() // nothing changed
		synctest.Wait()
		s.set("v2")
		h.Changed()
		h.Changed()
		synctest.Wait()
		h.Close()
		wait()
		const meta = `"_meta":{"io.modelcontextprotocol/subscriptionId":"i1"}`
		want := `event: message` + "\n" +
			`data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},` + meta + `}}` + "\n\n" +
			`event: message` + "\n" +
			`data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{` + meta + `}}` + "\n\n" +
			`event: message` + "\n" +
			`data: {"jsonrpc":"2.0","id":"i1","result":{"resultType":"complete",` + meta + `}}` + "\n\n"
		if w.text() != want {
			t.Errorf("got\n%s\nwant\n%s", w.text(), want)
		}
	})
}

func TestGETStreamsOfASession(t *testing.T) { // E8, L4, S4, A5
	get := func(session string) *http.Request {
		r := legacy(session, "")
		r.Method = http.MethodGet
		return r
	}
	t.Run("list changes are told", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &server{view: "v1"}
			h := newHandler(t, s, nil)
			w, wait := serve(h, get(open(t, h, "alice")))
			synctest.Wait()
			s.set("v2")
			h.Changed()
			synctest.Wait()
			if want := "event: message\nid: " + changesID("v2", 0) + "\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n"; w.text() != want {
				t.Errorf("got %q", w.text())
			}
			h.Close()
			wait()
		})
	})
	t.Run("a second one takes over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHandler(t, &server{}, nil)
			session := open(t, h, "alice")
			_, first := serve(h, get(session))
			synctest.Wait()
			_, second := serve(h, get(session))
			first()
			h.Close()
			second()
		})
	})
	t.Run("DELETE ends it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHandler(t, &server{}, nil)
			session := open(t, h, "alice")
			_, stream := serve(h, get(session))
			synctest.Wait()
			end := legacy(session, "")
			end.Method = http.MethodDelete
			w, wait := serve(h, end)
			wait()
			stream()
			if w.status != http.StatusNoContent {
				t.Errorf("DELETE = %d", w.status)
			}
		})
	})
	t.Run("losing the role ends it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &server{}
			h := newHandler(t, s, nil)
			_, stream := serve(h, get(open(t, h, "alice")))
			synctest.Wait()
			s.mu.Lock()
			s.denied = true
			s.mu.Unlock()
			h.Changed()
			stream()
		})
	})
	t.Run("revoking the grant ends it and its sessions", func(t *testing.T) { // S10
		synctest.Test(t, func(t *testing.T) {
			h := newHandler(t, &server{}, nil)
			session := open(t, h, "alice")
			_, stream := serve(h, get(session))
			synctest.Wait()
			h.EndGrant("g-alice")
			stream()
			w, wait := serve(h, legacy(session, `{"jsonrpc":"2.0","id":1,"method":"x"}`))
			wait()
			if w.status != http.StatusNotFound {
				t.Errorf("call = %d, want 404", w.status)
			}
		})
	})
	t.Run("stream_max and the token's end", func(t *testing.T) { // E3, L6
		synctest.Test(t, func(t *testing.T) {
			h := newHandler(t, &server{}, func(h *Handler) {
				h.Limits.StreamMax = time.Minute
				h.Authenticate = func(_ http.ResponseWriter, r *http.Request, _ string) (*identity.Caller, bool) {
					return &identity.Caller{Subject: "a", Expires: time.Now().Add(20 * time.Second)}, true
				}
			})
			start := time.Now()
			_, stream := serve(h, get(open(t, h, "alice")))
			stream()
			if d := time.Since(start); d != 20*time.Second {
				t.Errorf("ended after %v, want 20s", d)
			}
		})
	})
	t.Run("the oldest of too many ends", func(t *testing.T) { // limits.listens_per_caller
		synctest.Test(t, func(t *testing.T) {
			h := newHandler(t, &server{}, func(h *Handler) { h.Limits.ListensPerCaller = 2 })
			_, first := serve(h, get(open(t, h, "alice")))
			synctest.Wait()
			_, second := serve(h, get(open(t, h, "alice")))
			synctest.Wait()
			_, third := serve(h, get(open(t, h, "alice")))
			first()
			h.Close()
			second()
			third()
		})
	})
}

func TestAnOpenStreamKeepsItsSession(t *testing.T) { // S7
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &server{}, func(h *Handler) { h.Limits.SessionIdle = time.Minute })
		used, idle := open(t, h, "alice"), open(t, h, "alice")
		r := legacy(used, "")
		r.Method = http.MethodGet
		_, stream := serve(h, r)
		time.Sleep(10 * time.Minute)
		for session, want := range map[string]int{used: http.StatusOK, idle: http.StatusNotFound} {
			w, wait := serve(h, legacy(session, `{"jsonrpc":"2.0","id":1,"method":"x"}`))
			wait()
			if w.status != want {
				t.Errorf("status %d, want %d", w.status, want)
			}
		}
		h.Close()
		stream()
	})
}

func TestSessionsAreCapped(t *testing.T) { // S8
	synctest.Test(t, func(t *testing.T) {
		store := mcp.NewMemorySessions()
		h := newHandler(t, &server{}, func(h *Handler) {
			h.Sessions = store
			h.Limits.Sessions, h.Limits.SessionsPerCaller = 4, 3
		})
		var ids []string
		for range 4 {
			ids = append(ids, open(t, h, "alice"))
			time.Sleep(time.Second)
		}
		for i, id := range ids {
			w, wait := serve(h, legacy(id, `{"jsonrpc":"2.0","id":1,"method":"x"}`))
			wait()
			if alive := w.status == http.StatusOK; alive != (i > 0) {
				t.Errorf("session %d: %d", i, w.status)
			}
		}
		open(t, h, "bob")
		r := post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
		r.Header.Set("Authorization", "carol")
		w, wait := serve(h, r)
		wait()
		if w.status != http.StatusServiceUnavailable || w.head.Get("Retry-After") != "5" || !strings.Contains(w.text(), "-32000") {
			t.Errorf("the fifth session = %d %v %s", w.status, w.head, w.text())
		}
		if store.Len() != 4 {
			t.Errorf("%d sessions kept", store.Len())
		}
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
			at := start.Add(answerWithin + time.Duration(i+1)*pingEvery) // three pings, then the answer
			if i == last-1 {
				at = start.Add(time.Minute)
			}
			if got := d.Sub(at); got != readerWithin {
				t.Errorf("write %d: deadline %v after it, want %v", i, got, readerWithin)
			}
		}
	})
}

func TestTheOldTransportSaysWhereToGo(t *testing.T) { // §8 is not served
	h := newHandler(t, &server{}, nil)
	e := echo.New()
	h.Mount(e.Group(""))
	for path, want := range map[string]int{"/mcp/s/sse": 404, "/mcp/s/message": 404, "/mcp/s/": 404, "/mcp/s": 405} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("GET %s = %d, want %d", path, w.Code, want)
		}
		if strings.HasSuffix(path, "sse") && !strings.Contains(w.Body.String(), "connect to /mcp/s by streamable HTTP") {
			t.Errorf("GET %s: %s", path, w.Body)
		}
	}
}
