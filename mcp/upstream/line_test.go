package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

func oldLeg(t *testing.T, up *mcptest.OldUpstream, era Era) *Leg {
	t.Helper()
	l, _ := newLeg(t, up.URL, func(c *Config) { c.Era = era })
	return l
}

// An upstream of 2024-11-05 is found by asking: server/discover, initialize, then its stream; and it is remembered (§16.1).
func TestTheOldTransportIsFoundAndRemembered(t *testing.T) {
	for _, era := range []Era{Auto, SSE} {
		up := mcptest.NewOldUpstream(t)
		l := oldLeg(t, up, era)
		if v, err := l.Speaks(t.Context(), as("a")); err != nil || v != (Verdict{Legacy: true, SSE: true}) { // clients from before a restart send no handshake
			t.Errorf("%s: at first the verdict is %+v, %v", era, v, err)
		}
		for range 2 {
			m := do(t, l, &Request{On: as("a"), Method: "tools/list"})
			if result(m) != "{}" {
				t.Fatalf("%s: the result is %s", era, result(m))
			}
		}
		v, err := l.Speaks(t.Context(), as("a"))
		if err != nil || v != (Verdict{Legacy: true, SSE: true}) {
			t.Errorf("%s: the verdict is %+v, %v", era, v, err)
		}
		info, err := l.Info(t.Context(), as("a"), false)
		if err != nil || info.Revision != "2024-11-05" {
			t.Errorf("%s: the info is %+v, %v", era, info, err)
		}
		methods := ""
		for _, r := range up.Requests() {
			methods += r.Method + " "
			if r.Header.Get("Mcp-Session-Id") != "" {
				t.Error("a session id was sent by a transport that has none")
			}
		}
		if methods != "initialize notifications/initialized tools/list tools/list " {
			t.Errorf("%s: %s", era, methods)
		}
	}
}

func TestALineMayBeginWithSomethingElse(t *testing.T) { // §16.1
	up := mcptest.NewOldUpstream(t)
	up.Before = ": hello\n\nretry: 3000\n\nevent: ping\ndata: {}\n\n"
	if m := do(t, oldLeg(t, up, Auto), &Request{On: as("a"), Method: "tools/list"}); result(m) != "{}" {
		t.Errorf("the result is %s", m.Body)
	}
}

func TestALineThatKnowsNobodyIsTheUpstreamsFault(t *testing.T) { // §9.3
	up := mcptest.NewOldUpstream(t)
	up.Endpoint = "/message?sessionId=not-%s"
	_, err := oldLeg(t, up, SSE).Do(t.Context(), &Request{On: as("a"), Method: "tools/list"})
	if text, ok := Failed(err); !ok || text != "the upstream ended the session; try again" {
		t.Errorf("%v", err)
	}
}

// Where the first event points decides where our credential goes: it stays with the upstream (§16.1: same origin only).
func TestAnEndpointOfAnotherOriginIsRefused(t *testing.T) {
	for _, endpoint := range []string{"http://127.0.0.1:1/message?sessionId=%s", "//evil.example/message?%s", "https://user@evil.example/%s", "javascript:%s"} {
		up := mcptest.NewOldUpstream(t)
		up.Endpoint = endpoint
		_, err := oldLeg(t, up, SSE).Do(t.Context(), &Request{On: as("a"), Method: "tools/list"})
		var e *edge.Error
		if !errors.As(err, &e) || e.Msg != otherThing {
			t.Errorf("%s: %v", endpoint, err)
		}
		if len(up.Requests()) != 0 {
			t.Errorf("%s: something was posted", endpoint)
		}
	}
	up := mcptest.NewOldUpstream(t)
	up.Endpoint = up.URL[:len(up.URL)-len("/sse")] + "/message?sessionId=%s#x" // the same origin, written out
	do(t, oldLeg(t, up, SSE), &Request{On: as("a"), Method: "tools/list"})
}

// Streamable HTTP servers that refuse a handshake are not asked to be old ones when they say which revision they want.
func TestAnUpstreamWithoutEitherTransportSaysSo(t *testing.T) {
	up := mcptest.NewOldUpstream(t)
	up.URL = strings.TrimSuffix(up.URL, "/sse") + "/nothing"
	_, err := oldLeg(t, up, Auto).Do(t.Context(), &Request{On: as("a"), Method: "tools/list"})
	var e *edge.Error
	if !errors.As(err, &e) || e.Msg != otherThing {
		t.Errorf("the error is %v", err)
	}
}

// What a call causes comes to that call, in order, and the server's questions are answered where it asked (D4).
func TestProgressAndQuestionsComeDownTheLine(t *testing.T) {
	up := mcptest.NewOldUpstream(t)
	answered := make(chan string, 1)
	up.On("", func(_ func(string), m mcptest.UpstreamMessage) { answered <- string(m.ID) })
	up.On("tools/call", func(say func(string), m mcptest.UpstreamMessage) {
		say(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`)
		say(`{"jsonrpc":"2.0","id":"q1","method":"elicitation/create","params":{"message":"who?"}}`)
		<-answered
		say(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":2}}`)
		say(mcptest.Answer(m, `{"content":[],"n":1.50}`))
	})
	l := oldLeg(t, up, SSE)
	on := as("a")
	on.Capabilities = json.RawMessage(`{"elicitation":{}}`)
	var heard []string
	var asked string
	m := do(t, l, &Request{On: on, Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`),
		Notify: func(m *strictjson.Message) { heard = append(heard, string(m.Bytes(m.Params))) },
		Ask: func(_ context.Context, q *strictjson.Message) (json.RawMessage, error) {
			asked = string(q.Bytes(q.Params))
			return json.RawMessage(`{"action":"accept"}`), nil
		}})
	if result(m) != `{"content":[],"n":1.50}` || len(heard) != 2 || asked != `{"message":"who?"}` {
		t.Errorf("%s, heard %q, asked %s", result(m), heard, asked)
	}
	last := up.Requests()[len(up.Requests())-1]
	contains(t, last.Body, `"id":"q1"`, `"result":{"action":"accept"}`)
}

// Calls at the same time have streams of their own, so that none hears another's (E10).
func TestCallsShareNoLine(t *testing.T) {
	up := mcptest.NewOldUpstream(t)
	var both sync.WaitGroup
	both.Add(2)
	up.On("tools/call", func(say func(string), m mcptest.UpstreamMessage) {
		both.Done()
		both.Wait() // both are under way
		var p struct{ Name string }
		_ = json.Unmarshal(m.Params, &p)
		say(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"` + p.Name + `"}}`)
		say(mcptest.Answer(m, `{"is":"`+p.Name+`"}`))
	})
	l := oldLeg(t, up, SSE)
	var wg sync.WaitGroup
	for _, name := range []string{"one", "two"} {
		wg.Go(func() {
			var heard []string
			m, err := l.Do(t.Context(), &Request{On: as("a"), Method: "tools/call", Tool: name, Params: json.RawMessage(`{"name":"` + name + `"}`),
				Notify: func(m *strictjson.Message) { heard = append(heard, string(m.Bytes(m.Params))) }})
			if err != nil || result(m) != `{"is":"`+name+`"}` || len(heard) != 1 || heard[0] != `{"data":"`+name+`"}` {
				t.Errorf("%s: %v, heard %q", name, err, heard)
			}
		})
	}
	wg.Wait()
	if _, opened := up.Streams(); opened != 2 {
		t.Errorf("%d streams were opened", opened)
	}
}

// A stream that breaks in the middle of a call says so; one that broke while nobody used it is opened anew, also for a call
// of a tool, since nothing was sent (§9.3, U3).
func TestALineThatBreaks(t *testing.T) {
	up := mcptest.NewOldUpstream(t)
	up.On("tools/call", func(func(string), mcptest.UpstreamMessage) { up.Drop() })
	l := oldLeg(t, up, SSE)
	_, err := l.Do(t.Context(), &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)})
	var e *edge.Error
	if !errors.As(err, &e) || e.Msg != brokeOff {
		t.Errorf("the error is %v", err)
	}
	up.On("tools/call", func(say func(string), m mcptest.UpstreamMessage) { say(mcptest.Answer(m, `{"ok":1}`)) })
	call := &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)}
	do(t, l, call)
	up.Drop()
	eventually(t, "the end of the session", func() bool {
		p := &l.cfg.Memory.pools
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.callers) == 0
	})
	do(t, l, call)
}

// Whoever stops waiting has the call cancelled upstream, where closing nothing would (§11.1).
func TestCancellationGoesByPost(t *testing.T) {
	up := mcptest.NewOldUpstream(t)
	began, cancelled := make(chan struct{}), make(chan string, 1)
	up.On("tools/call", func(func(string), mcptest.UpstreamMessage) { close(began) })
	up.On("notifications/cancelled", func(_ func(string), m mcptest.UpstreamMessage) { cancelled <- string(m.Params) })
	l := oldLeg(t, up, SSE)
	ctx, cancel := ctxWithCancel(t)
	go func() { <-began; cancel() }()
	if _, err := l.Do(ctx, &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	select {
	case p := <-cancelled:
		contains(t, p, `"requestId":`)
	case <-time.After(10 * time.Second):
		t.Error("the upstream was not told")
	}
}

// What belongs to no call reaches listeners (L5).
func TestTheLineIsHeard(t *testing.T) {
	up := mcptest.NewOldUpstream(t)
	l := oldLeg(t, up, Auto)
	do(t, l, &Request{On: as("a"), Method: "ping"}) // finds out
	told := make(chan string, 4)
	can, err := l.Listen(t.Context(), as("a"), edge.Interest{Tools: true, Prompts: true}, func(m *strictjson.Message) { told <- m.Method })
	if err != nil || !can.Tools || can.Prompts {
		t.Fatalf("it tells %+v, %v", can, err)
	}
	up.Say(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	if got := <-told; got != "notifications/tools/list_changed" {
		t.Errorf("heard %s", got)
	}
}

// A stream that never says where to post is given up after five seconds at the latest (§16.1); here whoever asks gives up.
func TestASilentLineIsGivenUp(t *testing.T) {
	up := mcptest.NewOldUpstream(t)
	up.Silent = true
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := oldLeg(t, up, SSE).Do(ctx, &Request{On: as("a"), Method: "ping"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	eventually(t, "the end of the stream", func() bool { open, _ := up.Streams(); return open == 0 })
}

// Origins are compared as browsers do: a port may be left out, everything else decides.
func TestOriginsOfEndpoints(t *testing.T) {
	for _, c := range []struct {
		at, endpoint, want string
	}{
		{"https://up.example/sse", "/m?s=1", "https://up.example/m?s=1"},
		{"https://up.example/a/sse", "m", "https://up.example/a/m"},
		{"https://up.example/sse", "https://UP.example:443/m#x", "https://up.example/m"},
		{"http://up.example:80/sse", "http://up.example/m", "http://up.example:80/m"},
		{"https://up.example/sse", "http://up.example/m", ""},
		{"https://up.example/sse", "https://up.example:8443/m", ""},
		{"https://up.example/sse", "https://up.example.evil/m", ""},
		{"https://up.example/sse", "//evil/m", ""},
		{"https://up.example/sse", `\\evil\m`, "https://up.example/%5C%5Cevil%5Cm"},
		{"https://up.example/sse", "https://u@up.example/m", ""},
		{"https://up.example/sse", "://", ""},
	} {
		at, _ := url.Parse(c.at)
		got, err := sameOrigin(at, c.endpoint)
		if (err == nil) != (c.want != "") || err == nil && got.String() != c.want {
			t.Errorf("%s from %s: %v, %v", c.endpoint, c.at, got, err)
		}
	}
}

// A server that asks without end while nobody calls costs a bounded number of answers at a time.
func TestAFloodOfStrayQuestionsIsBounded(t *testing.T) {
	up := mcptest.NewOldUpstream(t)
	hold, answers := make(chan struct{}), make(chan string, 1000)
	up.Hold = func(m mcptest.UpstreamMessage) {
		if m.Method == "" {
			answers <- string(m.ID)
			<-hold
		}
	}
	l := oldLeg(t, up, SSE)
	do(t, l, &Request{On: as("a"), Method: "tools/list"})
	for i := range 500 {
		up.Say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, i))
	}
	for range maxQuestions {
		<-answers
	}
	do(t, l, &Request{On: as("a"), Method: "tools/list"}) // still served: everything before its answer was read
	if n := len(answers); n > 2*maxQuestions {            // a call answers some of its own, and refuses as many
		t.Errorf("%d more answers than may be under way", n)
	}
	close(hold)
}

// Neither does one that asks without end in the middle of a call.
func TestAFloodOfQuestionsInACallIsBounded(t *testing.T) {
	up := mcptest.NewOldUpstream(t)
	hold, read, answers := make(chan struct{}), make(chan struct{}), make(chan string, 1000)
	up.Hold = func(m mcptest.UpstreamMessage) {
		if m.Method == "" {
			answers <- string(m.ID)
			<-hold
		}
	}
	up.On("tools/call", func(say func(string), m mcptest.UpstreamMessage) {
		for i := range 500 {
			say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, i))
		}
		say(`{"jsonrpc":"2.0","method":"notifications/message","params":{}}`)
		<-read // all of them: what is read now would find room when the answers are taken
		for range 2 * maxQuestions {
			<-answers
		}
		say(mcptest.Answer(m, `{"content":[]}`))
		close(hold)
	})
	l := oldLeg(t, up, SSE)
	do(t, l, &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`), Notify: func(*strictjson.Message) { close(read) }})
	if n := len(answers); n > 0 {
		t.Errorf("%d more answers than may be under way", n)
	}
}
