package edge

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const cutError = `"error":{"code":-32000,"message":"the gateway is restarting; try again"}}`

func TestACallThatOutlastsTheDrainIsToldSo(t *testing.T) { // operations.md §15 (5)
	for _, c := range []struct {
		name string
		make func(t *testing.T, h *Handler) *http.Request
	}{
		{"modern", func(*testing.T, *Handler) *http.Request { return modernRequest("x", "") }},
		{"legacy", func(t *testing.T, h *Handler) *http.Request {
			return legacy(open(t, h, "alice"), `{"jsonrpc":"2.0","id":"i1","method":"x"}`)
		}},
		{"JSON only", func(t *testing.T, h *Handler) *http.Request {
			r := legacy(open(t, h, "alice"), `{"jsonrpc":"2.0","id":"i1","method":"x"}`)
			r.Header.Set("Accept", "application/json")
			return r
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cause error
				h := newHandler(t, &server{handle: func(ctx context.Context, _ *Request) (json.RawMessage, error) {
					<-ctx.Done()
					cause = context.Cause(ctx)
					return nil, &proxy.Error{Kind: proxy.Cancelled, Msg: "The caller has gone."}
				}}, nil)
				w, wait := serve(h, c.make(t, h))
				time.Sleep(time.Second)
				h.Close()
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if strings.Contains(w.text(), "error") {
					t.Fatalf("ended before the drain time was over: %s", w.text())
				}
				h.Cut()
				wait()
				if !strings.Contains(w.text(), `{"jsonrpc":"2.0","id":"i1",`+cutError) {
					t.Errorf("got %q", w.text())
				}
				if c.name == "JSON only" && (w.status != http.StatusServiceUnavailable || w.head.Get("Retry-After") != "1") {
					t.Errorf("%d %v", w.status, w.head)
				}
				if ending, code := proxy.Abandoned(causedBy(cause)); ending != proxy.EndError || code != "server_shutdown" {
					t.Errorf("recorded as %s %s", ending, code)
				}
			})
		})
	}
}

func causedBy(cause error) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx
}

func TestACallThatComesToLastAfterTheCutEndsToo(t *testing.T) { // operations.md §15 (5)
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &server{handle: answerAfter(time.Hour)}, nil)
		w, wait := serve(h, modernRequest("x", ""))
		time.Sleep(time.Millisecond)
		h.Cut()
		start := time.Now()
		wait()
		if d := time.Since(start); d > answerWithin || !strings.Contains(w.text(), cutError) {
			t.Errorf("after %v: %s", d, w.text())
		}
	})
}

// streaming is a relay whose upstream sends events, and then is silent.
type streaming struct {
	server
	events string
}

func (s *streaming) Pass(ctx context.Context, r *Request) (*Passed, error) {
	if r.Message.Method == "initialize" {
		return &Passed{Status: http.StatusOK, Result: json.RawMessage(`{}`), Revision: "2025-11-25"}, nil
	}
	body, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, s.events)
		<-ctx.Done()
		_ = w.CloseWithError(ctx.Err())
	}()
	return &Passed{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body, HangUp: func() { _ = body.Close() }, Stream: true, Length: -1}, nil
}

func TestARelayedStreamEndsWithWords(t *testing.T) { // operations.md §15 (5), E3, §9.3: never an empty result
	const progress = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n"
	const answer = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"i1\",\"result\":{}}\n\n"
	for _, c := range []struct {
		name, events, last string
		end                func(h *Handler, leave func())
	}{
		{"cut", progress, cutError, func(h *Handler, _ func()) { h.Cut() }},
		{"cut behind the answer", progress + answer, `"result":{}}`, func(h *Handler, _ func()) { h.Cut() }},
		{"stream_max", progress, `"error":{"code":-32000,"message":"the upstream did not answer in time"}}`, func(*Handler, func()) { time.Sleep(time.Hour) }},
		{"the client has gone", progress, `notifications/progress"}`, func(_ *Handler, leave func()) { leave() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &streaming{events: c.events}
				h := newHandler(t, &s.server, func(h *Handler) { h.Lookup = func(string) (Server, State) { return s, Serving } })
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				w, wait := serve(h, modernRequest("x", "").WithContext(ctx))
				time.Sleep(time.Second)
				c.end(h, leave)
				wait()
				events := strings.Split(strings.ReplaceAll(strings.TrimRight(w.text(), "\n"), ": ping\n\n", ""), "\n\n")
				if last := events[len(events)-1]; !strings.HasSuffix(last, c.last) {
					t.Errorf("the last event is %q", last)
				}
			})
		})
	}
}

func TestAnOldStreamStaysForItsCalls(t *testing.T) { // §8, operations.md §15 (4): streams end by themselves
	synctest.Test(t, func(t *testing.T) {
		h := newOldHandler(t, &server{handle: func(ctx context.Context, r *Request) (json.RawMessage, error) {
			if r.Message.Method == "endless" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return answerAfter(5*time.Second)(ctx, r)
		}})
		w, session, wait, _ := openOld(t, h, "alice")
		idle, _, ended, _ := openOld(t, h, "alice")
		cut, endless, over, _ := openOld(t, h, "alice")
		go postOld(h, "alice", session, `{"jsonrpc":"2.0","id":1,"method":"x"}`)
		go postOld(h, "alice", endless, `{"jsonrpc":"2.0","id":1,"method":"endless"}`)
		synctest.Wait()
		h.Close()
		ended()
		if strings.Contains(idle.text(), "jsonrpc") {
			t.Errorf("the idle one: %q", idle.text())
		}
		start := time.Now()
		wait()
		if d := time.Since(start); d != 5*time.Second || !strings.HasSuffix(w.text(), `"result":{"done":true}}`+"\n\n") {
			t.Errorf("after %v: %q", d, w.text())
		}
		h.Cut()
		over()
		if !strings.HasSuffix(cut.text(), cutError+"\n\n") {
			t.Errorf("the endless one: %q", cut.text())
		}
	})
}
