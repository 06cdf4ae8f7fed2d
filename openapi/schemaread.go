package openapi

import (
	"fmt"
	"strings"
)

// schemaReader turns nodes into schemas and repairs them on the way (§2). What a reference leads to is queued, not
// recursed into: a chain of a million references needs no stack.
type schemaReader struct {
	lib      *library
	warn     func(n *node, message string)
	siblings bool // keywords beside $ref count (3.1); in 3.0 and 2.0 only description does (R7h)
	known    map[*node]*schema
	queue    []pending
	draining bool
	children map[*file]map[*node][]field
	extended []*schema // with an allOf, since the last read
}

type pending struct {
	n *node
	s *schema
}

// read returns the schema at a node, whole.
func (r *schemaReader) read(n *node) *schema {
	s := r.at(n)
	if r.draining {
		return s
	}
	r.draining = true
	for len(r.queue) > 0 {
		next := r.queue[len(r.queue)-1]
		r.queue = r.queue[:len(r.queue)-1]
		r.fill(next.s, next.n)
	}
	r.draining = false
	for _, s := range r.extended {
		s.extendParents()
	}
	r.extended = r.extended[:0]
	return s
}

func (r *schemaReader) repaired(n *node, format string, args ...any) {
	r.warn(n, "repaired: "+fmt.Sprintf(format, args...))
}

// at returns the schema at a node, perhaps not yet filled.
func (r *schemaReader) at(n *node) *schema {
	if n.isNull() {
		return anything()
	}
	if s := r.known[n]; s != nil {
		return s
	}
	if n.kind == boolKind {
		return &schema{never: n.text == "false"}
	}
	if !n.isMap() {
		r.repaired(n, "a schema is expected here, not %s", n)
		return anything()
	}
	if ref := n.get("$ref"); ref != nil && ref.kind == stringKind {
		return r.reference(n, ref.text)
	}
	for _, key := range [...]string{"$dynamicRef", "$recursiveRef"} {
		if ref := n.get(key); ref != nil && ref.kind == stringKind {
			return r.dynamic(n, ref.text)
		}
	}
	s := &schema{}
	r.known[n] = s
	r.fill(s, n)
	return s
}

// reference resolves $ref; a dangling one is the schema that allows anything (P9).
func (r *schemaReader) reference(n *node, ref string) *schema {
	target := r.bareName(n, ref)
	var err error
	if target == nil {
		target, err = r.lib.follow(n)
	}
	if err != nil {
		r.warn(n, referenceText(err))
		s := &schema{cut: true}
		r.known[n] = s
		return s
	}
	s := r.target(target, componentName(ref))
	wrapped := r.withSiblings(n, s)
	r.known[n] = wrapped
	return wrapped
}

func referenceText(err error) string {
	if text := err.Error(); strings.HasPrefix(text, "reference ") {
		return text
	}
	return "reference not found: " + err.Error()
}

func (r *schemaReader) target(n *node, name string) *schema {
	if s := r.known[n]; s != nil {
		return s
	}
	if !n.isMap() {
		return r.at(n)
	}
	s := &schema{name: name}
	r.known[n] = s
	r.queue = append(r.queue, pending{n, s})
	return s
}

// dynamic treats $dynamicRef and $recursiveRef as plain references (R7g).
func (r *schemaReader) dynamic(n *node, ref string) *schema {
	if n.file != nil && strings.HasPrefix(ref, "#") {
		if target, ok := r.lib.walk(n.file, ref[1:]); ok && target != n && target != n.file.root {
			return r.target(target, componentName(ref))
		}
	}
	r.warn(n, "reference not found: "+shorten(ref, 200))
	return anything()
}

// withSiblings keeps what stands beside $ref: in 3.1 everything, before that the description.
func (r *schemaReader) withSiblings(n *node, target *schema) *schema {
	s := &schema{}
	if !r.siblings {
		if s.desc = n.strAt("description"); s.desc == "" && !n.isTrue("nullable") {
			return target
		}
		s.name = target.name
		s.allOf = []*schema{target}
		r.extended = append(r.extended, s)
		return s
	}
	others := 0
	for _, f := range n.fields() {
		if f.key != "$ref" && f.key != "summary" && !strings.HasPrefix(f.key, "x-") {
			others++
		}
	}
	if others == 0 {
		return target
	}
	r.fill(s, n)
	s.name = target.name
	s.allOf = append([]*schema{target}, s.allOf...)
	r.extended = append(r.extended, s)
	return s
}

func componentName(ref string) string {
	ref = strings.TrimSuffix(ref, "/")
	if i := strings.LastIndexAny(ref, "/#"); i >= 0 {
		ref = ref[i+1:]
	}
	ref = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(ref, ".json"), ".yaml"), ".yml")
	return shorten(ref, 64)
}

// fill reads the keywords of one schema object.
func (r *schemaReader) fill(s *schema, n *node) {
	for _, f := range n.fields() {
		if !r.fillText(s, f.key, f.value) && !r.fillBound(s, n, f.key, f.value) && !r.fillApplicator(s, f.key, f.value) {
			r.fillOther(s, f.key, f.value)
		}
	}
	r.fillType(s, n)
	r.fillProperties(s, n)
	r.fillRequired(s, n)
	r.fillEnum(s, n)
	if s.types&tObject != 0 && s.types&tArray == 0 && s.items != nil {
		r.repaired(n, "items beside type object are ignored") // P15
		s.items, s.prefix = nil, nil
	}
	if s.types&^tNull == tArray && n.get("type") != nil && s.items == nil && len(s.prefix) == 0 {
		r.repaired(n, "an array without items") // P15
	}
	if s.types == tAny {
		s.types = s.infer()
		if n.isTrue("nullable") || n.isTrue("x-nullable") {
			s.orNull()
		}
	}
	if s.selector != nil {
		s.kinds = r.kindsOf(n)
	}
}

func (r *schemaReader) fillText(s *schema, key string, v *node) bool {
	switch key {
	case "title":
		s.title = v.str()
	case "description":
		s.desc = r.text(v)
	case "format":
		if s.format == "" {
			s.format = v.str()
		}
	case "pattern":
		s.pattern = r.pattern(v)
		if len(s.pattern) > maxPattern {
			r.warn(v, "schema: pattern is longer than 1024 characters and left out")
			s.pattern = ""
		}
	case "contentEncoding":
		s.encoding = v.str()
	case "contentMediaType":
		s.media = v.str()
	default:
		return false
	}
	return true
}

const maxPattern = 1024

// pattern reads a regular expression; one that is written as a literal of JavaScript would match nothing.
func (r *schemaReader) pattern(v *node) string {
	text := v.str()
	end := strings.LastIndexByte(text, '/')
	if end < 2 || text[0] != '/' || strings.Trim(text[end+1:], "dgimsuvy") != "" {
		return text
	}
	flagged := end+1 < len(text) && strings.ContainsAny(text[1:end], `[\(*+?|`) // no path of a URL
	if text[1] != '^' && text[end-1] != '$' && !flagged {
		return text
	}
	r.repaired(v, "pattern is written between slashes")
	if strings.ContainsAny(text[end+1:], "ims") { // what these say, a pattern cannot
		return ""
	}
	return text[1:end]
}

// text reads a text field; a reference there means the text of that file (P4).
func (r *schemaReader) text(v *node) string {
	if v.isMap() && v.get("$ref") != nil {
		if target, err := r.lib.follow(v); err == nil && target.isScalar() {
			return target.text
		}
		r.repaired(v, "a text is expected here, not a reference")
		return ""
	}
	return v.str()
}

func (r *schemaReader) fillApplicator(s *schema, key string, v *node) bool {
	switch key {
	case "allOf":
		s.allOf = append(s.allOf, r.list(v, key)...)
		r.extended = append(r.extended, s)
	case "anyOf":
		s.anyOf = r.list(v, key)
	case "oneOf":
		s.oneOf = r.list(v, key)
	case "items":
		if v.isList() { // P1
			r.repaired(v, "a list under items is a tuple")
			s.prefix = r.list(v, key)
			s.items = anything()
		} else if s.items = r.at(v); s.items.never {
			s.items = nil
		}
	case "prefixItems":
		s.prefix = r.list(v, key)
	case "additionalProperties":
		r.fillAdditional(s, v)
	case "not":
		s.not = r.at(v)
	case "if":
		s.ifs = r.at(v)
	case "then":
		s.then = r.at(v)
	case "else":
		s.elses = r.at(v)
	case "contains":
		s.contains = r.at(v)
	case "propertyNames":
		s.propNames = r.at(v)
	case "unevaluatedProperties":
		s.otherProps = r.at(v)
	case "unevaluatedItems":
		s.otherItems = r.at(v)
	case "patternProperties":
		for _, f := range v.fields() {
			s.patternProps = append(s.patternProps, property{f.key, r.at(f.value)})
		}
	case "dependentRequired":
		for _, f := range v.fields() {
			s.dependent = append(s.dependent, dependency{property: f.key, required: texts(f.value)})
		}
	case "dependentSchemas":
		for _, f := range v.fields() {
			s.dependent = append(s.dependent, dependency{property: f.key, schema: r.at(f.value)})
		}
	default:
		return false
	}
	return true
}

// list reads a list of schemas; a single one stands for a list of one.
func (r *schemaReader) list(v *node, key string) []*schema {
	if v.isMap() {
		r.repaired(v, "%s is a list", key)
		return []*schema{r.at(v)}
	}
	out := make([]*schema, 0, len(v.items()))
	for _, item := range v.items() {
		out = append(out, r.at(item))
	}
	return out
}

func texts(v *node) []string {
	var out []string
	for _, item := range v.items() {
		if item.isScalar() {
			out = append(out, item.text)
		}
	}
	return out
}

func (r *schemaReader) fillAdditional(s *schema, v *node) {
	if on, ok := v.truth(); ok {
		s.closed, s.open = !on, on
		if v.kind != boolKind {
			r.repaired(v, "additionalProperties is a boolean written as a text") // P25
		}
		return
	}
	if v.isMap() {
		if len(v.fields()) == 0 {
			s.open = true
			return
		}
		s.addl = r.at(v)
		return
	}
	if !v.isNull() {
		r.repaired(v, "additionalProperties is left out: %s", v)
	}
}

func (r *schemaReader) fillOther(s *schema, key string, v *node) {
	switch key {
	case "uniqueItems":
		s.unique, _ = v.truth()
	case "readOnly":
		s.readOnly, _ = v.truth()
	case "writeOnly":
		s.writeOnly, _ = v.truth()
	case "default":
		s.def = literal(v) // also null (P27)
	case "example":
		if s.example == "" {
			s.example = literal(v)
		}
	case "examples":
		if items := v.items(); len(items) > 0 {
			s.example = literal(items[0])
		}
	case "discriminator":
		r.fillSelector(s, v)
	case "x-drawbridge":
		s.ext = v
	}
}

// literal is the JSON text of a value, "" when it is too large to be shown or checked.
func literal(v *node) string {
	if !v.small(200) {
		return ""
	}
	b := v.appendJSON(nil)
	if len(b) > 4096 {
		return ""
	}
	if v.isMap() || v.isList() { // the order of keys must not show (N7)
		if value, err := decodeJSON(b); err == nil {
			b = appendValue(b[:0], value)
		}
	}
	return string(b)
}

func (r *schemaReader) fillSelector(s *schema, v *node) {
	if v.kind == stringKind { // 2.0, P25
		s.selector = &selector{property: v.text}
		return
	}
	name := v.strAt("propertyName")
	if name == "" {
		return
	}
	sel := &selector{property: name}
	for _, f := range v.get("mapping").fields() {
		sel.mapping = append(sel.mapping, mapped{f.key, componentName(f.value.str())})
	}
	sel.open = v.get("defaultMapping") != nil
	s.selector = sel
}
