package combined_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

func TestListsAreMergedInTheOrderOfFrom(t *testing.T) { // C1, C2, C6
	a := &fake{tools: tools("z", "b"), prompts: []string{`{"name":"ask"}`}, page: 1}
	b := &fake{
		tools: tools("a"), resources: []string{`{"uri":"x:1","name":"one"}`, `{"uri":"x:2","name":"two"}`},
		templates: []string{`{"uriTemplate":"x:{id}","name":"t"}`}, prompts: []string{`{"name":"ask"}`, `{"name":"say hello"}`},
	}
	s := build(t, combined.Config{Sources: []combined.Source{of("two", a), of("one", b)}})
	for method, want := range map[string]string{
		"tools/list": "two__z two__b one__a", "prompts/list": "two__ask one__ask one__say hello",
		"resources/list": "x:1 x:2", "resources/templates/list": "x:{id}",
	} {
		for _, modern := range []bool{false, true} {
			if got := names(t, must(t, s, modern, method, "{}")); got != want {
				t.Errorf("%s: %s, want %s", method, got, want)
			}
		}
	}
}

func TestNothingOfADefinitionChangesButItsName(t *testing.T) { // C3, C8
	raw := `{ "inputSchema":{"$schema":"x","$defs":{"name":{"name":"n"}},"allOf":[]} ,"x":1.10e0,"n\u0061me" : "g\u0065t","description":"get \u00e9"}`
	a := &fake{tools: []string{raw}}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
	want := `{"tools":[{ "inputSchema":{"$schema":"x","$defs":{"name":{"name":"n"}},"allOf":[]} ,"x":1.10e0,"n\u0061me" : "a__get","description":"get \u00e9"}]}`
	if got := must(t, s, false, "tools/list", "{}"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	modern := must(t, s, true, "tools/list", "{}")
	tail := `],"resultType":"complete","ttlMs":60000,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"all","title":"All of it","version":"1.2.3"}}}`
	if modern != strings.TrimSuffix(want, "]}")+tail {
		t.Errorf("modern %s", modern)
	}
}

func TestEntriesThatCannotBeNamedAreLeftOut(t *testing.T) { // J11
	log, lines := newLog()
	a := &fake{tools: append(tools("ok", "with space", "ok", strings.Repeat("x", 129)), `{"description":"nameless"}`, `"text"`)}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}, Log: lines})
	if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__ok" {
		t.Errorf("%s", got)
	}
	must(t, s, true, "tools/list", "{}")
	if n := log.lines("left out"); n != 3 { // one for each reason
		t.Errorf("%d warnings", n)
	}
}

func TestListsAreMadeOnceForEachVersionAndView(t *testing.T) { // T2, X2
	a := &fake{tools: tools("x")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
	first, _ := s.Handle(t.Context(), request(t, mcptest.Caller("alice"), true, "tools/list", "{}"))
	for i := range 20 {
		next, _ := s.Handle(t.Context(), request(t, mcptest.Caller(fmt.Sprint("p", i)), true, "tools/list", "{}"))
		if &next[0] != &first[0] {
			t.Fatal("the list was made again")
		}
	}
	if n := a.times("tools/list"); n != 1 {
		t.Errorf("the source was asked %d times", n)
	}
}

func TestAListIsAskedForAgainWhenItMayHaveChanged(t *testing.T) { // T3
	now := time.Now()
	for name, change := range map[string]func(f *fake){
		"its time is over":         func(*fake) { now = now.Add(61 * time.Second) },
		"the source says it is":    func(f *fake) { f.change(func(f *fake) { f.view = "other" }) },
		"the source's own time is": func(*fake) { now = now.Add(11 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			a := &fake{tools: tools("x")}
			if strings.Contains(name, "own") {
				a.hints = `,"ttlMs":10000,"cacheScope":"public"`
			}
			s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}, Now: func() time.Time { return now }})
			must(t, s, false, "tools/list", "{}")
			a.change(func(f *fake) { f.tools = tools("y") })
			if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__x" {
				t.Errorf("before: %s", got)
			}
			change(a)
			if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__y" {
				t.Errorf("after: %s", got)
			}
		})
	}
}

func TestASourceThatFailsIsLeftOut(t *testing.T) { // C5
	log, lines := newLog()
	now := time.Now()
	down := errors.New("dial tcp 10.0.0.1: refused")
	a, b, c := &fake{tools: tools("x")}, &fake{tools: tools("y")}, &fake{tools: tools("z")}
	b.before = func(context.Context, *edge.Request) error { return down }
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b), of("c", c)}, Log: lines, Now: func() time.Time { return now }})
	for range 10 {
		got := must(t, s, true, "tools/list", "{}")
		if names(t, got) != "a__x c__z" {
			t.Fatalf("%s", got)
		}
		if !strings.Contains(got, `"ttlMs":0`) { // a client must not keep it: the source is back any moment
			t.Errorf("a list that lacks a source may be kept: %s", got)
		}
	}
	if n := log.lines("10.0.0.1"); n != 1 {
		t.Errorf("%d warnings within a minute", n)
	}
	now = now.Add(61 * time.Second)
	must(t, s, false, "tools/list", "{}")
	if n := log.lines("10.0.0.1"); n != 2 {
		t.Errorf("%d warnings after a minute", n)
	}
	b.change(func(f *fake) { f.before = nil })
	if got := names(t, must(t, s, true, "tools/list", "{}")); got != "a__x b__y c__z" {
		t.Errorf("after it came back: %s", got)
	}
}

func TestTheLastGoodListIsUsedForAWhile(t *testing.T) { // C5
	now := time.Now()
	a, b := &fake{tools: tools("x")}, &fake{tools: tools("y")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b)}, Keep: 10 * time.Minute, Now: func() time.Time { return now }})
	must(t, s, false, "tools/list", "{}")
	b.change(func(f *fake) { f.before = func(context.Context, *edge.Request) error { return errors.New("down") } })
	now = now.Add(9 * time.Minute)
	if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__x b__y" {
		t.Errorf("after 9 minutes: %s", got)
	}
	now = now.Add(2 * time.Minute)
	if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__x" {
		t.Errorf("after 11 minutes: %s", got)
	}
}

func TestOnlyWhenAllSourcesFailDoesTheList(t *testing.T) { // C5, §17
	down := func(context.Context, *edge.Request) error { return errors.New("dial tcp 10.0.0.1: refused") }
	s := build(t, combined.Config{Sources: []combined.Source{of("a", &fake{before: down}), of("b", &fake{before: down})}})
	_, err := ask(t, s, true, "tools/list", "{}")
	if e := wantCode(t, err, edge.CodeServer); e.Status != 502 || strings.Contains(e.Msg, "10.0.0.1") {
		t.Errorf("%+v", e)
	}
}

func TestASlowSourceHoldsNobodyUpForLong(t *testing.T) { // C5: ≤ 5 s each, in parallel
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		a := &fake{tools: tools("x")}
		polite := &fake{tools: tools("y"), before: func(ctx context.Context, _ *edge.Request) error { <-ctx.Done(); return ctx.Err() }}
		rude := &fake{tools: tools("z"), before: func(context.Context, *edge.Request) error { <-release; return nil }}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("polite", polite), of("rude", rude)}})
		start := time.Now()
		if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__x" {
			t.Errorf("%s", got)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
		start = time.Now()
		must(t, s, false, "tools/list", "{}") // nobody waits for it again so soon, and no second question hangs
		if took := time.Since(start); took != 0 {
			t.Errorf("again took %v", took)
		}
		if n := rude.times("tools/list"); n != 1 {
			t.Errorf("%d questions hang", n)
		}
		close(release)
		synctest.Wait()
		if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__x rude__z" {
			t.Errorf("when it had answered: %s", got)
		}
		time.Sleep(6 * time.Second)
		polite.change(func(f *fake) { f.before = nil })
		if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__x polite__y rude__z" {
			t.Errorf("when all answer: %s", got)
		}
	})
}

func TestManyWaitForOneQuestion(t *testing.T) { // T3: single flight
	synctest.Test(t, func(t *testing.T) {
		a := &fake{tools: tools("x"), before: func(context.Context, *edge.Request) error { time.Sleep(time.Second); return nil }}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
		done := make(chan string, 20)
		for range 20 {
			go func() {
				raw, _ := s.Handle(t.Context(), request(t, mcptest.Caller("alice"), false, "tools/list", "{}"))
				done <- string(raw)
			}()
		}
		for range 20 {
			if got := <-done; !strings.Contains(got, "a__x") {
				t.Errorf("%s", got)
			}
		}
		if n := a.times("tools/list"); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestWhoDoesNotWaitHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fake{tools: tools("x"), before: func(ctx context.Context, _ *edge.Request) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = s.Handle(ctx, request(t, mcptest.Caller("alice"), false, "tools/list", "{}")) }()
		synctest.Wait()
		cancel()
		if got := names(t, must(t, s, false, "tools/list", "{}")); got != "a__x" {
			t.Errorf("%s", got)
		}
	})
}

func TestWhatIsPrivateIsShownToNobodyElse(t *testing.T) { // T3, T4
	for name, f := range map[string]struct {
		hints    string
		personal bool
	}{
		"the source says so":             {`,"ttlMs":60000,"cacheScope":"private"`, false},
		"the credential is the person's": {`,"ttlMs":60000,"cacheScope":"public"`, true},
	} {
		t.Run(name, func(t *testing.T) {
			a := &own{fake: fake{hints: f.hints}}
			src := of("a", a)
			src.Personal = f.personal
			s := build(t, combined.Config{Sources: []combined.Source{src}, Shared: true})
			for range 2 {
				for _, who := range []string{"alice", "bob"} {
					raw, err := s.Handle(t.Context(), request(t, mcptest.Caller(who), true, "tools/list", "{}"))
					if err != nil || names(t, string(raw)) != "a__of_"+who || !strings.Contains(string(raw), `"cacheScope":"private"`) {
						t.Errorf("%s sees %s, %v", who, raw, err)
					}
					raw, err = s.Handle(t.Context(), request(t, mcptest.Caller(who), true, "tools/call", `{"name":"a__of_alice"}`))
					if known := err == nil && !strings.Contains(string(raw), "isError"); known != (who == "alice") {
						t.Errorf("%s calls alice's tool: %s, %v", who, raw, err)
					}
				}
			}
		})
	}
}

// own is a source on which everybody sees a tool of their own.
type own struct{ fake }

func (o *own) Handle(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	if r.Message.Method == "tools/list" {
		return o.list(r, "tools/list", tools("of_"+r.Caller.Name), o.hints)
	}
	return o.fake.Handle(ctx, r)
}

func TestWhatBecomesPrivateIsEverybodysNoMore(t *testing.T) { // T3
	now := time.Now()
	a := &fake{tools: tools("x")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}, Shared: true, Now: func() time.Time { return now }})
	if got := must(t, s, true, "tools/list", "{}"); !strings.Contains(got, `"cacheScope":"public"`) {
		t.Errorf("%s", got)
	}
	now = now.Add(2 * time.Minute)
	a.change(func(f *fake) { f.hints = `,"ttlMs":60000,"cacheScope":"private"` })
	if got := must(t, s, true, "tools/list", "{}"); !strings.Contains(got, `"cacheScope":"private"`) {
		t.Errorf("%s", got)
	}
	a.change(func(f *fake) { f.before = func(context.Context, *edge.Request) error { return errors.New("down") } })
	if _, err := s.Handle(t.Context(), request(t, mcptest.Caller("bob"), true, "tools/list", "{}")); err == nil {
		t.Error("bob sees what is alice's own")
	}
}

func TestPagesGoOnWhereTheyEnded(t *testing.T) { // T6, T8
	now := time.Now()
	a, b := &fake{tools: tools("a", "b", "c")}, &fake{tools: tools("d", "e"), prompts: []string{`{"name":"1"}`, `{"name":"2"}`, `{"name":"3"}`}}
	cfg := combined.Config{
		Name: "all", ListTTL: time.Minute, Sources: []combined.Source{of("a", a), of("b", b)}, Page: 2, Keyring: newKeys(t), Now: func() time.Time { return now },
	}
	s := build(t, cfg)
	next := func(s *combined.Server, method, cursor string) (string, string) {
		t.Helper()
		params := "{}"
		if cursor != "" {
			params = `{"cursor":"` + cursor + `"}`
		}
		got := must(t, s, false, method, params)
		var page struct{ NextCursor string }
		_ = json.Unmarshal([]byte(got), &page)
		return names(t, got), page.NextCursor
	}
	first, cursor := next(s, "tools/list", "")
	second, last := next(s, "tools/list", cursor)
	third, none := next(s, "tools/list", last)
	if first != "a__a a__b" || second != "a__c b__d" || third != "b__e" || none != "" {
		t.Errorf("%s; %s; %s; %s", first, second, third, none)
	}
	if first, cursor := next(s, "prompts/list", ""); first != "b__1 b__2" || cursor == "" {
		t.Errorf("prompts %s", first)
	}
	// The list changes between two pages: one goes on behind what was shown.
	a.change(func(f *fake) { f.tools = tools("0", "a", "b", "b2", "c") })
	now = now.Add(2 * time.Minute)
	if got, _ := next(s, "tools/list", cursor); got != "a__b2 a__c" {
		t.Errorf("after a change: %s", got)
	}
	// And so it does after a reload.
	cfg.Previous = s
	reloaded := build(t, cfg)
	if got, _ := next(reloaded, "tools/list", cursor); got != "a__b2 a__c" {
		t.Errorf("after a reload: %s", got)
	}
	for _, bad := range []string{"x", cursor + "A"} {
		_, err := ask(t, s, false, "tools/list", `{"cursor":"`+bad+`"}`)
		wantCode(t, err, edge.CodeInvalidParams)
	}
	_, err := ask(t, s, false, "prompts/list", `{"cursor":"`+cursor+`"}`)
	wantCode(t, err, edge.CodeInvalidParams)
	_, err = ask(t, s, false, "tools/list", `{"cursor":7}`)
	wantCode(t, err, edge.CodeInvalidParams)
}

func TestAListWithoutAnEndIsNotReadForEver(t *testing.T) {
	a := &fake{tools: tools("x")}
	a.hints = `,"nextCursor":"again"`
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", &fake{tools: tools("y")})}})
	if got := names(t, must(t, s, false, "tools/list", "{}")); got != "b__y" {
		t.Errorf("%s", got)
	}
	if n := a.times("tools/list"); n > 3 {
		t.Errorf("%d pages were read", n)
	}
}

func TestAPanicOfASourceIsItsOwn(t *testing.T) { // B11
	a := &fake{before: func(context.Context, *edge.Request) error { panic("boom") }}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", &fake{tools: tools("y")})}})
	if got := names(t, must(t, s, false, "tools/list", "{}")); got != "b__y" {
		t.Errorf("%s", got)
	}
	must(t, s, false, "initialize", `{"protocolVersion":"2025-11-25"}`)
	must(t, s, false, "logging/setLevel", `{"level":"info"}`)
}

func TestAnAddressThatTwoSourcesListIsTheFirstOnes(t *testing.T) { // C2
	log, lines := newLog()
	a, b := &fake{resources: []string{`{"uri":"x:1","name":"a"}`}}, &fake{resources: []string{`{"uri":"x:1","name":"b"}`, `{"uri":"x:2","name":"b"}`}}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b)}, Log: lines})
	for range 3 {
		if got := must(t, s, false, "resources/list", "{}"); got != `{"resources":[{"uri":"x:1","name":"a"},{"uri":"x:2","name":"b"}]}` {
			t.Errorf("%s", got)
		}
	}
	if n := log.lines("x:1"); n != 1 {
		t.Errorf("%d warnings", n)
	}
}

func TestWhoLooksForToolsFindsWhatTheListShows(t *testing.T) { // A4
	s := build(t, combined.Config{
		Sources: []combined.Source{of("a", &fake{tools: tools("open", "closed")})}, Page: 1,
		Tools: map[string]combined.Tool{"a__closed": {Roles: []string{"Admin"}}},
	})
	for who, want := range map[string]int{"": 1, "Admin": 2} {
		got, err := s.Tools(t.Context(), request(t, mcptest.Caller("alice", who), false, "tools/call", "{}"))
		if err != nil || len(got) != want || got[0].Name != "a__open" || !strings.Contains(string(got[0].Wire), `"name":"a__open"`) {
			t.Errorf("%q: %v, %v", who, got, err)
		}
	}
}

func FuzzList(f *testing.F) {
	for _, seed := range []string{
		`{"tools":[` + tool("x") + `]}`, `{"tools":[{"name":"a"},{"name":"a"},{}],"nextCursor":""}`, `{"tools":null}`, `[]`, `{"tools":[{"name":1}],"ttlMs":-1}`,
		`{"tools":[{"\u006eame":"x","name ":"y"}],"ttlMs":1e9,"cacheScope":7}`, `{"tools":[{"name":"` + strings.Repeat("x", 128) + `"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, result []byte) {
		a := &steady{list: result}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", &fake{tools: tools("y")})}, Page: 2})
		got := must(t, s, false, "tools/list", "{}") // C5: whatever one source says, the other one works
		for _, name := range strings.Fields(names(t, got)) {
			if name != "b__y" && !strings.HasPrefix(name, "a__") || len(name) > 64 {
				t.Errorf("%q is listed", name)
			}
		}
	})
}

// picky shows the tool ask only to clients that can be asked.
type picky struct{ *fake }

func (p picky) Handle(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	if r.Message.Method == "tools/list" && bytes.Contains(r.Message.Bytes(r.Message.ClientCapabilities), []byte("elicitation")) {
		return p.list(r, "tools/list", tools("plain", "ask"), "")
	}
	return p.fake.Handle(ctx, r)
}

func TestASourceMayListByWhatAClientCanBeAsked(t *testing.T) { // §11.1, T3, Q7
	a := &fake{tools: tools("plain")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", picky{a})}})
	read := func(capabilities, method, params string) (string, error) {
		r := request(t, mcptest.Caller("alice"), false, method, params)
		r.Capabilities = json.RawMessage(capabilities)
		result, err := s.Handle(t.Context(), r)
		return string(result), err
	}
	for range 2 {
		if _, err := read(`{"elicitation":{},"tasks":{}}`, "tools/call", `{"name":"a__ask"}`); err != nil {
			t.Errorf("a tool for those who can be asked: %v", err)
		}
		if _, err := read(`{"roots":{}}`, "tools/call", `{"name":"a__ask"}`); err == nil {
			t.Error("the tool is there for those who cannot be asked")
		}
	}
	for capabilities, want := range map[string]string{"{}": "a__plain", `{"elicitation":{}}`: "a__plain a__ask"} {
		if got, err := read(capabilities, "tools/list", "{}"); err != nil || names(t, got) != want {
			t.Errorf("%s: %s, %v", capabilities, got, err)
		}
	}
}
