package openapi

import (
	"fmt"
	"slices"
	"strings"
)

// bodySchema makes of a body's schema one that has no union at its root (S4): properties united, required where every
// variant requires it, a discriminator as an enum. A union that mixes objects with others stays, and becomes `body`.
func (im *importer) bodySchema(s *schema) *schema {
	flat := im.merge.flat(s)
	if f := im.merge.familyOf(s); f != nil {
		im.variantTexts[flat] = f.text
	}
	if len(flat.anyOf)+len(flat.oneOf) == 0 {
		return flat
	}
	if done := im.unions[flat]; done != nil {
		return done
	}
	t := &translator{merge: im.merge}
	members, _, open := t.members(flat)
	if len(members) == 0 || open && len(flat.props) == 0 {
		if len(flat.props) == 0 {
			return flat
		}
		return im.withoutUnion(flat)
	}
	for i, m := range members {
		members[i] = im.merge.flat(m)
		if len(members[i].anyOf)+len(members[i].oneOf) > 0 && len(members[i].props) == 0 {
			return flat
		}
		if k := members[i].infer() &^ tNull; k != tObject && !(k == 0 && len(flat.props) > 0) {
			return flat
		}
	}
	if len(members) == 1 && len(flat.props)+len(flat.required) == 0 {
		return members[0]
	}
	out := im.unite(flat, members)
	im.unions[flat] = out
	return out
}

func (im *importer) withoutUnion(s *schema) *schema {
	out := *s
	out.anyOf, out.oneOf = nil, nil
	return &out
}

func (im *importer) unite(s *schema, members []*schema) *schema {
	out := im.withoutUnion(s)
	out.types = tObject
	out.props = slices.Clone(s.props)
	required := slices.Clone(members[0].required)
	var texts []string
	for i, m := range members {
		required = slices.DeleteFunc(required, func(r string) bool { return !m.requires(r) })
		for _, p := range m.props {
			out.props = addVariant(out.props, p, len(s.props))
		}
		if m.addl != nil && out.addl == nil {
			out.addl = m.addl
		}
		out.open = out.open || m.open
		name := m.name
		if name == "" {
			name = m.title
		}
		if name == "" {
			name = fmt.Sprintf("variant %d", i+1)
		}
		if needs := slices.DeleteFunc(slices.Clone(m.required), func(r string) bool { return s.requires(r) || m.prop(r) != nil && m.prop(r).isReadOnly() }); len(needs) > 0 && i < 20 {
			name += " (needs " + strings.Join(needs[:min(len(needs), 8)], ", ") + ")"
		}
		texts = append(texts, name)
	}
	out.required = append(slices.Clone(s.required), required...)
	slices.Sort(out.required)
	out.required = unique(out.required)
	if values := (&schema{types: tString}); s.selector.names(values, members) {
		out.props = selectorProperty(im.merge, out.props, s.selector.property, values)
	}
	out.closed = false
	im.variantTexts[out] = "Variants: " + strings.Join(texts[:min(len(texts), 20)], "; ") + "."
	out.anyOf = slices.Concat(s.anyOf, s.oneOf) // for the check of the joined body; arguments do not look at it
	return out
}

// addVariant adds a property of a variant; one that several variants have allows what any of them allows.
func addVariant(props []property, p property, fixed int) []property {
	for i := range props {
		if props[i].name != p.name {
			continue
		}
		if i < fixed || props[i].schema == p.schema {
			return props
		}
		if old := props[i].schema; old.name == "" && len(old.anyOf) > 0 && old.desc == "" && old.types == 0 && len(old.props) == 0 {
			if !slices.Contains(old.anyOf, p.schema) {
				props[i].schema = &schema{anyOf: append(slices.Clone(old.anyOf), p.schema)}
			}
			return props
		}
		props[i].schema = &schema{anyOf: []*schema{props[i].schema, p.schema}}
		return props
	}
	return append(props, p)
}

// selectorProperty lists what the discriminator may be.
func selectorProperty(m *merger, props []property, name string, values *schema) []property {
	for i := range props {
		if props[i].name == name {
			values.desc = m.flatten(props[i].schema, 0).desc
			props[i].schema = values
			return props
		}
	}
	return append(props, property{name, values})
}
