package access

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

func rules() *Rules {
	return New(Config{Server: "orders", Tools: map[string]Tool{
		"delete": {Roles: []string{"Admin", "Boss"}}, "refund": {Roles: []string{"role:Boss", "Admin"}}, "wipe": {Roles: []string{"Boss", "Admin"}},
		"export": {Scope: "orders.export"},
	}})
}

func TestWhoSeesAToolMayUseItAndNobodyElse(t *testing.T) { // A1, A4
	r := rules()
	for _, c := range []struct {
		roles []string
		tool  string
		want  bool
	}{
		{nil, "delete", false}, {[]string{"Admin"}, "delete", true}, {[]string{"Boss"}, "refund", true}, {[]string{"Clerk"}, "wipe", false},
		{nil, "export", true}, {nil, "list", true}, {[]string{"admin"}, "delete", false},
	} {
		caller := mcptest.Caller("alice", c.roles...)
		if r.MayUse(caller, c.tool) != c.want || r.Sees(r.Key(caller), c.tool) != c.want {
			t.Errorf("%v %s: want %v in list and call", c.roles, c.tool, c.want)
		}
		if err := r.Check(caller, c.tool); (err == nil) != c.want && c.tool != "export" {
			t.Errorf("%v %s: %v", c.roles, c.tool, err)
		}
	}
}

func TestWhatIsNotYoursDoesNotExist(t *testing.T) { // A1: the same bytes
	r, nobody := rules(), mcptest.Caller("alice")
	hidden, unknown := r.Check(nobody, "delete"), Unknown("delete")
	if hidden == nil || hidden.Error() != unknown.Error() {
		t.Errorf("%v is not %v", hidden, unknown)
	}
	if text := Unknown(strings.Repeat("n", 4000)).Error(); len(text) > 200 {
		t.Errorf("a long name is repeated in %d bytes", len(text))
	}
}

func TestALackingScopeIsAChallenge(t *testing.T) { // A2
	for name, r := range map[string]*Rules{
		"own": rules(),
		"given": New(Config{Server: "orders", Tools: map[string]Tool{"export": {Scope: "orders.export"}},
			Challenge: func(_ *identity.Caller, server, scope string) string { return "Bearer " + server + " " + scope }}),
	} {
		var e *edge.Error
		if err := r.Check(mcptest.Caller("alice"), "export"); !errors.As(err, &e) || e.Status != http.StatusForbidden || e.OAuth != "insufficient_scope" ||
			!strings.Contains(e.Header.Get("Www-Authenticate"), "orders.export") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ten thousand people with two role sets have two keys, whatever the order of the roles was in the file (T2).
func TestPeopleWithTheSameRightsShareAKey(t *testing.T) {
	r := rules()
	if a, b := r.Key(mcptest.Caller("alice", "Admin", "X")), r.Key(mcptest.Caller("bob", "Boss")); a == r.Key(mcptest.Caller("carol")) || len(a) != 2 || len(b) != 2 {
		t.Errorf("keys %q and %q of two lists", a, b)
	}
	if a, b := r.Key(mcptest.Caller("alice", "Admin")), r.Key(mcptest.Caller("bob", "Admin")); a != b {
		t.Errorf("keys %q and %q", a, b)
	}
	if New(Config{}).Key(mcptest.Caller("alice")) != "" || New(Config{}).Any() || !r.Any() || len(r.Names()) != 3 {
		t.Error("rules where there are none, or none where there are")
	}
}
