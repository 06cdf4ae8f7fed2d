package openapi

import (
	"encoding/json"
	"regexp"
	"strconv"
)

// flattener writes the unpruned schemas of a tool as one JSON Schema document without outside references, for the
// validator (§10). Cycles are references into $defs; names are those that are advertised.
type flattener struct {
	defs  map[string]any
	ids   map[flatKey]string
	queue []flatKey
	names map[string]string // of definitions that have one, for texts about variants
	merge *merger           // tells what a schema means that contradicts itself

	offered map[string]bool // members that a body's arguments can give; nil: any
}

// flatKey tells apart a schema and the same schema as a member of allOf, where additionalProperties: false would refuse
// what the other members allow.
type flatKey struct {
	schema *schema
	member bool
	nulls  bool // merge patch: every member may be null, which removes it (S7)
}

const maxFlatSchemas = 20_000

// flatSchema is what the validator compiles, and what people call its parts.
type flatSchema struct {
	doc   map[string]any
	names map[string]string // by key of $defs
}

// flattenArgs writes the schema of all arguments of a tool.
func flattenArgs(args []*arg, keepNull bool) flatSchema {
	f := newFlattener()
	props := make(map[string]any, len(args))
	for _, a := range args {
		props[a.name] = f.argument(a, keepNull && a.in == "body")
	}
	f.run()
	return flatSchema{map[string]any{"type": "object", "properties": props, "$defs": f.defs}, f.names}
}

// flattenOne writes one schema as a document of its own. Of its members only those offered can be demanded.
func flattenOne(s *schema, offered map[string]bool) flatSchema {
	f := newFlattener()
	f.offered = offered
	root := f.schema(flatKey{schema: s})
	f.run()
	return flatSchema{map[string]any{"allOf": []any{root}, "$defs": f.defs}, f.names}
}

func newFlattener() *flattener {
	return &flattener{defs: map[string]any{}, ids: map[flatKey]string{}, names: map[string]string{}, merge: newMerger()}
}

func (f *flattener) run() {
	for len(f.queue) > 0 {
		k := f.queue[0]
		f.queue = f.queue[1:]
		f.defs[f.ids[k]] = f.write(k)
	}
}

func (f *flattener) argument(a *arg, nulls bool) any {
	switch a.file {
	case oneFile:
		return fileCheck()
	case listOfFiles:
		return map[string]any{"type": "array", "items": fileCheck()}
	}
	return f.schema(flatKey{a.schema, false, nulls})
}

func fileCheck() any {
	text := map[string]any{"type": "string"}
	return map[string]any{"type": "object", "required": []any{"data"}, "additionalProperties": false,
		"properties": map[string]any{"data": text, "filename": text, "content_type": text}}
}

// schema writes simple schemas in place and everything else as a definition.
func (f *flattener) schema(k flatKey) any {
	s := k.schema
	if s == nil {
		return true
	}
	if s.never {
		return false
	}
	if s.isLeaf() {
		return f.write(k)
	}
	id, known := f.ids[k]
	if !known {
		if len(f.ids) >= maxFlatSchemas {
			return true
		}
		id = strconv.Itoa(len(f.ids))
		f.ids[k] = id
		if name := s.title; name != "" || s.name != "" {
			firstText(&name, s.name)
			f.names[id] = name
		}
		f.queue = append(f.queue, k)
	}
	return map[string]any{"$ref": "#/$defs/" + id}
}

// isReadOnly says whether a property leaves inputs (A8), also where a description stands beside the reference to it.
func (s *schema) isReadOnly() bool {
	for range maxHops {
		if s.readOnly || len(s.allOf) != 1 {
			break
		}
		s = s.allOf[0]
	}
	return s.readOnly
}

func (s *schema) isLeaf() bool {
	return len(s.props) == 0 && s.items == nil && s.addl == nil && len(s.allOf)+len(s.anyOf)+len(s.oneOf)+len(s.prefix)+len(s.patternProps)+len(s.dependent) == 0 &&
		s.not == nil && s.ifs == nil && s.contains == nil && s.propNames == nil && s.otherProps == nil && s.otherItems == nil
}

func (f *flattener) write(k flatKey) map[string]any {
	s := f.uncontested(k.schema)
	k.schema = s
	out := map[string]any{}
	f.writeScalar(out, s, k.nulls)
	f.one(out, "unevaluatedProperties", s.otherProps)
	f.one(out, "unevaluatedItems", s.otherItems)
	f.writeObject(out, k)
	f.writeArray(out, k)
	f.list(out, "anyOf", append(append([]*schema(nil), s.anyOf...), s.oneOf...), flatKey{member: k.member, nulls: k.nulls}) // overlapping variants are common: oneOf would refuse good calls
	if (s.types.has(tNull) || k.nulls) && out["anyOf"] != nil {
		out["anyOf"] = append(out["anyOf"].([]any), map[string]any{"type": "null"})
	}
	f.list(out, "allOf", s.allOf, flatKey{member: true, nulls: k.nulls})
	f.one(out, "not", s.not)
	f.one(out, "if", s.ifs)
	f.one(out, "then", s.then)
	f.one(out, "else", s.elses)
	f.one(out, "contains", s.contains)
	f.one(out, "propertyNames", s.propNames)
	return out
}

func (f *flattener) writeScalar(out map[string]any, s *schema, nulls bool) {
	kinds := s.types
	if nulls && kinds != 0 {
		kinds |= tNull
	}
	if names := kinds.names(); len(names) > 0 {
		list := make([]any, len(names))
		for i, n := range names {
			list[i] = n
		}
		out["type"] = list
	}
	if len(s.enum) > 0 {
		out["enum"] = enumValues(s, nulls)
	}
	low, high := s.min, s.max
	if s.format == "int32" && s.types&^tNull == tInteger {
		low, high = numericBounds(s, true)
	}
	for name, text := range map[string]string{
		"minimum": low, "maximum": high, "exclusiveMinimum": s.above, "exclusiveMaximum": s.below, "multipleOf": s.multipleOf,
		"minLength": s.minLen, "maxLength": s.maxLen, "minItems": s.minItems, "maxItems": s.maxItems, "minProperties": s.minProps,
		"maxProperties": s.maxProps, "minContains": s.minContains, "maxContains": s.maxContains,
	} {
		if text != "" {
			out[name] = json.Number(text)
		}
	}
	if s.pattern != "" {
		if _, err := regexp.Compile(s.pattern); err == nil {
			out["pattern"] = s.pattern
		}
	}
	switch s.format {
	case "date-time", "date", "time", "email", "uri", "uuid", "ipv4", "ipv6":
		out["format"] = s.format
	}
}

func enumValues(s *schema, nulls bool) []any {
	values := make([]any, 0, len(s.enum)+1)
	null := false
	for _, e := range s.enum {
		v, err := decodeJSON([]byte(e))
		if err != nil {
			continue
		}
		null = null || v == nil
		values = append(values, v)
	}
	if (s.types.has(tNull) || nulls) && !null {
		values = append(values, nil)
	}
	return values
}

func (f *flattener) writeObject(out map[string]any, k flatKey) {
	s := k.schema
	names := safeNames(s)
	if len(s.props) > 0 {
		props := make(map[string]any, len(s.props))
		for i, p := range s.props {
			if !p.schema.isReadOnly() {
				props[names[i]] = f.schema(flatKey{p.schema, false, k.nulls})
			}
		}
		out["properties"] = props
	}
	if required := f.required(k, names); len(required) > 0 {
		out["required"] = required
	}
	switch {
	case s.closed && !k.member && len(s.allOf) == 0:
		out["additionalProperties"] = false
	case s.addl != nil:
		out["additionalProperties"] = f.schema(flatKey{s.addl, false, k.nulls})
	}
	for _, d := range s.dependent {
		f.dependency(out, d)
	}
	if len(s.patternProps) > 0 {
		patterns := map[string]any{}
		for _, p := range s.patternProps {
			if _, err := regexp.Compile(p.name); err == nil {
				patterns[p.name] = f.schema(flatKey{p.schema, false, k.nulls})
			} else {
				delete(out, "additionalProperties") // what the pattern would allow must not be refused
				delete(out, "unevaluatedProperties")
			}
		}
		out["patternProperties"] = patterns
	}
}

func (f *flattener) dependency(out map[string]any, d dependency) {
	key, value := "dependentRequired", any(nil)
	if d.schema != nil {
		key, value = "dependentSchemas", f.schema(flatKey{schema: d.schema, member: true})
	} else {
		var list []any
		for _, r := range d.required {
			list = append(list, argName(r))
		}
		value = list
	}
	if value == nil || d.schema == nil && len(d.required) == 0 {
		return
	}
	m, _ := out[key].(map[string]any)
	if m == nil {
		m = map[string]any{}
		out[key] = m
	}
	m[argName(d.property)] = value
}

func (f *flattener) writeArray(out map[string]any, k flatKey) {
	s := k.schema
	if s.unique {
		out["uniqueItems"] = true
	}
	f.list(out, "prefixItems", s.prefix, flatKey{})
	f.one(out, "items", s.items)
}

func (f *flattener) list(out map[string]any, key string, list []*schema, as flatKey) {
	if len(list) == 0 {
		return
	}
	items := make([]any, len(list))
	for i, s := range list {
		as.schema = s
		items[i] = f.schema(as)
	}
	out[key] = items
}

func (f *flattener) one(out map[string]any, key string, s *schema) {
	if s != nil {
		out[key] = f.schema(flatKey{schema: s})
	}
}
