package openapi

import (
	"slices"
	"strconv"
	"strings"
)

// Profile rich (§6.2): components stay definitions under $defs, unions and allOf stay what they are. The texts, the names
// and the budgets are those of every profile, and so is the root.

// defKey is what a definition is made from. A parameter's schema reads differently: without a type it is a string (S8).
type defKey struct {
	schema *schema
	param  bool
}

// definition is one member of $defs.
type definition struct {
	name  string
	shape *shape
	uses  int
}

// richParts is what only profile rich says of a schema.
type richParts struct {
	ref          *definition
	defs         []*definition // at the root of a tool
	oneOf, allOf []*shape
	open         bool // additionalProperties: true
	words        []rawMember
}

// rawMember is a member of a schema that is already JSON.
type rawMember struct{ key, json string }

func (t *translator) rich() bool { return t.profile == Rich && !t.output }

// saysNull says whether null is advertised of optional properties as well (§6.2).
func (t *translator) saysNull() bool { return t.profile == Rich || t.profile == Gemini }

// parts returns the place for what only profile rich says.
func (s *shape) parts() *richParts {
	if s.rich == nil {
		s.rich = &richParts{}
	}
	return s.rich
}

func (s *shape) refers() bool { return s.rich != nil && s.rich.ref != nil }

// target follows a reference to what it says.
func (s *shape) target() *shape {
	for hops := 0; s.refers() && hops < 32; hops++ {
		s = s.rich.ref.shape
	}
	return s
}

// variants are the members of a union or of allOf.
func (s *shape) variants() []*shape {
	if s.rich == nil {
		return s.anyOf
	}
	return slices.Concat(s.anyOf, s.rich.oneOf, s.rich.allOf)
}

func (r *richParts) each(visit func(*shape)) {
	for _, list := range [...][]*shape{r.oneOf, r.allOf} {
		for _, m := range list {
			m.each(visit)
		}
	}
	for _, d := range r.defs {
		d.shape.each(visit)
	}
}

// oneRich translates a schema, or refers to the definition that does.
func (t *translator) oneRich(p step) {
	s := p.from
	if target := s.onlyRefers(); target != nil && !p.seen.holds(s) { // texts beside a reference
		p.seen = &seen{s, p.seen}
		if text := t.describe(s); text != "" {
			p.into.desc = text
		}
		p.from, s = target, target
	}
	if !p.whole && s.isDefinable() {
		t.refer(p, s)
		return
	}
	p.whole = false
	flat := t.merge.flat(s)
	switch kind := t.onlyType(flat); {
	case p.seen.holds(s) || p.seen.holds(flat):
		t.cut(p, flat, kind, t.again(flat))
		return
	case p.depth > maxShapeDepth || t.nodes > t.maxNodes || t.bytes > t.maxBytes:
		t.cut(p, flat, kind, t.short(flat, shortened))
		return
	}
	t.nodes++
	t.bytes += 40
	p.seen = &seen{flat, &seen{s, p.seen}}
	if p.into.desc == "" {
		p.into.desc = t.describe(flat)
	}
	if t.keepAllOf(p, s) || len(flat.anyOf)+len(flat.oneOf) > 0 && t.variants(p, flat) {
		return
	}
	t.typed(p, flat, flat.infer())
	t.assertions(p.into, flat)
}

// onlyRefers is what a schema refers to that says nothing beside it but texts.
func (s *schema) onlyRefers() *schema {
	if len(s.allOf) != 1 || s.allOf[0].name == "" {
		return nil
	}
	bare := *s
	bare.allOf = nil
	if !bare.saysNothing() || bare.def != "" || bare.not != nil || bare.ifs != nil || len(bare.dependent) > 0 {
		return nil
	}
	return s.allOf[0]
}

// isDefinable says whether a component is worth a definition: scalars are as short as a reference to them.
func (s *schema) isDefinable() bool {
	return s.name != "" && !s.never && (!s.isLeaf() || len(s.enum) > 8)
}

func (t *translator) refer(p step, s *schema) {
	key := defKey{s, p.param}
	d := t.defs[key]
	if d == nil {
		if t.defs == nil {
			t.defs = map[defKey]*definition{}
		}
		d = &definition{shape: &shape{depth: p.depth}, name: argName(s.name)}
		t.defs[key] = d
		t.queue = append(t.queue, step{from: s, into: d.shape, depth: p.depth, param: p.param, whole: true})
	}
	d.uses++
	t.bytes += len(d.name) + 20
	p.into.parts().ref = d
	t.refs = append(t.refs, p.into)
}

// definitions puts what is used once where it is used, and names the others.
func (t *translator) definitions() []*definition {
	for _, into := range slices.Backward(t.refs) { // what a definition refers to, before the definition
		d := into.rich.ref
		if d.uses > 1 {
			continue
		}
		desc, def, depth, null := into.desc, into.def, into.depth, into.null
		*into = *d.shape
		firstText(&desc, into.desc)
		firstText(&def, into.def)
		into.desc, into.def, into.depth, into.null = desc, def, depth, null || into.null
	}
	var defs []*definition
	taken := map[string]bool{}
	for _, into := range t.refs {
		if !into.refers() || slices.Contains(defs, into.rich.ref) {
			continue
		}
		d := into.rich.ref
		for i := 2; taken[d.name]; i++ {
			d.name = suffixed(argName(d.name), "_"+strconv.Itoa(i))
		}
		taken[d.name] = true
		defs = append(defs, d)
	}
	return defs
}

// keepAllOf writes allOf as it is where every member can stand by itself under §6.1: an object that requires nothing but
// its own properties. Everything else is merged, as in profile universal (S3).
func (t *translator) keepAllOf(p step, s *schema) bool {
	if len(s.allOf) < 2 {
		return false
	}
	own := *s
	own.allOf = nil
	if !own.saysNothing() && !t.standsAlone(&own) || slices.ContainsFunc(s.allOf, func(part *schema) bool { return !t.standsAlone(part) }) {
		return false
	}
	p.into.typ = "object"
	t.setNull(p, t.merge.flat(s))
	if p.into.null { // null would have to pass every member
		p.into.typ, p.into.null = "", false
		return false
	}
	if len(own.props) > 0 {
		t.object(p, &own)
	}
	for _, part := range s.allOf {
		p.into.parts().allOf = append(p.into.parts().allOf, t.child(p, part, true))
	}
	return true
}

func (t *translator) standsAlone(s *schema) bool {
	flat := t.merge.flat(s)
	if flat.infer() != tObject || flat.closed || flat.addl != nil || len(flat.anyOf)+len(flat.oneOf) > 0 || len(flat.props) == 0 {
		return false
	}
	return !slices.ContainsFunc(flat.required, func(r string) bool { return flat.prop(r) == nil })
}

// richVariants keeps oneOf and anyOf, and says in words what a discriminator tells.
func (t *translator) richVariants(p step, s *schema, members []*schema) {
	var list []*shape
	for _, m := range members {
		list = append(list, t.child(p, t.joinedOnce(s, m), true))
	}
	if len(s.anyOf) == 0 {
		p.into.parts().oneOf = list
	} else {
		p.into.anyOf = list
	}
	if s.def != "" && s.def != "null" {
		p.into.def = s.def
	}
	if sel := s.selector; sel != nil {
		text := strconv.Quote(visibleName(sel.property)) + " tells the variants apart."
		var names []string
		for _, m := range sel.mapping {
			names = append(names, visibleName(m.value))
		}
		slices.Sort(names)
		if len(names) > 0 {
			text = strconv.Quote(visibleName(sel.property)) + " is one of " + strings.Join(names[:min(len(names), 20)], ", ") + "."
		}
		p.into.desc = cutText(joinSentences(p.into.desc, text), maxPropertyText)
	}
}

// joinedOnce keeps the variants made by withParent, so that a union that contains itself ends in a reference.
func (t *translator) joinedOnce(s, member *schema) *schema {
	key := [2]*schema{s, member}
	if t.joined == nil {
		t.joined = map[[2]*schema]*schema{}
	}
	if t.joined[key] == nil {
		t.joined[key] = t.withParent(s, member)
	}
	return t.joined[key]
}

// richBounds keeps exclusive bounds and formats as they are.
func (t *translator) richBounds(into *shape, s *schema, kinds types) {
	if kinds.has(tInteger | tNumber) {
		plain := *s
		plain.above, plain.below, plain.format = "", "", ""
		into.min, into.max = numericBounds(&plain, true)
		outer := schema{min: s.above, max: s.below}
		above, below := numericBounds(&outer, true)
		into.word("exclusiveMinimum", above)
		into.word("exclusiveMaximum", below)
	}
	if s.format != "" && len(s.format) <= 40 && strings.Trim(s.format, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
		into.format = s.format
	}
}

func (s *shape) word(key, json string) {
	if json != "" {
		s.parts().words = append(s.parts().words, rawMember{key, json})
	}
}

// richObject keeps additionalProperties as written. Beside patternProperties that are not kept, false would refuse what
// the patterns allow.
func (t *translator) richObject(into *shape, s *schema) {
	switch {
	case s.closed && len(s.patternProps) == 0:
		into.closed = true
	case s.open:
		into.parts().open = true
	}
}

// members lists what profile rich adds to a schema, by key.
func (r *richParts) members(s *shape, as style) []rawMember {
	if r == nil {
		return nil
	}
	list := slices.Clone(r.words)
	add := func(key string, write func(*shapeWriter)) {
		w := shapeWriter{style: as}
		write(&w)
		list = append(list, rawMember{key, string(w.b)})
	}
	if r.ref != nil {
		ref := `"#/$defs/` + r.ref.name + `"`
		if s.null {
			list = append(list, rawMember{"anyOf", `[{"$ref":` + ref + `},{"type":"null"}]`})
		} else {
			list = append(list, rawMember{"$ref", ref})
		}
	}
	if r.open {
		list = append(list, rawMember{"additionalProperties", "true"})
	}
	for _, union := range [...]struct {
		key  string
		list []*shape
		null bool
	}{{"oneOf", r.oneOf, s.null}, {"allOf", r.allOf, false}} {
		if len(union.list) > 0 {
			add(union.key, func(w *shapeWriter) { w.list(union.list, union.null) })
		}
	}
	if defs := r.reachable(s); len(defs) > 0 {
		add("$defs", func(w *shapeWriter) { w.definitions(defs) })
	}
	slices.SortFunc(list, func(a, b rawMember) int { return strings.Compare(a.key, b.key) })
	return list
}

// reachable lists the definitions that are still referred to, by name: shortening cuts references away.
func (r *richParts) reachable(root *shape) []*definition {
	if len(r.defs) == 0 {
		return nil
	}
	found := map[*definition]bool{}
	var follow func(*shape)
	follow = func(s *shape) {
		if s.refers() && !found[s.rich.ref] {
			found[s.rich.ref] = true
			s.rich.ref.shape.each(follow)
		}
	}
	bare := *root
	bare.rich = nil
	bare.each(follow)
	defs := slices.DeleteFunc(slices.Clone(r.defs), func(d *definition) bool { return !found[d] })
	slices.SortFunc(defs, func(a, b *definition) int { return strings.Compare(a.name, b.name) })
	return defs
}

func (w *shapeWriter) definitions(defs []*definition) {
	w.b = append(w.b, '{')
	for i, d := range defs {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(appendString(w.b, d.name), ':')
		w.shape(d.shape)
	}
	w.b = append(w.b, '}')
}
