package openapi

// renameBack gives the members of a value their own names again (A3).
func renameBack(s *schema, v any, depth int) any {
	if depth > maxArgDepth {
		return v
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = item
			for _, items := range itemSchemas(s, 0) {
				out[i] = renameBack(items, out[i], depth+1)
			}
		}
		return out
	case map[string]any:
		names := map[string]property{}
		originals(s, names, 0)
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

// originals maps advertised names to properties, through allOf and unions.
func originals(s *schema, into map[string]property, depth int) {
	if s == nil || depth > 8 {
		return
	}
	for i, name := range safeNames(s) {
		if _, known := into[name]; !known {
			into[name] = s.props[i]
		}
	}
	for _, list := range [...][]*schema{s.allOf, s.anyOf, s.oneOf} {
		for _, m := range list {
			originals(m, into, depth+1)
		}
	}
}

func itemSchemas(s *schema, depth int) []*schema {
	if s == nil || depth > 8 {
		return nil
	}
	var out []*schema
	if s.items != nil {
		out = append(out, s.items)
	}
	for _, list := range [...][]*schema{s.allOf, s.anyOf, s.oneOf} {
		for _, m := range list {
			out = append(out, itemSchemas(m, depth+1)...)
		}
	}
	return out
}
