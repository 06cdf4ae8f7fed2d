package edge

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// openOld opens a stream of the old transport as somebody, and returns where to post.
func openOld(t *testing.T, h *Handler, as string) (w *wire, session string, wait, leave func()) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "/mcp/s/sse", nil)
	r.Header.Set("Authorization", as)
	w = &wire{head: http.Header{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.serveOldStream(w, r, "s")
	}()
	synctest.Wait()
	_, session, ok := strings.Cut(w.text(), "event: endpoint\ndata: /gate/mcp/s/message?sessionId=")
	if !ok {
		t.Fatalf("the stream begins with %q", w.text())
	}
	return w, strings.TrimSpace(session), func() { <-done }, leave
}

func postOld(h *Handler, as, session, body string) *wire {
	r := post(body)
	r.URL.RawQuery = "sessionId=" + session
	r.Header.Set("Authorization", as)
	r.Header.Del("Accept")
	w := &wire{head: http.Header{}}
	h.serveOldMessage(w, r, "s")
	return w
}

func newOldHandler(t *testing.T, s Server) *Handler {
	return newHandler(t, &server{}, func(h *Handler) {
		h.PublicURL = "https://gw.example.com/gate/"
		h.Lookup = func(string) (Server, State) { return s, Serving }
	})
}

const initializeOld = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{"roots":{}},"clientInfo":{"name":"old"}}}`

func TestTheOldTransportCarriesASession(t *testing.T) { // §8, D1, D4
	synctest.Test(t, func(t *testing.T) {
		var seen *Request
		s := &server{handle: func(ctx context.Context, r *Request) (json.RawMessage, error) {
			seen = r
			r.Notify(json.RawMessage(`{"jsonrpc":"2.0","method":"notifications/progress"}`), true)
			m, err := r.Ask(ctx, "roots/list", json.RawMessage(`{"a":1}`))
			if err != nil {
				return nil, err
			}
			return m.Bytes(m.Result), nil
		}}
		h := newOldHandler(t, s)
		w, session, wait, leave := openOld(t, h, "alice")
		if w.head.Get("Content-Type") != "text/event-stream" || w.head.Get("Deprecation") != "@1742947200" || w.head.Get(sessionHeader) != "" {
			t.Errorf("headers %v", w.head)
		}
		if a := postOld(h, "alice", session, initializeOld); a.status != 202 || a.text() != "Accepted" {
			t.Fatalf("initialize: %d %s", a.status, a.text())
		}
		synctest.Wait()
		if !strings.HasSuffix(w.text(), `data: {"jsonrpc":"2.0","id":0,"result":{}}`+"\n\n") {
			t.Fatalf("got %q", w.text())
		}
		go postOld(h, "alice", session, `{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{}}`)
		synctest.Wait()
		id := questionID(t, w.text())
		if a := postOld(h, "alice", session, `{"jsonrpc":"2.0","id":"`+id+`","result":{"roots":[]}}`); a.status != 202 {
			t.Errorf("an answer: %d", a.status)
		}
		synctest.Wait()
		_, rest, _ := strings.Cut(w.text(), `"method":"notifications/progress"`)
		if !strings.HasSuffix(rest, "event: message\ndata: "+`{"jsonrpc":"2.0","id":"c","result":{"roots":[]}}`+"\n\n") {
			t.Errorf("got %q", w.text())
		}
		if seen.Revision != "2025-03-26" || string(seen.Capabilities) != `{"roots":{}}` || seen.Modern {
			t.Errorf("the server saw %+v", seen)
		}
		leave()
		wait()
		if a := postOld(h, "alice", session, `{"jsonrpc":"2.0","id":1,"method":"ping"}`); a.status != 404 {
			t.Errorf("after the stream: %d", a.status)
		}
	})
}

func TestNoMessageWaitsBehindACallOfTheOldTransport(t *testing.T) { // D4: a question of the call may come back on its connection
	synctest.Test(t, func(t *testing.T) {
		h := newOldHandler(t, &server{})
		_, session, wait, leave := openOld(t, h, "alice")
		for body, want := range map[string]string{initializeOld: "close", `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`: ""} {
			if a := postOld(h, "alice", session, body); a.head.Get("Connection") != want {
				t.Errorf("%s: Connection: %q, want %q", body, a.head.Get("Connection"), want)
			}
		}
		leave()
		wait()
	})
}

func TestNobodyPostsToAnothersStream(t *testing.T) { // D2, S2
	synctest.Test(t, func(t *testing.T) {
		h := newOldHandler(t, &server{})
		w, session, wait, leave := openOld(t, h, "alice")
		before := w.text()
		for name, a := range map[string]*wire{
			"another person": postOld(h, "bob", session, initializeOld),
			"invented":       postOld(h, "alice", "d1.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA", initializeOld),
			"two ids":        postOld(h, "alice", session+"&sessionId="+session, initializeOld),
		} {
			if a.status != 404 || !strings.Contains(a.text(), "session not found") {
				t.Errorf("%s: %d %s", name, a.status, a.text())
			}
		}
		if a := postOld(h, "alice", "", initializeOld); a.status != 404 {
			t.Errorf("an empty id: %d", a.status)
		}
		synctest.Wait()
		if w.text() != before {
			t.Errorf("the stream got %q", w.text())
		}
		leave()
		wait()
	})
}

func TestTheOldTransportIsCheckedLikeTheNew(t *testing.T) { // §8, §3
	synctest.Test(t, func(t *testing.T) {
		h := newOldHandler(t, &server{})
		w, session, wait, leave := openOld(t, h, "alice")
		before := w.text()
		for body, want := range map[string]int{
			`{"jsonrpc":"2.0","id":1,"method":"x","Method":"y"}`: 400,
			`[{"jsonrpc":"2.0","id":1,"method":"x"}]`:            400,
			`{`: 400,
			`{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`: 400,
		} {
			if a := postOld(h, "alice", session, body); a.status != want {
				t.Errorf("%s: %d %s", body, a.status, a.text())
			}
		}
		r := post(initializeOld)
		r.URL.RawQuery = "sessionId=" + session
		r.Header.Set("Authorization", "alice")
		r.Header.Set("Content-Type", "text/plain")
		a := &wire{head: http.Header{}}
		if h.serveOldMessage(a, r, "s"); a.status != 415 {
			t.Errorf("text/plain: %d", a.status)
		}
		r.Header.Set("Origin", "https://evil.example")
		a = &wire{head: http.Header{}}
		if h.serveOldMessage(a, r, "s"); a.status != 403 {
			t.Errorf("a strange origin: %d", a.status)
		}
		synctest.Wait()
		if w.text() != before {
			t.Errorf("the stream got %q", w.text())
		}
		leave()
		wait()
	})
}

// Without Redis a message that reaches another replica is told what to do about it. The stream is none the worse for it, and
// nobody learns of it whose stream it is not.
func TestAStreamElsewhereIsSaidToBe(t *testing.T) { // D3, D1, D2
	synctest.Test(t, func(t *testing.T) {
		store := mcp.NewMemorySessions()
		ran := 0
		s := &server{handle: func(context.Context, *Request) (json.RawMessage, error) { ran++; return json.RawMessage(`{}`), nil }}
		replicas := make([]*Handler, 3)
		for i := range replicas {
			replicas[i] = newOldHandler(t, s)
			replicas[i].Sessions, replicas[i].Keyring = store, replicas[0].Keyring
		}
		w, session, wait, leave := openOld(t, replicas[0], "alice")
		const elsewhere = `{"jsonrpc":"2.0","id":0,"error":{"code":-32001,"message":"the stream is on another replica; configure storage.redis or stickiness"}}`
		const call = `{"jsonrpc":"2.0","id":0,"method":"tools/call","params":{"name":"x"}}`
		for i, h := range replicas[1:] {
			for range 2 {
				if a := postOld(h, "alice", session, call); a.status != 404 || a.text() != elsewhere {
					t.Errorf("replica %d: %d %s", i+1, a.status, a.text())
				}
			}
			if a := postOld(h, "mallory", session, call); a.status != 404 || !strings.Contains(a.text(), `"session not found"`) {
				t.Errorf("replica %d, somebody else: %d %s", i+1, a.status, a.text())
			}
		}
		if ran != 0 {
			t.Errorf("%d calls ran on replicas that have no stream for the answer", ran)
		}
		if a := postOld(replicas[0], "alice", session, call); a.status != 202 || ran != 1 {
			t.Errorf("where the stream is: %d %s", a.status, a.text())
		}
		synctest.Wait()
		if !strings.HasSuffix(w.text(), `data: {"jsonrpc":"2.0","id":0,"result":{}}`+"\n\n") {
			t.Errorf("the stream carries %q", w.text())
		}
		leave()
		wait()
		for i, h := range replicas { // D1: it is nowhere now
			if a := postOld(h, "alice", session, call); a.status != 404 || !strings.Contains(a.text(), `"session not found"`) {
				t.Errorf("replica %d after the end: %d %s", i, a.status, a.text())
			}
		}
	})
}

func TestAnOldStreamHoldsSoManyCallsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{handle: func(ctx context.Context, _ *Request) (json.RawMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		h := newOldHandler(t, s)
		_, session, wait, leave := openOld(t, h, "alice")
		for range maxOldCalls {
			go postOld(h, "alice", session, `{"jsonrpc":"2.0","id":1,"method":"x"}`)
		}
		synctest.Wait()
		if a := postOld(h, "alice", session, `{"jsonrpc":"2.0","id":2,"method":"x"}`); a.status != 429 {
			t.Errorf("one more: %d", a.status)
		}
		_ = postOld(h, "alice", session, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		synctest.Wait()
		if n := h.edge.streams.find(session).calls; n != 0 {
			t.Errorf("%d calls are left after they were cancelled", n)
		}
		leave()
		wait()
		if len(h.edge.streams.bySession) != 0 {
			t.Error("the stream was not forgotten")
		}
	})
}

func TestAnOldStreamIsToldOfChanges(t *testing.T) { // L4
	synctest.Test(t, func(t *testing.T) {
		s := &teller{}
		h := newOldHandler(t, s)
		w, session, wait, leave := openOld(t, h, "alice")
		_ = postOld(h, "alice", session, initializeOld)
		if s.tell != nil {
			t.Error("the server was heard before the client was ready") // S12
		}
		_ = postOld(h, "alice", session, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
		s.tell(json.RawMessage(`{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`))
		s.set("v2")
		h.Changed()
		synctest.Wait()
		if !strings.Contains(w.text(), "prompts/list_changed") || strings.Count(w.text(), "tools/list_changed") != 1 || strings.Contains(w.text(), "\nid:") {
			t.Errorf("got %q", w.text())
		}
		leave()
		wait()
		if len(s.left) != 1 {
			t.Errorf("left %q", s.left)
		}
	})
}

func TestClientsOfTheOldTransportAreWrittenDownOncePerDay(t *testing.T) { // D5
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		h := newOldHandler(t, &server{})
		h.Log = slog.New(slog.NewTextHandler(&lines, nil))
		for range 2 {
			_, session, wait, leave := openOld(t, h, "alice")
			_ = postOld(h, "alice", session, initializeOld)
			leave()
			wait()
		}
		time.Sleep(24 * time.Hour) // of the bubble
		_, session, wait, leave := openOld(t, h, "alice")
		_ = postOld(h, "alice", session, initializeOld)
		leave()
		wait()
		if n := strings.Count(lines.String(), "client=old"); n != 2 {
			t.Errorf("%d lines:\n%s", n, lines.String())
		}
	})
}

func TestTheChallengeOfTheOldTransportNamesItsOwnMetadata(t *testing.T) { // §8, oauth.md §3.2
	var asked []string
	h := newHandler(t, &server{}, func(h *Handler) {
		h.Authenticate = func(w http.ResponseWriter, _ *http.Request, server string) (*identity.Caller, bool) {
			asked = append(asked, server)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "{}")
			return nil, false
		}
	})
	r, _ := http.NewRequest(http.MethodGet, "/mcp/s/sse", nil)
	h.serveOldStream(&wire{head: http.Header{}}, r, "s")
	h.serveOldMessage(&wire{head: http.Header{}}, post("{}"), "s")
	if len(asked) != 2 || asked[0] != "s/sse" || asked[1] != "s/sse" {
		t.Errorf("asked for %q", asked)
	}
}
