package openapi

import (
	"slices"
	"sort"
	"strings"
)

// shape is a schema as tools advertise it: a tree, clean by §6.1, written with sorted keys.
type shape struct {
	typ      string // "": any JSON value, or what anyOf says
	null     bool   // null is allowed and said
	desc     string
	enum     []string // JSON texts
	def      string
	format   string
	encoding string
	pattern  string

	min, max, multipleOf                                   string
	minLen, maxLen, minItems, maxItems, minProps, maxProps string
	unique                                                 bool

	props    []shapeProp
	required []string
	closed   bool
	addl     *shape
	items    *shape
	anyOf    []*shape
	rich     *richParts // nil: nothing that only profile rich says

	depth int
	keep  bool // a file argument and the like: never shortened
}

type shapeProp struct {
	name  string
	shape *shape
}

func (s *shape) sortProps() {
	slices.SortFunc(s.props, func(a, b shapeProp) int { return strings.Compare(a.name, b.name) })
	sort.Strings(s.required)
	s.required = unique(s.required)
}

// style is how shapes are written: nulls of answers as type lists (O3), and the words of the profile (§6.2).
type style struct {
	output  bool
	profile Profile
}

// shapeWriter writes shapes as compact JSON.
type shapeWriter struct {
	style
	b       []byte
	started bool
	more    []rawMember // of the object being written, by key: what profile rich adds
}

func (w *shapeWriter) key(name string) {
	for len(w.more) > 0 && w.more[0].key < name {
		m := w.more[0]
		w.more = w.more[1:]
		w.raw(m.key, m.json)
	}
	if w.started {
		w.b = append(w.b, ',')
	}
	w.started = true
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *shapeWriter) raw(name, value string) {
	if value != "" {
		w.key(name)
		w.b = append(w.b, value...)
	}
}

func (w *shapeWriter) text(name, value string) {
	if value != "" {
		w.key(name)
		w.b = appendString(w.b, value)
	}
}

func (w *shapeWriter) texts(name string, values []string, quote bool) {
	if len(values) == 0 {
		return
	}
	w.key(name)
	w.b = append(w.b, '[')
	for i, v := range values {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if quote {
			w.b = appendString(w.b, v)
		} else {
			w.b = append(w.b, v...)
		}
	}
	w.b = append(w.b, ']')
}

func (w *shapeWriter) nested(name string, s *shape) {
	if s != nil {
		w.key(name)
		w.shape(s)
		w.started = true
	}
}

func (w *shapeWriter) shape(s *shape) {
	switch {
	case w.profile == Gemini:
		w.gemini(s)
		return
	case s.null && !w.typeLists() && s.typ != "":
		w.nullable(s)
		return
	}
	w.b = append(w.b, '{')
	w.started = false
	above := w.more
	w.more = s.rich.members(s, w.style)
	if s.closed {
		w.raw("additionalProperties", "false")
	} else {
		w.nested("additionalProperties", s.addl)
	}
	w.members("anyOf", s.anyOf, s.null)
	w.text("contentEncoding", s.encoding)
	w.raw("default", s.def)
	w.text("description", s.desc)
	w.texts("enum", w.nullEnum(s), false)
	w.text("format", s.format)
	w.nested("items", s.items)
	w.raw("maxItems", s.maxItems)
	w.raw("maxLength", s.maxLen)
	w.raw("maxProperties", s.maxProps)
	w.raw("maximum", s.max)
	w.raw("minItems", s.minItems)
	w.raw("minLength", s.minLen)
	w.raw("minProperties", s.minProps)
	w.raw("minimum", s.min)
	w.raw("multipleOf", s.multipleOf)
	w.text("pattern", s.pattern)
	w.properties(s)
	w.texts("required", s.required, true)
	if s.null && w.typeLists() && s.typ != "" {
		w.raw("type", `["`+s.typ+`","null"]`)
	} else {
		w.text("type", s.typ)
	}
	if s.unique {
		w.raw("uniqueItems", "true")
	}
	w.rest()
	w.more = above
	w.b = append(w.b, '}')
	w.started = true
}

// rest writes the members that come after all others.
func (w *shapeWriter) rest() {
	for len(w.more) > 0 {
		m := w.more[0]
		w.more = w.more[1:]
		w.raw(m.key, m.json)
	}
}

// typeLists says whether null is written as one type of several.
func (w *shapeWriter) typeLists() bool { return w.output || w.profile == Rich }

// nullEnum adds null to an enum whose type allows it.
func (w *shapeWriter) nullEnum(s *shape) []string {
	if s.null && len(s.enum) > 0 && w.typeLists() && s.typ != "" {
		return append(s.enum[:len(s.enum):len(s.enum)], "null")
	}
	return s.enum
}

// members writes a union, with null as one of its members where it is allowed.
func (w *shapeWriter) members(key string, members []*shape, null bool) {
	if len(members) == 0 {
		return
	}
	w.key(key)
	w.list(members, null)
}

func (w *shapeWriter) list(members []*shape, null bool) {
	w.b = append(w.b, '[')
	for i, m := range members {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.shape(m)
	}
	if null {
		w.b = append(w.b, `,{"type":"null"}`...)
	}
	w.b = append(w.b, ']')
	w.started = true
}

// nullable writes anyOf [T, null], the texts outside.
func (w *shapeWriter) nullable(s *shape) {
	inner := *s
	inner.null, inner.desc, inner.def = false, "", ""
	w.b = append(w.b, `{"anyOf":[`...)
	w.shape(&inner)
	w.b = append(w.b, `,{"type":"null"}]`...)
	w.started = true
	w.raw("default", s.def)
	w.text("description", s.desc)
	w.b = append(w.b, '}')
	w.started = true
}

// properties is there for every object: OpenAI refuses one without (S13). A map has additionalProperties instead.
func (w *shapeWriter) properties(s *shape) {
	if s.typ != "object" || len(s.props) == 0 && s.addl != nil {
		return
	}
	w.key("properties")
	w.object(s)
}

func (w *shapeWriter) object(s *shape) {
	w.b = append(w.b, '{')
	for i, p := range s.props {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendString(w.b, p.name)
		w.b = append(w.b, ':')
		w.shape(p.shape)
	}
	w.b = append(w.b, '}')
	w.started = true
}

func (s *shape) json(as style) []byte {
	w := shapeWriter{style: as}
	w.shape(s)
	return w.b
}

// each visits a shape and everything below it.
func (s *shape) each(visit func(*shape)) {
	visit(s)
	for _, p := range s.props {
		p.shape.each(visit)
	}
	for _, m := range s.anyOf {
		m.each(visit)
	}
	if s.items != nil {
		s.items.each(visit)
	}
	if s.addl != nil {
		s.addl.each(visit)
	}
	if s.rich != nil {
		s.rich.each(visit)
	}
}

// uniteEqual removes variants that say the same as an earlier one (S5).
func (s *shape) uniteEqual() {
	if len(s.anyOf) < 2 {
		return
	}
	seen := make(map[string]bool, len(s.anyOf))
	kept := s.anyOf[:0:0]
	for _, m := range s.anyOf {
		if text := string(m.json(style{})); !seen[text] {
			seen[text] = true
			kept = append(kept, m)
		}
	}
	s.anyOf = kept
	if len(kept) > 1 {
		return
	}
	one, desc, null, def, depth := *kept[0], s.desc, s.null, s.def, s.depth
	*s = one
	s.depth, s.null = depth, null || one.null
	firstText(&desc, one.desc)
	firstText(&def, one.def)
	s.desc, s.def = desc, def
}
