package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// asking is a server that asks its client something in the middle of a call and answers with what it heard.
func asking(heard chan<- error) func(context.Context, *Request) (json.RawMessage, error) {
	return func(ctx context.Context, r *Request) (json.RawMessage, error) {
		if r.Ask == nil {
			return json.RawMessage(`{"asked":false}`), nil
		}
		m, err := r.Ask(ctx, "roots/list", json.RawMessage(`{"a":1}`))
		if heard != nil {
			heard <- err
		}
		if err != nil {
			return nil, err
		}
		return append(append([]byte(`{"heard":`), m.Bytes(m.Result)...), '}'), nil
	}
}

// questionID returns the id of the request on a stream.
func questionID(t *testing.T, stream string) string {
	t.Helper()
	_, rest, ok := strings.Cut(stream, `{"jsonrpc":"2.0","id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if !ok || !strings.Contains(rest, `"method":"roots/list","params":{"a":1}}`) {
		t.Fatalf("no question on %q", stream)
	}
	return id
}

func TestAServerAsksItsClientInTheMiddleOfACall(t *testing.T) { // C7, E8
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &server{handle: asking(nil)}, nil)
		alice, bob := open(t, h, "alice"), open(t, h, "bob")
		w, wait := serve(h, legacy(alice, `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
		synctest.Wait()
		id := questionID(t, w.text())

		stranger := legacy(bob, `{"jsonrpc":"2.0","id":"`+id+`","result":{"from":"bob"}}`)
		stranger.Header.Set("Authorization", "bob")
		other, done := serve(h, stranger)
		if done(); other.status != http.StatusAccepted {
			t.Errorf("an answer that nobody asked for: %d", other.status)
		}
		synctest.Wait()
		if strings.Contains(w.text(), "bob") {
			t.Fatal("somebody else's answer was taken")
		}
		mine, done := serve(h, legacy(alice, `{"jsonrpc":"2.0","id":"`+id+`","result":{"from":"alice"}}`))
		done()
		wait()
		if mine.status != http.StatusAccepted || !strings.HasSuffix(w.text(), `data: {"jsonrpc":"2.0","id":1,"result":{"heard":{"from":"alice"}}}`+"\n\n") {
			t.Errorf("%d %q", mine.status, w.text())
		}
		twice, done := serve(h, legacy(alice, `{"jsonrpc":"2.0","id":"`+id+`","result":{"from":"twice"}}`))
		if done(); twice.status != http.StatusAccepted {
			t.Errorf("a second answer: %d", twice.status)
		}
	})
}

func TestNobodyIsAskedWhoCannotAnswer(t *testing.T) {
	h := newHandler(t, &server{handle: asking(nil)}, nil)
	session := open(t, h, "alice")
	jsonOnly := legacy(session, `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`)
	jsonOnly.Header.Set("Accept", "application/json")
	for name, r := range map[string]*http.Request{"json only": jsonOnly, "modern": modernRequest("x/y", "")} {
		w, wait := serve(h, r)
		if wait(); !strings.Contains(w.text(), `"asked":false`) {
			t.Errorf("%s: %s", name, w.text())
		}
	}
}

func TestAQuestionEndsWithItsSessionAndWithItsCall(t *testing.T) {
	for name, end := range map[string]func(session string) *http.Request{
		"DELETE": func(session string) *http.Request {
			r := legacy(session, "")
			r.Method = http.MethodDelete
			return r
		},
		"cancelled": func(session string) *http.Request {
			return legacy(session, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				heard := make(chan error, 1)
				h := newHandler(t, &server{handle: asking(heard)}, nil)
				session := open(t, h, "alice")
				_, wait := serve(h, legacy(session, `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
				synctest.Wait()
				_, done := serve(h, end(session))
				done()
				if err := <-heard; err == nil || !errors.Is(err, errCancelled) && !errors.Is(err, errNobodyToAsk) {
					t.Errorf("got %v", err)
				}
				wait()
				if n := len(h.edge.questions.open); n != 0 {
					t.Errorf("%d questions are left", n)
				}
			})
		})
	}
}

func TestARequestSaysWhatItsClientDeclared(t *testing.T) { // S3
	var got *Request
	s := &server{handle: func(_ context.Context, r *Request) (json.RawMessage, error) {
		got = r
		return json.RawMessage(`{}`), nil
	}}
	h := newHandler(t, s, nil)
	w, wait := serve(h, legacy("", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{}},"clientInfo":{}}}`))
	wait()
	session := w.head.Get(sessionHeader)
	_, wait = serve(h, legacy(session, `{"jsonrpc":"2.0","id":2,"method":"x"}`))
	if wait(); string(got.Capabilities) != `{"roots":{}}` || got.Ask == nil {
		t.Errorf("legacy: %s", got.Capabilities)
	}
	r := post(`{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientCapabilities":{"sampling":{}},"io.modelcontextprotocol/clientInfo":{"name":"n"},"io.modelcontextprotocol/logLevel":"debug"}}}`)
	r.Header.Set("Mcp-Protocol-Version", Modern)
	r.Header.Set("Mcp-Method", "x")
	_, wait = serve(h, r)
	if wait(); string(got.Capabilities) != `{"sampling":{}}` || string(got.ClientInfo) != `{"name":"n"}` || got.LogLevel != "debug" {
		t.Errorf("modern: %s %s %q", got.Capabilities, got.ClientInfo, got.LogLevel)
	}
}

func TestAQuestionThatIsWithdrawnIsTakenBackFromTheClient(t *testing.T) { // C7: by the id that the client knows
	synctest.Test(t, func(t *testing.T) {
		withdraw := make(chan struct{})
		h := newHandler(t, &server{handle: func(ctx context.Context, r *Request) (json.RawMessage, error) {
			ctx, cancel := context.WithCancel(ctx)
			go func() { <-withdraw; cancel() }()
			if _, err := r.Ask(ctx, "roots/list", json.RawMessage(`{"a":1}`)); !errors.Is(err, context.Canceled) {
				return nil, err
			}
			return json.RawMessage(`{"went":"on"}`), nil
		}}, nil)
		w, wait := serve(h, legacy(open(t, h, "alice"), `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
		synctest.Wait()
		id := questionID(t, w.text())
		close(withdraw)
		wait()
		told := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"` + id + `"}}`
		if at := strings.Index(w.text(), told); at < 0 || at > strings.Index(w.text(), `{"went":"on"}`) {
			t.Errorf("%q", w.text())
		}
	})
}
