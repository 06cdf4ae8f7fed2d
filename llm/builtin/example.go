package builtin

import (
	"encoding/json"
	"slices"
)

// maxNesting is how deep an example follows a schema; recursive ones have no end.
const maxNesting = 8

// example makes a JSON text that fits a JSON Schema well enough to try things out: what is required, with plain values.
func example(schema json.RawMessage) string {
	var s map[string]any
	if json.Unmarshal(schema, &s) != nil {
		return "{}"
	}
	text, err := json.Marshal(sample(s, 0))
	if err != nil {
		return "{}"
	}
	return string(text)
}

func sample(s map[string]any, depth int) any {
	if c, ok := s["const"]; ok {
		return c
	}
	if e, ok := s["enum"].([]any); ok && len(e) > 0 {
		return e[0]
	}
	if d, ok := s["default"]; ok {
		return d
	}
	switch kind(s) {
	case "string":
		return "example"
	case "integer", "number":
		if least, ok := s["minimum"].(float64); ok && least > 1 {
			return least
		}
		return 1
	case "boolean":
		return true
	case "array":
		items, ok := s["items"].(map[string]any)
		if least, _ := s["minItems"].(float64); !ok || least < 1 || depth >= maxNesting {
			return []any{}
		}
		return []any{sample(items, depth+1)}
	case "null":
		return nil
	}
	return object(s, depth)
}

// kind is the type of a schema, the first where it names several.
func kind(s map[string]any) string {
	if list, ok := s["type"].([]any); ok && len(list) > 0 {
		k, _ := list[0].(string)
		return k
	}
	k, _ := s["type"].(string)
	return k
}

func object(s map[string]any, depth int) any {
	out := map[string]any{}
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	for name, p := range properties {
		inner, ok := p.(map[string]any)
		if ok && slices.Contains(required, any(name)) && depth < maxNesting {
			out[name] = sample(inner, depth+1)
		}
	}
	return out
}
