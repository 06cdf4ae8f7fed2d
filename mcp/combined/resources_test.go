package combined_test

import (
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
	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

const holds = `"capabilities":{"resources":{}}`

// reads answers every request about a resource with the source's name.
func reads(as string) func(context.Context, *edge.Request) (json.RawMessage, error) {
	return func(_ context.Context, r *edge.Request) (json.RawMessage, error) {
		return json.RawMessage(`{"contents":[{"uri":` + string(r.Message.Bytes(r.Message.URI)) + `,"text":"` + as + `"}]}`), nil
	}
}

func TestAResourceIsReadFromTheFirstSourceThatHasIt(t *testing.T) { // C2
	a := &fake{about: holds, resources: []string{`{"uri":"x:1"}`, `{"uri":"https://h/a/b"}`}, templates: []string{`{"uriTemplate":"user:{id}/mail{?page}"}`}, other: reads("A")}
	b := &fake{about: holds, resources: []string{`{"uri":"x:1"}`, `{"uri":"x:2"}`}, templates: []string{`{"uriTemplate":"file:///{+path}"}`, `{"uriTemplate":"bad{"}`}, other: reads("B")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b)}})
	for _, modern := range []bool{false, true} {
		for uri, want := range map[string]string{
			"x:1": "A", "x:2": "B", "user:7/mail": "A", "user:7/mail?page=2": "A", "file:///etc/x.txt": "B", `x\u003a2`: "B",
		} {
			if got := must(t, s, modern, "resources/read", `{"uri":"`+uri+`"}`); !strings.Contains(got, `"text":"`+want+`"`) {
				t.Errorf("%s: %s, want %s", uri, got, want)
			}
		}
		for _, uri := range []string{"x:3", "user:7/8/mail", "USER:7/mail", "x:1 ", ""} {
			_, err := ask(t, s, modern, "resources/read", `{"uri":"`+uri+`"}`)
			code := -32002
			if modern {
				code = edge.CodeInvalidParams
			}
			if e := wantCode(t, err, code); string(e.Data) != `{"uri":"`+uri+`"}` {
				t.Errorf("%s: data %s", uri, e.Data)
			}
		}
	}
	if got := string(a.last(t, "resources/read").Message.Body); !strings.Contains(got, `"params":{"uri":"`) {
		t.Errorf("the source was sent %s", got)
	}
	for _, method := range []string{"resources/subscribe", "resources/unsubscribe"} {
		must(t, s, false, method, `{"uri":"x:2"}`)
		if b.times(method) != 1 || a.times(method) != 0 {
			t.Errorf("%s went to the wrong source", method)
		}
	}
	_, err := ask(t, s, false, "resources/read", `{"uri":7}`)
	wantCode(t, err, edge.CodeInvalidParams)
}

func TestWhatIsNotListedIsTheOnlyHoldersIfThereIsOne(t *testing.T) { // links in results need not be listed
	a := &fake{about: holds, resources: []string{}, templates: []string{}, other: reads("A")}
	cfg := combined.Config{Sources: []combined.Source{of("t", &fake{tools: tools("x")}), of("a", a)}}
	if got := must(t, build(t, cfg), false, "resources/read", `{"uri":"x:unlisted"}`); !strings.Contains(got, "A") {
		t.Errorf("%s", got)
	}
	cfg.Sources = append(cfg.Sources, of("b", &fake{about: holds, resources: []string{}}))
	_, err := ask(t, build(t, cfg), false, "resources/read", `{"uri":"x:unlisted"}`)
	wantCode(t, err, -32002)
}

func TestASourceThatCannotSayWhatItHasIsNotTakenForEmpty(t *testing.T) { // C5
	down := &fake{before: func(context.Context, *edge.Request) error { return errors.New("down") }}
	b := &fake{about: holds, resources: []string{`{"uri":"x:2"}`}, other: reads("B")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", down), of("b", b)}})
	if got := must(t, s, false, "resources/read", `{"uri":"x:2"}`); !strings.Contains(got, "B") {
		t.Errorf("%s", got)
	}
	_, err := ask(t, s, false, "resources/read", `{"uri":"x:1"}`)
	wantCode(t, err, edge.CodeServer)
}

func TestAnAddressThatNobodyListsIsWaitedForOnce(t *testing.T) { // C5: ≤ 5 s
	synctest.Test(t, func(t *testing.T) {
		hangs := &fake{before: func(ctx context.Context, _ *edge.Request) error { <-ctx.Done(); return ctx.Err() }}
		b := &fake{about: holds, resources: []string{`{"uri":"x:2"}`}, other: reads("B")}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", hangs), of("b", b)}})
		start := time.Now()
		_, err := ask(t, s, false, "resources/read", `{"uri":"x:1"}`)
		wantCode(t, err, edge.CodeServer)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestAResourceThatIsNewIsFound(t *testing.T) {
	clock := proxytest.NewClock()
	a := &fake{about: holds, resources: []string{`{"uri":"x:1"}`}, other: reads("A")}
	b := &fake{about: holds, other: reads("B")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b)}, Now: clock.Now})
	must(t, s, false, "resources/read", `{"uri":"x:1"}`)
	a.change(func(f *fake) { f.resources = []string{`{"uri":"x:9"}`} })
	clock.Advance(2 * time.Second)
	must(t, s, false, "resources/read", `{"uri":"x:9"}`)
	if n := b.times("resources/list"); n > 2 {
		t.Errorf("the other one was asked %d times", n)
	}
}

func TestCompletionGoesToTheSourceOfItsPromptOrTemplate(t *testing.T) { // A4
	a := &fake{about: holds, prompts: []string{`{"name":"ask"}`}, templates: []string{`{"uriTemplate":"x:{id}"}`}, other: echo("A")}
	b := &fake{about: holds, prompts: []string{`{"name":"ask"}`}, templates: []string{`{"uriTemplate":"y:{id}"}`}, other: echo("B")}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b)}})
	must(t, s, false, "completion/complete", `{"ref":{"type":"ref/prompt","name":"b__ask"},"argument":{"name":"q","value":"v"}}`)
	if got := string(b.last(t, "completion/complete").Message.Body); !strings.Contains(got, `{"ref":{"type":"ref/prompt","name":"ask"},"argument":{"name":"q","value":"v"}}`) {
		t.Errorf("the source was sent %s", got)
	}
	must(t, s, true, "completion/complete", `{"ref":{"type":"ref/resource","uri":"x:{id}"},"argument":{"name":"id","value":""}}`)
	must(t, s, true, "completion/complete", `{"ref":{"type":"ref/resource","uri":"y:7"},"argument":{"name":"id","value":""}}`)
	if a.times("completion/complete") != 1 || b.times("completion/complete") != 2 {
		t.Errorf("%d and %d", a.times("completion/complete"), b.times("completion/complete"))
	}
	for _, params := range []string{
		`{}`, `{"ref":{}}`, `{"ref":{"type":"ref/tool","name":"a__x"}}`, `{"ref":{"type":"ref/prompt"}}`, `{"ref":{"type":"ref/resource"}}`,
		`{"ref":{"type":"ref/prompt","name":"ask"}}`, `{"ref":{"type":"ref/prompt","name":"a__other"}}`,
	} {
		_, err := ask(t, s, true, "completion/complete", params)
		wantCode(t, err, edge.CodeInvalidParams)
	}
	_, err := ask(t, s, false, "completion/complete", `{"ref":{"type":"ref/resource","uri":"z:{id}"}}`)
	wantCode(t, err, -32002)
}

func FuzzTemplate(f *testing.F) {
	f.Add("x:{id}", "x:7")
	f.Add("a{/x*}{?q,r}", "a/b/c?q=1")
	f.Add("{{", "}")
	f.Fuzz(func(t *testing.T, template, uri string) {
		quoted, _ := json.Marshal(template)
		asked, _ := json.Marshal(uri)
		a := &fake{about: holds, templates: []string{`{"uriTemplate":` + string(quoted) + `}`}, other: reads("A")}
		b := &fake{about: holds, templates: []string{`{"uriTemplate":"{+any}"}`}, other: reads("B")}
		s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b)}})
		r, err := edge.Decode([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":%s}}`, asked)), edge.Limits{})
		if err != nil {
			return
		}
		q := request(t, nil, false, "ping", "{}")
		q.Message = r
		_, _ = s.Handle(t.Context(), q) // whatever they are: no panic, no endless work
	})
}
