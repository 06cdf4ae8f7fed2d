package openapi

import "sort"

// merger makes of a schema with allOf the one schema that it means (S3), as far as tools can show it. The validator
// keeps allOf as it is.
type merger struct {
	done     map[*schema]*schema
	open     map[*schema]bool
	families map[*schema]*family
	joints   joints
	clashes  []string // contradictions that were settled and nobody was told of yet
}

const maxMergeDepth = 64

func newMerger() *merger {
	return &merger{done: map[*schema]*schema{}, open: map[*schema]bool{}, families: map[*schema]*family{}}
}

// flat returns s without allOf at its top; a parent has what its kinds add.
func (m *merger) flat(s *schema) *schema {
	if f := m.familyOf(s); f != nil {
		return f.joined
	}
	return m.flatten(s, 0)
}

func (m *merger) flatten(s *schema, depth int) *schema {
	if len(s.allOf) == 0 {
		return s
	}
	if done := m.done[s]; done != nil {
		return done
	}
	if m.open[s] || depth > maxMergeDepth { // allOf that contains itself adds nothing
		return &schema{name: s.name, types: s.types, desc: s.desc}
	}
	m.open[s] = true
	out := *s
	out.allOf = nil
	first := *s
	first.allOf = nil
	bare := first.saysNothing()
	for i, part := range s.allOf {
		flat := m.flatten(part, depth+1)
		if i == 0 && bare {
			out = annotate(flat, s)
			continue
		}
		m.union(&out, flat)
	}
	delete(m.open, s)
	out.types, out.kinds = out.infer(), nil
	m.done[s] = &out
	return &out
}

// saysNothing says whether a schema holds texts only.
func (s *schema) saysNothing() bool {
	return s.types == 0 && len(s.props) == 0 && len(s.required) == 0 && len(s.anyOf) == 0 && len(s.oneOf) == 0 &&
		len(s.enum) == 0 && s.items == nil && s.addl == nil && !s.closed && !s.open && s.format == "" && s.pattern == "" &&
		s.min == "" && s.max == "" && s.minLen == "" && s.maxLen == "" && s.prefix == nil && s.minItems == "" && s.maxItems == ""
}

// annotate is a copy of flat with the texts of the schema that refers to it.
func annotate(flat, s *schema) schema {
	out := *flat
	out.allOf = nil
	if s.desc != "" {
		out.desc = s.desc
	}
	if s.title != "" {
		out.title = s.title
	}
	if s.def != "" {
		out.def = s.def
	}
	if s.example != "" {
		out.example = s.example
	}
	if s.name != "" {
		out.name = s.name
	}
	if s.ext != nil {
		out.ext = s.ext
	}
	out.readOnly = out.readOnly || s.readOnly
	out.writeOnly = out.writeOnly || s.writeOnly
	return out
}

// union adds to a what b demands as well.
func (m *merger) union(a *schema, b *schema) {
	a.types = m.settle(a, b)
	firstText(&a.title, b.title)
	firstText(&a.desc, b.desc)
	firstText(&a.format, b.format)
	firstText(&a.pattern, b.pattern)
	firstText(&a.def, b.def)
	firstText(&a.example, b.example)
	firstText(&a.encoding, b.encoding)
	firstText(&a.media, b.media)
	a.min, a.above = tighter(a.min, b.min, false), tighter(a.above, b.above, false)
	a.max, a.below = tighter(a.max, b.max, true), tighter(a.below, b.below, true)
	a.minLen, a.maxLen = tighter(a.minLen, b.minLen, false), tighter(a.maxLen, b.maxLen, true)
	a.minItems, a.maxItems = tighter(a.minItems, b.minItems, false), tighter(a.maxItems, b.maxItems, true)
	a.minProps, a.maxProps = tighter(a.minProps, b.minProps, false), tighter(a.maxProps, b.maxProps, true)
	firstText(&a.multipleOf, b.multipleOf)
	a.unique = a.unique || b.unique
	a.readOnly, a.writeOnly = a.readOnly || b.readOnly, a.writeOnly || b.writeOnly
	a.enum = intersect(a.enum, b.enum)
	m.unionObject(a, b)
	if a.items == nil {
		a.items, a.prefix = b.items, b.prefix
	} else if b.items != nil && b.items != a.items {
		a.items = m.both(a.items, b.items)
	}
	if len(a.anyOf) == 0 && len(a.oneOf) == 0 {
		a.anyOf, a.oneOf = b.anyOf, b.oneOf
	}
	if a.selector == nil {
		a.selector = b.selector
	}
	if a.ext == nil {
		a.ext = b.ext
	}
}

func (m *merger) unionObject(a, b *schema) {
	a.closed = a.closed || b.closed
	a.open = a.open || b.open
	if a.addl == nil {
		a.addl = b.addl
	}
	if len(b.required) > 0 {
		a.required = append(append([]string(nil), a.required...), b.required...)
		sort.Strings(a.required)
		a.required = unique(a.required)
	}
	if len(b.props) == 0 {
		return
	}
	at := make(map[string]int, len(a.props)+len(b.props))
	props := append(make([]property, 0, len(a.props)+len(b.props)), a.props...)
	for i, p := range props {
		at[p.name] = i
	}
	for _, p := range b.props {
		if i, ok := at[p.name]; ok {
			props[i].schema = m.both(props[i].schema, p.schema)
			continue
		}
		at[p.name] = len(props)
		props = append(props, p)
	}
	a.props = props
}

// both is the schema that demands what two demand.
func (m *merger) both(a, b *schema) *schema {
	if a == b || b.saysNothing() && len(b.allOf) == 0 {
		return a
	}
	return m.joints.join(a, b)
}

func firstText(a *string, b string) {
	if *a == "" {
		*a = b
	}
}

func intersect(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	var out []string
	for _, x := range a {
		for _, y := range b {
			if x == y {
				out = append(out, x)
				break
			}
		}
	}
	if len(out) == 0 {
		return a
	}
	return out
}
