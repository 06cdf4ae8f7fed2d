package openapi

import (
	"slices"
	"strings"
)

// gemini writes a shape with the keywords of Gemini's function declarations alone (§6.1): one more keyword, and the whole
// request of the client fails. Enums are texts; calls map them back (enumsBack).
func (w *shapeWriter) gemini(s *shape) {
	w.b = append(w.b, '{')
	w.started = false
	typ, enum := s.typ, textEnum(s.enum)
	if len(enum) > 0 {
		typ = "string"
	}
	switch {
	case len(s.anyOf) > 0:
		w.key("anyOf")
		w.list(nullMembers(s), false)
	case typ == "":
		w.raw("anyOf", anyValueMembers)
	}
	w.raw("default", textDefault(s.def, enum))
	w.text("description", geminiText(s))
	w.texts("enum", enum, false)
	if s.format == "date-time" {
		w.text("format", s.format)
	}
	w.nested("items", s.items)
	w.raw("maxItems", s.maxItems)
	w.raw("maxLength", s.maxLen)
	w.raw("maxProperties", s.maxProps)
	if typ == s.typ {
		w.raw("maximum", s.max)
	}
	w.raw("minItems", s.minItems)
	w.raw("minLength", s.minLen)
	w.raw("minProperties", s.minProps)
	if typ == s.typ {
		w.raw("minimum", s.min)
	}
	if s.null && typ != "" {
		w.raw("nullable", "true")
	}
	w.text("pattern", s.pattern)
	if s.typ == "object" {
		w.key("properties")
		w.object(s)
	}
	w.texts("required", s.required, true)
	w.text("type", typ)
	w.b = append(w.b, '}')
	w.started = true
}

// anyValueMembers stands for any JSON value: a schema there has a type, or members that have one.
const anyValueMembers = `[{"type":"string"},{"type":"number"},{"type":"boolean"},{"properties":{},"type":"object"},{"items":{"type":"string"},"type":"array"}]`

// nullMembers lets the members of a union be null where the union may be: nullable stands beside a type.
func nullMembers(s *shape) []*shape {
	if !s.null {
		return s.anyOf
	}
	out := make([]*shape, len(s.anyOf))
	for i, m := range s.anyOf {
		one := *m
		one.null = true
		out[i] = &one
	}
	return out
}

// geminiText says in words what there is no keyword for.
func geminiText(s *shape) string {
	text := s.desc
	if s.encoding != "" {
		text = joinSentences(text, "Base64.")
	}
	if s.typ == "object" && len(s.props) == 0 && s.addl != nil && s.addl.typ != "" {
		text = joinSentences(text, "Values by name, each of type "+s.addl.typ+".")
	}
	return text
}

// textEnum writes the values of an enum as texts, each once.
func textEnum(enum []string) []string {
	var out []string
	for _, e := range enum {
		if !strings.HasPrefix(e, `"`) {
			e = string(appendString(nil, e))
		}
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

func textDefault(def string, enum []string) string {
	if len(enum) > 0 && def != "" && !strings.HasPrefix(def, `"`) {
		return string(appendString(nil, def))
	}
	return def
}

// enumsBack gives the texts that stand for values of an enum their own type again.
func enumsBack(s *schema, v any, depth int) any {
	if s == nil || depth > maxArgDepth {
		return v
	}
	switch v := v.(type) {
	case string:
		return literalOf(s, v, 0)
	case []any:
		if items := itemSchema(s); items != nil {
			for i, item := range v {
				v[i] = enumsBack(items, item, depth+1)
			}
		}
		return v
	case map[string]any:
		names := originals(s)
		for k, item := range v {
			if p, known := names[k]; known {
				v[k] = enumsBack(p.schema, item, depth+1)
			} else if s.addl != nil {
				v[k] = enumsBack(s.addl, item, depth+1)
			}
		}
		return v
	}
	return v
}

// literalOf is the value of an enum that a text stands for; a text that the enum holds itself stays.
func literalOf(s *schema, text string, depth int) any {
	var found any = text
	seen := map[*schema]bool{}
	var look func(s *schema, depth int) bool
	look = func(s *schema, depth int) bool {
		if s == nil || depth > 8 || seen[s] {
			return false
		}
		seen[s] = true
		for _, e := range s.enum {
			if e == text {
				if v, err := decodeJSON([]byte(e)); err == nil {
					found = v
				}
			} else if e == string(appendString(nil, text)) {
				found = text
				return true
			}
		}
		for _, list := range [...][]*schema{s.allOf, s.anyOf, s.oneOf} {
			for _, m := range list {
				if look(m, depth+1) {
					return true
				}
			}
		}
		return false
	}
	look(s, depth)
	return found
}
