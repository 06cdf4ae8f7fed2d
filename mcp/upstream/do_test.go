package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func TestAModernRequestCarriesItsEra(t *testing.T) { // U1, §11.2
	up := mcptest.NewUpstream(t)
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.JSON(w, m.ID, `{"tools":[{"name":"naïve","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}]}`)
	})
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.JSON(w, m.ID, `{"n": 12345678901234567890.10}`)
	})
	l, _ := newLeg(t, up.URL, nil)
	on := as("alice")
	on.Capabilities, on.ClientInfo, on.LogLevel = json.RawMessage(`{"roots":{}}`), json.RawMessage(`{"name":"c"}`), "debug"
	on.HTTP = &http.Request{Header: http.Header{"Traceparent": {"00-x"}, "Authorization": {"Bearer secret"}, "X-Forwarded-For": {"1.2.3.4"}}}
	m := do(t, l, &Request{On: on, Modern: true, Method: "tools/call", Tool: "naïve",
		Params: json.RawMessage(`{"name":"naïve","arguments":{ "region":"eu" },"_meta":{"progressToken":7,"io.modelcontextprotocol/logLevel":"error"}}`)})
	if result(m) != `{"n": 12345678901234567890.10}` {
		t.Errorf("the result is %s", result(m))
	}
	r := sent(up, "tools/call")[0]
	contains(t, r.Body, `"arguments":{ "region":"eu" }`, `"progressToken":7`, `"io.modelcontextprotocol/protocolVersion":"2026-07-28"`,
		`"io.modelcontextprotocol/clientCapabilities":{"roots":{}}`, `"io.modelcontextprotocol/clientInfo":{"name":"c"}`, `"io.modelcontextprotocol/logLevel":"debug"`)
	for name, want := range map[string]string{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?bmHDr3Zl?=",
		"Mcp-Param-Region": "eu", "Traceparent": "00-x", "Authorization": "", "X-Forwarded-For": "", "Mcp-Session-Id": ""} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

type tenant struct{}

func (tenant) Admit(_ context.Context, c *proxy.Call) (proxy.Verdict, error) {
	c.Shape.Arguments = []proxy.Argument{{Name: "tenant", Value: []byte(`"ours"`)}}
	return proxy.Verdict{}, nil
}

// What a policy writes into an argument stands in its header, too.
func TestHeadersFollowPolicies(t *testing.T) { // U1, llm.md: set_argument
	up := mcptest.NewUpstream(t)
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.JSON(w, m.ID, `{"tools":[{"name":"t","inputSchema":{"properties":{"tenant":{"type":"string","x-mcp-header":"Tenant"}}}}]}`)
	})
	set := &proxy.Policies{}
	set.ByPhase[proxy.PhaseShape] = []proxy.Policy{tenant{}}
	l, _ := newLeg(t, up.URL, func(c *Config) { c.Policies = func(string) *proxy.Policies { return set } })
	do(t, l, &Request{On: as("a"), Modern: true, Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t","arguments":{"tenant":"mine"}}`)})
	got := sent(up, "tools/call")[0]
	if got.Header.Get("Mcp-Param-Tenant") != "ours" || !strings.Contains(got.Body, `"tenant":"ours"`) {
		t.Errorf("%s %s", got.Header.Get("Mcp-Param-Tenant"), got.Body)
	}
}

func TestNotificationsComeBeforeTheAnswer(t *testing.T) { // E4
	for _, modern := range []bool{true, false} {
		up := mcptest.NewUpstream(t)
		up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
			write := mcptest.Stream(w)
			write(event(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}`))
			write(": ping\n\n" + event(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":2}}`))
			write(event(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"ok":true}}`))
		})
		l, _ := newLeg(t, up.URL, nil)
		var heard []string
		m := do(t, l, &Request{On: as("a"), Modern: modern, Method: "tools/call", Params: json.RawMessage(`{"name":"t"}`), Tool: "t",
			Notify: func(m *strictjson.Message) { heard = append(heard, string(m.Bytes(m.Params))) }})
		if result(m) != `{"ok":true}` || len(heard) != 2 || heard[1] != `{"progress":2}` {
			t.Errorf("modern %v: %s after %q", modern, result(m), heard)
		}
	}
}

func TestASessionIsOpenedOnceWithExactlyWhatTheClientDeclared(t *testing.T) { // §11.1, U3
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	up.On("initialize", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		w.Header().Set("Mcp-Session-Id", "one")
		mcptest.JSON(w, m.ID, `{"protocolVersion":"2025-06-18","capabilities":{"logging":{}}}`)
	})
	up.Session = false
	l, _ := newLeg(t, up.URL, nil)
	on := as("alice")
	on.Capabilities, on.LogLevel = json.RawMessage(`{"elicitation":{}}`), "info"
	for range 3 {
		do(t, l, &Request{On: on, Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","x":1}}`)})
	}
	opened := sent(up, "initialize")
	if len(opened) != 1 {
		t.Fatalf("%d sessions were opened", len(opened))
	}
	contains(t, opened[0].Body, `"capabilities":{"elicitation":{}}`, `"protocolVersion":"2025-11-25"`, `"clientInfo":{"name":"drawbridge","version":"9"}`)
	if n := len(sent(up, "notifications/initialized")); n != 1 {
		t.Errorf("initialized was said %d times", n)
	}
	if level := sent(up, "logging/setLevel"); len(level) != 1 || params(level[0].Body) != `{"level":"info"}` {
		t.Errorf("the level was set by %v", level)
	}
	call := sent(up, "tools/call")[0]
	if call.Header.Get("Mcp-Session-Id") != "one" || call.Header.Get("Mcp-Protocol-Version") != "2025-06-18" || call.Header.Get("Mcp-Method") != "" {
		t.Errorf("headers %v", call.Header)
	}
	if params(call.Body) != `{"name":"t","_meta":{"x":1}}` {
		t.Errorf("params %s: members of the other era went up", params(call.Body))
	}
	other := as("bob")
	other.Capabilities = on.Capabilities
	do(t, l, &Request{On: other, Method: "ping"})
	if n := len(sent(up, "initialize")); n != 2 {
		t.Errorf("%d sessions for two people", n)
	}
	l.cfg.Memory.Close()
	if n := len(sent(up, "DELETE")); n != 2 {
		t.Errorf("%d sessions were ended", n)
	}
}

func TestASessionThatTheUpstreamForgotIsReplacedOnce(t *testing.T) { // U3
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	l, _ := newLeg(t, up.URL, nil)
	do(t, l, &Request{On: as("a"), Method: "prompts/get"})
	up.Forget()
	do(t, l, &Request{On: as("a"), Method: "prompts/get"})
	if n := len(sent(up, "initialize")); n != 2 {
		t.Errorf("%d sessions", n)
	}
	up.Forget()
	_, err := l.Do(t.Context(), &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)})
	if text, ok := Failed(err); !ok || text != "the upstream ended the session; try again" {
		t.Errorf("a call of a tool: %v", err)
	}
	if n := len(sent(up, "tools/call")); n != 1 {
		t.Errorf("the call was sent %d times", n)
	}
	do(t, l, &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)})
}

func TestQuestionsOfTheServerAreAnswered(t *testing.T) { // §11.1
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	answered := make(chan struct{}, 3)
	up.On("", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		answered <- struct{}{}
		w.WriteHeader(http.StatusAccepted)
	})
	up.On("tools/call", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		write := mcptest.Stream(w)
		write(event(`{"jsonrpc":"2.0","id":"p","method":"ping"}`))
		write(event(`{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{"message":"?"}}`))
		write(event(`{"jsonrpc":"2.0","id":8,"method":"sampling/createMessage"}`))
		all := map[string]bool{}
		for range 3 {
			<-answered
		}
		for _, r := range up.Requests() {
			all[r.Body] = true
		}
		for _, want := range []string{`{"jsonrpc":"2.0","id":"p","result":{}}`, `{"jsonrpc":"2.0","id":7,"result":{"action":"accept"}}`,
			`{"jsonrpc":"2.0","id":8,"error":{"code":-32601,"message":"unknown method: sampling/createMessage"}}`} {
			if !all[want] {
				t.Errorf("%s is missing in %v", want, all)
			}
		}
		write(event(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{}}`))
	})
	l, _ := newLeg(t, up.URL, nil)
	do(t, l, &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`),
		Ask: func(_ context.Context, q *strictjson.Message) (json.RawMessage, error) {
			if q.Method == "elicitation/create" && string(q.Bytes(q.Params)) == `{"message":"?"}` {
				return json.RawMessage(`{"action":"accept"}`), nil
			}
			return nil, edge.MethodNotFound(q.Method)
		}})
}

// What an upstream cancels is a question of its own: the client hears of it by the id that it knows, or not at all (C7).
func TestAQuestionThatTheServerWithdrawsEnds(t *testing.T) {
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	asked, withdrawn := make(chan struct{}), make(chan struct{})
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		write := mcptest.Stream(w)
		write(event(`{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{"message":"?"}}`))
		<-asked
		write(event(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"7"}}`)) // another id
		write(event(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`))
		<-withdrawn
		write(event(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{}}`))
	})
	l, _ := newLeg(t, up.URL, nil)
	told := 0
	do(t, l, &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`),
		Notify: func(*strictjson.Message) { told++ },
		Ask: func(ctx context.Context, _ *strictjson.Message) (json.RawMessage, error) {
			close(asked)
			<-ctx.Done()
			close(withdrawn)
			return nil, ctx.Err()
		}})
	if told != 0 {
		t.Errorf("the client was told %d times of ids that are not its own", told)
	}
	for _, r := range up.Requests() {
		if strings.Contains(r.Body, `"id":7`) {
			t.Errorf("a question that was withdrawn is answered: %s", r.Body)
		}
	}
}

func TestASessionThatMayBeAskedHasOneCallAtATime(t *testing.T) { // §11.1: <= 4 per caller
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	var now, most atomic.Int64
	let := make(chan struct{})
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		most.Store(max(most.Load(), now.Add(1)))
		<-let
		now.Add(-1)
		mcptest.JSON(w, m.ID, `{}`)
	})
	l, _ := newLeg(t, up.URL, nil)
	done := make(chan error, 6)
	for range 6 {
		go func() {
			on := as("a")
			on.Capabilities = json.RawMessage(`{"sampling":{}}`)
			_, err := l.Do(t.Context(), &Request{On: on, Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)})
			done <- err
		}()
	}
	eventually(t, "four calls", func() bool { return now.Load() == 4 })
	for range 6 {
		let <- struct{}{}
	}
	for range 6 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := len(sent(up, "initialize")); n > 4 || most.Load() > 4 {
		t.Errorf("%d sessions, %d calls at once", n, most.Load())
	}
}

func TestACallThatNobodyWaitsForIsCancelledUpstream(t *testing.T) { // E6, §11.1
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	begun, gone := make(chan struct{}), make(chan struct{})
	up.On("tools/call", func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
		mcptest.Stream(w)
		close(begun)
		<-r.Context().Done()
		close(gone)
	})
	l, _ := newLeg(t, up.URL, nil)
	ctx, cancel := ctxWithCancel(t)
	go func() { <-begun; cancel() }()
	_, err := l.Do(ctx, &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-gone
	if list := sent(up, "notifications/cancelled"); len(list) != 1 || params(list[0].Body) == "" {
		t.Errorf("told %v", list)
	}
}

func TestAStreamThatEndsEarlyIsTakenUpAgain(t *testing.T) { // U4, SEP-1699
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	var id json.RawMessage
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		id = m.ID
		mcptest.Stream(w)("retry: 1\nid: e1\ndata:\n\n")
	})
	up.On("GET", func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
		if r.Header.Get("Last-Event-Id") != "e1" {
			t.Errorf("resumed at %q", r.Header.Get("Last-Event-Id"))
		}
		mcptest.Stream(w)(event(`{"jsonrpc":"2.0","id":` + string(id) + `,"result":{"late":1}}`))
	})
	l, _ := newLeg(t, up.URL, nil)
	if m := do(t, l, &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)}); result(m) != `{"late":1}` {
		t.Errorf("got %s", result(m))
	}
}

// A stream that cannot be taken up again broke off.
func TestAStreamThatCannotBeTakenUpBrokeOff(t *testing.T) { // U4, §9.3
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		mcptest.Stream(w)("retry: 1\nid: e1\ndata:\n\n")
	})
	l, _ := newLeg(t, up.URL, nil)
	_, err := l.Do(t.Context(), &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)})
	var e *edge.Error
	if !errors.As(err, &e) || e.Msg != brokeOff {
		t.Errorf("got %v", err)
	}
	if n := len(sent(up, "tools/call")); n != 1 {
		t.Errorf("called %d times", n)
	}
}

// A GET stream is opened again where it ended, after the time the server wishes for; also when it names no time.
func TestAStreamOfChangesIsTakenUpAgain(t *testing.T) { // U4
	for _, retry := range []string{"retry: 1\n", ""} {
		up := mcptest.NewUpstream(t)
		legacyOnly(up)
		up.On("initialize", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
			mcptest.JSON(w, m.ID, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"u","version":"1"}}`)
		})
		up.Session = false
		at := make(chan string, 10)
		up.On("GET", func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
			last := r.Header.Get("Last-Event-Id")
			at <- last
			say := mcptest.Stream(w)
			if last == "" {
				say(retry + "id: e1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n")
				return
			}
			<-r.Context().Done()
		})
		l, _ := newLeg(t, up.URL, nil)
		if _, err := l.Listen(t.Context(), as("a"), edge.Interest{Tools: true}, func(*strictjson.Message) {}); err != nil {
			t.Fatal(err)
		}
		if first, second := <-at, <-at; first != "" || second != "e1" {
			t.Errorf("with %q: opened at %q and %q", retry, first, second)
		}
	}
}

func TestFaultsOfAnUpstreamAreSaidWithoutSecrets(t *testing.T) { // §9.3
	for name, c := range map[string]struct {
		h    mcptest.Handler
		want string
	}{
		"page":       {func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) { http.Error(w, "<html>", 500) }, otherThing},
		"credential": {func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) { w.WriteHeader(401) }, refusedOurs},
		"busy": {func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
		}, "the upstream is busy; try again later"},
		"broken": {func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
			mcptest.Stream(w)(event(`{"jsonrpc":"2.0","method":"notifications/progress"}`) + "data: {")
		}, brokeOff},
		"careless": {func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
			mcptest.JSON(w, m.ID, `{"a":1,"a":2}`)
		}, otherThing},
		"nothing": {func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) { w.WriteHeader(202) }, otherThing},
		"a result that is refused": {func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{}}`))
		}, otherThing},
		"redirect": {func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
			http.Redirect(w, r, "http://169.254.169.254/", 307)
		}, otherThing},
	} {
		for _, modern := range []bool{true, false} {
			up := mcptest.NewUpstream(t)
			up.On("tools/call", c.h)
			l, _ := newLeg(t, up.URL, nil)
			_, err := l.Do(t.Context(), &Request{On: as("a"), Modern: modern, Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)})
			var e *edge.Error
			if !errors.As(err, &e) || e.Msg != c.want {
				t.Errorf("%s, modern %v: %v, want %q", name, modern, err, c.want)
			} else if e.Msg == brokeOff && e.Status != http.StatusOK { // the client would have seen the beginning of the stream
				t.Errorf("%s, modern %v: status %d", name, modern, e.Status)
			}
		}
	}
	l, _ := newLeg(t, "http://127.0.0.1:1/secret-path", nil)
	_, err := l.Do(t.Context(), &Request{On: as("a"), Modern: true, Method: "x"})
	if text, ok := Failed(err); !ok || text != unavailable {
		t.Errorf("unreachable: %v", err)
	}
}

func TestAnUpstreamThatFallsSilentIsLeft(t *testing.T) { // §9.3
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	up.On("tools/call", func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
		mcptest.Stream(w)
		<-r.Context().Done()
	})
	l, _ := newLeg(t, up.URL, func(c *Config) { c.Timeout = 50 * time.Millisecond })
	on := as("a")
	on.Capabilities = json.RawMessage(`{"roots":{}}`)
	_, err := l.Do(t.Context(), &Request{On: on, Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)})
	if text, ok := Failed(err); !ok || text != "the upstream did not answer within 50ms" {
		t.Errorf("got %v", err)
	}
	eventually(t, "the news that nobody waits", func() bool { return len(sent(up, "notifications/cancelled")) == 1 })
}

// What a call that nobody waits for still asks and tells is not the next call's: the stream that both would share is closed.
func TestTheNextCallHearsNothingOfTheLast(t *testing.T) { // §11.1: one call at a time when the upstream may ask back
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	begun, late, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var streams atomic.Int64
	up.On("GET", func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
		nth := streams.Add(1) // before the client can know
		write := mcptest.Stream(w)
		if nth > 1 {
			<-r.Context().Done()
			return
		}
		defer close(over)
		select {
		case <-late:
			write(event(`{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{}}`))
		case <-r.Context().Done():
		}
		<-r.Context().Done()
	})
	answered := make(chan struct{}, 1)
	up.On("", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
		answered <- struct{}{}
		w.WriteHeader(202)
	})
	up.On("tools/call", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		if strings.Contains(string(m.Params), "second") {
			close(late)
			select {
			case <-over:
			case <-answered:
			}
			mcptest.JSON(w, m.ID, `{}`)
			return
		}
		close(begun)
		<-r.Context().Done()
	})
	l, _ := newLeg(t, up.URL, nil)
	on := as("a")
	on.Capabilities = json.RawMessage(`{"elicitation":{}}`)
	ctx, cancel := ctxWithCancel(t)
	go func() { <-begun; cancel() }()
	if _, err := l.Do(ctx, &Request{On: on, Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"first"}`)}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	do(t, l, &Request{On: on, Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"second"}`), Ask: func(context.Context, *strictjson.Message) (json.RawMessage, error) {
		t.Error("the second call was asked what the first should have been")
		return nil, errors.New("no")
	}})
	if n := len(sent(up, "initialize")); n != 2 {
		t.Errorf("%d sessions", n)
	}
	eventually(t, "the end of the first session", func() bool { return len(sent(up, "DELETE")) == 1 })
}

func BenchmarkDo(b *testing.B) {
	for name, modern := range map[string]bool{"modern": true, "legacy": false} {
		b.Run(name, func(b *testing.B) {
			up := mcptest.NewUpstream(b)
			l, _ := newLeg(b, up.URL, nil)
			b.ReportAllocs()
			for b.Loop() {
				do(b, l, &Request{On: as("a"), Modern: modern, Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t","arguments":{"a":1}}`)})
			}
		})
	}
}

func TestManyWordsSayThatASessionIsLost(t *testing.T) { // U3, §9.3
	for answer, want := range map[string]bool{
		"404 ": true, `404 {"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}`: true,
		"400 Bad Request: No valid session ID provided":                                                              true, // servers made with older SDKs for Python
		`400 {"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}`:        true,
		`400 {"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: Server not initialized"}}`:    true,
		`400 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no session of that name"}}`:                   false,
		`400 {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Bad Request: Unsupported protocol version"}}`: false,
		`404 {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`:                          false,
		"400 no": false, "500 session": false, "405 session": false, "200 session": false,
	} {
		text, body, _ := strings.Cut(answer, " ")
		status, _ := strconv.Atoi(text)
		if got := LostSession(status, []byte(body)); got != want {
			t.Errorf("%s: %v", answer, got)
		}
	}
}

func TestALostSessionIsReplacedWhateverTheUpstreamCallsIt(t *testing.T) { // U3
	for _, c := range []struct {
		status     int
		kind, body string
	}{
		{404, "application/json", `{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}`},
		{400, "application/json", `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}`},
		{400, "text/plain; charset=utf-8", `Bad Request: No valid session ID provided`},
	} {
		up := mcptest.NewUpstream(t)
		legacyOnly(up)
		lost := false
		known := func(result string) mcptest.Handler {
			return func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
				if !lost {
					mcptest.JSON(w, m.ID, result)
					return
				}
				lost = false
				w.Header().Set("Content-Type", c.kind)
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}
		}
		up.On("tools/call", known(`{"content":[]}`))
		up.On("prompts/get", known(`{"messages":[]}`))
		l, _ := newLeg(t, up.URL, nil)
		call := &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)}
		do(t, l, call)
		lost = true
		if m := do(t, l, &Request{On: as("a"), Method: "prompts/get", Params: json.RawMessage(`{"name":"p"}`)}); result(m) != `{"messages":[]}` {
			t.Errorf("%d %s: what may be asked again got %s", c.status, c.body, m.Body)
		}
		lost = true
		if _, err := l.Do(t.Context(), call); err == nil || !strings.Contains(err.Error(), "ended the session") {
			t.Errorf("%d %s: the call got %v", c.status, c.body, err)
		}
		do(t, l, call)
		if n := len(sent(up, "initialize")); n != 3 {
			t.Errorf("%d %s: %d sessions", c.status, c.body, n)
		}
	}
}

func TestEventsOfOtherTypesAreNoMessages(t *testing.T) { // §16.1
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		say := mcptest.Stream(w)
		say("event: ping\ndata: 2026-11-21\n\n")
		say("event: open\ndata: {}\n\n" + event(`{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{"content":[]}}`))
	})
	l, _ := newLeg(t, up.URL, nil)
	if m := do(t, l, &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)}); result(m) != `{"content":[]}` {
		t.Errorf("got %s", m.Body)
	}
}

func TestAStreamIsAStreamWithAnyStatusThatSaysYes(t *testing.T) { // §16.1
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(event(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"content":[]}}`)))
	})
	l, _ := newLeg(t, up.URL, nil)
	if m := do(t, l, &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)}); result(m) != `{"content":[]}` {
		t.Errorf("got %s", m.Body)
	}
}
