package combined_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const changed = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

// ear hears what a listener is told.
type ear struct {
	mu    sync.Mutex
	heard []string
}

func (e *ear) tell(n json.RawMessage) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, string(n))
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

func listen(t testing.TB, s *combined.Server, c *identity.Caller, want edge.Interest) (*ear, edge.Interest) {
	t.Helper()
	e := &ear{}
	agreed, err := s.Listen(t.Context(), request(t, c, true, "subscriptions/listen", "{}"), want, e.tell)
	if err != nil {
		t.Fatal(err)
	}
	return e, agreed
}

func TestWhatSourcesTellReachesTheClient(t *testing.T) { // C7, L2
	a, b := &fake{about: holds, resources: []string{`{"uri":"x:1"}`}}, &fake{about: holds, resources: []string{`{"uri":"x:2"}`}}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b), made(t, &mcptest.Road{}, "rest", "get")}})
	e, agreed := listen(t, s, mcptest.Caller("alice"), edge.Interest{Tools: true, Resources: true, URIs: []string{"x:2", "x:3", "x:1"}})
	if !agreed.Tools || agreed.Prompts || !agreed.Resources || !slices.Equal(agreed.URIs, []string{"x:2", "x:1"}) {
		t.Errorf("agreed %+v", agreed)
	}
	if !slices.Equal(a.wants[0].URIs, []string{"x:1"}) || !slices.Equal(b.wants[0].URIs, []string{"x:2"}) || a.wants[0].Prompts {
		t.Errorf("asked for %+v and %+v", a.wants, b.wants)
	}
	update := `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:2","name":"as it is"}}`
	b.say(update)
	a.say(changed)
	a.say("no message at all")
	if got := e.all(); !slices.Equal(got, []string{update, changed}) {
		t.Errorf("heard %q", got)
	}
}

func TestAListThatChangedIsAskedForAgain(t *testing.T) { // C7
	a := &fake{about: holds, tools: tools("x"), prompts: []string{`{"name":"p"}`}, resources: []string{`{"uri":"x:1"}`}, templates: []string{}}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
	listen(t, s, mcptest.Caller("alice"), edge.Interest{Tools: true, Prompts: true, Resources: true})
	for list, c := range map[string]struct{ change, want string }{
		"tools/list": {"tools", "a__y"}, "prompts/list": {"prompts", "a__q"}, "resources/list": {"resources", "x:2"}, "resources/templates/list": {"resources", "x:{id}"},
	} {
		must(t, s, false, list, "{}")
		a.change(func(f *fake) {
			f.tools, f.prompts, f.resources, f.templates = tools("y"), []string{`{"name":"q"}`}, []string{`{"uri":"x:2"}`}, []string{`{"uriTemplate":"x:{id}"}`}
		})
		a.say(`{"jsonrpc":"2.0","method":"notifications/` + c.change + `/list_changed"}`)
		if got := names(t, must(t, s, false, list, "{}")); got != c.want {
			t.Errorf("%s: %s", list, got)
		}
	}
}

func TestAChangeThatTheCallerCannotSeeIsNotTold(t *testing.T) { // L3
	synctest.Test(t, func(t *testing.T) {
		a := &fake{tools: tools("open", "closed")}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}, Tools: map[string]combined.Tool{"a__closed": {Roles: []string{"Admin"}}, "a__other": {Roles: []string{"Admin"}}}})
		admin := mcptest.Caller("alice", "Admin")
		for _, c := range []*identity.Caller{admin, mcptest.Caller("bob")} {
			_, _ = s.Handle(t.Context(), request(t, c, true, "tools/list", "{}"))
		}
		high, _ := listen(t, s, admin, edge.Interest{Tools: true})
		low, _ := listen(t, s, mcptest.Caller("bob"), edge.Interest{Tools: true})
		a.change(func(f *fake) { f.tools = tools("open", "closed", "other") })
		a.say(changed)
		synctest.Wait()
		if n, m := len(high.all()), len(low.all()); n != 1 || m != 0 {
			t.Errorf("told %d and %d times", n, m)
		}
		a.change(func(f *fake) { f.tools = tools("open", "new") })
		a.say(changed)
		a.say(changed)
		synctest.Wait()
		if n, m := len(high.all()), len(low.all()); n != 2 || m != 1 {
			t.Errorf("then told %d and %d times", n, m)
		}
	})
}

func TestASourceThatCannotBeHeardIsLeftOut(t *testing.T) { // C5
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{refuse: errors.New("down")}, &fake{}
		slow := &deaf{release: make(chan struct{})}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b), of("slow", slow)}})
		e, agreed := listen(t, s, mcptest.Caller("alice"), edge.Interest{Tools: true, Prompts: true})
		if !agreed.Tools || !agreed.Prompts {
			t.Errorf("agreed %+v", agreed)
		}
		b.say(`{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`)
		close(slow.release)
		synctest.Wait()
		if got := e.all(); len(got) != 1 {
			t.Errorf("heard %q", got)
		}
	})
}

func TestASourceThatComesBackIsHeard(t *testing.T) { // C5: a stream may stay open for an hour
	synctest.Test(t, func(t *testing.T) {
		a := &fake{tools: tools("x"), refuse: errors.New("down")}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", &fake{})}})
		ctx, cancel := context.WithCancel(t.Context())
		e := &ear{}
		if _, err := s.Listen(ctx, request(t, mcptest.Caller("alice"), true, "subscriptions/listen", "{}"), edge.Interest{Tools: true}, e.tell); err != nil {
			t.Fatal(err)
		}
		time.Sleep(12 * time.Second)
		if a.listens() != 2 || len(e.all()) != 0 {
			t.Errorf("tried %d times, heard %q", a.listens(), e.all())
		}
		a.change(func(f *fake) { f.refuse = nil })
		time.Sleep(30 * time.Second)
		if got := e.all(); a.listens() != 3 || !slices.Equal(got, []string{changed}) { // what changed meanwhile nobody heard
			t.Errorf("tried %d times, heard %q", a.listens(), got)
		}
		a.say(changed)
		if got := e.all(); len(got) != 2 {
			t.Errorf("then heard %q", got)
		}
		a.change(func(f *fake) { f.refuse = errors.New("down") })
		gone, leave := context.WithCancel(ctx)
		_, _ = s.Listen(gone, request(t, mcptest.Caller("alice"), true, "subscriptions/listen", "{}"), edge.Interest{Tools: true}, e.tell)
		leave()
		before := a.listens()
		time.Sleep(time.Hour)
		if a.listens() != before {
			t.Error("a source is asked for a client that has left")
		}
		cancel()
	})
}

// deaf takes its time to listen, and then tells although nobody waits any more.
type deaf struct {
	fake
	release chan struct{}
}

func (d *deaf) Listen(ctx context.Context, _ *edge.Request, want edge.Interest, tell func(json.RawMessage)) (edge.Interest, error) {
	<-d.release
	tell(json.RawMessage(changed))
	return want, nil
}

func TestNothingIsToldOnceTheListenerHasLeft(t *testing.T) {
	a := &fake{}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
	ctx, cancel := context.WithCancel(t.Context())
	e := &ear{}
	if _, err := s.Listen(ctx, request(t, mcptest.Caller("alice"), true, "subscriptions/listen", "{}"), edge.Interest{Tools: true}, e.tell); err != nil {
		t.Fatal(err)
	}
	cancel()
	a.say(changed)
	if got := e.all(); len(got) != 0 {
		t.Errorf("heard %q", got)
	}
}

func TestNotificationsGoToTheSourcesConcerned(t *testing.T) { // C7
	a, b := &fake{}, &fake{}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b), made(t, &mcptest.Road{}, "rest", "get")}})
	r := request(t, mcptest.Caller("alice"), false, "x", "{}")
	note := func(body string) {
		t.Helper()
		m, err := edge.Decode([]byte(body), edge.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		q := *r
		q.Message = m
		s.Notified(t.Context(), &q)
	}
	roots := `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`
	note(roots)
	note(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`) // the edge ended the call by its id
	note(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`)
	for _, f := range []*fake{a, b} {
		if len(f.notes) != 1 || f.notes[0] != roots {
			t.Errorf("told %q", f.notes)
		}
	}
	s.Left(t.Context(), "s1")
	if !slices.Equal(a.left, []string{"s1"}) || !slices.Equal(b.left, []string{"s1"}) {
		t.Errorf("left %q, %q", a.left, b.left)
	}
}

func TestQuestionsOfTwoSourcesDoNotMeet(t *testing.T) { // C7: ids by the edge, progress tokens by us
	asking := func(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
		m, err := r.Ask(ctx, "sampling/createMessage", json.RawMessage(`{"messages":[],"_meta":{"progressToken":"t", "x":1}}`))
		if err != nil {
			return nil, err
		}
		return m.Bytes(m.Result), nil
	}
	a, b := &fake{tools: tools("x"), other: asking}, &fake{tools: tools("x"), other: asking}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b)}})
	seen := map[string]bool{}
	for _, name := range []string{"a__x", "b__x"} {
		r := request(t, mcptest.Caller("alice"), false, "tools/call", `{"name":"`+name+`"}`)
		r.Ask = func(_ context.Context, method string, params json.RawMessage) (*edge.Message, error) {
			var p struct {
				Meta struct {
					ProgressToken string
					X             int
				} `json:"_meta"`
			}
			if err := json.Unmarshal(params, &p); err != nil || p.Meta.X != 1 || p.Meta.ProgressToken == "t" {
				t.Errorf("%s %s", method, params)
			}
			seen[p.Meta.ProgressToken] = true
			note := request(t, mcptest.Caller("alice"), false, "notifications/progress", `{"progressToken":"`+p.Meta.ProgressToken+`","progress":1}`)
			s.Notified(t.Context(), note)
			stranger := *note
			stranger.Session = "s2" // E10
			s.Notified(t.Context(), &stranger)
			return edge.Decode([]byte(`{"jsonrpc":"2.0","id":1,"result":{"from":"`+name+`"}}`), edge.Limits{})
		}
		raw, err := s.Handle(t.Context(), r)
		if err != nil || string(raw) != `{"from":"`+name+`"}` {
			t.Errorf("%s, %v", raw, err)
		}
	}
	if len(seen) != 2 {
		t.Errorf("tokens %v", seen)
	}
	for _, f := range []*fake{a, b} {
		if len(f.notes) != 1 || !strings.Contains(f.notes[0], `"progressToken":"t"`) {
			t.Errorf("told %q", f.notes)
		}
	}
}

func TestALogLevelGoesToTheSourcesThatLog(t *testing.T) { // C7
	synctest.Test(t, func(t *testing.T) {
		logs := `"capabilities":{"logging":{}}`
		a, b := &fake{about: logs}, &fake{}
		hangs := &fake{about: logs, other: func(ctx context.Context, _ *edge.Request) (json.RawMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b), of("c", hangs)}})
		kept := ""
		r := request(t, mcptest.Caller("alice"), false, "logging/setLevel", `{"level":"warning"}`)
		r.SetLogLevel = func(level string) { kept = level }
		start := time.Now()
		if raw, err := s.Handle(t.Context(), r); err != nil || string(raw) != "{}" || kept != "warning" {
			t.Errorf("%s, %v, kept %q", raw, err, kept)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if a.times("logging/setLevel") != 1 || b.times("logging/setLevel") != 0 {
			t.Error("the level went to the wrong sources")
		}
		for _, level := range []string{`"loud"`, `7`} {
			_, err := ask(t, s, false, "logging/setLevel", `{"level":`+level+`}`)
			wantCode(t, err, edge.CodeInvalidParams)
		}
	})
}

func TestACancelledCallEndsAtItsSource(t *testing.T) { // C7, E6
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		a := &fake{tools: tools("x"), other: func(ctx context.Context, _ *edge.Request) (json.RawMessage, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil, ctx.Err()
		}}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, _ = s.Handle(ctx, request(t, mcptest.Caller("alice"), false, "tools/call", `{"name":"a__x"}`))
		}()
		synctest.Wait()
		cancel()
		<-ended
	})
}

func TestNotificationsOfACallComeBeforeItsResultAndUnchanged(t *testing.T) { // C7, C8, E4
	progress := func(token string) string {
		return `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":1.10,"name":"x"}}`
	}
	got := map[string]bool{}
	a := &fake{tools: tools("x"), other: func(_ context.Context, r *edge.Request) (json.RawMessage, error) {
		token := string(r.Message.Bytes(r.Message.ProgressToken))
		got[token] = true
		r.Notify(json.RawMessage(progress(token)), true)
		r.Notify(json.RawMessage(progress(`"another"`)), false)
		return json.RawMessage(`{"content":[]}`), nil
	}}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
	c := connect(t, handler(t, s), "alice", false)
	w := c.post(t, "tools/call", "a__x", `{"name":"a__x","_meta":{"progressToken":"mine"}}`, "1")
	body := w.Body.String()
	if at := strings.Index(body, progress(`"mine"`)); at < 0 || at > strings.Index(body, `"result"`) {
		t.Errorf("%s", body)
	}
	body = c.post(t, "tools/call", "a__x", `{"name":"a__x","_meta":{"progressToken":7}}`, "1").Body.String()
	if !strings.Contains(body, progress("7")) {
		t.Errorf("%s", body)
	}
	c.post(t, "tools/call", "a__x", `{"name":"a__x","_meta":{"progressToken":7}}`, "2")
	if len(got) != 3 || got["7"] || got[`"mine"`] { // clients choose the same ones
		t.Errorf("the source was given %v", got)
	}
}

func TestASourceTellsNothingOfAnothersResources(t *testing.T) { // C2
	a, b := &fake{resources: []string{`{"uri":"x://1"}`}}, &fake{resources: []string{`{"uri":"x://1"}`, `{"uri":"x://2"}`}}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b)}})
	must(t, s, true, "resources/list", "{}")
	must(t, s, true, "resources/templates/list", "{}")
	var heard []string
	r := request(t, mcptest.Caller("alice"), true, "subscriptions/listen", "{}")
	if _, err := s.Listen(t.Context(), r, edge.Interest{URIs: []string{"x://1", "x://2"}}, func(n json.RawMessage) { heard = append(heard, string(n)) }); err != nil {
		t.Fatal(err)
	}
	updated := func(uri string) string {
		return `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"` + uri + `"}}`
	}
	b.say(updated("x://1"))
	if heard != nil {
		t.Errorf("heard of the other's: %q", heard)
	}
	a.say(updated("x://1"))
	b.say(updated("x://2"))
	if !slices.Equal(heard, []string{updated("x://1"), updated("x://2")}) {
		t.Errorf("heard %q", heard)
	}
}
