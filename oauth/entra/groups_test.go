package entra_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
)

// newGroupBench needs groups, and Ada has more than fit into a token.
func newGroupBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, func(c *entra.EntraConfig, o *entra.Options) {
		c.Graph = c.Authority + "/graph"
		o.NeedGroups = true
		o.Client.Timeout = 500 * time.Millisecond
	})
	b.fake.Set(func(s *oauthtest.Switches) {
		s.Person("Ada", func(p *oauthtest.EntraPerson) { p.Overage = true })
		s.GroupPages = [][]string{{"g-3", "g-1"}, {"g-2"}}
	})
	return b
}

// Row 54: overage; Graph answers with all pages, and is not asked again within the hour.
func TestGroupOverageIsReadFromGraph_54(t *testing.T) {
	b := newGroupBench(t)
	id, up, err := b.signIn()
	if err != nil || strings.Join(id.Groups, " ") != "g-1 g-2 g-3" {
		t.Fatalf("groups = %v, %v", id.Groups, err)
	}
	b.advance(time.Minute)
	if id, _, err = b.provider.Refresh(t.Context(), id, up); err != nil || len(id.Groups) != 3 {
		t.Errorf("Refresh = %v, %v", id.Groups, err)
	}
	if n := len(b.fake.Log("microsoft.graph.group")); n != 2 {
		t.Errorf("%d requests to Graph, want one for each page", n)
	}
	for _, r := range b.fake.Log("/token") {
		if r.Form.Get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer" && r.Form.Get("scope") != b.fake.URL+"/graph/.default" {
			t.Errorf("exchange = %v", r.Form)
		}
	}
}

// Row 54: Graph says no, is down, or points elsewhere. A list that is not whole is no list.
func TestGroupsThatCannotBeReadDeny_54(t *testing.T) {
	foreign := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreign = true }))
	defer elsewhere.Close()
	for _, tc := range []struct {
		name string
		set  func(*oauthtest.Switches)
		want string
	}{
		{"403", func(s *oauthtest.Switches) { s.Graph.Status = 403 }, oauth.AccessDenied},
		{"429", func(s *oauthtest.Switches) { s.Graph.Status = 429 }, oauth.TemporarilyUnavailable},
		{"500", func(s *oauthtest.Switches) { s.Graph.Status = 500 }, oauth.TemporarilyUnavailable},
		{"hangs", func(s *oauthtest.Switches) { s.Graph.Hang = true }, oauth.TemporarilyUnavailable},
		{"junk", func(s *oauthtest.Switches) { s.Graph.Junk = true }, oauth.TemporarilyUnavailable},
		{"next page elsewhere", func(s *oauthtest.Switches) { s.NextLink = elsewhere.URL + "/next" }, oauth.TemporarilyUnavailable},
		{"endless pages", func(s *oauthtest.Switches) { s.GroupPages = make([][]string, 30) }, oauth.AccessDenied},
		{"exchange needs consent", func(s *oauthtest.Switches) {
			s.OBO = oauthtest.Fault{Code: "invalid_grant", Description: "AADSTS65001"}
		}, oauth.AccessDenied},
		{"exchange is down", func(s *oauthtest.Switches) { s.OBO.Status = 503 }, oauth.TemporarilyUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newGroupBench(t)
			b.fake.Set(tc.set)
			if id, _, err := b.signIn(); code(err) != tc.want {
				t.Errorf("sign-in = %v, %v, want %s", id.Groups, err, tc.want)
			}
		})
	}
	if foreign {
		t.Error("a link to another host was followed")
	}
}

// A list younger than a day serves while Graph is down; an older one does not.
func TestStaleGroupsServeForADay(t *testing.T) {
	b := newGroupBench(t)
	if _, _, err := b.signIn(); err != nil {
		t.Fatal(err)
	}
	b.fake.Set(func(s *oauthtest.Switches) { s.Graph.Status = 503 })
	b.advance(2 * time.Hour)
	if id, _, err := b.signIn(); err != nil || len(id.Groups) != 3 {
		t.Errorf("after two hours: %v, %v", id.Groups, err)
	}
	b.advance(24 * time.Hour)
	if _, _, err := b.signIn(); code(err) != oauth.TemporarilyUnavailable {
		t.Errorf("after a day: %v", err)
	}
}

// Trouble with our right to read groups ends no grant.
func TestForbiddenGroupsEndNoGrant(t *testing.T) {
	for _, set := range []func(*oauthtest.Switches){
		func(s *oauthtest.Switches) { s.Graph.Status = 403 },
		func(s *oauthtest.Switches) {
			s.OBO = oauthtest.Fault{Code: "invalid_grant", Description: "AADSTS65001"}
		},
	} {
		b := newGroupBench(t)
		id, up, err := b.signIn()
		if err != nil {
			t.Fatal(err)
		}
		b.fake.Set(set)
		b.advance(25 * time.Hour)
		if _, _, err := b.provider.Refresh(t.Context(), id, up); code(err) != oauth.TemporarilyUnavailable {
			t.Errorf("Refresh = %v", err)
		}
	}
}

// Groups in the token are used as they are; without an API scope of our own a missing list denies.
func TestGroupsWithoutGraph(t *testing.T) {
	b := newGroupBench(t)
	b.fake.Set(func(s *oauthtest.Switches) {
		s.Person("Ada", func(p *oauthtest.EntraPerson) { p.Overage, p.Groups = false, []string{"g-9"} })
	})
	if id, _, err := b.signIn(); err != nil || strings.Join(id.Groups, " ") != "g-9" || len(b.fake.Log("microsoft.graph.group")) != 0 {
		t.Errorf("groups in the token: %v, %v", id.Groups, err)
	}
	none := newBench(t, func(c *entra.EntraConfig, o *entra.Options) { c.APIScope, o.NeedGroups = "", true })
	if _, _, err := none.signIn(); code(err) != oauth.AccessDenied {
		t.Errorf("no way to ask: %v", err)
	}
}
