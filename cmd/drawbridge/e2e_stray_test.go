package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// A rule for a tool that an upstream does not have is told as soon as its list was seen: a name that is misspelt leaves the
// tool that was meant to everybody.
func TestRulesThatMeetNoToolAreTold(t *testing.T) {
	const config = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice, roles: [Gateway.Admin]}]}}
admins: [role:Gateway.Admin]
backends: [{name: elsewhere, url: "%s"}]
apis: [{name: orders, document: orders.yaml}]
mcp_servers:
  - {name: notes, from: [{upstream: elsewhere}], access: {tools: {add: {roles: [A]}, serch: {roles: [A]}, later: {roles: [A]}}}}
  - {name: both, from: [{api: orders}, {upstream: elsewhere}], access: {tools: {orders__getOrder: {roles: [A]}, elsewhere__lst: {roles: [A]}}}}
`
	var list atomic.Value
	define := func(name string) string { return fmt.Sprintf(`{"name":%q,"inputSchema":{"type":"object"}}`, name) }
	list.Store("[" + define("add") + "," + define("search") + "," + define("list") + "]")
	s := serve(t, fmt.Sprintf(config, hostileTools(t, &list).URL))
	const heading = "Rules that meet no tool"
	if page := s.consolePage(t); strings.Contains(page, heading) {
		t.Errorf("nothing was seen, and the console shows %s", page)
	}
	for _, server := range []string{"notes", "both"} {
		if _, errs, code := command(t, s.dir, nil, "tools", server, "--url", s.url); code != 0 {
			t.Fatalf("tools %s: %d %s", server, code, errs)
		}
	}
	page := s.consolePage(t)
	for _, want := range []string{
		heading, "<b>serch</b> of notes; did you mean <b>search</b>?", "<b>later</b> of notes</li>", "<b>elsewhere__lst</b> of both; did you mean <b>elsewhere__list</b>?",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the console lacks %q", want)
		}
	}
	if strings.Contains(page, "<b>add</b>") || strings.Contains(page, "<b>orders__getOrder</b>") {
		t.Errorf("the console warns of rules that meet a tool: %s", page)
	}
	s.stop(t)
	s.start(t)
	for _, want := range []string{`"server":"notes","tool":"serch","near":"search"`, `"server":"both","tool":"elsewhere__lst","near":"elsewhere__list"`} {
		if !strings.Contains(s.stderr.String(), want) {
			t.Errorf("the log of the next start lacks %s:\n%s", want, s.stderr)
		}
	}
}
