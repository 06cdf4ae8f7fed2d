package openapi

import (
	"encoding/json"
	"unicode/utf8"
)

// maxQuick is how many schemas surely looks at before it leaves a value to the validator.
const maxQuick = 1 << 15

// surely says that a value fits a schema, where that is cheap to see; false means that the validator must look. Most
// calls are settled here, so that a tool's validator is often never compiled.
func (s *schema) surely(v any, depth int, left *int) bool {
	if *left--; *left < 0 { // schemas that lead back to themselves by two ways are never done
		return false
	}
	if s.never || depth > 32 || s.not != nil || s.ifs != nil || s.contains != nil || s.propNames != nil || s.otherProps != nil || s.otherItems != nil || s.unique ||
		len(s.prefix)+len(s.patternProps)+len(s.dependent) > 0 || s.minProps != "" || s.maxProps != "" {
		return false
	}
	for _, part := range s.allOf {
		if !part.surely(v, depth+1, left) {
			return false
		}
	}
	if !s.surelyOneOf(v, depth, left) || !s.surelyType(v) || !s.surelyListed(v) {
		return false
	}
	switch v := v.(type) {
	case string:
		return s.surelyText(v)
	case json.Number:
		return s.surelyNumber(string(v))
	case []any:
		return s.surelyList(v, depth, left)
	case map[string]any:
		return s.surelyObject(v, depth, left)
	}
	return true
}

func (s *schema) surelyOneOf(v any, depth int, left *int) bool {
	if len(s.anyOf)+len(s.oneOf) == 0 {
		return true
	}
	for _, list := range [...][]*schema{s.anyOf, s.oneOf} {
		for _, m := range list {
			if m.surely(v, depth+1, left) {
				return true
			}
		}
	}
	return false
}

func (s *schema) surelyType(v any) bool {
	if s.types == 0 {
		return true
	}
	t := valueType(v)
	return s.types.has(t) || t == tInteger && s.types.has(tNumber)
}

func (s *schema) surelyListed(v any) bool {
	if len(s.enum) == 0 {
		return true
	}
	text, ok := v.(string)
	if !ok {
		return false
	}
	for _, e := range s.enum {
		if len(e) == len(text)+2 && e[0] == '"' && e[1:len(e)-1] == text {
			return true
		}
	}
	return false
}

func (s *schema) surelyText(v string) bool {
	switch s.format {
	case "date-time", "date", "time", "email", "uri", "uuid", "ipv4", "ipv6":
		return false
	}
	if s.pattern != "" {
		return false
	}
	if s.minLen == "" && s.maxLen == "" {
		return true
	}
	return between(float64(utf8.RuneCountInString(v)), s.minLen, s.maxLen)
}

func (s *schema) surelyNumber(text string) bool {
	if s.multipleOf != "" || s.above != "" || s.below != "" {
		return false
	}
	low, high := s.min, s.max
	if s.format == "int32" {
		low, high = numericBounds(s, true)
	}
	if low == "" && high == "" {
		return true
	}
	f := toFloat(text)
	return f < 1<<53 && f > -1<<53 && between(f, low, high)
}

func (s *schema) surelyList(v []any, depth int, left *int) bool {
	if !between(float64(len(v)), s.minItems, s.maxItems) {
		return false
	}
	if s.items == nil {
		return true
	}
	for _, item := range v {
		if !s.items.surely(item, depth+1, left) {
			return false
		}
	}
	return true
}

func (s *schema) surelyObject(v map[string]any, depth int, left *int) bool {
	for _, r := range s.required {
		if _, given := v[r]; !given {
			return false // or given under a name of our own, which the validator knows
		}
	}
	if len(s.props) == 0 && s.addl == nil {
		return !s.closed || len(v) == 0
	}
	for k, x := range v {
		p := s.prop(k)
		if p == nil && len(s.props) == 0 {
			p = s.addl
		}
		if p == nil || p.isReadOnly() || !p.surely(x, depth+1, left) {
			return false
		}
	}
	return true
}

func between(f float64, low, high string) bool {
	return (low == "" || f >= toFloat(low)) && (high == "" || f <= toFloat(high))
}
