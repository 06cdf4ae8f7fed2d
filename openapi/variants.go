package openapi

import (
	"slices"
	"strconv"
	"strings"
)

// variants translates anyOf and oneOf below the root (S5, S7). It says false when there is nothing to choose, and the
// schema is to be read without them.
func (t *translator) variants(p step, s *schema) bool {
	members, null, open := t.members(s)
	if null && (!p.optional || t.output || t.saysNull()) || t.keepNull && !p.param {
		p.into.null = !t.output || p.depth > 0
	}
	if open || len(members) == 0 {
		return false
	}
	if len(members) == 1 {
		t.single(p, s, members[0])
		return true
	}
	if enum, ok := t.allEnums(members); ok && !t.output {
		p.into.typ = "string"
		p.into.enum = enum
		t.enumeration(p, &schema{enum: enum})
		return true
	}
	if t.rich() {
		t.richVariants(p, s, members)
		return true
	}
	null = p.into.null
	kinds, plain := t.scalarKinds(members)
	if t.output && plain && kinds.single() {
		t.typed(p, &schema{types: kinds}, kinds)
		return true
	}
	for _, m := range members {
		m = t.withParent(s, m)
		child := t.child(p, m, true)
		child.depth = p.depth
		p.into.anyOf = append(p.into.anyOf, child)
	}
	p.into.null = null || t.output && p.depth > 0
	if s.def != "" && s.def != "null" && !t.output {
		p.into.def = s.def
	}
	return true
}

// members lists what a union allows: null apart, equal ones once, unions inside of unions spread out; open says that one
// of them is `{}`, which makes the union `{}`.
func (t *translator) members(s *schema) (members []*schema, null, open bool) {
	null = s.types.has(tNull)
	var add func(list []*schema, depth int)
	add = func(list []*schema, depth int) {
		for _, m := range list {
			flat := t.merge.flat(m)
			switch {
			case flat.never || slices.Contains(members, m):
			case flat.types == tNull || len(flat.enum) == 1 && flat.enum[0] == "null":
				null = true
			case len(flat.anyOf)+len(flat.oneOf) > 0 && len(flat.props) == 0 && depth < 4:
				null = null || flat.types.has(tNull)
				add(flat.anyOf, depth+1)
				add(flat.oneOf, depth+1)
			case flat.saysNothing() && flat.infer() == 0 && flat.not == nil:
				open = true
			default:
				null = null || flat.types.has(tNull)
				members = append(members, m)
			}
		}
	}
	add(s.anyOf, 0)
	add(s.oneOf, 0)
	return members, null, open && !s.infer().has(tObject)
}

// single replaces a union of one by that one.
func (t *translator) single(p step, s *schema, member *schema) {
	desc, null := p.into.desc, p.into.null
	one := t.withParent(s, member)
	if p.seen.holds(member) {
		flat := t.merge.flat(member)
		t.cut(p, flat, t.onlyType(flat), t.again(flat))
		return
	}
	p.depth++ // a union of unions of one must end as well
	p.from = one
	depth := p.into.depth
	t.one(p)
	p.into.depth = depth
	if desc != "" {
		p.into.desc = desc
	}
	p.into.null = p.into.null || null
}

// withParent adds to a variant what stands beside the union: its properties, and the discriminator as required.
func (t *translator) withParent(s, member *schema) *schema {
	flat := t.merge.flat(member)
	needs := s.selector != nil && flat.prop(s.selector.property) != nil && !flat.requires(s.selector.property)
	if len(s.props) == 0 && len(s.required) == 0 && !needs {
		if flat.types == 0 && s.types&^tNull != 0 && len(flat.anyOf)+len(flat.oneOf) == 0 {
			return &schema{name: flat.name, types: s.types &^ tNull, allOf: []*schema{member}}
		}
		return member
	}
	parent := &schema{name: flat.name, types: s.types &^ tNull, props: s.props, required: s.required, addl: s.addl}
	if needs {
		parent.required = append(slices.Clone(s.required), s.selector.property)
	}
	return &schema{name: flat.name, allOf: []*schema{member, parent}}
}

// allEnums joins variants that are all lists of strings into one list.
func (t *translator) allEnums(members []*schema) ([]string, bool) {
	var all []string
	for _, m := range members {
		flat := t.merge.flat(m)
		if len(flat.enum) == 0 {
			return nil, false
		}
		for _, e := range flat.enum {
			if literalType(e) != tString {
				return nil, false
			}
			if !slices.Contains(all, e) {
				all = append(all, e)
			}
		}
	}
	return all, true
}

// scalarKinds is the set of types of variants when they are all scalars.
func (t *translator) scalarKinds(members []*schema) (types, bool) {
	var kinds types
	for _, m := range members {
		flat := t.merge.flat(m)
		k := flat.infer() &^ tNull
		if k == 0 || k.has(tObject|tArray) || len(flat.anyOf)+len(flat.oneOf) > 0 {
			return 0, false
		}
		kinds |= k
	}
	return kinds, true
}

// shiftInteger moves an exclusive bound of an integer by one; 0.0 is an integer, too.
func shiftInteger(text string, by int64) string {
	if whole, zeros, ok := strings.Cut(text, "."); ok && strings.Trim(zeros, "0") == "" {
		text = whole
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > 1<<62 || n < -1<<62 {
		return ""
	}
	return strconv.FormatInt(n+by, 10)
}

// accepted is the set of types that a schema takes, and that its items take; 0 is any. Calls coerce by it.
func (t *translator) accepted(s *schema, depth int) (kinds, items types) {
	flat := t.merge.flat(s)
	if depth > 4 {
		return 0, 0
	}
	if n := len(flat.anyOf) + len(flat.oneOf); n > 0 {
		unknown := false
		for _, m := range slices.Concat(flat.anyOf, flat.oneOf) {
			k, i := t.accepted(m, depth+1)
			if k == 0 {
				return 0, 0
			}
			kinds, items = kinds|k, items|i
			unknown = unknown || k.has(tArray) && i == 0
		}
		if unknown { // a list of anything is one of the variants
			items = 0
		}
		return kinds | flat.types&tNull, items
	}
	kinds = flat.infer()
	if kinds.has(tArray) && flat.items != nil && len(flat.prefix) == 0 { // of a tuple each item has a type of its own
		items, _ = t.accepted(flat.items, depth+1)
	}
	if kinds == tNull {
		return kinds, 0
	}
	return kinds, items
}
