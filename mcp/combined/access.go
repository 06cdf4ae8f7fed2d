package combined

import (
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// rules are the role lists of tools: ten thousand people with two role sets are two views (T2).
type rules struct {
	lists  [][]string     // distinct
	byTool map[string]int // public name → place in lists; tools for everybody are not in it
}

func newRules(tools map[string]Tool) rules {
	made := rules{byTool: map[string]int{}}
	for name, t := range tools {
		if len(t.Roles) == 0 {
			continue
		}
		sorted := slices.Sorted(slices.Values(t.Roles))
		at := slices.IndexFunc(made.lists, func(l []string) bool { return slices.Equal(l, sorted) })
		if at < 0 {
			at = len(made.lists)
			made.lists = append(made.lists, sorted)
		}
		made.byTool[name] = at
	}
	return made
}

// rulesOf tells which role lists the caller fulfils, one byte for each.
func (s *Server) rulesOf(c *identity.Caller) string {
	if len(s.rules.lists) == 0 {
		return ""
	}
	key := make([]byte, len(s.rules.lists))
	for i, roles := range s.rules.lists {
		if s.matches(c, roles) {
			key[i] = 1
		}
	}
	return string(key)
}

func (s *Server) matches(c *identity.Caller, roles []string) bool {
	if s.cfg.Match != nil {
		return s.cfg.Match(c, roles)
	}
	return slices.ContainsFunc(roles, func(r string) bool { return c.HasRole(strings.TrimPrefix(r, "role:")) })
}

// MayUse reports whether the caller sees and may call the tool of this public name, should there be one. It is the one
// decision for list, call, search and everything else that shows tools (A1, A4).
func (s *Server) MayUse(c *identity.Caller, tool string) bool {
	rule, ruled := s.rules.byTool[tool]
	return !ruled || s.matches(c, s.rules.lists[rule])
}

// Check refuses a call that the caller may not make, before anybody is asked for anything, while a refusal still is the whole
// answer: with the same words whether there is no such tool or it is not theirs (A1), with a challenge when the token lacks
// the tool's scope (A2).
func (s *Server) Check(c *identity.Caller, tool string) error {
	if s.sourceOf(tool) == nil || !s.MayUse(c, tool) {
		return unknownTool(tool)
	}
	if scope := s.cfg.Tools[tool].Scope; scope != "" && !c.HasScope(scope) {
		return s.insufficientScope(c, scope)
	}
	return nil
}

// shows is MayUse of a tool that a source lists: one that is held back is shown to nobody (Q3).
func (s *Server) shows(c *identity.Caller, src *source, tool string) bool {
	if !s.MayUse(c, tool) {
		return false
	}
	if s.cfg.Hold == nil || src.Made {
		return true
	}
	_, held := s.cfg.Hold.Held(tool)
	return !held
}

// insufficientScope asks for a wider token before anything is sent (A2, oauth.md §8.3).
func (s *Server) insufficientScope(c *identity.Caller, scope string) error {
	challenge := `Bearer error="insufficient_scope", scope="` + scope + `"`
	if s.cfg.Challenge != nil {
		challenge = s.cfg.Challenge(c, s.cfg.Name, scope)
	}
	return &edge.Error{
		Status: http.StatusForbidden, Code: edge.CodeInvalidRequest, OAuth: "insufficient_scope",
		Msg: "this tool needs the scope " + scope, Header: http.Header{"Www-Authenticate": {challenge}},
	}
}

func unknownTool(name string) error { return edge.InvalidParams("unknown tool: %s", clip(name)) }

// clip keeps what is repeated to a caller short.
func clip(s string) string {
	const most = 128
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
