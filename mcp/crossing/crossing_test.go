package crossing

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// leg is an upstream made of functions.
type leg struct {
	t      testing.TB
	speaks upstream.Verdict
	do     func(ctx context.Context, r *upstream.Request) (string, error) // the result, or error:{…}
	tools  []string

	mu   sync.Mutex
	sent []*upstream.Request
}

func (l *leg) Speaks(context.Context, *upstream.Behalf) (upstream.Verdict, error) {
	return l.speaks, nil
}
func (l *leg) Info(_ context.Context, _ *upstream.Behalf, modern bool) (*upstream.Info, error) {
	return &upstream.Info{Modern: modern, Capabilities: json.RawMessage(`{"tools":{"x":1.0},"resources":{"subscribe":true}}`),
		ServerInfo: json.RawMessage(`{"name":"up","version":"1"}`), Instructions: "Be kind."}, nil
}
func (l *leg) Send(context.Context, *upstream.Behalf, string, json.RawMessage) error { return nil }
func (l *leg) Listen(_ context.Context, _ *upstream.Behalf, want edge.Interest, _ func(*strictjson.Message)) (edge.Interest, error) {
	return want, nil
}
func (l *leg) List(context.Context, *upstream.Behalf, string) (*upstream.List, error) {
	list := &upstream.List{}
	for _, t := range l.tools {
		list.Items = append(list.Items, json.RawMessage(t))
	}
	return list, nil
}
func (l *leg) Declared(context.Context, *upstream.Behalf, string) []paramheader.Param { return nil }
func (l *leg) Do(ctx context.Context, r *upstream.Request) (*strictjson.Message, error) {
	l.mu.Lock()
	copied := *r
	l.sent = append(l.sent, &copied)
	l.mu.Unlock()
	result, err := l.do(ctx, r)
	if err != nil {
		return nil, err
	}
	body := `{"jsonrpc":"2.0","id":1,"result":` + result + `}`
	if text, ok := strings.CutPrefix(result, "error:"); ok {
		body = `{"jsonrpc":"2.0","id":1,"error":` + text + `}`
	}
	m, err := strictjson.Decode([]byte(body), strictjson.Limits{Upstream: true})
	if err != nil {
		l.t.Fatal(err)
	}
	return m, nil
}

func answering(result string) func(context.Context, *upstream.Request) (string, error) {
	return func(context.Context, *upstream.Request) (string, error) { return result, nil }
}

func newServer(t testing.TB, l *leg, change func(*Config)) *Server {
	t.Helper()
	l.t = t
	keys, err := secret.NewKeyring(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Name: "s", Upstream: "up", Leg: l, Keyring: keys, ListTTL: time.Minute}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	modernUp = upstream.Verdict{Modern: true}
	legacyUp = upstream.Verdict{Legacy: true}
)

func request(t testing.TB, modern bool, method, params, capabilities string) *edge.Request {
	t.Helper()
	m, err := edge.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`), edge.Limits{}.OrDefaults())
	if err != nil {
		t.Fatal(err)
	}
	r := &edge.Request{Message: m, Modern: modern, Revision: edge.LatestLegacy, Caller: mcptest.Caller("alice"), Session: "one", Capabilities: json.RawMessage(capabilities),
		Notify: func(json.RawMessage, bool) {}, SetLogLevel: func(string) {}}
	if modern {
		r.Revision, r.Session = edge.Modern, ""
	}
	return r
}

func handle(t testing.TB, s *Server, r *edge.Request) (string, *edge.Error) {
	t.Helper()
	result, err := s.Handle(t.Context(), r)
	var e *edge.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%s: %v", r.Message.Method, err)
	}
	if err == nil && !json.Valid(result) {
		t.Fatalf("%s gave %s", r.Message.Method, result)
	}
	return string(result), e
}

func TestResultsOfALegacyUpstreamForModernClients(t *testing.T) { // §11.1
	l := &leg{speaks: legacyUp}
	s := newServer(t, l, nil)
	for method, c := range map[string]struct{ up, want string }{
		"x/y":            {`{"n": 1.00,"u":{"a":12345678901234567890}}`, `{"n": 1.00,"u":{"a":12345678901234567890},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"up","version":"1"}},"resultType":"complete"}`},
		"prompts/get":    {`{"_meta":{"k":1}}`, `{"_meta":{"k":1,"io.modelcontextprotocol/serverInfo":{"name":"up","version":"1"}},"resultType":"complete"}`},
		"resources/read": {`{}`, `{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"up","version":"1"}},"cacheScope":"private","resultType":"complete","ttlMs":0}`},
	} {
		l.do = answering(c.up)
		if got, e := handle(t, s, request(t, true, method, "{}", "{}")); e != nil || got != c.want {
			t.Errorf("%s\n%s, %v, want\n%s", method, got, e, c.want)
		}
	}
	if got, _ := handle(t, s, request(t, true, "server/discover", "{}", "{}")); !strings.Contains(got, `"supportedVersions":["2026-07-28"`) ||
		!strings.Contains(got, `"capabilities":{"tools":{"x":1.0}`) || !strings.Contains(got, `"ttlMs":60000`) || !strings.Contains(got, `"instructions":"Be kind."`) {
		t.Error(got)
	}
}

func TestErrorsCrossEras(t *testing.T) { // §11.1, §11.2, §17
	for _, c := range []struct {
		speaks         upstream.Verdict
		modern         bool
		method, params string
		up             string
		code, status   int
		data           string
	}{
		{legacyUp, true, "resources/read", `{"uri":"a:b"}`, `{"code":-32002,"message":"gone"}`, -32602, 400, `{"uri":"a:b"}`},
		{legacyUp, true, "x/y", `{}`, `{"code":-32601,"message":"no"}`, -32601, 404, ""},
		{legacyUp, true, "x/y", `{}`, `{"code":-32603,"message":"theirs","data":{"k":1}}`, -32603, 400, `{"k":1}`},
		{modernUp, false, "resources/read", `{"uri":"a:b"}`, `{"code":-32602,"message":"gone","data":{"uri":"a:b"}}`, -32002, 200, `{"uri":"a:b"}`},
		{modernUp, false, "x/y", `{}`, `{"code":-32602,"message":"bad","data":{"uri":"a:b"}}`, -32602, 200, `{"uri":"a:b"}`},
		{modernUp, false, "x/y", `{}`, `{"code":-32021,"message":"needs roots"}`, -32600, 200, ""},
		{modernUp, false, "x/y", `{}`, `{"code":-32020,"message":"header"}`, -32603, 0, ""},
		{upstream.Verdict{Modern: true, Legacy: true}, false, "x/y", `{}`, `{"code":-32002,"message":"gone"}`, -32002, 200, ""},
	} {
		l := &leg{speaks: c.speaks, do: answering("error:" + c.up)}
		_, e := handle(t, newServer(t, l, nil), request(t, c.modern, c.method, c.params, "{}"))
		if e == nil || e.Code != c.code || e.Status != c.status || string(e.Data) != c.data {
			t.Errorf("%s from %s: %+v", c.up, c.method, e)
		}
	}
}

func TestNobodyGetsLogMessagesUnasked(t *testing.T) { // S26: _meta logLevel
	for level, want := range map[string]int{"": 1, "info": 2} {
		l := &leg{speaks: legacyUp, do: func(_ context.Context, r *upstream.Request) (string, error) {
			for _, method := range []string{"notifications/message", "notifications/progress"} {
				m, _ := strictjson.Decode([]byte(`{"jsonrpc":"2.0","method":"`+method+`"}`), strictjson.Limits{})
				r.Notify(m)
			}
			return "{}", nil
		}}
		r := request(t, true, "x/y", "{}", "{}")
		r.LogLevel = level
		n := 0
		r.Notify = func(json.RawMessage, bool) { n++ }
		if handle(t, newServer(t, l, nil), r); n != want {
			t.Errorf("level %q: %d notifications", level, n)
		}
	}
}

func TestALegacyClientIsAskedForWhatAModernUpstreamRequires(t *testing.T) { // §11.2: input_required
	rounds := 0
	l := &leg{speaks: modernUp, do: func(_ context.Context, r *upstream.Request) (string, error) {
		if rounds++; rounds <= 2 {
			return `{"resultType":"input_required","requestState":"s` + string(rune('0'+rounds)) + `","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"who?"}},"b":{"method":"roots/list"}}}`, nil
		}
		return `{"resultType":"complete","n":1.0}`, nil
	}}
	s := newServer(t, l, nil)
	r := request(t, false, "tools/call", `{"name":"t","arguments":{ "x":1.50 }}`, `{"elicitation":{},"roots":{}}`)
	var mu sync.Mutex
	asked := map[string]int{}
	r.Ask = func(_ context.Context, method string, params json.RawMessage) (*edge.Message, error) {
		mu.Lock()
		defer mu.Unlock()
		asked[method+string(params)]++
		return edge.Decode([]byte(`{"jsonrpc":"2.0","id":1,"result":{"action":"decline"}}`), edge.Limits{}.OrDefaults())
	}
	if got, e := handle(t, s, r); e != nil || got != `{"resultType":"complete","n":1.0}` {
		t.Fatalf("%s, %v", got, e)
	}
	if asked[`elicitation/create{"message":"who?"}`] != 2 || asked["roots/list"] != 2 {
		t.Errorf("asked %v", asked)
	}
	if got := string(l.sent[1].Params); got != `{"name":"t","arguments":{ "x":1.50 },"inputResponses":{"a":{"action":"decline"},"b":{"action":"decline"}},"requestState":"s1"}` {
		t.Errorf("the second round sent %s", got)
	}
	if l.sent[0].On.LogLevel != "info" {
		t.Errorf("log level %q before any was set", l.sent[0].On.LogLevel)
	}
}

func TestAClientIsNotAskedForWhatItDoesNotOffer(t *testing.T) { // §11.2
	for name, c := range map[string]struct {
		up, capabilities, want string
		ask                    bool
	}{
		"not declared":    {`{"a":{"method":"elicitation/create"}}`, `{"roots":{}}`, "the upstream asks for elicitation, which the client does not offer", true},
		"no way to ask":   {`{"a":{"method":"elicitation/create"}}`, `{"elicitation":{}}`, "the upstream asks for elicitation, which the client does not offer", false},
		"unknown kind":    {`{"a":{"method":"shell/run"}}`, `{"elicitation":{}}`, "the upstream asks for shell/run, which the client does not offer", true},
		"without an end":  {`{"a":{"method":"roots/list"}}`, `{"roots":{}}`, "more than 10 times", true},
		"an error answer": {`{"a":{"method":"sampling/createMessage"}}`, `{"sampling":{}}`, "the client could not answer sampling/createMessage: refused", true},
	} {
		l := &leg{speaks: modernUp, do: answering(`{"resultType":"input_required","inputRequests":` + c.up + `}`)}
		r := request(t, false, "tools/call", `{"name":"t"}`, c.capabilities)
		if c.ask {
			r.Ask = func(_ context.Context, method string, _ json.RawMessage) (*edge.Message, error) {
				if method == "sampling/createMessage" {
					return edge.Decode([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"refused"}}`), edge.Limits{}.OrDefaults())
				}
				return edge.Decode([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`), edge.Limits{}.OrDefaults())
			}
		}
		if _, e := handle(t, newServer(t, l, nil), r); e == nil || !strings.Contains(e.Msg, c.want) {
			t.Errorf("%s: %v", name, e)
		}
	}
}

func TestLinksAreTextsToOldClients(t *testing.T) { // §11.2: resource_link before 2025-06-18
	const up = `{"content":[{"type":"text","text":"a"},{"type":"resource_link","name":"N","uri":"x:y","title":"T"}],"structuredContent":{"n":1.0}}`
	for revision, want := range map[string]string{
		"2025-03-26": `{"content":[{"type":"text","text":"a"},{"type":"text","text":"N: x:y"}],"structuredContent":{"n":1.0}}`, "2025-06-18": up,
	} {
		r := request(t, false, "tools/call", `{"name":"t"}`, "{}")
		r.Revision = revision
		if got, e := handle(t, newServer(t, &leg{speaks: modernUp, do: answering(up)}, nil), r); e != nil || got != want {
			t.Errorf("%s: %s, %v", revision, got, e)
		}
	}
}

// Prompts have links, too; and what a legacy upstream says in the newest legacy revision goes to clients of older ones.
func TestLinksOfPromptsAndOfLegacyUpstreamsAreTexts(t *testing.T) { // §11.2
	const up = `{"messages":[{"role":"user","content":{"type":"resource_link","name":"N","uri":"x:\"y"}},{"role":"user","content":{"type":"text","text":"resource_link"}}],"z":1.0}`
	const want = `{"messages":[{"role":"user","content":{"type":"text","text":"N: x:\"y"}},{"role":"user","content":{"type":"text","text":"resource_link"}}],"z":1.0}`
	for _, speaks := range []upstream.Verdict{modernUp, legacyUp} {
		r := request(t, false, "prompts/get", `{"name":"p"}`, "{}")
		r.Revision = "2024-11-05"
		if got, e := handle(t, newServer(t, &leg{speaks: speaks, do: answering(up)}, nil), r); e != nil || got != want {
			t.Errorf("%+v: %s, %v", speaks, got, e)
		}
	}
}

// A legacy client named no revision of the other era: that an upstream refuses it is our fault, said after one more try.
func TestAnEraThatIsRefusedTwiceIsOurFault(t *testing.T) { // §11.2, U2
	for modern, code := range map[bool]int{false: edge.CodeInternal, true: edge.CodeServer} {
		asked := 0
		l := &leg{speaks: modernUp, do: func(context.Context, *upstream.Request) (string, error) {
			asked++
			return "", upstream.ErrEra
		}}
		_, e := handle(t, newServer(t, l, nil), request(t, modern, "x/y", "{}", "{}"))
		if e == nil || e.Code != code || asked != 2 {
			t.Errorf("modern %v: %+v, asked %d times", modern, e, asked)
		}
	}
}

// asking is a legacy upstream that asks once and ends with what it heard.
func asking(kinds ...string) func(context.Context, *upstream.Request) (string, error) {
	return func(ctx context.Context, r *upstream.Request) (string, error) {
		var heard []string
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, kind := range kinds {
			wg.Go(func() {
				q, _ := strictjson.Decode([]byte(`{"jsonrpc":"2.0","id":"q","method":"`+kind+`","params":{"message":"who?"}}`), strictjson.Limits{})
				answer, err := r.Ask(ctx, q)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					heard = append(heard, err.Error())
					return
				}
				heard = append(heard, string(answer))
			})
		}
		wg.Wait()
		text, _ := json.Marshal(strings.Join(heard, "|"))
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return `{"heard":` + string(text) + `}`, nil
	}
}

// parkedState starts a call and returns its state and the keys of its questions.
func parkedState(t *testing.T, s *Server, r *edge.Request) (state string, keys []string) {
	t.Helper()
	got, e := handle(t, s, r)
	var result struct {
		ResultType    string
		RequestState  string
		InputRequests map[string]struct {
			Method string
			Params json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(got), &result); err != nil || e != nil || result.ResultType != "input_required" {
		t.Fatalf("%s, %v", got, e)
	}
	for key, q := range result.InputRequests {
		if string(q.Params) != `{"message":"who?"}` {
			t.Errorf("%s asks %s", key, q.Params)
		}
		keys = append(keys, key)
	}
	return result.RequestState, keys
}

func callParams(state, responses string) string {
	p := `{"name":"t","arguments":{"a":1,"b":[2]}`
	if state != "" {
		p += `,"requestState":"` + state + `","inputResponses":` + responses
	}
	return p + "}"
}

func TestAQuestionParksTheCallUntilItIsAnswered(t *testing.T) { // §11.3 P1, P3
	synctest.Test(t, func(t *testing.T) {
		l := &leg{speaks: legacyUp, do: asking("elicitation/create", "sampling/createMessage", "roots/list")}
		s := newServer(t, l, nil)
		const can = `{"elicitation":{},"sampling":{}}`
		state, keys := parkedState(t, s, request(t, true, "tools/call", callParams("", ""), can))
		if len(keys) != 2 {
			t.Fatalf("asked for %v; what was not declared is refused upstream", keys)
		}
		again, left := parkedState(t, s, request(t, true, "tools/call", callParams(state, `{"`+keys[0]+`":{"action":"accept"}}`), can))
		if len(left) != 1 || left[0] != keys[1] || again == state {
			t.Errorf("left %v of %v", left, keys)
		}
		if _, e := handle(t, s, request(t, true, "tools/call", callParams(state, `{}`), can)); e == nil || e.Code != -32602 {
			t.Errorf("a used state: %v", e)
		}
		got, e := handle(t, s, request(t, true, "tools/call", callParams(again, `{"`+keys[1]+`":{"role":"assistant"}}`), can))
		if e != nil || !strings.Contains(got, `{\"action\":\"accept\"}`) || !strings.Contains(got, `{\"role\":\"assistant\"}`) || !strings.Contains(got, "unknown method: roots/list") || !strings.Contains(got, `"resultType":"complete"`) {
			t.Errorf("%s, %v", got, e)
		}
		if len(s.cfg.Memory.calls) != 0 || len(s.cfg.Memory.callers) != 0 || len(l.sent) != 1 {
			t.Errorf("%d calls are left, %d were sent", len(s.cfg.Memory.calls), len(l.sent))
		}
	})
}

func TestAStateIsGoodForOneCallOfOneCallerOnly(t *testing.T) { // P1, P2
	synctest.Test(t, func(t *testing.T) {
		l := &leg{speaks: legacyUp, do: asking("elicitation/create")}
		s := newServer(t, l, nil)
		const can = `{"elicitation":{}}`
		state, keys := parkedState(t, s, request(t, true, "tools/call", callParams("", ""), can))
		answer := `{"` + keys[0] + `":{}}`
		for name, change := range map[string]func(r *edge.Request){
			"another person": func(r *edge.Request) { r.Caller = mcptest.Caller("bob") },
			"another client": func(r *edge.Request) { c := *r.Caller; c.ClientID = "other"; r.Caller = &c },
			"another tool": func(r *edge.Request) {
				*r = *request(t, true, "tools/call", strings.Replace(callParams(state, answer), `"t"`, `"u"`, 1), can)
			},
			"another method": func(r *edge.Request) { *r = *request(t, true, "prompts/get", callParams(state, answer), can) },
			"other arguments": func(r *edge.Request) {
				*r = *request(t, true, "tools/call", strings.Replace(callParams(state, answer), "[2]", "[3]", 1), can)
			},
			"a changed state": func(r *edge.Request) {
				*r = *request(t, true, "tools/call", callParams(state[:len(state)-2]+"AA", answer), can)
			},
			"an invented state": func(r *edge.Request) { *r = *request(t, true, "tools/call", callParams("x", answer), can) },
		} {
			r := request(t, true, "tools/call", callParams(state, answer), can)
			change(r)
			if _, e := handle(t, s, r); e == nil || e.Code != -32602 || e.Msg != "requestState is not valid; call the tool again" || e.Data != nil {
				t.Errorf("%s: %+v", name, e)
			}
		}
		elsewhere := newServer(t, l, func(c *Config) { c.Keyring = s.cfg.Keyring })
		if _, e := handle(t, elsewhere, request(t, true, "tools/call", callParams(state, answer), can)); e == nil || e.Code != edge.CodeServer || e.Msg != "the call was lost; call the tool again" {
			t.Errorf("another replica: %+v", e)
		}
		spelt := strings.Replace(callParams(state, answer), `"arguments":{"a":1,"b":[2]}`, `"arguments":{ "b" : [ 2 ], "a":1 }`, 1)
		if got, e := handle(t, s, request(t, true, "tools/call", spelt, can)); e != nil || !strings.Contains(got, "complete") {
			t.Errorf("the same arguments written anew: %s, %v", got, e)
		}
	})
}

func TestAParkedCallEndsInTime(t *testing.T) { // P4
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		l := &leg{speaks: legacyUp, do: func(ctx context.Context, r *upstream.Request) (string, error) {
			result, err := asking("elicitation/create")(ctx, r)
			ended <- context.Cause(ctx)
			return result, err
		}}
		s := newServer(t, l, nil)
		start := time.Now()
		state, keys := parkedState(t, s, request(t, true, "tools/call", callParams("", ""), `{"elicitation":{}}`))
		if err := <-ended; !errors.Is(err, errParkOver) || time.Since(start) < 2*time.Minute || time.Since(start) > 2*time.Minute+time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if _, e := handle(t, s, request(t, true, "tools/call", callParams(state, `{"`+keys[0]+`":{}}`), `{"elicitation":{}}`)); e == nil || e.Code != -32602 {
			t.Errorf("too late: %v", e)
		}
	})
}

func TestOnlySoManyCallsWaitForOnePerson(t *testing.T) { // P4
	synctest.Test(t, func(t *testing.T) {
		l := &leg{speaks: legacyUp, do: asking("elicitation/create")}
		s := newServer(t, l, nil)
		for range parkedPerCaller {
			parkedState(t, s, request(t, true, "tools/call", callParams("", ""), `{"elicitation":{}}`))
		}
		if _, e := handle(t, s, request(t, true, "tools/call", callParams("", ""), `{"elicitation":{}}`)); e == nil || e.Code != edge.CodeServer {
			t.Errorf("one more: %v", e)
		}
		other := request(t, true, "tools/call", callParams("", ""), `{"elicitation":{}}`)
		other.Caller = mcptest.Caller("bob")
		parkedState(t, s, other)
		s.cfg.Memory.Close()
	})
}

func TestAClientThatLeavesEndsTheCall(t *testing.T) { // E6
	synctest.Test(t, func(t *testing.T) {
		l := &leg{speaks: legacyUp, do: func(ctx context.Context, _ *upstream.Request) (string, error) {
			<-ctx.Done()
			return "", context.Cause(ctx)
		}}
		s := newServer(t, l, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Second); cancel() }() // of the bubble
		if _, err := s.Handle(ctx, request(t, true, "tools/call", callParams("", ""), `{"roots":{}}`)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestToolsOfOthersDoNotExist(t *testing.T) { // A1, A2, U1
	l := &leg{speaks: legacyUp, do: answering(`{}`), tools: []string{
		`{"name":"free","n":1.00,"inputSchema":{}}`, `{"name":"secret","inputSchema":{}}`, `{"name":"a b","inputSchema":{}}`, `{"name":"bad","inputSchema":{"properties":{"a":{"type":"array","x-mcp-header":"A"}}}}`,
	}}
	s := newServer(t, l, func(c *Config) {
		c.Tools = map[string]Tool{"secret": {Roles: []string{"Admin"}}, "free": {Scope: "s.free"}}
	})
	if got, _ := handle(t, s, request(t, true, "tools/list", "{}", "{}")); !strings.HasPrefix(got, `{"tools":[{"name":"free","n":1.00,"inputSchema":{}}],"resultType":"complete","ttlMs":60000,"cacheScope":"private"`) {
		t.Error(got)
	}
	if got, _ := handle(t, s, request(t, false, "tools/list", "{}", "{}")); !strings.Contains(got, `"bad"`) || strings.Contains(got, "secret") || strings.Contains(got, "a b") {
		t.Error(got)
	}
	for _, name := range []string{"secret", "nobody?", "a b"} {
		if _, e := handle(t, s, request(t, true, "tools/call", `{"name":"`+name+`"}`, "{}")); name != "nobody?" && (e == nil || e.Msg != "unknown tool: "+name) {
			t.Errorf("%s: %v", name, e)
		}
	}
	if _, e := handle(t, s, request(t, true, "tools/call", `{"name":"free"}`, "{}")); e == nil || e.OAuth != "insufficient_scope" || e.Status != 403 {
		t.Errorf("without the scope: %+v", e)
	}
	if len(l.sent) != 0 {
		t.Errorf("%d requests went up", len(l.sent))
	}
}

// held holds one tool back.
type held string

func (h held) SeeAs(context.Context, string, string, []pins.Definition, bool) (map[string]bool, error) {
	return map[string]bool{string(h): true}, nil
}
func (h held) Held(tool string) (string, bool)   { return "held: " + tool, tool == string(h) }
func (h held) Known(tool string) bool            { return tool != "unseen" }
func (h held) Editions(func(string) bool) string { return string(h) }

func TestHeldToolsAreNotListedAndNotCalled(t *testing.T) { // Q3, Q7
	l := &leg{speaks: legacyUp, do: answering(`{}`), tools: []string{`{"name":"a"}`, `{"name":"b"}`}}
	s := newServer(t, l, func(c *Config) { c.Pins = held("a") })
	if got, _ := handle(t, s, request(t, false, "tools/list", "{}", "{}")); got != `{"tools":[{"name":"b"}]}` {
		t.Error(got)
	}
	if got, e := handle(t, s, request(t, true, "tools/call", `{"name":"a"}`, "{}")); e != nil || got != `{"content":[{"type":"text","text":"held: a"}],"isError":true,"resultType":"complete"}` {
		t.Errorf("%s, %v", got, e)
	}
	if _, e := handle(t, s, request(t, true, "tools/call", `{"name":"unseen"}`, "{}")); e == nil || e.Msg != "unknown tool: unseen" {
		t.Errorf("a tool in no list: %v", e)
	}
	if len(l.sent) != 0 {
		t.Errorf("%d calls went up", len(l.sent))
	}
}

func TestListsAreReadInPages(t *testing.T) { // T6
	l := &leg{speaks: legacyUp, tools: []string{`{"name":"a"}`, `{"name":"b"}`, `{"name":"c"}`}}
	s := newServer(t, l, func(c *Config) { c.Page = 2 })
	got, _ := handle(t, s, request(t, false, "tools/list", "{}", "{}"))
	var page struct{ NextCursor string }
	if err := json.Unmarshal([]byte(got), &page); err != nil || page.NextCursor == "" || strings.Contains(got, `"c"`) {
		t.Fatal(got)
	}
	if got, _ := handle(t, s, request(t, false, "tools/list", `{"cursor":"`+page.NextCursor+`"}`, "{}")); got != `{"tools":[{"name":"c"}]}` {
		t.Error(got)
	}
	for _, cursor := range []string{"x", page.NextCursor[:len(page.NextCursor)-2] + "AA"} {
		if _, e := handle(t, s, request(t, false, "tools/list", `{"cursor":"`+cursor+`"}`, "{}")); e == nil || e.Msg != "cursor is not valid; start the list again" {
			t.Errorf("%s: %v", cursor, e)
		}
	}
	l.tools = append(l.tools, `{"name":"d"}`)
}

func TestALegacyClientOfAModernUpstream(t *testing.T) { // §11.2: initialize, ping, logging, subscriptions
	l := &leg{speaks: modernUp, do: answering(`{}`)}
	s := newServer(t, l, nil)
	if got, e := handle(t, s, request(t, false, "initialize", `{"protocolVersion":"2025-06-18","capabilities":{}}`, "{}")); e != nil ||
		!strings.Contains(got, `"protocolVersion":"2025-11-25"`) || !strings.Contains(got, `"logging":{}`) || !strings.Contains(got, `"serverInfo":{"name":"up","version":"1"}`) {
		t.Errorf("%s, %v", got, e)
	}
	r := request(t, false, "logging/setLevel", `{"level":"warning"}`, "{}")
	level := ""
	r.SetLogLevel = func(l string) { level = l }
	if got, e := handle(t, s, r); e != nil || got != "{}" || level != "warning" {
		t.Errorf("%s %q, %v", got, level, e)
	}
	if _, e := handle(t, s, request(t, false, "logging/setLevel", `{"level":"loud"}`, "{}")); e == nil || e.Code != -32602 {
		t.Errorf("a level that is none: %v", e)
	}
	if got, _ := handle(t, s, request(t, false, "ping", "{}", "{}")); got != "{}" || len(l.sent) != 0 {
		t.Errorf("ping: %s, %d went up", got, len(l.sent))
	}
	for i := range maxURIs {
		if _, e := handle(t, s, request(t, false, "resources/subscribe", `{"uri":"a:`+strings.Repeat("x", i+1)+`"}`, "{}")); e != nil {
			t.Fatal(e)
		}
	}
	if _, e := handle(t, s, request(t, false, "resources/subscribe", `{"uri":"one:more"}`, "{}")); e == nil {
		t.Error("one address too many")
	}
	if uris, _ := s.cfg.Memory.subs.of(s.key("one")); len(uris) != maxURIs {
		t.Errorf("%d subscriptions", len(uris))
	}
	s.Left(t.Context(), "one")
	if uris, _ := s.cfg.Memory.subs.of(s.key("one")); len(uris) != 0 {
		t.Errorf("%d subscriptions of a session that is over", len(uris))
	}
}
