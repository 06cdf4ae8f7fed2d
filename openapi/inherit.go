package openapi

import (
	"slices"
	"strings"
)

// Inheritance of OpenAPI: a schema with a discriminator and no union of its own stands for every schema that has it in an
// allOf. A caller that sees the parent alone could give none of what its kinds add.

const maxKinds = 100

// family is a parent as tools advertise it: its own properties, and those of its kinds, none of which is required.
type family struct {
	joined *schema
	text   string // names the kinds
}

// kindsOf finds the schemas that a discriminator at n chooses from.
func (r *schemaReader) kindsOf(n *node) []*schema {
	if n.get("oneOf") != nil || n.get("anyOf") != nil || n.file == nil {
		return nil
	}
	var kinds []*schema
	known := map[*node]bool{n: true}
	add := func(target *node, name string) {
		if !known[target] && target.isMap() && len(kinds) < maxKinds {
			known[target] = true
			kinds = append(kinds, r.target(target, name))
		}
	}
	children := r.childrenIn(n.file)
	for at := []*node{n}; len(at) > 0 && len(kinds) < maxKinds; at = at[1:] {
		for _, c := range children[at[0]] {
			if !known[c.value] {
				at = append(at, c.value)
			}
			add(c.value, c.key)
		}
	}
	mapping := n.get("discriminator").get("mapping").fields()
	targets := make([]string, 0, len(mapping))
	for _, f := range mapping {
		targets = append(targets, f.value.str())
	}
	slices.Sort(targets)
	for _, ref := range targets {
		if target, err := r.lib.lookup(n.file, mappedRef(ref)); ref != "" && err == nil {
			add(target, componentName(ref))
		}
	}
	return kinds
}

// mappedRef reads a value of a discriminator's mapping: the name of a component, or a reference.
func mappedRef(text string) string {
	if strings.ContainsAny(text, "#/.") {
		return text
	}
	return "#/components/schemas/" + text
}

// childrenIn lists for each schema of a file the components that have it in their allOf, by name.
func (r *schemaReader) childrenIn(f *file) map[*node][]field {
	if done := r.children[f]; done != nil {
		return done
	}
	children := map[*node][]field{}
	for _, components := range [...]*node{r.lib.part(f.root, "components", "schemas"), r.lib.part(f.root, "definitions")} {
		for _, c := range components.fields() {
			for _, part := range c.value.get("allOf").items() {
				if part.get("$ref") == nil {
					continue
				}
				if parent, err := r.lib.follow(part); err == nil && parent != c.value {
					children[parent] = append(children[parent], c)
				}
			}
		}
	}
	for _, list := range children {
		slices.SortFunc(list, func(a, b field) int { return strings.Compare(a.key, b.key) })
	}
	if r.children == nil {
		r.children = map[*file]map[*node][]field{}
	}
	r.children[f] = children
	return children
}

// extendParents leaves the union out of a parent that lists its kinds, where a kind has that parent in its allOf: a cat is
// a pet and more, not a pet that is a cat or a dog. As written the two lead to each other for ever, and no value fits.
func (s *schema) extendParents() {
	for i, parent := range s.allOf {
		if len(parent.anyOf)+len(parent.oneOf) > 0 && leadsTo(slices.Concat(parent.anyOf, parent.oneOf), s) {
			bare := *parent
			bare.anyOf, bare.oneOf, bare.selector = nil, nil, nil
			s.allOf[i] = &bare
		}
	}
}

const maxLead = 2000

// leadsTo says whether s is a part of one of the schemas, at the same place of a value.
func leadsTo(from []*schema, s *schema) bool {
	seen := map[*schema]bool{}
	for len(from) > 0 && len(seen) < maxLead {
		at := from[len(from)-1]
		from = from[:len(from)-1]
		if at == s {
			return true
		}
		if !seen[at] {
			seen[at] = true
			from = append(append(append(from, at.allOf...), at.anyOf...), at.oneOf...)
		}
	}
	return false
}

// parentOf is the schema with kinds that s is, or only describes anew.
func parentOf(s *schema) *schema {
	for range maxHops {
		if len(s.kinds) > 0 {
			return s
		}
		bare := *s
		bare.allOf = nil
		if len(s.allOf) != 1 || !bare.saysNothing() || s.name != "" && s.name != s.allOf[0].name {
			return nil
		}
		s = s.allOf[0]
	}
	return nil
}

// familyOf joins a parent, flat, with its kinds; nil when it has none.
func (m *merger) familyOf(s *schema) *family {
	parent := parentOf(s)
	if parent == nil {
		return nil
	}
	if done, known := m.families[s]; known {
		return done
	}
	m.families[s] = nil // a kind that leads back here sees the parent alone
	flat := *m.flatten(s, 0)
	own := len(flat.props)
	flat.props = slices.Clone(flat.props)
	values := &schema{types: tString}
	var names []string
	for _, kind := range parent.kinds {
		k := m.flatten(kind, 0)
		for _, p := range k.props {
			flat.props = addVariant(flat.props, p, own)
		}
		names = append(names, k.name)
	}
	f := &family{text: "Kinds: " + strings.Join(names[:min(len(names), 20)], ", ") + "."}
	if flat.selector.names(values, parent.kinds) {
		flat.props = selectorProperty(m, flat.props, flat.selector.property, values)
	}
	f.joined = &flat
	m.families[s] = f
	return f
}

// names fills an enum with what a discriminator may be: the keys of its mapping, and for what has none there the name of
// the component, as the specification says. It is false where that is not known for sure.
func (s *selector) names(into *schema, variants []*schema) bool {
	if s == nil || len(s.mapping) == 0 || s.open {
		return false
	}
	mapped := map[string]bool{}
	for _, m := range s.mapping {
		mapped[m.target] = true
		into.enum = append(into.enum, string(appendString(nil, m.value)))
	}
	for _, v := range variants {
		switch own := v.prop(s.property); {
		case mapped[v.name]:
		case own != nil && len(own.enum) > 0:
			into.enum = append(into.enum, own.enum...)
		case v.name == "":
			return false
		default:
			into.enum = append(into.enum, string(appendString(nil, v.name)))
		}
	}
	slices.Sort(into.enum)
	into.enum = slices.Compact(into.enum)
	return true
}
