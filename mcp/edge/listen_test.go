package edge

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

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

func TestWhatAClientWantsToHearIsReadAsItIsSpelt(t *testing.T) { // L1, L2, mcp.md §4: nobody parses the body again, and carelessly
	for params, want := range map[string]string{
		`"notifications":{}`:                                                        `{}`,
		`"notifications":{"ToolsListChanged":true}`:                                 `{}`,
		`"notifications":{"toolsListChanged":false,"TOOLSLISTCHANGED":true}`:        `{}`,
		`"notifications":{"tools\u004cistChanged":true,"later":{"a":1}}`:            `{"toolsListChanged":true}`,
		`"notifications":{"toolsListChanged":null,"resourceSubscriptions":["a:b"]}`: `{}`,
		`"notifications":{"toolsListChanged":"true"}`:                               "",
		`"notifications":{"toolsListChanged":1}`:                                    "",
		`"notifications":{"resourceSubscriptions":"a:b"}`:                           "",
		`"notifications":{"resourceSubscriptions":[1]}`:                             "",
		`"notifications":[]`:                                                        "",
		`"x":1`:                                                                     "",
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHandler(t, &server{}, nil)
			w, wait := serve(h, modernRequest("subscriptions/listen", params))
			synctest.Wait()
			h.Close()
			wait()
			if want == "" {
				if w.status != http.StatusBadRequest || !strings.Contains(w.text(), `"code":-32602`) {
					t.Errorf("%s: %d %s", params, w.status, w.text())
				}
			} else if !strings.Contains(w.text(), `"params":{"notifications":`+want+`,`) {
				t.Errorf("%s: %s", params, w.text())
			}
		})
	}
}

func TestChangesInSeveralStepsAreToldOnce(t *testing.T) { // L4
	synctest.Test(t, func(t *testing.T) {
		s := &server{view: "v0"}
		h := newHandler(t, s, nil)
		w, wait := serve(h, modernRequest("subscriptions/listen", `"notifications":{"toolsListChanged":true}`))
		synctest.Wait()
		told := func(want int, when string) {
			t.Helper()
			synctest.Wait()
			if n := strings.Count(w.text(), "tools/list_changed"); n != want {
				t.Errorf("%s: told %d times, want %d", when, n, want)
			}
		}
		step := func(view string) { s.set(view); h.Changed() }
		step("v1")
		told(1, "at once")
		for _, view := range []string{"v2", "v3", "v4"} {
			time.Sleep(100 * time.Millisecond)
			step(view)
		}
		told(1, "the rest of it waits")
		time.Sleep(time.Second)
		told(2, "and is told within a second")
		time.Sleep(time.Minute)
		told(2, "and never again")
		step("v5")
		told(3, "another one")
		h.Close()
		wait()
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
