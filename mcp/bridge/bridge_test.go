package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// road is a Doer made of a function.
type road func(ctx context.Context, c *proxy.Call) (*proxy.Answer, error)

func (r road) Do(ctx context.Context, c *proxy.Call) (*proxy.Answer, error) { return r(ctx, c) }

// operation answers with a fixed result, after reading the body.
type operation struct{ result *openapi.Result }

func (o operation) BuildRequest(ctx context.Context, base *url.URL, args json.RawMessage) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodPost, base.String(), strings.NewReader(string(args)))
}

func (o operation) ReadResult(resp *http.Response, _ openapi.ReadOptions) (*openapi.Result, error) {
	if _, err := io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	return o.result, nil
}

// answered is a road on which every call gets status and body, and whose ending is kept.
func answered(status int, body io.Reader, out *proxy.Outcome) road {
	return func(ctx context.Context, c *proxy.Call) (*proxy.Answer, error) {
		if _, err := c.Build(ctx, &proxy.Backend{URL: &url.URL{Scheme: "http", Host: "api"}}); err != nil {
			return nil, err
		}
		a := proxy.NewAnswer(func(o proxy.Outcome) {
			if out != nil {
				*out = o
			}
		})
		a.Status, a.Upstream, a.Body, a.Cache = status, http.Header{}, io.NopCloser(body), "miss"
		return a, nil
	}
}

func newKeys(t testing.TB) *secret.Keyring {
	t.Helper()
	keys, err := secret.NewKeyring(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func build(t testing.TB, cfg bridge.Config) *bridge.Server {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "orders"
	}
	if cfg.Keyring == nil {
		cfg.Keyring = newKeys(t)
	}
	if cfg.Doer == nil {
		cfg.Doer = &mcptest.Road{}
	}
	s, err := bridge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func request(t testing.TB, caller *identity.Caller, modern bool, method, params string) *edge.Request {
	t.Helper()
	m, err := edge.Decode([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)), edge.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return &edge.Request{
		Message: m, Modern: modern, Revision: "2025-11-25", Caller: caller, HTTP: httptest.NewRequest(http.MethodPost, "/mcp/orders", nil),
		Notify: func(json.RawMessage, bool) {}, SetLogLevel: func(string) {},
	}
}

func call(t testing.TB, s *bridge.Server, name string) (string, error) {
	t.Helper()
	raw, err := s.Handle(t.Context(), request(t, mcptest.Caller("alice"), false, "tools/call", `{"name":"`+name+`"}`))
	return string(raw), err
}

func TestResultsAreWrittenWhole(t *testing.T) { // openapi.md §12 in the protocol's shape
	s := build(t, bridge.Config{
		Doer: answered(200, strings.NewReader(""), nil),
		Tools: []bridge.Tool{{Tool: mcptest.Tool("t"), Operation: operation{&openapi.Result{
			Content: []openapi.Content{
				{Type: openapi.TextContent, Text: "a\"\\\n\r\t\x01é\u2028\xff\U0001f600"},
				{Type: openapi.ImageContent, Data: []byte{1, 2, 3}, MIMEType: "image/png"},
				{Type: openapi.AudioContent, Data: []byte{4}, MIMEType: "audio/wav"},
				{Type: openapi.ResourceContent, URI: "drawbridge:response/1/a.pdf", Data: []byte{5}, MIMEType: "application/pdf"},
				{Type: openapi.ResourceContent, URI: "x:y", Text: "text"},
			},
			Structured: json.RawMessage(`{"n":12345678901234567890.1200}`), IsError: true, Meta: map[string]any{"drawbridge/bytes": 5},
		}}}},
	})
	got, err := call(t, s, "t")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"content":[{"type":"text","text":"a\"\\\n\r\t\u0001é` + "\u2028\ufffd\U0001f600" + `"},` +
		`{"type":"image","data":"AQID","mimeType":"image/png"},{"type":"audio","data":"BA==","mimeType":"audio/wav"},` +
		`{"type":"resource","resource":{"uri":"drawbridge:response/1/a.pdf","mimeType":"application/pdf","blob":"BQ=="}},` +
		`{"type":"resource","resource":{"uri":"x:y","text":"text"}}],"structuredContent":{"n":12345678901234567890.1200},"isError":true,` +
		`"_meta":{"drawbridge/bytes":5}}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	raw, _ := s.Handle(t.Context(), request(t, mcptest.Caller("a"), true, "tools/call", `{"name":"t"}`))
	var modern struct {
		ResultType string         `json:"resultType"`
		Meta       map[string]any `json:"_meta"`
	}
	if err := json.Unmarshal(raw, &modern); err != nil || modern.ResultType != "complete" || len(modern.Meta) != 2 {
		t.Errorf("modern: %s, %v", raw, err)
	}
}

func TestAResultAbove8MiBIsLeftOut(t *testing.T) { // B7
	s := build(t, bridge.Config{
		Doer: answered(200, strings.NewReader(""), nil),
		Tools: []bridge.Tool{{Tool: mcptest.Tool("t"), Operation: operation{&openapi.Result{
			Content: []openapi.Content{{Type: openapi.TextContent, Text: strings.Repeat("x", 9<<20)}},
		}}}},
	})
	if got, err := call(t, s, "t"); err != nil || len(got) > 1000 || !strings.Contains(got, "8 MiB") {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }

func TestEveryEndingIsSettledAndSaidInWords(t *testing.T) { // openapi.md §12 "not reachable", llm.md §13.4
	good := &openapi.Result{Content: []openapi.Content{{Type: openapi.TextContent, Text: "fine"}}}
	for _, c := range []struct {
		name   string
		status int
		body   io.Reader
		text   string
		ending proxy.Ending
	}{
		{"good", 200, strings.NewReader(""), "fine", proxy.EndOK},
		{"an error of the API", 500, strings.NewReader(""), "fine", proxy.EndUpstreamError},
		{"broken off", 200, brokenBody{io.ErrUnexpectedEOF}, `"the connection broke off"`, proxy.EndUpstreamError},
		{"too slow for the pipeline", 200, brokenBody{&proxy.Error{Kind: proxy.Timeout, Msg: "x"}}, "the API did not answer within 1m30s", proxy.EndTimeout},
		{"too slow", 200, brokenBody{context.DeadlineExceeded}, "the API did not answer within 1m30s", proxy.EndTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out proxy.Outcome
			s := build(t, bridge.Config{
				Doer:  answered(c.status, c.body, &out),
				Tools: []bridge.Tool{{Tool: mcptest.Tool("t"), Operation: operation{good}, Timeout: 90 * time.Second}},
			})
			got, err := call(t, s, "t")
			if err != nil || !strings.Contains(got, c.text) {
				t.Errorf("got %s, %v", got, err)
			}
			if out.Ending != c.ending {
				t.Errorf("ending %q, want %q", out.Ending, c.ending)
			}
			if cacheable := out.Cacheable != nil; cacheable != (c.ending == proxy.EndOK) {
				t.Errorf("cacheable: %t", cacheable)
			}
		})
	}
}

func TestAStoredAnswerIsReplayedInBothEras(t *testing.T) { // T9
	var settled bool
	const stored = `{"content":[{"type":"text","text":"kept"}]`
	memory := []byte(stored + strings.Repeat("-", 200)) // what lies behind a stored answer is not to be written on
	s := build(t, bridge.Config{
		Doer: road(func(context.Context, *proxy.Call) (*proxy.Answer, error) {
			a := proxy.NewAnswer(func(proxy.Outcome) { settled = true })
			a.Entry = &proxy.CacheEntry{Status: 200, Body: memory[:len(stored)]}
			return a, nil
		}),
		Tools: []bridge.Tool{{Tool: mcptest.Tool("t"), Operation: operation{}}},
	})
	for _, modern := range []bool{false, true} {
		raw, err := s.Handle(t.Context(), request(t, mcptest.Caller("a"), modern, "tools/call", `{"name":"t"}`))
		if err != nil || !json.Valid(raw) || !strings.Contains(string(raw), "kept") || !settled {
			t.Errorf("%s, %v, settled: %t", raw, err, settled)
		}
	}
	if string(memory) != stored+strings.Repeat("-", 200) {
		t.Errorf("the end of a result was written behind the stored answer: %s", memory)
	}
}

func TestProgressIsToldWhileTheAPIIsSlow(t *testing.T) { // B5, openapi.md T3
	for _, c := range []struct {
		name, token string
		takes       time.Duration
		want        []string
	}{
		{"a fast call", `"p"`, time.Second, nil},
		{"a slow call", `"p"`, 13 * time.Second, []string{`"progressToken":"p","progress":2,`, `"progressToken":"p","progress":7,`, `"progressToken":"p","progress":12,`}},
		{"a number as token", `7`, 3 * time.Second, []string{`"progressToken":7,"progress":2,"message":"waiting for the API, 2s"`}},
		{"a list as token", `[7]`, 3 * time.Second, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := build(t, bridge.Config{
					Doer: road(func(context.Context, *proxy.Call) (*proxy.Answer, error) {
						time.Sleep(c.takes)
						return nil, &proxy.Error{Kind: proxy.Unreachable, Msg: "x"}
					}),
					Tools: []bridge.Tool{{Tool: mcptest.Tool("t")}},
				})
				var told []string
				r := request(t, mcptest.Caller("a"), false, "tools/call", `{"name":"t","_meta":{"progressToken":`+c.token+`}}`)
				r.Notify = func(m json.RawMessage, progress bool) { told = append(told, string(m)) }
				if _, err := s.Handle(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute) // nothing after the result
				if len(told) != len(c.want) {
					t.Fatalf("told %q, want %q", told, c.want)
				}
				for i := range told {
					if !strings.Contains(told[i], c.want[i]) {
						t.Errorf("told %s, want %s", told[i], c.want[i])
					}
				}
			})
		})
	}
}

// imported is the one tool of a document of one operation.
func imported(t *testing.T, method, members string) *openapi.Tool {
	t.Helper()
	d, err := openapi.Import(t.Context(), openapi.Source{Data: []byte(`{"openapi":"3.0.3","info":{},"paths":{"/x":{"` + method + `":{"operationId":"t",` + members + `"responses":{}}}}}`)}, openapi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d.Tools[0]
}

func TestEveryEventOfAStreamIsProgress(t *testing.T) { // openapi.md §12, T3
	synctest.Test(t, func(t *testing.T) {
		stream, events := io.Pipe()
		go func() {
			for i := range 10 {
				time.Sleep(3 * time.Second)
				if _, err := fmt.Fprintf(events, "data: %d\n\n", i); err != nil {
					return // cut after stream_for
				}
			}
		}()
		s := build(t, bridge.Config{
			Doer: road(func(ctx context.Context, c *proxy.Call) (*proxy.Answer, error) {
				a, err := answered(200, nil, nil)(ctx, c)
				if err == nil {
					a.Upstream, a.Body = http.Header{"Content-Type": {"text/event-stream"}}, stream
				}
				return a, err
			}),
			Tools: []bridge.Tool{{Tool: imported(t, "get", ""), Responses: openapi.ResponsesConfig{StreamFor: 8 * time.Second}}},
		})
		var told []string
		r := request(t, mcptest.Caller("a"), false, "tools/call", `{"name":"t","_meta":{"progressToken":"p"}}`)
		r.Notify = func(m json.RawMessage, _ bool) {
			var n struct {
				Params struct {
					Progress int
					Message  string
				}
			}
			if err := json.Unmarshal(m, &n); err != nil {
				t.Error(err)
			}
			told = append(told, fmt.Sprintf("%d %s", n.Params.Progress, n.Params.Message))
		}
		raw, err := s.Handle(t.Context(), r)
		if err != nil || !strings.Contains(string(raw), `"0\n1\n(stream cut after 8s, 2 events)"`) {
			t.Errorf("%s, %v", raw, err)
		}
		want := "2 waiting for the API, 2s; 3 event 1; 4 event 2; 7 waiting for the API, 7s"
		if got := strings.Join(told, "; "); got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		time.Sleep(time.Minute) // the writer meets the closed pipe
	})
}

func TestWhatMayBeSentAgain(t *testing.T) { // openapi.md T2
	key := `"parameters":[{"name":"Idempotency-Key","in":"header","schema":{"type":"string"}}],`
	for _, c := range []struct {
		name, method, members, args string
		want                        bool
	}{
		{"a read", "get", "", `{}`, true},
		{"a read that the document forbids", "get", `"x-drawbridge":{"retry":false},`, `{}`, false},
		{"a write", "post", "", `{}`, false},
		{"a write that the document allows", "post", `"x-drawbridge":{"retry":true},`, `{}`, true},
		{"a write with an idempotency key", "post", key, `{"Idempotency-Key":"k"}`, true},
		{"a write without its idempotency key", "post", key, `{}`, false},
		{"an overwriting", "put", "", `{}`, false},
		{"a deletion", "delete", "", `{}`, false},
	} {
		var got *proxy.Call
		s := build(t, bridge.Config{
			Doer: road(func(_ context.Context, c *proxy.Call) (*proxy.Answer, error) {
				got = c
				return nil, &proxy.Error{Kind: proxy.Unreachable, Msg: "x"}
			}),
			Tools: []bridge.Tool{{Tool: imported(t, c.method, c.members)}},
		})
		raw, err := s.Handle(t.Context(), request(t, mcptest.Caller("a"), false, "tools/call", `{"name":"t","arguments":`+c.args+`}`))
		if err != nil || !strings.Contains(string(raw), openapi.Unreachable) || !strings.Contains(string(raw), `"isError":true`) {
			t.Errorf("%s: %s, %v", c.name, raw, err)
		}
		if got.Idempotent != c.want || !got.FollowSameOrigin {
			t.Errorf("%s: idempotent %t, follow %t; want %t, true", c.name, got.Idempotent, got.FollowSameOrigin, c.want)
		}
	}
}

func TestToolsSayHowLargeTheirResultsGet(t *testing.T) { // openapi.md §12
	s := build(t, bridge.Config{Tools: []bridge.Tool{{Tool: mcptest.Tool("a")}, {Tool: mcptest.Tool("b"), Responses: openapi.ResponsesConfig{MaxBytes: 1000}}}})
	raw, err := s.Handle(t.Context(), request(t, mcptest.Caller("a"), true, "tools/list", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Tools []struct {
			Meta map[string]int `json:"_meta"`
		}
	}
	if err := json.Unmarshal(raw, &list); err != nil || len(list.Tools) != 2 {
		t.Fatalf("%s, %v", raw, err)
	}
	for i, want := range []int{256 << 10, 1000} {
		if got := list.Tools[i].Meta["anthropic/maxResultSizeChars"]; got != want {
			t.Errorf("tool %d: %d characters, want %d", i, got, want)
		}
	}
}

func TestPoliciesWriteArguments(t *testing.T) { // set_argument
	var sent string
	s := build(t, bridge.Config{
		Doer: road(func(ctx context.Context, c *proxy.Call) (*proxy.Answer, error) {
			c.Shape.Arguments = []proxy.Argument{{Name: "tenant", Value: json.RawMessage(`"acme"`)}}
			req, err := c.Build(ctx, &proxy.Backend{URL: &url.URL{Scheme: "http", Host: "api"}})
			if err != nil {
				return nil, err
			}
			body, _ := io.ReadAll(req.Body)
			sent = string(body)
			return nil, &proxy.Error{Kind: proxy.Unreachable}
		}),
		Tools: []bridge.Tool{{Tool: mcptest.Tool("t"), Operation: operation{}}},
	})
	r := request(t, mcptest.Caller("a"), false, "tools/call", `{"name":"t","arguments":{"id":9007199254740993,"tenant":"other","z":1.50}}`)
	if _, err := s.Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if want := `{"id":9007199254740993,"tenant":"acme","z":1.50}`; sent != want {
		t.Errorf("sent %s, want %s", sent, want)
	}
}

func TestHeaderParametersMatchTheArguments(t *testing.T) { // H8
	tool := mcptest.Tool("t")
	tool.InputSchema = json.RawMessage(`{"type":"object","properties":{"tenant":{"type":"string","x-mcp-header":"Tenant"},` +
		`"n":{"type":"integer","x-mcp-header":"N"},"b":{"type":"boolean","x-mcp-header":"B"},"o":{"properties":{"in":{"x-mcp-header":"In"}}}}}`)
	s := build(t, bridge.Config{Doer: answered(200, strings.NewReader(""), nil), Tools: []bridge.Tool{{Tool: tool, Operation: operation{&openapi.Result{}}}}})
	for _, c := range []struct {
		name, args string
		headers    map[string]string
		good       bool
	}{
		{"nothing declared is there", `{}`, nil, true},
		{"equal", `{"tenant":"acme"}`, map[string]string{"Tenant": "acme"}, true},
		{"equal in base64", `{"tenant":"ä"}`, map[string]string{"Tenant": "=?base64?w6Q=?="}, true},
		{"an integer", `{"n":42}`, map[string]string{"N": "42"}, true},
		{"a boolean", `{"b":true}`, map[string]string{"B": "true"}, true},
		{"nested", `{"o":{"in":"x"}}`, map[string]string{"In": "x"}, true},
		{"another value", `{"tenant":"acme"}`, map[string]string{"Tenant": "evil"}, false},
		{"header missing", `{"tenant":"acme"}`, nil, false},
		{"argument missing", `{}`, map[string]string{"Tenant": "acme"}, false},
		{"argument null", `{"tenant":null}`, map[string]string{"Tenant": "acme"}, false},
		{"null and no header", `{"tenant":null}`, nil, true},
		{"a fraction", `{"n":1.0}`, map[string]string{"N": "1.0"}, false},
		{"a boolean in another case", `{"b":true}`, map[string]string{"B": "True"}, false},
		{"not declared", `{}`, map[string]string{"Other": "x"}, true}, // H9
	} {
		for _, modern := range []bool{true, false} {
			r := request(t, mcptest.Caller("a"), modern, "tools/call", `{"name":"t","arguments":`+c.args+`}`)
			for name, value := range c.headers {
				r.HTTP.Header.Set("Mcp-Param-"+name, value)
			}
			_, err := s.Handle(t.Context(), r)
			var bad *edge.Error
			if refused := errors.As(err, &bad) && bad.Code == edge.CodeHeaderMismatch; refused != (modern && !c.good) {
				t.Errorf("%s, modern %t: %v", c.name, modern, err)
			}
		}
	}
}

func TestConfigurationFaultsAreNamed(t *testing.T) {
	keys := newKeys(t)
	for want, tools := range map[string][]bridge.Tool{
		`tool "t" is there twice`: {{Tool: mcptest.Tool("t")}, {Tool: mcptest.Tool("t")}},
		`tool "a b": a name`:      {{Tool: mcptest.Tool("a b")}},
		`has no operation`:        {{Name: "x"}},
	} {
		_, err := bridge.New(bridge.Config{Name: "s", Keyring: keys, Doer: &mcptest.Road{}, Tools: tools})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %s", err, want)
		}
	}
	if _, err := bridge.New(bridge.Config{Name: "s"}); err == nil {
		t.Error("a bridge without a pipeline was built")
	}
}
