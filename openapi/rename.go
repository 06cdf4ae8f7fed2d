package openapi

import "slices"

// renameBack gives the members of a value their own names again (A3).
func renameBack(s *schema, v any, depth int) any {
	if depth > maxArgDepth {
		return v
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		items := itemSchema(s)
		for i, item := range v {
			out[i] = item
			if items != nil {
				out[i] = renameBack(items, item, depth+1)
			}
		}
		return out
	case map[string]any:
		names := originals(s)
		out := make(map[string]any, len(v))
		for _, k := range sortedKeys(v) {
			p, known := names[k]
			switch {
			case known:
				out[p.name] = renameBack(p.schema, v[k], depth+1)
			default:
				if _, taken := out[k]; !taken {
					out[k] = v[k]
				}
			}
		}
		return out
	}
	return v
}

// originals maps advertised names to properties, through allOf, unions and kinds, which lead back to their parents.
func originals(s *schema) map[string]property {
	names := map[string]property{}
	seen := map[*schema]bool{}
	var add func(s *schema, depth int)
	add = func(s *schema, depth int) {
		if s == nil || depth > 8 || seen[s] {
			return
		}
		seen[s] = true
		for i, name := range safeNames(s) {
			if _, known := names[name]; !known {
				names[name] = s.props[i]
			}
		}
		for _, list := range [...][]*schema{s.allOf, s.anyOf, s.oneOf, s.kinds} {
			for _, m := range list {
				add(m, depth+1)
			}
		}
	}
	add(s, 0)
	return names
}

// itemSchema is the schema of a list's items, through allOf and unions: one, so that a list of lists is walked once however
// many variants there are.
func itemSchema(s *schema) *schema {
	var found []*schema
	seen := map[*schema]bool{}
	var add func(s *schema, depth int)
	add = func(s *schema, depth int) {
		if s == nil || depth > 8 || seen[s] {
			return
		}
		seen[s] = true
		if s.items != nil && !slices.Contains(found, s.items) {
			found = append(found, s.items)
		}
		for _, list := range [...][]*schema{s.allOf, s.anyOf, s.oneOf} {
			for _, m := range list {
				add(m, depth+1)
			}
		}
	}
	add(s, 0)
	switch len(found) {
	case 0:
		return nil
	case 1:
		return found[0]
	}
	return &schema{anyOf: found}
}
