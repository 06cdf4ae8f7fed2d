package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// teller is a server that tells of prompts and of one resource.
type teller struct {
	server
	want     Interest
	early    string // told before Listen returns
	tell     func(json.RawMessage)
	notified []string
	left     []string
}

func (s *teller) Listen(_ context.Context, _ *Request, want Interest, tell func(json.RawMessage)) (Interest, error) {
	s.want, s.tell = want, tell
	if s.early != "" {
		tell(json.RawMessage(s.early))
	}
	return Interest{Prompts: want.Prompts, URIs: want.URIs}, nil
}
func (s *teller) Notified(_ context.Context, r *Request) {
	s.notified = append(s.notified, r.Message.Method)
}
func (s *teller) Left(_ context.Context, session string) { s.left = append(s.left, session) }

func TestATellerIsHeardBehindTheAcknowledgement(t *testing.T) { // L1, L2
	synctest.Test(t, func(t *testing.T) {
		s := &teller{early: `{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`}
		h := newHandler(t, &s.server, func(h *Handler) { h.Lookup = func(string) (Server, State) { return s, Serving } })
		w, wait := serve(h, modernRequest("subscriptions/listen",
			`"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a:b"]}`))
		synctest.Wait()
		s.tell(json.RawMessage(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b","n":1.0,"_meta":{"x":1}}}`))
		synctest.Wait()
		h.Close()
		wait()
		const id = `"io.modelcontextprotocol/subscriptionId":"i1"`
		want := []string{
			`data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"promptsListChanged":true,"resourceSubscriptions":["a:b"]},"_meta":{` + id + `}}}`,
			`data: {"jsonrpc":"2.0","method":"notifications/prompts/list_changed","params":{"_meta":{` + id + `}}}`,
			`data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b","n":1.0,"_meta":{"x":1,` + id + `}}}`,
		}
		rest := w.text()
		for _, line := range want {
			_, after, ok := strings.Cut(rest, line+"\n\n")
			if !ok {
				t.Fatalf("%s is missing or out of order in\n%s", line, w.text())
			}
			rest = after
		}
		if !s.want.Tools || !s.want.Prompts || s.want.Resources {
			t.Errorf("asked for %+v", s.want)
		}
	})
}

func TestAGETStreamHearsEverythingUntouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &teller{}
		h := newHandler(t, &s.server, func(h *Handler) { h.Lookup = func(string) (Server, State) { return s, Serving } })
		session := open(t, h, "alice")
		r := legacy(session, "")
		r.Method = http.MethodGet
		w, wait := serve(h, r)
		synctest.Wait()
		s.tell(json.RawMessage(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}`))
		synctest.Wait()
		h.Close()
		wait()
		if want := "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\"}}\n\n"; w.text() != want {
			t.Errorf("got %q", w.text())
		}
		if !s.want.Tools || !s.want.Prompts || !s.want.Resources {
			t.Errorf("asked for %+v", s.want)
		}
	})
}

func TestAServerHearsWhatClientsNotifyAndWhenTheyLeave(t *testing.T) {
	s := &teller{}
	h := newHandler(t, &s.server, func(h *Handler) { h.Lookup = func(string) (Server, State) { return s, Serving } })
	session := open(t, h, "alice")
	_, wait := serve(h, legacy(session, `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`))
	wait()
	r := legacy(session, "")
	r.Method = http.MethodDelete
	_, wait = serve(h, r)
	wait()
	if len(s.notified) != 1 || s.notified[0] != "notifications/roots/list_changed" || len(s.left) != 1 || s.left[0] != session {
		t.Errorf("notified %q, left %q", s.notified, s.left)
	}
}

// crosser is a relay that translates for legacy clients.
type crosser struct {
	server
	passed int
}

func (s *crosser) Pass(context.Context, *Request) (*Passed, error) {
	s.passed++
	return &Passed{Status: http.StatusOK, Result: json.RawMessage(`{"passed":true}`)}, nil
}
func (s *crosser) Crosses(_ context.Context, r *Request) (bool, error) {
	if r.Caller.Subject == "nobody" {
		return false, InvalidParams("no")
	}
	return !r.Modern, nil
}

func TestARelayTranslatesForTheOtherEraOnly(t *testing.T) { // §11
	s := &crosser{server: server{handle: func(context.Context, *Request) (json.RawMessage, error) {
		return json.RawMessage(`{"translated":true}`), nil
	}}}
	h := newHandler(t, &s.server, func(h *Handler) { h.Lookup = func(string) (Server, State) { return s, Serving } })
	session := open(t, h, "alice")
	w, wait := serve(h, legacy(session, `{"jsonrpc":"2.0","id":1,"method":"x"}`))
	if wait(); !strings.Contains(w.text(), "translated") || s.passed != 0 {
		t.Errorf("legacy: %s, passed %d", w.text(), s.passed)
	}
	w, wait = serve(h, modernRequest("x", ""))
	if wait(); !strings.Contains(w.text(), "passed") || s.passed != 1 {
		t.Errorf("modern: %s, passed %d", w.text(), s.passed)
	}
	r := modernRequest("x", "")
	r.Header.Set("Authorization", "nobody")
	w, wait = serve(h, r)
	if wait(); w.status != http.StatusBadRequest || s.passed != 1 {
		t.Errorf("refused: %d %s", w.status, w.text())
	}
}

// handshaker is a relay that remembers what the handshake came with.
type handshaker struct {
	server
	versions []string
}

func (s *handshaker) Pass(_ context.Context, r *Request) (*Passed, error) {
	s.versions = append(s.versions, r.HTTP.Header.Get(versionHeader))
	return &Passed{Status: http.StatusOK, Result: json.RawMessage(`{}`), Revision: "2025-06-18"}, nil
}

func TestAHandshakeSaysOneRevision(t *testing.T) { // §5: initialize, any header; §16.1: nobody decides for others what an upstream speaks
	s := &handshaker{}
	h := newHandler(t, &s.server, func(h *Handler) { h.Lookup = func(string) (Server, State) { return s, Serving } })
	for _, version := range []string{"", "junk", "2026-07-28", "2025-06-18"} {
		r := post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}`)
		if version != "" {
			r.Header.Set(versionHeader, version)
		}
		w, wait := serve(h, r)
		if wait(); w.status != http.StatusOK || len(w.head.Get(sessionHeader)) != 48 {
			t.Errorf("%s: %d %s", version, w.status, w.text())
		}
	}
	if got := strings.Join(s.versions, ","); got != ",,,2025-06-18" {
		t.Errorf("the upstream was told %q", got)
	}
}
