package policy

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

// MX-1 to MX-4.
func TestMaxTokensLowersOrSetsTheCap(t *testing.T) {
	tests := []struct {
		name   string
		policy MaxTokens
		asked  int
		stream bool
		want   int
		code   string
	}{
		{"above is lowered", MaxTokens{Cap: "100"}, 500, false, 100, ""},
		{"below is left", MaxTokens{Cap: "100"}, 50, false, 0, ""},
		{"absent becomes the default", MaxTokens{Cap: "100", Default: "20"}, 0, false, 20, ""},
		{"absent becomes the cap", MaxTokens{Cap: "100"}, 0, false, 100, ""},
		{"only a default", MaxTokens{Default: "20"}, 500, false, 0, ""},
		{"refused", MaxTokens{Cap: "100", Mode: "refuse"}, 500, false, 0, "max_tokens_too_large"},
		{"by expression", MaxTokens{Cap: `stream ? 1000 : 10`}, 500, true, 0, ""},
		{"default above cap at run time", MaxTokens{Cap: `size(model)`, Default: "20"}, 0, false, 1, ""},
		{"no cap at all", MaxTokens{Cap: `size(tool)`}, 500, false, 0, "policy_error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := compiled(t, newTestEnv(t, Deps{}), product, Entry{MaxTokens: &tt.policy})
			call := tokensCall("a", 10, tt.asked)
			call.Stream = tt.stream
			_, err := admit(t, p, proxy.PhaseShape, call)
			if tt.code != "" {
				if err == nil || err.Code != tt.code {
					t.Fatalf("error %+v, want %s", err, tt.code)
				}
				return
			}
			if err != nil || call.Shape.MaxTokens != tt.want {
				t.Errorf("cap %d (%v), want %d", call.Shape.MaxTokens, err, tt.want)
			}
		})
	}
}

// MX-3: of several the smallest cap wins, and a token limit reserves what is left (TL-8).
func TestTheSmallestCapWinsAndIsReserved(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product, Entry{MaxTokens: &MaxTokens{Cap: "300"}}, Entry{MaxTokens: &MaxTokens{Cap: "100"}},
		Entry{MaxTokens: &MaxTokens{Cap: "200"}}, Entry{TokenLimit: &TokenLimit{TokensPerMinute: 1000}})
	call := tokensCall("a", 50, 5000)
	if _, err := admit(t, p, proxy.PhaseShape, call); err != nil || call.Shape.MaxTokens != 100 {
		t.Fatalf("cap %d, %v", call.Shape.MaxTokens, err)
	}
	v, _ := admit(t, p, proxy.PhaseTokens, call)
	if got := headers(v).Get("X-Ratelimit-Remaining-Tokens"); got != "850" {
		t.Errorf("left %s, want 850", got)
	}
}

// RQ-1: what the example of llm.md §4.1 says.
func TestRequireRefusesWithItsStatusAndText(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product, Entry{Require: &Require{
		That: `size(caller.roles) == 0 || "Llm.User" in caller.roles`, Message: "Ask for the role Llm.User.", Status: 451,
	}})
	call := keyed("a")
	if _, err := admit(t, p, proxy.PhaseShape, call); err != nil {
		t.Errorf("no roles: %v", err)
	}
	call.Caller.Roles = []string{"Other"}
	_, err := admit(t, p, proxy.PhaseShape, call)
	if err == nil || err.HTTPStatus() != 451 || err.Code != "policy_refused" || err.Msg != "Ask for the role Llm.User." || err.Type != "permission_error" {
		t.Errorf("other role: %+v", err)
	}
}

// HD-1, HD-2: the list's order counts; a value that would end the header early is refused.
func TestHeadersOfRequests(t *testing.T) {
	env := newTestEnv(t, Deps{})
	p := compiled(t, env, product,
		Entry{SetHeader: &SetHeader{Name: "x-team", Value: `subscription.product`}},
		Entry{RemoveHeader: &RemoveHeader{Name: "x-team"}},
		Entry{SetHeader: &SetHeader{Name: "x-team", Value: `"b"`, IfExists: "skip"}},
		Entry{SetHeader: &SetHeader{Name: "x-more", Value: `"1"`, IfExists: "append"}},
		Entry{SetHeader: &SetHeader{Name: "x-more", Value: `"2"`, IfExists: "append"}})
	call := keyed("a")
	if _, err := admit(t, p, proxy.PhaseShape, call); err != nil {
		t.Fatal(err)
	}
	s := call.Shape
	if len(s.Header) != 0 || s.Default.Get("X-Team") != "b" || strings.Join(s.Append["X-More"], ",") != "1,2" || len(s.Remove) != 1 {
		t.Errorf("shape: %+v", s)
	}
	bad := compiled(t, env, product, Entry{SetHeader: &SetHeader{Name: "x-team", Value: `"a\r\nX-Other: b"`}})
	if _, err := admit(t, bad, proxy.PhaseShape, keyed("a")); err == nil || err.Code != "policy_error" {
		t.Errorf("line break: %+v", err)
	}
}

// HD-3: response policies see the status, what remains and the refusal.
func TestHeadersOfResponses(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product,
		Entry{SetHeader: &SetHeader{Name: "x-left", Value: `string(remaining.tokens)`, On: "response"}},
		Entry{When: `refusal.code == "rate_limit_exceeded"`, SetHeader: &SetHeader{Name: "retry-after", Value: `string(refusal.retry_after + 1)`, On: "response"}},
		Entry{When: `response.status >= 400`, RemoveHeader: &RemoveHeader{Name: "x-debug-*", On: "response"}},
		Entry{SetHeader: &SetHeader{Name: "x-broken", Value: `response.headers["none"]`, On: "response"}})
	h := http.Header{"X-Debug-A": {"1"}}
	for _, one := range p.ByPhase[proxy.PhaseResponse] {
		one.(proxy.Responder).Respond(t.Context(), keyed("a"), &proxy.Response{Status: 429, Refusal: "rate_limit_exceeded", RetryAfter: 5, Tokens: 7, Calls: -1}, h) //nolint:errcheck,forcetypeassert // they are
	}
	if h.Get("X-Left") != "7" || h.Get("Retry-After") != "6" || h["X-Debug-A"] != nil || h["X-Broken"] != nil {
		t.Errorf("headers: %v", h)
	}
}

// SA-1: any value; members that say what a request is cannot be set.
func TestArgumentsAreSet(t *testing.T) {
	env := newTestEnv(t, Deps{})
	p := compiled(t, env, Scope{Tool, "orders/get_order"}, Entry{SetArgument: &SetArgument{Name: "filter", Value: `{"tenant": caller.tenant, "n": [1, 2.5, true, null]}`}},
		Entry{SetArgument: &SetArgument{Name: "limit", Value: "10"}})
	call := &proxy.Call{Surface: proxy.MCP, Caller: identity.Caller{Tenant: "acme"}}
	if _, err := admit(t, p, proxy.PhaseShape, call); err != nil {
		t.Fatal(err)
	}
	a := call.Shape.Arguments
	if string(a[0].Value) != `{"n":[1,2.5,true,null],"tenant":"acme"}` || string(a[1].Value) != "10" {
		t.Errorf("arguments: %s, %s", a[0].Value, a[1].Value)
	}
	if _, faults := Compile([]Entry{{SetArgument: &SetArgument{Name: "messages", Value: "[]"}}}, Scope{AllModels, ""}, env); len(faults) != 1 {
		t.Errorf("faults: %+v", faults)
	}
	outer := compiled(t, env, product, Entry{SetArgument: &SetArgument{Name: "messages", Value: "[]"}})
	if _, err := admit(t, outer, proxy.PhaseShape, keyed("a")); err == nil || err.Code != "policy_error" {
		t.Errorf("from an outer scope: %+v", err)
	}
}

// RT-1: the last match wins; an expression may give only what is allowed.
func TestRoutesPickTheTarget(t *testing.T) {
	env := newTestEnv(t, Deps{})
	p := compiled(t, env, product, Entry{Route: &Route{To: "one"}}, Entry{When: "stream", Route: &Route{To: "two"}})
	call := keyed("a")
	call.Target = "zero"
	_, _ = admit(t, p, proxy.PhaseShape, call)
	if call.Target != "one" {
		t.Errorf("target %s", call.Target)
	}
	by := compiled(t, env, product, Entry{Route: &Route{ToExpr: `caller.tenant`, Allow: []string{"eu"}}})
	call.Caller.Tenant = "eu"
	if _, err := admit(t, by, proxy.PhaseShape, call); err != nil || call.Target != "eu" {
		t.Errorf("target %s, %v", call.Target, err)
	}
	call.Caller.Tenant = "internal"
	if _, err := admit(t, by, proxy.PhaseShape, call); err == nil || err.Code != "policy_error" || call.Target != "eu" {
		t.Errorf("target %s, %+v", call.Target, err)
	}
}

// §4: every variable of the table, and the functions of PO-3.
func TestExpressionsReadTheWholeTable(t *testing.T) {
	env := newTestEnv(t, Deps{Region: "west", Instance: "i1"})
	call := &proxy.Call{
		ID: "r1", Surface: proxy.MCP, Endpoint: "get_order", API: "orders", Server: "shop", Tool: "get_order", Model: "m", Stream: true,
		Caller: identity.Caller{Kind: identity.Person, Subject: "t/o", Name: "Alice", Tenant: "t", ClientID: "c", Roles: []string{"A"}, Groups: []string{"G"},
			Claims: map[string]any{"department": "x"}, Subscription: identity.Subscription{ID: "s", Name: "n", Product: "p"}},
		Request: proxy.RequestFacts{Method: "POST", Path: "/mcp/shop", IP: "10.1.2.3", Time: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC),
			Header: http.Header{"X-Team": {"a", "b"}, "Authorization": {"secret"}}},
		Arguments: []byte(`{"id":7,"tags":["x","y"]}`), Body: []byte(`{"user":{"id":"u"}}`),
		Prompt: proxy.Prompt{Bound: 10, Completion: 20, Choices: 2},
	}
	for _, text := range []string{
		`caller.subject == "t/o" && caller.name == "Alice" && caller.tenant == "t" && caller.client_id == "c" && caller.kind == "person"`,
		`caller.roles == ["A"] && "G" in caller.groups && caller.claims["department"] == "x" && !("x" in caller.claims)`,
		`subscription.id == "s" && subscription.name == "n" && subscription.product == "p"`,
		`request.method == "POST" && request.path == "/mcp/shop" && request.ip == "10.1.2.3" && request.id == "r1"`,
		`request.headers["x-team"] == "a, b" && !("authorization" in request.headers)`,
		`request.time == timestamp("2026-11-20T12:00:00Z") && request.time.getHours() == 12`,
		`request.body.user.id == "u"`,
		`gateway.region == "west" && gateway.instance == "i1"`,
		`model == "m" && stream && api == "orders" && operation == "get_order" && server == "shop" && tool == "get_order"`,
		`arguments.id == 7 && arguments.tags.exists(t, t == "y")`,
		`tokens.prompt == 10 && tokens.completion == 40 && tokens.total == 50 && tokens.cached == 0 && tokens.reasoning == 0`,
		`cidr(request.ip, "10.0.0.0/8") && !cidr(request.ip, "10.2.0.0/16") && !cidr("x", "10.0.0.0/8")`,
		`hash("a") == "ca978112ca1bbdca" && "a,b".split(",")[1] == "b" && math.greatest(1, 2) == 2`,
	} {
		p := compiled(t, env, product, Entry{Require: &Require{That: text}})
		if _, err := admit(t, p, proxy.PhaseShape, call); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// PO-2: what is too long, too dear or of the wrong type is a fault at load; what turns out too dear refuses.
func TestExpressionsAreBounded(t *testing.T) {
	env := newTestEnv(t, Deps{})
	loop := `caller.groups.all(a, caller.groups.all(b, caller.groups.all(c, a + b + c != "x")))`
	for name, text := range map[string]string{
		"long": `"` + strings.Repeat("a", 5000) + `" == ""`, "dear": loop, "not a bool": `1 + 1`, "syntax": `caller.`, "bad regex": `caller.name.matches("(")`,
	} {
		if _, faults := Compile([]Entry{{Require: &Require{That: text}}}, product, env); len(faults) != 1 {
			t.Errorf("%s: %+v", name, faults)
		}
	}
	p := compiled(t, env, product, Entry{Require: &Require{That: `arguments.list.all(a, a != 6)`}})
	call := keyed("a")
	call.Arguments = []byte(`{"list":[` + strings.Repeat("5,", 100_000) + `5]}`)
	if _, err := admit(t, p, proxy.PhaseShape, call); err == nil || err.Code != "policy_error" {
		t.Errorf("a loop over 100,000: %+v", err)
	}
}

// RL-11, RL-12: other forms and names of the headers.
func TestHeadersOfLimitsMayBeRenamed(t *testing.T) {
	ck := proxytest.NewClock()
	p := compiled(t, newTestEnv(t, Deps{Now: ck.Now}), product,
		Entry{RateLimit: &RateLimit{Calls: 1, RetryAfter: "timestamp", Headers: &HeaderNames{Remaining: "x-calls-left", RetryAfter: "x-wait"}}})
	_, _ = admit(t, p, proxy.PhaseCalls, keyed("a"))
	_, err := admit(t, p, proxy.PhaseCalls, keyed("a"))
	h := http.Header{}
	err.WriteHeader(h)
	want := map[string]string{"X-Calls-Left": "0", "X-Ratelimit-Limit-Requests": "1", "X-Ratelimit-Remaining-Requests": "",
		"X-Wait": "2026-11-20T12:01:00.000Z", "Retry-After": "", "Retry-After-Ms": "60000"}
	for name, value := range want {
		if h.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, h.Get(name), value)
		}
	}
}
