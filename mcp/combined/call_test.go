package combined_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

func TestACallGoesToItsSourceByTheNameItHasThere(t *testing.T) { // C3, C8
	a, b := &fake{tools: tools("get"), other: echo("A")}, &fake{tools: tools("get", strings.Repeat("x", 100)), other: echo("B")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b)}})
	h := handler(t, s)
	long := combined.PublicName("b", strings.Repeat("x", 100))
	for _, modern := range []bool{false, true} {
		c := connect(t, h, "alice", modern)
		for public, want := range map[string]string{"a__get": "A get", "b__get": "B get", long: "B " + strings.Repeat("x", 100)} {
			got := answer(t, c.post(t, "tools/call", public, `{"x":[1.10, 12345678901234567890],"n\u0061me":"`+public+`","arguments":{"name":"inner"}}`, "7"))
			if want = `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"` + want + ` {\"name\":\"inner\"}"}],"x-unknown":1.10}}`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
	r := a.last(t, "tools/call")
	if !strings.Contains(string(r.Message.Body), `"x":[1.10, 12345678901234567890],"n\u0061me":"get","arguments":{"name":"inner"}`) {
		t.Errorf("the source was sent %s", r.Message.Body)
	}
	if got := r.HTTP.Header; got.Get("Mcp-Name") != "get" || got.Get("Mcp-Param-Region") != "eu" || got.Get("Mcp-Method") != "tools/call" {
		t.Errorf("headers %v", got)
	}
}

func TestANameThatIsNotAsciiIsSentAsHeadersCan(t *testing.T) { // C3, H6
	a := &fake{prompts: []string{`{"name":"sag Grüße"}`}}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
	c := connect(t, handler(t, s), "alice", true)
	if w := c.post(t, "prompts/get", "=?base64?YV9fc2FnIEdyw7zDn2U=?=", `{"name":"a__sag Grüße"}`, "1"); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	r := a.last(t, "prompts/get")
	name, _ := r.Message.Text(r.Message.Name)
	header, ok := edge.HeaderValue(r.HTTP.Header.Get("Mcp-Name"))
	if name != "sag Grüße" || !ok || header != name || strings.Contains(r.HTTP.Header.Get("Mcp-Name"), "ü") {
		t.Errorf("name %q, header %q", name, header)
	}
}

func TestUnknownAndForbiddenToolsLookTheSame(t *testing.T) { // A1, A3, C9
	a := &fake{tools: tools("open", "closed")}
	s := build(t, combined.Config{
		Sources: []combined.Source{of("a", a)}, Tools: map[string]combined.Tool{"a__closed": {Roles: []string{"role:Admin"}}},
	})
	h := handler(t, s)
	for _, modern := range []bool{false, true} {
		c := connect(t, h, "bob", modern)
		if got := names(t, result(t, answer(t, c.post(t, "tools/list", "", "{}", "1")))); got != "a__open" {
			t.Errorf("bob sees %s", got)
		}
		var seen []string
		for _, name := range []string{"a__closed", "a__nosuch", "b__x", "closed", "open", "a__", "__", "A__open"} {
			w := c.post(t, "tools/call", name, `{"name":"`+name+`"}`, "1")
			want := http.StatusOK
			if modern {
				want = http.StatusBadRequest
			}
			seen = append(seen, strings.ReplaceAll(answer(t, w), name, "X"))
			if w.Code != want || seen[len(seen)-1] != seen[0] {
				t.Errorf("%s: %d %s", name, w.Code, seen[len(seen)-1])
			}
		}
		if seen[0] != `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"unknown tool: X"}}` {
			t.Errorf("%s", seen[0])
		}
		if a.times("tools/call") != 0 {
			t.Error("the source was called")
		}
		admin := connect(t, h, "alice Admin", modern)
		if got := answer(t, admin.post(t, "tools/call", "a__closed", `{"name":"a__closed"}`, "1")); !strings.Contains(got, "result") {
			t.Errorf("alice: %s", got)
		}
		a.change(func(f *fake) { f.asked = nil })
	}
}

func TestAForbiddenToolTouchesNobody(t *testing.T) { // A1
	a := &fake{tools: tools("closed")}
	s := build(t, combined.Config{
		Sources: []combined.Source{of("a", a)}, Tools: map[string]combined.Tool{"a__closed": {Roles: []string{"Admin"}}},
	})
	_, err := ask(t, s, false, "tools/call", `{"name":"a__closed"}`)
	wantCode(t, err, edge.CodeInvalidParams)
	if len(a.asked) != 0 {
		t.Errorf("the source was asked %v", a.asked)
	}
}

// result cuts the result out of an answer.
func result(t testing.TB, body string) string {
	t.Helper()
	var m struct{ Result json.RawMessage }
	if err := json.Unmarshal([]byte(body), &m); err != nil || m.Result == nil {
		t.Fatalf("no result: %s", body)
	}
	return string(m.Result)
}

func TestAScopeIsAskedForBeforeAnythingIsSent(t *testing.T) { // A2, C9
	a := &fake{tools: tools("x")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}, Tools: map[string]combined.Tool{"a__x": {Scope: "orders.x"}}})
	w := connect(t, handler(t, s), "bob", true).post(t, "tools/call", "a__x", `{"name":"a__x"}`, "1")
	if w.Code != http.StatusForbidden || w.Header().Get("WWW-Authenticate") != `Bearer error="insufficient_scope", scope="orders.x"` {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if a.times("tools/call") != 0 {
		t.Error("the source was called")
	}
	if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__x" {
		t.Errorf("the list has %q", got)
	}
}

func TestACallOfASourceThatIsDownIsAnErrorOfTheTool(t *testing.T) { // §9.3, Q7
	a := &fake{tools: tools("x"), before: func(context.Context, *edge.Request) error { return errors.New("dial tcp 10.0.0.1: refused") }}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", &fake{tools: tools("y")})}})
	for _, modern := range []bool{false, true} {
		got := must(t, s, modern, "tools/call", `{"name":"a__x"}`)
		if !strings.Contains(got, `"text":"upstream is unavailable"`) || !strings.Contains(got, `"isError":true`) || strings.Contains(got, "resultType") != modern {
			t.Errorf("%s", got)
		}
	}
	if a.times("tools/call") != 0 {
		t.Error("a tool was called that was in no list")
	}
	must(t, s, false, "tools/call", `{"name":"b__y"}`)
	_, err := ask(t, s, false, "prompts/get", `{"name":"a__x"}`)
	wantCode(t, err, edge.CodeServer)
}

func TestALineOfARequestSaysNothingOfOtherSources(t *testing.T) { // operations.md §4.1
	noting := func(ctx context.Context, r *edge.Request) error {
		identity.RequestFrom(ctx).Note(slog.String("error", "of "+r.Message.Method))
		return nil
	}
	a := &fake{tools: tools("x"), before: noting}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
	line := &identity.Request{ID: "01J", IP: "192.0.2.1"}
	ctx := identity.WithRequest(t.Context(), line)
	for _, c := range []struct{ method, params, want string }{
		{"tools/list", "{}", ""}, {"initialize", `{"protocolVersion":"2025-11-25"}`, ""}, {"tools/call", `{"name":"a__x"}`, "its own"},
	} {
		if _, err := s.Handle(ctx, request(t, mcptest.Caller("alice"), false, c.method, c.params)); err != nil {
			t.Fatal(err)
		}
		if c.want == "" && len(line.Attrs()) > 0 {
			t.Errorf("%s: %v", c.method, line.Attrs())
		}
	}
	if got := fmt.Sprint(line.Attrs()); got != "[tool=a__x error=of tools/call]" {
		t.Errorf("%s", got)
	}
}

func TestAToolThatIsNewIsFoundBeforeTheListIsOld(t *testing.T) {
	clock := proxytest.NewClock()
	a := &fake{tools: tools("x")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}, Now: clock.Now})
	must(t, s, false, "tools/list", "{}")
	a.change(func(f *fake) { f.tools = tools("x", "new") })
	for range 5 { // strangers cannot make us ask all the time
		_, err := ask(t, s, false, "tools/call", `{"name":"a__new"}`)
		wantCode(t, err, edge.CodeInvalidParams)
	}
	if n := a.times("tools/list"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	clock.Advance(2 * time.Second)
	must(t, s, false, "tools/call", `{"name":"a__new"}`)
}

func TestPromptsGoToTheirSource(t *testing.T) { // C2
	a, b := &fake{prompts: []string{`{"name":"ask"}`}, other: echo("A")}, &fake{prompts: []string{`{"name":"ask"}`}, other: echo("B")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b)}})
	if got := must(t, s, false, "prompts/get", `{"name":"b__ask","arguments":{"q":"x"}}`); !strings.Contains(got, `B ask {\"q\":\"x\"}`) {
		t.Errorf("%s", got)
	}
	for _, name := range []string{"b__other", "ask", "c__ask"} {
		_, err := ask(t, s, true, "prompts/get", `{"name":"`+name+`"}`)
		if e := wantCode(t, err, edge.CodeInvalidParams); e.Msg != "unknown prompt: "+name {
			t.Errorf("%s", e.Msg)
		}
	}
}

func TestATaskOfASourceWithoutTasksIsRefused(t *testing.T) { // B8
	a := &fake{tools: tools("x")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
	_, err := ask(t, s, false, "tools/call", `{"name":"a__x","task":{}}`)
	wantCode(t, err, edge.CodeMethodNotFound)
	_, err = ask(t, s, false, "tasks/get", `{"taskId":"1"}`)
	wantCode(t, err, edge.CodeMethodNotFound)
}

// made is a bridge for a combined server: its tools bear public names.
func made(t testing.TB, road bridge.Doer, as string, names ...string) combined.Source {
	t.Helper()
	cfg := bridge.Config{Name: "all", Title: "All of it", Version: "1.2.3", Keyring: newKeys(t), Doer: road, Shared: true}
	for _, name := range names {
		public := combined.PublicName(as, name)
		cfg.Tools = append(cfg.Tools, bridge.Tool{Tool: mcptest.Tool(name), Name: public, Operation: mcptest.Operation{Path: "/" + name}})
	}
	b, err := bridge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return combined.Source{As: as, Title: "The " + as, Server: b, Made: true}
}

func TestIdsOfManyClientsNeverMeet(t *testing.T) { // E10: 50 clients × 20 calls with equal ids, both eras
	api := newAPI(t)
	a := &fake{tools: tools("x"), other: echo("A")}
	s := build(t, combined.Config{Sources: []combined.Source{made(t, api, "rest", "get"), of("a", a)}})
	h := handler(t, s)
	var wait sync.WaitGroup
	for i := range 50 {
		c := connect(t, h, fmt.Sprint("p", i), i%2 == 0)
		wait.Go(func() {
			for j := range 20 {
				name, text := "a__x", "A x"
				if j%2 == 0 {
					name, text = "rest__get", ""
				}
				secret := fmt.Sprintf("of %d/%d", i, j)
				got := answer(t, c.post(t, "tools/call", name, `{"name":"`+name+`","arguments":{"id":"`+secret+`"}}`, fmt.Sprint(j)))
				if !strings.Contains(got, secret) || !strings.Contains(got, text) || !strings.HasPrefix(got, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,`, j)) {
					t.Errorf("client %d, call %d: %s", i, j, got)
				}
			}
		})
	}
	wait.Wait()
}

func TestAHeldToolIsNeitherListedNorCalled(t *testing.T) { // Q3, Q7: the seam of pins
	a := &fake{tools: tools("x", "y")}
	hold := &holder{held: map[string]bool{"a__x": true}}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), made(t, &mcptest.Road{}, "rest", "get")}, Hold: hold})
	got := must(t, s, false, "tools/call", `{"name":"a__x"}`)
	if !strings.Contains(got, "released") || !strings.Contains(got, "isError") || a.times("tools/call") != 0 {
		t.Errorf("%s", got)
	}
	if len(hold.seen) != 2 || hold.seen[0].Name != "a__x" || hold.source != "a" {
		t.Errorf("seen %v", hold.seen)
	}
	if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__y rest__get" {
		t.Errorf("%s", got)
	}
	before := s.View(mcptest.Caller("a"))
	hold.held = nil
	if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__x a__y rest__get" || s.View(mcptest.Caller("a")) == before {
		t.Errorf("after the release: %s", got)
	}
	hold.err = errors.New("no database")
	a.change(func(f *fake) { f.tools, f.view = tools("z"), "2" })
	if got := names(t, must(t, s, false, "tools/list", "{}")); strings.Contains(got, "a__z") {
		t.Errorf("a tool that could not be looked at is listed: %s", got)
	}
}

// A list is kept while others are judged: what lifts the hold of a name for them approves nothing of what this one has (Q3).
func TestAKeptListIsComparedWithWhatIsApprovedNow(t *testing.T) {
	a, hold := &fake{tools: tools("x", "y")}, &holder{held: map[string]bool{"a__x": true}}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}, Hold: hold, ListTTL: time.Hour})
	must(t, s, false, "tools/list", "{}")
	hold.held, hold.other = map[string]bool{}, "a__x"
	if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__y" || a.times("tools/list") != 1 {
		t.Errorf("%s, asked %d times", got, a.times("tools/list"))
	}
}

// What was seen of a source before says nothing of what is held now: each list that differs from the last is judged (Q5).
func TestEveryListThatDiffersFromTheLastIsJudged(t *testing.T) {
	a, hold := &fake{tools: tools("x"), hints: `,"ttlMs":0`}, &holder{}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}, Hold: hold})
	for i, name := range []string{"x", "x", "y", "x", "x", "y"} {
		a.change(func(f *fake) { f.tools = tools(name) })
		must(t, s, false, "tools/list", "{}")
		if hold.seen[0].Name != "a__"+name {
			t.Errorf("list %d: the last one that was judged has %s", i, hold.seen[0].Name)
		}
	}
	if hold.times != 4 {
		t.Errorf("judged %d times", hold.times)
	}
}

func TestAHoldIsNewsToThoseWhoSeeTheTool(t *testing.T) { // L3
	hold := &holder{of: "a__x"}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", &fake{tools: tools("x", "y")})}, Hold: hold,
		Tools: map[string]combined.Tool{"a__x": {Roles: []string{"Boss"}}}})
	bob, boss := mcptest.Caller("bob"), mcptest.Caller("boss", "Boss")
	mine, theirs := s.View(bob), s.View(boss)
	hold.held = map[string]bool{"a__x": true}
	if s.View(bob) != mine || s.View(boss) == theirs {
		t.Error("bob, who does not see the tool, is told, or the boss is not")
	}
}

type holder struct {
	of     string // the tool that Editions speaks of; "": all
	times  int
	held   map[string]bool
	seen   []combined.Definition
	source string
	err    error
	other  string // a tool that is another one in the list that is kept than what is approved
}

func (h *holder) Seen(_ context.Context, source, _ string, tools []combined.Definition) error {
	h.source, h.seen = source, tools
	h.times++
	return h.err
}
func (h *holder) Version() string { return fmt.Sprint(len(h.held)) }
func (h *holder) Editions(may func(string) bool) string {
	if h.of != "" && !may(h.of) {
		return ""
	}
	return fmt.Sprint(len(h.held))
}
func (h *holder) Withheld(tools []combined.Definition) map[string]bool {
	withheld := map[string]bool{}
	maps.Copy(withheld, h.held)
	for _, t := range tools {
		if t.Name == h.other {
			withheld[t.Name] = true
		}
	}
	return withheld
}
func (h *holder) Held(name string) (string, bool) {
	return "an administrator must have it released", h.held[name]
}
