package openapi

import (
	"encoding/json"
)

// structured makes structuredContent of a value and the text that says it: always an object; what does not fit the
// advertised schema is left out (O2–O5), and so is what many clients cannot read (odd).
func (r *answerReader) structured(value any, text []byte, odd bool) json.RawMessage {
	if odd {
		portable, ok := portableValue(value, 0)
		if !ok {
			return nil // fillStructured says what is owed
		}
		value, text = portable, appendValue(nil, portable)
	}
	_, isObject := value.(map[string]any)
	out := r.plan.output
	if out == nil {
		if isObject {
			return json.RawMessage(text)
		}
		return wrap(text)
	}
	if r.plan.wrapped {
		fitted, ok, same := conform(out.props[0].outline, value)
		switch {
		case !ok:
			return json.RawMessage("{}")
		case same:
			return wrap(text)
		}
		return wrap(appendValue(nil, fitted))
	}
	fitted, ok, same := conform(out, value)
	if !ok || !isObject {
		return json.RawMessage("{}")
	}
	if same {
		return json.RawMessage(text)
	}
	return appendValue(nil, fitted)
}

func wrap(text []byte) json.RawMessage {
	return append(append(append(make([]byte, 0, len(text)+12), `{"result":`...), text...), '}')
}

// outline is as much of an advertised output schema as answers are held to. It lives as long as its tool, and a shape is
// several times its size.
type outline struct {
	typ         string
	null        bool
	props       []outlineProp
	addl, items *outline
	anyOf       []*outline
}

type outlineProp struct {
	name    string
	outline *outline
}

// plainOutlines are those of values without parts, shared by all tools: half of what answers are held to.
var plainOutlines = func() map[outlineKey]*outline {
	all := map[outlineKey]*outline{}
	for _, typ := range []string{"", "string", "number", "integer", "boolean", "array", "object"} {
		for _, null := range []bool{false, true} {
			all[outlineKey{typ, null}] = &outline{typ: typ, null: null}
		}
	}
	return all
}()

type outlineKey struct {
	typ  string
	null bool
}

// outlineFor is the outline of what a profile writes. Gemini's words for null and for any value are narrower than ours.
func outlineFor(p Profile, s *shape) *outline {
	if p == Gemini {
		s.each(func(s *shape) {
			if s.null = false; s.typ == "" && len(s.anyOf) == 0 {
				s.anyOf = anyValueShapes()
			}
		})
	}
	return outlineOf(s)
}

// anyValueShapes are what anyValueMembers says.
func anyValueShapes() []*shape {
	return []*shape{{typ: "string"}, {typ: "number"}, {typ: "boolean"}, {typ: "object"}, {typ: "array", items: &shape{typ: "string"}}}
}

func outlineOf(s *shape) *outline {
	if s == nil {
		return nil
	}
	if o := plainOutlines[outlineKey{s.typ, s.null}]; o != nil && s.addl == nil && s.items == nil && len(s.props)+len(s.anyOf) == 0 {
		return o
	}
	o := &outline{typ: s.typ, null: s.null, addl: outlineOf(s.addl), items: outlineOf(s.items)}
	if len(s.props) > 0 {
		o.props = make([]outlineProp, len(s.props))
		for i, p := range s.props {
			o.props[i] = outlineProp{p.name, outlineOf(p.shape)}
		}
	}
	for _, m := range s.anyOf {
		o.anyOf = append(o.anyOf, outlineOf(m))
	}
	return o
}

// conform removes what does not fit a shape: ok says whether anything is left, same whether nothing was removed.
func conform(s *outline, v any) (fitted any, ok, same bool) {
	if v == nil {
		return v, s.null || s.typ == "" && len(s.anyOf) == 0, true
	}
	if len(s.anyOf) > 0 {
		return conformUnion(s.anyOf, v)
	}
	switch parts := v.(type) {
	case map[string]any:
		if s.typ != "object" && s.typ != "" {
			return nil, false, false
		}
		if out := conformObject(s, parts); out != nil {
			return out, true, false
		}
		return v, true, true
	case []any:
		if s.typ != "array" && s.typ != "" {
			return nil, false, false
		}
		if out := conformList(s, parts); out != nil {
			return out, true, false
		}
		return v, true, true
	}
	t := valueType(v)
	fits := s.typ == "" || s.typ == t.name() || s.typ == "number" && t == tInteger
	return v, fits, fits
}

// conformUnion reads a value as the first variant that it fits as it is, else as the first that leaves something of it.
func conformUnion(variants []*outline, v any) (fitted any, ok, same bool) {
	for _, m := range variants {
		part, fits, whole := conform(m, v)
		if fits && whole {
			return part, true, true
		}
		if fits && !ok {
			fitted, ok = part, true
		}
	}
	return fitted, ok, false
}

// conformObject is what of an object fits; nil: all of it.
func conformObject(s *outline, v map[string]any) (out map[string]any) {
	check := func(key string, member *outline) {
		value, given := v[key]
		if !given {
			return
		}
		fitted, ok, unchanged := conform(member, value)
		if ok && unchanged {
			return
		}
		if out == nil {
			out = make(map[string]any, len(v))
			for k, x := range v {
				out[k] = x
			}
		}
		if ok {
			out[key] = fitted
		} else {
			delete(out, key)
		}
	}
	for _, p := range s.props {
		check(p.name, p.outline)
	}
	if s.addl != nil {
		known := make(map[string]bool, len(s.props))
		for _, p := range s.props {
			known[p.name] = true
		}
		for k := range v {
			if !known[k] {
				check(k, s.addl)
			}
		}
	}
	return out
}

// conformList is what of a list fits; nil: all of it.
func conformList(s *outline, v []any) (out []any) {
	if s.items == nil {
		return nil
	}
	for i, item := range v {
		fitted, ok, unchanged := conform(s.items, item)
		if out == nil && !(ok && unchanged) { // the first that does not stay as it is
			out = append(make([]any, 0, len(v)), v[:i]...)
		}
		if ok && out != nil {
			out = append(out, fitted)
		}
	}
	return out
}

// fillStructured gives what a tool with outputSchema owes its clients in any good answer (O4).
func (r *answerReader) fillStructured(res *Result) {
	if r.tool.OutputSchema != nil && res.Structured == nil {
		res.Structured = json.RawMessage("{}")
	}
}
