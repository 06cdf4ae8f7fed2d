package combined

import (
	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// MayUse reports whether the caller sees and may call the tool of this public name, should there be one. It is the one
// decision for list, call, search and everything else that shows tools (A1, A4).
func (s *Server) MayUse(c *identity.Caller, tool string) bool { return s.rules.MayUse(c, tool) }

// Check refuses a call that the caller may not make, before anybody is asked for anything, while a refusal still is the whole
// answer: with the same words whether there is no such tool or it is not theirs (A1), with a challenge when the token lacks
// the tool's scope (A2).
func (s *Server) Check(c *identity.Caller, tool string) error {
	if s.sourceOf(tool) == nil {
		return access.Unknown(tool)
	}
	return s.rules.Check(c, tool)
}

// withheld are the tools of a list that are held back: they are shown to nobody (Q3).
func (src *source) withheld(l *list) map[string]bool {
	if src.s.cfg.Hold == nil || src.Made {
		return nil
	}
	return src.s.cfg.Hold.Withheld(src.definitions(l))
}
