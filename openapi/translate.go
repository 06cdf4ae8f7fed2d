package openapi

import (
	"slices"
	"strconv"
	"strings"
)

const (
	maxShapeDepth = 12
	maxShapeNodes = 2000
	maxEnumShown  = 200
	maxEnumBytes  = 8 << 10
	maxToolBytes  = 32 << 10
	hardToolBytes = 64 << 10
)

const shortened = "shortened; see the API's documentation"

// translator turns schemas into shapes (§6.3), level by level: what does not fit the budgets any more is the deepest.
type translator struct {
	merge    *merger
	plain    func(string) string // texts, reduced (D2)
	output   bool
	profile  Profile
	keepNull bool // merge patch: null means "remove" (S7)
	nodes    int
	bytes    int
	maxNodes int
	maxBytes int
	queue    []step
	defs     map[defKey]*definition // of profile rich
	refs     []*shape               // shapes that refer to one, in the order they were met
	joined   map[[2]*schema]*schema // variants with what stands beside their union
}

// step is a schema that waits to be translated into the place given.
type step struct {
	from     *schema
	into     *shape
	depth    int
	seen     *seen
	param    bool // a parameter: what has no type is a string (S8, S9)
	optional bool // an optional property: null is not said
	whole    bool // what a definition says: written here, not referred to
}

// seen is the path of schemas above a step; a schema met again on its own path is cut (S2).
type seen struct {
	schema *schema
	above  *seen
}

func (s *seen) holds(x *schema) bool {
	for ; s != nil; s = s.above {
		if s.schema == x {
			return true
		}
	}
	return false
}

// translate queues a schema and returns where it will stand; run fills it.
func (t *translator) translate(s *schema, depth int, param, optional bool) *shape {
	return t.child(step{depth: depth - 1, param: param}, s, optional)
}

func (t *translator) child(parent step, s *schema, optional bool) *shape {
	into := &shape{depth: parent.depth + 1}
	t.queue = append(t.queue, step{from: s, into: into, depth: parent.depth + 1, seen: parent.seen, param: parent.param, optional: optional})
	return into
}

// run translates what is queued.
func (t *translator) run() {
	for len(t.queue) > 0 {
		next := t.queue[0]
		t.queue = t.queue[1:]
		t.one(next)
	}
}

func (t *translator) one(p step) {
	if t.rich() {
		t.oneRich(p)
		return
	}
	s := t.merge.flat(p.from)
	kind := t.onlyType(s)
	switch {
	case p.seen.holds(p.from) || p.seen.holds(s):
		t.cut(p, s, kind, t.again(s))
		return
	case p.depth > maxShapeDepth || t.nodes > t.maxNodes || t.bytes > t.maxBytes:
		t.cut(p, s, kind, t.short(s, shortened))
		return
	}
	t.nodes++
	p.seen = &seen{p.from, p.seen}
	if s != p.from {
		p.seen = &seen{s, p.seen}
	}
	p.into.desc = t.describe(s)
	t.bytes += 40
	if len(s.anyOf)+len(s.oneOf) > 0 {
		if t.variants(p, s) {
			return
		}
	}
	t.typed(p, s, s.infer())
}

// again is the description of a schema inside of itself: its name, else what it says.
func (t *translator) again(s *schema) string {
	if s.name == "" {
		return t.short(s, "recursive; nested like above")
	}
	return s.name + " (recursive; nested like above)"
}

// short is the description of a schema that is not shown whole.
func (t *translator) short(s *schema, why string) string {
	if text := cutText(t.plain(s.desc), 120); text != "" && !t.output {
		return text + " (" + why + ")"
	}
	return "(" + why + ")"
}

// onlyType is the one type of a schema, or 0.
func (t *translator) onlyType(s *schema) types {
	if k := s.infer() &^ tNull; k.single() {
		return k
	}
	if k := s.infer() &^ tNull; k == tInteger|tNumber {
		return tNumber
	}
	return 0
}

// anyItem is an item of a list in an answer of which nothing is known; never {} (S8).
func anyItem(depth int) *shape { return &shape{desc: "any JSON value", depth: depth} }

func (t *translator) cut(p step, s *schema, kind types, why string) {
	p.into.desc = why
	switch kind {
	case tObject:
		p.into.typ = "object"
	case 0: // a union of objects is an object; of anything else we may not say what it is not
		if accepted, _ := t.accepted(s, 0); accepted&^tNull == tObject {
			p.into.typ = "object"
		}
	case tArray:
		p.into.typ = "array"
		p.into.items = &shape{typ: "object", depth: p.depth + 1}
		if t.output {
			p.into.items = anyItem(p.depth + 1)
		}
	default:
		p.into.typ = kind.names()[0]
	}
	t.setNull(p, s)
}

func (t *translator) describe(s *schema) string {
	if t.output {
		return cutText(t.plain(s.desc), 160)
	}
	text := t.plain(s.desc)
	if text == "" && s.title != "" && !strings.EqualFold(s.title, s.name) {
		text = t.plain(s.title)
	}
	return cutText(text, maxPropertyText)
}

// setNull says null where it is allowed and the client must know it (S7, O3).
func (t *translator) setNull(p step, s *schema) {
	switch {
	case t.output:
		p.into.null = p.depth > 0
	case t.keepNull && !p.param, s.types.has(tNull) && (!p.optional || t.saysNull()):
		p.into.null = true
	}
}

// typed translates a schema without variants.
func (t *translator) typed(p step, s *schema, kinds types) {
	t.setNull(p, s)
	kinds &^= tNull
	if kinds.has(tNumber) {
		kinds &^= tInteger
	}
	if kinds == 0 {
		t.untyped(p, s)
		return
	}
	if !kinds.single() {
		t.severalTypes(p, s, kinds)
		return
	}
	into := p.into
	into.typ = kinds.names()[0]
	t.enumeration(p, s)
	if !t.output {
		t.bounds(into, s, kinds)
		if t.rich() {
			t.richBounds(into, s, kinds)
		}
		if s.def != "" && validLiteral(s.def, kinds, into.enum) {
			into.def = s.def
		}
	}
	switch kinds {
	case tObject:
		t.object(p, s)
	case tArray:
		t.array(p, s)
	}
	t.bytes += len(into.desc) / 4
}

// untyped is any JSON value: a string in parameters, a described nothing in bodies (S9).
func (t *translator) untyped(p step, s *schema) {
	p.into.null = false
	if p.param {
		p.into.typ = "string"
		return
	}
	if t.output {
		return
	}
	if p.into.desc == "" {
		p.into.desc = "any JSON value"
	}
	if s.def != "" && s.def != "null" {
		p.into.def = s.def
	}
}

// severalTypes writes a list of types as a union.
func (t *translator) severalTypes(p step, s *schema, kinds types) {
	for _, n := range typeNames {
		if !kinds.has(n.t) {
			continue
		}
		one := *s
		one.types, one.desc, one.title, one.def = n.t, "", "", ""
		one.anyOf, one.oneOf = nil, nil
		one.enum = nil
		for _, e := range s.enum {
			if k := literalType(e); k == n.t || n.t == tNumber && k == tInteger {
				one.enum = append(one.enum, e)
			}
		}
		if len(s.enum) > 0 && len(one.enum) == 0 {
			continue
		}
		m := &shape{depth: p.depth}
		t.typed(step{from: &one, into: m, depth: p.depth, seen: p.seen, param: p.param}, &one, n.t)
		m.null = false
		p.into.anyOf = append(p.into.anyOf, m)
	}
	if len(p.into.anyOf) == 1 {
		desc, null := p.into.desc, p.into.null
		*p.into = *p.into.anyOf[0]
		p.into.desc, p.into.null = desc, null
	}
}

func (t *translator) enumeration(p step, s *schema) {
	if t.output || len(s.enum) == 0 || p.into.typ == "object" || p.into.typ == "array" {
		return // an API adds values (O3); lists and objects are left to the validator (S14)
	}
	size := 0
	var shown []string
	for _, e := range s.enum {
		if k := literalType(e); k == tNull || k.has(tObject|tArray) {
			continue
		}
		shown = append(shown, e)
		size += len(e) + 1
	}
	if len(shown) > maxEnumShown || size > maxEnumBytes {
		p.into.desc = cutText(joinSentences(p.into.desc, "One of "+strings.Join(shown[:min(50, len(shown))], ", ")+", …"), maxPropertyText)
		shown = nil // a list that is cut would refuse values that the API takes
	}
	p.into.enum = shown
	t.bytes += size
}

func (t *translator) bounds(into *shape, s *schema, kinds types) {
	switch kinds {
	case tInteger, tNumber:
		into.min, into.max = numericBounds(s, kinds == tInteger)
		into.multipleOf = s.multipleOf
	case tString:
		into.minLen, into.maxLen = s.minLen, s.maxLen
		if pattern, ok := portablePattern(s.pattern); ok {
			into.pattern = pattern
		}
		switch s.format {
		case "date-time", "date", "time", "email", "uri", "uuid", "ipv4", "ipv6":
			into.format = s.format
		case "byte", "binary":
			into.encoding = "base64"
		}
		if s.encoding == "base64" {
			into.encoding = s.encoding
		}
	case tArray:
		into.minItems, into.maxItems, into.unique = s.minItems, s.maxItems, s.unique
	case tObject:
		into.minProps, into.maxProps = s.minProps, s.maxProps
	}
}

// object translates properties under safe names (A3); a property that may not be sent, or not be read, is left out (A8).
func (t *translator) object(p step, s *schema) {
	into := p.into
	into.typ = "object"
	names := safeNames(s)
	var unnamed []string
	for _, i := range byName(s.props) {
		prop := s.props[i]
		flat := t.merge.flat(prop.schema)
		if flat.never || !t.output && flat.readOnly || t.output && flat.writeOnly {
			continue
		}
		if t.output && names[i] != prop.name { // an answer has it under its own name
			unnamed = append(unnamed, strconv.Quote(visibleName(prop.name)))
			continue
		}
		required := s.requires(prop.name) && !t.output
		child := t.child(p, prop.schema, !required)
		child.depth = p.depth + 1
		into.props = append(into.props, shapeProp{names[i], child})
		t.bytes += len(names[i]) + 4
		if required {
			into.required = append(into.required, names[i])
		}
	}
	into.sortProps()
	if s.addl != nil && !s.addl.never && len(unnamed) == 0 {
		into.addl = t.child(p, s.addl, false)
	}
	if len(unnamed) > 0 {
		into.desc = cutText(joinSentences(into.desc, "Also "+strings.Join(unnamed, ", ")+"."), 240)
	}
	if t.rich() {
		t.richObject(into, s)
	}
}

// byName orders properties by their names: where a budget ends must not depend on the order of a document's keys.
func byName(props []property) []int {
	order := make([]int, len(props))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(props[a].name, props[b].name) })
	return order
}

func (t *translator) array(p step, s *schema) {
	into := p.into
	switch {
	case t.output && slices.ContainsFunc(s.prefix, func(part *schema) bool { return !t.says(part) }):
		into.items = anyItem(p.depth + 1)
	case len(s.prefix) > 1 || len(s.prefix) == 1 && t.says(s.prefix[0]):
		items := &shape{depth: p.depth + 1, null: t.output && len(s.prefix) > 1}
		for _, part := range s.prefix {
			items.anyOf = append(items.anyOf, t.child(p, part, false))
		}
		into.items = items
		if len(items.anyOf) == 1 {
			into.items = items.anyOf[0]
		}
	case s.items != nil && t.says(s.items):
		into.items = t.child(p, s.items, false)
	case p.param:
		into.items = &shape{typ: "string", depth: p.depth + 1}
	case t.output: // nothing is asked for here, and what is no object would be taken out of the answer (O4)
		into.items = anyItem(p.depth + 1)
	default:
		into.items = &shape{typ: "object", depth: p.depth + 1}
	}
}

// says whether a schema for items tells anything: `{}` is not advertised (S8).
func (t *translator) says(s *schema) bool {
	flat := t.merge.flat(s)
	return flat.infer()&^tNull != 0 || t.anyMember(flat, 0)
}

func (t *translator) anyMember(s *schema, depth int) bool {
	if depth > 4 {
		return true
	}
	for _, m := range slices.Concat(s.anyOf, s.oneOf) {
		m = t.merge.flat(m)
		if m.infer()&^tNull != 0 || t.anyMember(m, depth+1) {
			return true
		}
	}
	return false
}

// numericBounds makes bounds inclusive (§6.2) and drops what an IEEE double cannot hold (S15).
func numericBounds(s *schema, integer bool) (low, high string) {
	low, high = s.min, s.max
	if integer {
		if s.above != "" {
			low = tighter(low, shiftInteger(s.above, 1), false)
		}
		if s.below != "" {
			high = tighter(high, shiftInteger(s.below, -1), true)
		}
		if s.format == "int32" {
			if low == "" {
				low = "-2147483648"
			}
			if high == "" {
				high = "2147483647"
			}
		}
	}
	const exact = 1 << 53
	if low != "" && (toFloat(low) < -exact || toFloat(low) > exact) {
		low = ""
	}
	if high != "" && (toFloat(high) < -exact || toFloat(high) > exact) {
		high = ""
	}
	return low, high
}

// validLiteral says whether a default fits the type that is advertised (S10).
func validLiteral(raw string, kinds types, enum []string) bool {
	if raw == "null" {
		return false
	}
	k := literalType(raw)
	if !kinds.has(k) && !(kinds.has(tNumber) && k == tInteger) {
		return false
	}
	return len(enum) == 0 || slices.Contains(enum, raw)
}

func joinSentences(parts ...string) string {
	text := ""
	for _, p := range parts {
		switch {
		case p == "":
		case text == "":
			text = p
		case strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "…") || strings.HasSuffix(text, ":") || strings.HasSuffix(text, "?"):
			text += " " + p
		default:
			text += ". " + p
		}
	}
	return text
}
