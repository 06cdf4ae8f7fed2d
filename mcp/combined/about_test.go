package combined_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

func TestCapabilitiesAreTheUnion(t *testing.T) { // C4
	a := &fake{about: `"capabilities":{"tools":{"listChanged":false},"resources":{"subscribe":false,"listChanged":true},"tasks":{"list":{}},` +
		`"extensions":{"io.modelcontextprotocol/tasks":{},"example.com/x":{"n":1}}}`}
	b := &fake{about: `"capabilities":{"resources":{"subscribe":true},"prompts":{},"completions":{},"experimental":{"e":{}}}`}
	c := &fake{before: func(context.Context, *edge.Request) error { return errors.New("down") }}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", b), of("c", c), made(t, &mcptest.Road{}, "rest", "get")}})
	want := `"completions":{},"experimental":{"e":{}},"extensions":{"example.com/x":{"n":1}},`
	withTasks := strings.Replace(want, `"n":1}}`, `"n":1},"io.modelcontextprotocol/tasks":{}}`, 1)
	head := `"prompts":{},"resources":{"listChanged":true,"subscribe":true},`
	tail := head + `"tools":{"listChanged":true}}`
	legacy := must(t, s, false, "initialize", `{"protocolVersion":"2025-06-18"}`)
	if legacy != `{"protocolVersion":"2025-11-25","capabilities":{`+want+`"logging":{},`+head+`"tasks":{},"tools":{"listChanged":true}},"serverInfo":{"name":"all","title":"All of it","version":"1.2.3"}}` {
		t.Errorf("legacy %s", legacy)
	}
	modern := must(t, s, true, "server/discover", `{}`)
	if modern != `{"supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"capabilities":{`+withTasks+tail+
		`,"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"all","title":"All of it","version":"1.2.3"}}}` {
		t.Errorf("modern %s", modern)
	}
	if n := a.times("server/discover"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if got := must(t, s, false, "ping", "{}"); got != "{}" {
		t.Errorf("ping %s", got)
	}
}

func TestAClientMayComeWhileEverySourceIsDown(t *testing.T) { // C5
	down := &fake{before: func(context.Context, *edge.Request) error { return errors.New("down") }}
	s := build(t, combined.Config{Sources: []combined.Source{of("a", down)}})
	if got := must(t, s, false, "initialize", `{"protocolVersion":"2025-11-25"}`); !strings.Contains(got, `"tools":{"listChanged":true}`) {
		t.Errorf("%s", got)
	}
}

func TestInstructionsStandUnderTheTitlesOfTheirSources(t *testing.T) { // C4
	says := func(text string) *fake {
		quoted, _ := json.Marshal(text)
		return &fake{about: `"capabilities":{},"instructions":` + string(quoted)}
	}
	instructions := func(cfg combined.Config) string {
		var got struct{ Instructions string }
		_ = json.Unmarshal([]byte(must(t, build(t, cfg), true, "server/discover", "{}")), &got)
		return got.Instructions
	}
	titled := of("b", says("Second."))
	titled.Title = "Part B"
	short := combined.Config{Sources: []combined.Source{of("a", says(" First. \n")), titled, of("c", says(""))}}
	if got := instructions(short); got != "## a\n\nFirst.\n\n## Part B\n\nSecond." {
		t.Errorf("%q", got)
	}
	named := says("Third.")
	named.about += `,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"n","title":" The\n Third "}}`
	if got := instructions(combined.Config{Sources: []combined.Source{of("a", named)}}); got != "## The Third\n\nThird." {
		t.Errorf("%q", got)
	}
	short.Instructions = "Ours."
	if got := instructions(short); got != "Ours." {
		t.Errorf("configured: %q", got)
	}
	got := instructions(combined.Config{Sources: []combined.Source{of("a", says(strings.Repeat("ä", 3000))), of("b", says("Short.")), of("c", says(strings.Repeat("c", 3000)))}})
	if n := len([]rune(got)); n > 2048 || n < 2000 || !strings.HasSuffix(got, "c…") || !strings.Contains(got, "ä…\n\n## b\n\nShort.\n\n## c\n\n") {
		t.Errorf("%d characters: %q", n, got)
	}
}

func TestMethodsThatAServerOfSeveralPartsDoesNotHave(t *testing.T) { // H11, §17
	s := build(t, combined.Config{Sources: []combined.Source{of("a", &fake{})}})
	for _, modern := range []bool{false, true} {
		for _, method := range []string{"no/such", "tasks/get", "tasks/result"} {
			_, err := ask(t, s, modern, method, "{}")
			wantCode(t, err, edge.CodeMethodNotFound)
		}
	}
	_, err := ask(t, s, false, "server/discover", "{}")
	wantCode(t, err, edge.CodeMethodNotFound)
	for _, method := range []string{"initialize", "ping", "logging/setLevel", "resources/subscribe"} {
		_, err := ask(t, s, true, method, "{}")
		wantCode(t, err, edge.CodeMethodNotFound)
	}
}

func TestWhatACombinedServerCannotBeMadeOf(t *testing.T) { // mcp.md §1
	ring := newKeys(t)
	for name, cfg := range map[string]combined.Config{
		"nothing":           {Keyring: ring},
		"no keys":           {Sources: []combined.Source{of("a", &fake{})}},
		"no server":         {Keyring: ring, Sources: []combined.Source{{As: "a"}}},
		"a prefix twice":    {Keyring: ring, Sources: []combined.Source{of("a", &fake{}), of("a", &fake{})}},
		"a prefix with __":  {Keyring: ring, Sources: []combined.Source{of("a__b", &fake{})}},
		"a prefix in upper": {Keyring: ring, Sources: []combined.Source{of("A", &fake{})}},
	} {
		if _, err := combined.New(cfg); err == nil {
			t.Errorf("made of %s", name)
		}
	}
}

func TestAViewChangesWithTheConfigurationAndItsSources(t *testing.T) { // L3, L4
	a := &fake{tools: tools("x"), view: "1"}
	cfg := combined.Config{Sources: []combined.Source{of("a", a)}, Tools: map[string]combined.Tool{"a__x": {Roles: []string{"Admin"}}}}
	s := build(t, cfg)
	alice, admin := mcptest.Caller("alice"), mcptest.Caller("bob", "Admin")
	carol := mcptest.Caller("carol")
	if s.View(alice) == s.View(carol) {
		t.Error("lists that may be alice's own are carol's view") // T4
	}
	rest := build(t, combined.Config{
		Sources: []combined.Source{made(t, &mcptest.Road{}, "rest", "x"), made(t, &mcptest.Road{}, "two", "x")},
		Tools:   map[string]combined.Tool{"rest__x": {Roles: []string{"Admin"}}},
	})
	if rest.View(alice) == rest.View(admin) || rest.View(alice) != rest.View(carol) {
		t.Error("views do not go by rights") // T2
	}
	if s.View(alice) != build(t, cfg).View(alice) {
		t.Error("a reload that changes nothing changes the view")
	}
	before := s.View(alice)
	a.change(func(f *fake) { f.view = "2" })
	if s.View(alice) == before {
		t.Error("a source's change does not change the view")
	}
	if s.Name() != "all" {
		t.Errorf("name %s", s.Name())
	}
	if ok, _ := s.Allowed(alice); !ok {
		t.Error("nobody may use it")
	}
}
