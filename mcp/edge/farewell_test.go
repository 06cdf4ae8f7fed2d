package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
)

// goodbyes is a relay that counts the sessions of its upstream that were ended.
type goodbyes struct {
	server
	next int
	left []string
}

func (s *goodbyes) Pass(_ context.Context, r *Request) (*Passed, error) {
	if r.HTTP.Method == http.MethodDelete {
		s.left = append(s.left, r.Caller.Subject+" "+r.Upstream)
		return &Passed{Status: http.StatusMethodNotAllowed}, nil // not an error (S4)
	}
	s.next++
	return &Passed{Status: http.StatusOK, Result: json.RawMessage(`{}`), Revision: "2025-11-25", Session: "u" + string(rune('0'+s.next))}, nil
}

func TestSessionsThatEndByThemselvesEndUpstreamToo(t *testing.T) { // S7, S8, S10: as by DELETE
	for _, c := range []struct {
		name, want string
		end        func(t *testing.T, h *Handler, session string)
	}{
		{"idle, and nobody comes any more", "alice u1", func(*testing.T, *Handler, string) { time.Sleep(32 * time.Minute) }},
		{"older than session_max, and in use", "alice u1", func(t *testing.T, h *Handler, session string) {
			for range 50 {
				time.Sleep(20 * time.Minute)
				_ = h.edge.sessions.Touch(t.Context(), session, time.Now(), "")
			}
		}},
		{"one too many", "alice u1", func(t *testing.T, h *Handler, _ string) {
			time.Sleep(time.Second)
			open(t, h, "alice")
			open(t, h, "alice")
		}},
		{"its grant was revoked", "alice u1", func(_ *testing.T, h *Handler, _ string) { h.EndGrant("g-alice") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &goodbyes{}
				h := newHandler(t, &s.server, func(h *Handler) {
					h.Lookup = func(string) (Server, State) { return s, Serving }
					h.Limits.SessionsPerCaller = 2
					h.Limits.SessionMax = 16 * time.Hour
				})
				c.end(t, h, open(t, h, "alice"))
				synctest.Wait()
				if got := strings.Join(s.left, ","); got != c.want {
					t.Errorf("left %q, want %q", got, c.want)
				}
			})
		})
	}
}

// Sessions may come and go faster than an upstream takes leave of them.
func TestFarewellsThatWaitAreBounded(t *testing.T) { // S8
	stuck := make(chan struct{})
	h := newHandler(t, &server{}, func(h *Handler) {
		h.Lookup = func(string) (Server, State) { <-stuck; return nil, Unknown }
	})
	f := &h.init().farewells
	for range 3 * maxFarewells {
		f.ended(mcp.Session{ID: "s"})
	}
	f.mu.Lock()
	waiting := len(f.waiting)
	f.mu.Unlock()
	close(stuck)
	if waiting > maxFarewells {
		t.Errorf("%d wait", waiting)
	}
}

// A session that makes room for another takes what is open of it with it.
func TestWhatIsOpenOfASessionEndsWithIt(t *testing.T) { // S7, S8
	synctest.Test(t, func(t *testing.T) {
		var cause error
		s := &teller{server: server{handle: func(ctx context.Context, _ *Request) (json.RawMessage, error) {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return nil, cause
		}}}
		h := newHandler(t, &s.server, func(h *Handler) {
			h.Lookup = func(string) (Server, State) { return s, Serving }
			h.Limits.SessionsPerCaller = 1
		})
		session := open(t, h, "alice")
		get := legacy(session, "")
		get.Method = http.MethodGet
		_, stream := serve(h, get)
		_, call := serve(h, legacy(session, `{"jsonrpc":"2.0","id":1,"method":"x"}`))
		time.Sleep(time.Second)
		open(t, h, "alice")
		stream()
		call()
		synctest.Wait()
		if cause != errCancelled || len(s.left) != 1 || s.left[0] != session { //nolint:errorlint // our own value
			t.Errorf("the call ended with %v, left %q", cause, s.left)
		}
	})
}
