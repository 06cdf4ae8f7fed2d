package openapi

import (
	"maps"
	"slices"
	"strings"
)

// reach answers whether a value of a schema may hold something that calls must map back. Components that are known not to
// are not looked at again: in a web of components every body would else lead through all of them.
type reach struct {
	found func(*schema) bool
	none  map[*schema]bool
}

const maxReach = 20_000

func (r *reach) holds(s *schema) bool {
	seen := map[*schema]bool{}
	if r.look(s, seen) {
		return true
	}
	if len(seen) <= maxReach { // all of it was seen
		if r.none == nil {
			r.none = map[*schema]bool{}
		}
		maps.Copy(r.none, seen)
	}
	return false
}

func (r *reach) look(s *schema, seen map[*schema]bool) bool {
	if s == nil || seen[s] || r.none[s] || len(seen) > maxReach {
		return false
	}
	seen[s] = true
	if r.found(s) {
		return true
	}
	for _, p := range s.props {
		if r.look(p.schema, seen) {
			return true
		}
	}
	for _, list := range [...][]*schema{s.allOf, s.anyOf, s.oneOf, s.prefix, s.kinds} {
		if slices.ContainsFunc(list, func(m *schema) bool { return r.look(m, seen) }) {
			return true
		}
	}
	return r.look(s.items, seen) || r.look(s.addl, seen)
}

// renamesProperty says whether a property is advertised under another name (A3).
func renamesProperty(s *schema) bool {
	return slices.ContainsFunc(s.props, func(p property) bool { return argName(p.name) != p.name })
}

// hasTextEnum says whether texts stand for values of the enum in profile gemini.
func hasTextEnum(s *schema) bool {
	return slices.ContainsFunc(s.enum, func(e string) bool { return !strings.HasPrefix(e, `"`) && e != "null" })
}
