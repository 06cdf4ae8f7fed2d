package edge

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/drawbridge-mcp/drawbridge/mcp"
)

// replicas are handlers that share the sessions and the keys, as processes behind a balancer do, and nothing else.
func replicas(t *testing.T, n int) []*Handler {
	t.Helper()
	shared := mcp.NewMemorySessions()
	list := make([]*Handler, n)
	for i := range list {
		list[i] = newHandler(t, &server{}, func(h *Handler) {
			h.Sessions = shared
			if i > 0 {
				h.Keyring = list[0].Keyring
			}
		})
	}
	return list
}

func TestASessionIsOneOnEveryReplica(t *testing.T) { // S13, S4
	synctest.Test(t, func(t *testing.T) {
		r := replicas(t, 3)
		session := open(t, r[0], "alice")
		call := func(h *Handler) int {
			w, wait := serve(h, legacy(session, `{"jsonrpc":"2.0","id":1,"method":"ping"}`))
			wait()
			return w.status
		}
		if got := call(r[1]); got != http.StatusOK {
			t.Errorf("a call on another replica: %d", got)
		}
		end := legacy(session, "")
		end.Method = http.MethodDelete
		w, wait := serve(r[2], end)
		if wait(); w.status != http.StatusNoContent {
			t.Errorf("DELETE on a third: %d", w.status)
		}
		for i, h := range r {
			if got := call(h); got != http.StatusNotFound {
				t.Errorf("replica %d after the end: %d", i, got)
			}
		}
		w, wait = serve(r[0], func() *http.Request { r := legacy(session, ""); r.Method = http.MethodGet; return r }())
		if wait(); w.status != http.StatusNotFound || !strings.Contains(w.text(), "session not found") {
			t.Errorf("a stream after the end: %d %s", w.status, w.text())
		}
	})
}

func TestAStreamEndsWithItsSessionElsewhere(t *testing.T) { // S4, E3: at its next sign of life
	synctest.Test(t, func(t *testing.T) {
		r := replicas(t, 2)
		session := open(t, r[0], "alice")
		get := legacy(session, "")
		get.Method = http.MethodGet
		w, wait := serve(r[0], get)
		synctest.Wait()
		end := legacy(session, "")
		end.Method = http.MethodDelete
		_, done := serve(r[1], end)
		done()
		wait() // the bubble's time goes on to the ping
		if strings.Contains(w.text(), "ping") {
			t.Errorf("the stream went on: %q", w.text())
		}
	})
}
