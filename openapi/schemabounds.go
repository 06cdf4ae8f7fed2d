package openapi

import (
	"math"
	"strconv"
	"strings"
)

// fillBound reads a keyword that bounds numbers, lengths or counts. Bounds keep their digits (P13, P14).
func (r *schemaReader) fillBound(s *schema, n *node, key string, v *node) bool {
	switch key {
	case "minimum":
		if on, _ := n.get("exclusiveMinimum").truth(); !on {
			s.min = tighter(s.min, r.number(v, key), false)
		}
	case "maximum":
		if on, _ := n.get("exclusiveMaximum").truth(); !on {
			s.max = tighter(s.max, r.number(v, key), true)
		}
	case "exclusiveMinimum":
		s.above = r.exclusive(n, v, "minimum")
	case "exclusiveMaximum":
		s.below = r.exclusive(n, v, "maximum")
	case "multipleOf":
		if s.multipleOf = r.number(v, key); s.multipleOf != "" && toFloat(s.multipleOf) <= 0 {
			s.multipleOf = ""
		}
	case "minLength":
		s.minLen = r.count(v, key)
	case "maxLength":
		s.maxLen = r.count(v, key)
	case "minItems":
		s.minItems = r.count(v, key)
	case "maxItems":
		s.maxItems = r.count(v, key)
	case "minProperties":
		s.minProps = r.count(v, key)
	case "maxProperties":
		s.maxProps = r.count(v, key)
	case "minContains":
		s.minContains = r.count(v, key)
	case "maxContains":
		s.maxContains = r.count(v, key)
	default:
		return false
	}
	return true
}

// exclusive reads the boolean form of 3.0, which takes the plain bound's place, and the numeric one of 3.1 (P14).
func (r *schemaReader) exclusive(n, v *node, plain string) string {
	if v.kind == numberKind || isNumber(strings.TrimSpace(v.str())) {
		return r.number(v, "exclusive "+plain)
	}
	on, _ := v.truth()
	if !on {
		return ""
	}
	if r.siblings {
		r.repaired(v, "the exclusive form of %s is a number since 3.1", plain)
	}
	return r.number(n.get(plain), plain)
}

// number reads a number, also one written as a text (P13).
func (r *schemaReader) number(v *node, key string) string {
	if v.isNull() {
		return ""
	}
	text := strings.TrimSpace(v.str())
	if !isNumber(text) || len(text) > 64 || math.IsInf(toFloat(text), 0) {
		r.repaired(v, "%s is not a number and left out", key)
		return ""
	}
	if v.kind != numberKind {
		r.repaired(v, "%s is a number written as a text", key)
	}
	return text
}

func (r *schemaReader) count(v *node, key string) string {
	text := r.number(v, key)
	if text == "" {
		return ""
	}
	f := toFloat(text)
	if f < 0 || f != math.Trunc(f) || f > math.MaxInt32 {
		return ""
	}
	return strconv.FormatInt(int64(f), 10)
}

func toFloat(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		if math.IsInf(f, 0) {
			return f
		}
		return math.NaN()
	}
	return f
}

// tighter returns the stricter of two bounds.
func tighter(a, b string, upper bool) string {
	if a == "" {
		return b
	}
	if b == "" || toFloat(a) < toFloat(b) == upper {
		return a
	}
	return b
}
