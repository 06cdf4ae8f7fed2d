package bridge_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// tools makes n tools; every third needs a role.
func tools(n int) []bridge.Tool {
	list := make([]bridge.Tool, n)
	for i := range list {
		list[i] = bridge.Tool{Tool: mcptest.Tool(fmt.Sprintf("tool_%04d", i)), Operation: mcptest.Operation{}}
		if i%3 == 2 {
			list[i].Roles = []string{"role:Admin"}
		}
	}
	return list
}

type page struct {
	Tools []struct {
		Name string `json:"name"`
	} `json:"tools"`
	NextCursor string         `json:"nextCursor"`
	TTL        *int           `json:"ttlMs"`
	Scope      string         `json:"cacheScope"`
	Meta       map[string]any `json:"_meta"`
}

func list(t testing.TB, s *bridge.Server, c *identity.Caller, modern bool, cursor string) (p page, err error) {
	t.Helper()
	params := `{}`
	if cursor != "" {
		params = `{"cursor":"` + cursor + `"}`
	}
	raw, err := s.Handle(t.Context(), request(t, c, modern, "tools/list", params))
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return p, nil
}

func names(p page) string {
	list := make([]string, len(p.Tools))
	for i, tool := range p.Tools {
		list[i] = strings.TrimPrefix(tool.Name, "tool_")
	}
	return strings.Join(list, " ")
}

func TestListsComeInPagesInOrder(t *testing.T) { // T1, T5, T6
	s := build(t, bridge.Config{Tools: tools(7), Page: 2, ListTTL: time.Minute})
	for _, modern := range []bool{false, true} {
		var got []string
		for cursor, n := "", 0; n == 0 || cursor != ""; n++ {
			p, err := list(t, s, mcptest.Caller("root", "Admin"), modern, cursor)
			if err != nil {
				t.Fatal(err)
			}
			got, cursor = append(got, names(p)), p.NextCursor
			if modern != (p.TTL != nil && *p.TTL == 60_000 && p.Scope == "private" && p.Meta != nil) {
				t.Errorf("modern %t: %+v", modern, p)
			}
		}
		if all := strings.Join(got, " | "); all != "0000 0001 | 0002 0003 | 0004 0005 | 0006" {
			t.Errorf("pages: %s", all)
		}
	}
	if p, _ := list(t, build(t, bridge.Config{Tools: tools(500)}), mcptest.Caller("root", "Admin"), false, ""); len(p.Tools) != 500 || p.NextCursor != "" {
		t.Errorf("page 0: %d tools", len(p.Tools))
	}
}

func TestSharedListsSaySo(t *testing.T) { // T5
	open := []bridge.Tool{{Tool: mcptest.Tool("a")}}
	for _, c := range []struct {
		name   string
		shared bool
		tools  []bridge.Tool
		scope  string
	}{
		{"everybody sees the same", true, open, "public"},
		{"access rules on the server", false, open, "private"},
		{"a tool with roles", true, tools(3), "private"},
		{"a tool with a scope", true, []bridge.Tool{{Tool: mcptest.Tool("a"), Scope: "x"}}, "private"},
	} {
		if p, _ := list(t, build(t, bridge.Config{Tools: c.tools, Shared: c.shared}), mcptest.Caller("a"), true, ""); p.Scope != c.scope {
			t.Errorf("%s: %s, want %s", c.name, p.Scope, c.scope)
		}
	}
}

func TestCursorsAreOursAndOfTheCallersView(t *testing.T) { // T6, A3
	keys := newKeys(t)
	s := build(t, bridge.Config{Tools: tools(9), Page: 2, Keyring: keys})
	admin, reader := mcptest.Caller("root", "Admin"), mcptest.Caller("reader")
	first, _ := list(t, s, admin, true, "")
	raw, _ := base64.RawURLEncoding.DecodeString(first.NextCursor)
	raw[19]++ // the offset
	forged := base64.RawURLEncoding.EncodeToString(raw)
	other, _ := list(t, build(t, bridge.Config{Name: "other", Tools: tools(9), Page: 2, Keyring: keys}), admin, true, "")
	for name, cursor := range map[string]string{
		"forged": forged, "of another server": other.NextCursor, "garbage": "x", "long": strings.Repeat("A", 5000),
		"padded": first.NextCursor + "==",
	} {
		if _, err := list(t, s, admin, true, cursor); err == nil {
			t.Errorf("a cursor that is %s was taken", name)
		}
	}
	if _, err := list(t, s, reader, true, first.NextCursor); err == nil {
		t.Error("a cursor of another view was taken")
	}
	if p, err := list(t, s, admin, true, first.NextCursor); err != nil || names(p) != "0002 0003" {
		t.Errorf("%s, %v", names(p), err)
	}
}

func TestACursorGoesOnAfterAReload(t *testing.T) { // T6
	keys := newKeys(t)
	c := mcptest.Caller("root", "Admin")
	one := build(t, bridge.Config{Tools: tools(8), Page: 3, Keyring: keys})
	first, _ := list(t, one, c, true, "")
	same := build(t, bridge.Config{Tools: tools(8), Page: 3, Keyring: keys, Previous: one})
	if p, err := list(t, same, c, true, first.NextCursor); err != nil || names(p) != "0003 0004 0005" {
		t.Errorf("after a reload without changes: %s, %v", names(p), err)
	}
	// 0001 and 0002 are gone, 0000 is the last that was shown and is still there.
	left := append(tools(8)[:1:1], tools(8)[3:]...)
	two := build(t, bridge.Config{Tools: left, Page: 3, Keyring: keys, Previous: same})
	if p, err := list(t, two, c, true, first.NextCursor); err != nil || names(p) != "0003 0004 0005" {
		t.Errorf("after a reload: %s, %v", names(p), err)
	}
	three := build(t, bridge.Config{Tools: tools(5), Page: 3, Keyring: keys, Previous: two})
	if _, err := list(t, three, c, true, first.NextCursor); err == nil {
		t.Error("a cursor of two catalogues ago was taken")
	}
}

func TestViewsFollowRights(t *testing.T) { // T2, T7, A1, A4, L3
	s := build(t, bridge.Config{Tools: tools(6)})
	admin, reader, other := mcptest.Caller("root", "Admin"), mcptest.Caller("reader"), mcptest.Caller("other", "Whatever")
	if a, _ := list(t, s, admin, false, ""); names(a) != "0000 0001 0002 0003 0004 0005" {
		t.Errorf("administrator: %s", names(a))
	}
	if r, _ := list(t, s, reader, false, ""); names(r) != "0000 0001 0003 0004" {
		t.Errorf("reader: %s", names(r))
	}
	if s.View(reader) != s.View(other) || s.View(reader) == s.View(admin) {
		t.Error("views are not keyed by what they show")
	}
	if infos := s.ToolInfos(reader); len(infos) != 4 || infos[2].Name != "tool_0003" {
		t.Errorf("infos: %+v", infos)
	}
	if len(s.AllTools()) != 6 {
		t.Error("an administrator does not see every tool")
	}
	changed := tools(6)
	edited := *changed[2].Tool
	edited.Description = "new" // only administrators see it
	changed[2].Tool = &edited
	next := build(t, bridge.Config{Tools: changed})
	if next.View(reader) != s.View(reader) || next.View(admin) == s.View(admin) {
		t.Error("a change must show in exactly the views that see it")
	}
}

func TestMatchDecidesOverEntries(t *testing.T) { // role:, group:, user: are the caller's of Match
	s := build(t, bridge.Config{
		Tools: []bridge.Tool{{Tool: mcptest.Tool("a"), Roles: []string{"group:g1", "user:dev/alice"}}},
		Match: func(c *identity.Caller, entries []string) bool { return c.Subject == "dev/alice" && len(entries) == 2 },
	})
	if len(s.ToolInfos(mcptest.Caller("alice"))) != 1 || len(s.ToolInfos(mcptest.Caller("bob"))) != 0 {
		t.Error("Match was not asked")
	}
}

func BenchmarkToolsList(b *testing.B) { // X2: 0.2 ms for 1,000 tools
	for _, size := range []int{0, 200} {
		b.Run(fmt.Sprintf("page %d", size), func(b *testing.B) {
			s := build(b, bridge.Config{Tools: tools(1000), Page: size})
			r := request(b, mcptest.Caller("root", "Admin"), true, "tools/list", `{}`)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Handle(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
