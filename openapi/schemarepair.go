package openapi

import (
	"sort"
	"strings"
)

// fillType reads type and what stands for null (P10, S7).
func (r *schemaReader) fillType(s *schema, n *node) {
	v := n.get("type")
	switch {
	case v.isList():
		for _, item := range v.list {
			s.types |= r.typeOf(s, n, item)
		}
	case v.isScalar():
		s.types |= r.typeOf(s, n, v)
	case v.isMap():
		r.repaired(v, "type is left out: %s", v)
	}
	if (n.isTrue("nullable") || n.isTrue("x-nullable")) && s.types != 0 {
		s.types |= tNull
	}
}

// orNull is nullable beside no type, the only way in which 3.0 lets a reference be null: {nullable: true, allOf: [REF]}.
func (s *schema) orNull() {
	null := &schema{types: tNull}
	switch {
	case s.types != tAny:
		s.types |= tNull
	case len(s.oneOf) > 0:
		s.oneOf = append(s.oneOf, null)
	case len(s.anyOf) > 0:
		s.anyOf = append(s.anyOf, null)
	case len(s.allOf) > 0:
		value := &schema{name: s.name, allOf: s.allOf, required: s.required}
		s.allOf, s.required, s.anyOf = nil, nil, []*schema{value, null}
	}
}

func (r *schemaReader) typeOf(s *schema, n, v *node) types {
	switch v.str() {
	case "object":
		return tObject
	case "array":
		return tArray
	case "string":
		return tString
	case "integer":
		return tInteger
	case "number":
		return tNumber
	case "boolean":
		return tBool
	case "null":
		return tNull
	case "": // null or nothing
		if v.kind == nullKind {
			return tNull
		}
		return 0
	}
	t, format := foreignType(v.str())
	if s.format == "" {
		s.format = format
	}
	if base, ok := strings.CutSuffix(v.str(), "[]"); ok {
		item := &schema{}
		item.types, item.format = foreignType(base)
		s.items, t = item, tArray
		s.format = ""
	}
	if v.str() != "file" { // 2.0's own word
		r.repaired(v, "type %q is read as %s", shorten(v.str(), 40), strings.Join(append(t.names(), "any")[:1], ""))
	}
	return t
}

// foreignType maps the type words of other languages to JSON's (P10).
func foreignType(word string) (types, string) {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "object", "map", "dict", "hash", "struct":
		return tObject, ""
	case "array", "list", "set":
		return tArray, ""
	case "string", "str", "text", "char", "enum", "uuid", "uri", "url", "email":
		return tString, ""
	case "int", "integer", "long", "short", "int32", "int64", "uint", "bigint":
		return tInteger, ""
	case "number", "float", "double", "decimal", "numeric":
		return tNumber, ""
	case "bool", "boolean":
		return tBool, ""
	case "date":
		return tString, "date"
	case "datetime", "date-time", "timestamp":
		return tString, "date-time"
	case "file", "binary":
		return tString, "binary"
	case "null", "none", "nil":
		return tNull, ""
	}
	return tAny, ""
}

// fillProperties reads properties; whatever a property is called, it is a property here (R7f).
func (r *schemaReader) fillProperties(s *schema, n *node) {
	v := n.get("properties")
	if v == nil {
		return
	}
	if !v.isMap() {
		if !v.isNull() || v.kind == nullKind {
			r.repaired(v, "properties is a mapping") // P2
		}
		return
	}
	s.props = make([]property, 0, len(v.m.fields))
	for _, f := range v.m.fields {
		p := r.propertyAt(f)
		if p == nil || p.never {
			continue
		}
		if on, ok := f.value.get("required").truth(); ok && f.value.get("required").kind != listKind {
			r.repaired(f.value, "required: %v inside property %q belongs to its parent", on, shorten(f.key, 60)) // P11
			if on {
				s.required = append(s.required, f.key)
			}
		}
		s.props = append(s.props, property{f.key, p})
	}
}

func (r *schemaReader) propertyAt(f field) *schema {
	if f.value.kind == stringKind { // P3
		r.repaired(f.value, "property %q is a text, not a schema", shorten(f.key, 60))
		return &schema{types: tString, enum: []string{string(appendString(nil, f.value.text))}}
	}
	return r.at(f.value)
}

func (r *schemaReader) fillRequired(s *schema, n *node) {
	v := n.get("required")
	if v == nil {
		return
	}
	if !v.isList() {
		if v.kind == stringKind && s.prop(v.text) != nil {
			s.required = append(s.required, v.text)
			r.repaired(v, "required is a list")
		}
		return
	}
	s.required = append(s.required, texts(v)...)
	sort.Strings(s.required)
	s.required = unique(s.required)
}

// unique removes neighbours that are equal.
func unique(list []string) []string {
	out := list[:0]
	for i, s := range list {
		if i == 0 || s != list[i-1] {
			out = append(out, s)
		}
	}
	return out
}

// fillEnum reads enum and const (P12); values are converted to the schema's type where nothing is lost.
func (r *schemaReader) fillEnum(s *schema, n *node) {
	if v := n.get("const"); v != nil {
		s.enum = []string{literal(v)}
		if s.enum[0] == "" {
			s.enum = nil
		}
		return
	}
	v := n.get("enum")
	if v == nil {
		return
	}
	items := v.items()
	if v.isScalar() {
		r.repaired(v, "enum is a list")
		items = []*node{v}
	}
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		raw := r.enumValue(s, item)
		if raw == "" || seen[raw] {
			r.repaired(item, "a value of enum is left out: it is repeated, or too large")
			continue
		}
		seen[raw] = true
		s.enum = append(s.enum, raw)
	}
	r.typeOfEnum(s, v)
	if seen["null"] && s.types != 0 {
		s.types |= tNull
	}
	if len(items) == 0 {
		r.repaired(v, "an empty enum is left out")
	}
}

// typeOfEnum believes the values where none of them has the type that stands beside them: NestJS writes type: object to
// enums of strings.
func (r *schemaReader) typeOfEnum(s *schema, at *node) {
	var found types
	for _, raw := range s.enum {
		k := literalType(raw)
		if s.types.has(k) || k == tInteger && s.types.has(tNumber) {
			return
		}
		found |= k
	}
	if found &^= tNull; found == 0 || s.types&^tNull == 0 {
		return
	}
	if s.types.has(tArray) {
		r.repaired(at, "enum of a list is that of its items")
		items := &schema{types: found, enum: s.enum}
		if s.items != nil {
			items.allOf = []*schema{s.items}
		}
		s.items, s.enum = items, nil
		return
	}
	r.repaired(at, "no value of enum is %s; read as %s", typeText(s.types.names()), typeText(found.names()))
	s.types = found | s.types&tNull
}

func (r *schemaReader) enumValue(s *schema, item *node) string {
	t := s.types &^ tNull
	switch {
	case t == tString && (item.kind == numberKind || item.kind == boolKind):
		if n := item.file; n != nil && !isYAMLText(item.text) {
			r.repaired(item, "a value of enum is a text, not %s", item)
		}
		return string(appendString(nil, item.text))
	case item.kind == stringKind && (t == tInteger || t == tNumber) && isNumber(item.text):
		return item.text
	case item.kind == stringKind && t == tBool && (item.text == "true" || item.text == "false"):
		return item.text
	}
	return literal(item)
}

// isYAMLText says whether a plain scalar may be meant as a text though JSON would call it a number: its digits say nothing.
func isYAMLText(text string) bool {
	return strings.ContainsAny(text, "eE_:") && !strings.Contains(text, "true") && !strings.Contains(text, "false")
}
