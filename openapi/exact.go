package openapi

import (
	"encoding/json"
	"slices"
)

const (
	maxExactNodes = 60
	maxExactBytes = 2 << 10
)

// assertions keeps the keywords that judge a value by another schema (§6.2, rich). Inside of `not` and `if` a schema that
// says less than the document's would turn its meaning around, so what cannot be written exactly is left out whole.
func (t *translator) assertions(into *shape, s *schema) {
	add := func(key string, s *schema) bool {
		if s == nil {
			return false
		}
		w := exactWriter{}
		v := w.schema(s, 0)
		raw := string(appendValue(nil, v))
		if w.failed || len(raw) > maxExactBytes {
			return false
		}
		into.word(key, raw)
		t.bytes += len(raw)
		return true
	}
	add("not", s.not)
	if s.ifs != nil && (s.then != nil || s.elses != nil) && add("if", s.ifs) {
		add("then", s.then)
		add("else", s.elses)
	}
	if into.typ == "array" && add("contains", s.contains) {
		into.word("minContains", s.minContains)
		into.word("maxContains", s.maxContains)
	}
	if into.typ != "object" {
		return
	}
	add("propertyNames", s.propNames)
	t.dependencies(into, s)
	if len(s.patternProps) > 0 {
		w := exactWriter{}
		v := w.patterns(s)
		if raw := string(appendValue(nil, v)); !w.failed && len(raw) <= maxExactBytes {
			into.word("patternProperties", raw)
			into.closed = s.closed
		}
	}
}

func (t *translator) dependencies(into *shape, s *schema) {
	required, schemas := map[string]any{}, map[string]any{}
	w := exactWriter{}
	for _, d := range s.dependent {
		if s.prop(d.property) == nil {
			continue
		}
		if d.schema != nil {
			schemas[argName(d.property)] = w.schema(d.schema, 0)
			continue
		}
		var list []any
		for _, r := range d.required {
			if s.prop(r) != nil {
				list = append(list, argName(r))
			}
		}
		if len(list) > 0 {
			required[argName(d.property)] = list
		}
	}
	if len(required) > 0 {
		into.word("dependentRequired", string(appendValue(nil, required)))
	}
	if raw := string(appendValue(nil, schemas)); len(schemas) > 0 && !w.failed && len(raw) <= maxExactBytes {
		into.word("dependentSchemas", raw)
	}
}

// exactWriter writes a schema so that it means what the document says, or fails.
type exactWriter struct {
	nodes  int
	failed bool
}

func (w *exactWriter) schema(s *schema, depth int) any {
	w.nodes++
	lossy := s.cut || s.format != "" || s.encoding != "" || s.media != "" || len(s.prefix) > 0 || len(s.patternProps) > 0 || len(s.dependent) > 0 ||
		s.ifs != nil || s.contains != nil || s.propNames != nil || s.otherProps != nil || s.otherItems != nil
	if depth > 6 || w.nodes > maxExactNodes || lossy {
		w.failed = true
		return nil
	}
	if s.never {
		return map[string]any{"not": map[string]any{}}
	}
	out := map[string]any{}
	w.scalar(out, s)
	w.object(out, s, depth)
	switch {
	case s.items != nil && !(s.items.saysNothing() && len(s.items.allOf) == 0):
		out["items"] = w.schema(s.items, depth+1)
	case s.types.has(tArray):
		out["items"] = map[string]any{"description": "any JSON value"} // an array without items is refused (§6.1)
	}
	for key, list := range map[string][]*schema{"allOf": s.allOf, "anyOf": s.anyOf, "oneOf": s.oneOf} {
		var members []any
		for _, m := range list {
			members = append(members, w.schema(m, depth+1))
		}
		if len(members) > 0 {
			out[key] = members
		}
	}
	if s.not != nil {
		out["not"] = w.schema(s.not, depth+1)
	}
	return out
}

func (w *exactWriter) scalar(out map[string]any, s *schema) {
	switch names := s.types.names(); len(names) {
	case 0:
	case 1:
		out["type"] = names[0]
	default:
		list := make([]any, len(names))
		for i, n := range names {
			list[i] = n
		}
		out["type"] = list
	}
	if len(s.enum) > 0 {
		out["enum"] = enumValues(s, false)
		w.failed = w.failed || len(s.enum) > 50
	}
	for key, text := range map[string]string{
		"minimum": s.min, "maximum": s.max, "exclusiveMinimum": s.above, "exclusiveMaximum": s.below, "multipleOf": s.multipleOf,
		"minLength": s.minLen, "maxLength": s.maxLen, "minItems": s.minItems, "maxItems": s.maxItems, "minProperties": s.minProps, "maxProperties": s.maxProps,
	} {
		if text != "" {
			out[key] = json.Number(text)
		}
	}
	if s.unique {
		out["uniqueItems"] = true
	}
	if s.pattern != "" {
		pattern, ok := portablePattern(s.pattern)
		out["pattern"] = pattern
		w.failed = w.failed || !ok
	}
}

// object writes properties under their advertised names. Names that are required and not declared are declared as any
// value, which changes nothing: some clients ask that required names be properties.
func (w *exactWriter) object(out map[string]any, s *schema, depth int) {
	props := map[string]any{}
	for i, name := range safeNames(s) {
		props[name] = w.schema(s.props[i].schema, depth+1)
	}
	var required []any
	for _, r := range s.required {
		name := argName(r)
		if i := slices.IndexFunc(s.props, func(p property) bool { return p.name == r }); i >= 0 {
			name = safeNames(s)[i]
		}
		if props[name] == nil {
			props[name] = map[string]any{"description": "any JSON value"}
		}
		required = append(required, name)
	}
	if len(required) > 0 {
		out["required"] = required
	}
	if len(props) > 0 || s.types.has(tObject) {
		out["properties"] = props
	}
	switch {
	case s.closed:
		out["additionalProperties"] = false
	case s.addl != nil:
		out["additionalProperties"] = w.schema(s.addl, depth+1)
	}
}

func (w *exactWriter) patterns(s *schema) map[string]any {
	out := map[string]any{}
	for _, p := range s.patternProps {
		pattern, ok := portablePattern(p.name)
		w.failed = w.failed || !ok
		out[pattern] = w.schema(p.schema, 0)
	}
	return out
}
