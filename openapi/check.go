package openapi

import (
	"fmt"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	failed "github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// checker holds a tool's validators, compiled on the first call that needs them and kept (§10): one for each argument,
// since most arguments of most calls surely fit, and what none of them needs is never compiled.
type checker struct {
	plan *plan

	bodyOnce sync.Once
	body     *validator // nil: it did not compile
}

// argCheck is the validator of one argument.
type argCheck struct {
	once     sync.Once
	compiled *validator // nil: it did not compile; the type alone is checked
}

// arguments checks the arguments of a call against their schemas.
func (c *checker) arguments(values callValues) []string {
	var problems []string
	for _, a := range c.plan.args {
		v, given := values.of(a)
		if !given {
			continue
		}
		left := maxQuick
		if a.file == noFile && a.schema.surely(v, 0, &left) {
			continue
		}
		a.check.once.Do(func() { a.check.compiled = compileSchema(flattenArgs([]*arg{a}, c.plan.body.keepNull)) })
		one := map[string]any{a.name: v}
		if a.check.compiled == nil || a.file == noFile && tooMuchWork(a.schema, v) {
			problems = append(problems, c.typeOnly(a, v)...)
			continue
		}
		problems = append(problems, c.plan.problems(a.check.compiled, one)...)
	}
	sort.Strings(problems)
	return problems
}

// joined checks a body that has rules about its members together.
func (c *checker) joined(values map[string]any) []string {
	c.bodyOnce.Do(func() { c.body = compileSchema(flattenOne(c.plan.body.whole, c.plan.offered())) })
	if c.body == nil || tooMuchWork(c.plan.body.whole, values) {
		return nil
	}
	return c.plan.problems(c.body, values)
}

func (c *checker) typeOnly(a *arg, v any) []string {
	if a.kinds == 0 || a.file != noFile || a.kinds.has(valueType(v)) || a.kinds.has(tNumber) && valueType(v) == tInteger {
		return nil
	}
	return []string{fmt.Sprintf("argument %q: must be %s, got %s", a.name, typeText(a.kinds.names()), c.plan.shown(a.name, v))}
}

// checkValue checks one value at import; "" is good.
func checkValue(p *plan, a *arg, value any) string {
	s := compileSchema(flattenArgs([]*arg{a}, p.body.keepNull))
	if s == nil || tooMuchWork(a.schema, value) {
		return ""
	}
	values := map[string]any{a.name: value}
	if list := p.problems(s, values); len(list) > 0 {
		return list[0]
	}
	return ""
}

func dropNull(names []string) []string {
	var out []string
	for _, n := range names {
		if n != "null" && !contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// valueAt finds the value at a place.
func valueAt(v any, location []string) any {
	for _, token := range location {
		switch x := v.(type) {
		case map[string]any:
			v = x[token]
		case []any:
			if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(x) {
				v = x[i]
			}
		}
	}
	return v
}

// valuePath writes the place of a value as items[2].sku.
func valuePath(location []string) string {
	var b strings.Builder
	for i, token := range location {
		if _, err := strconv.Atoi(token); err == nil && i > 0 {
			b.WriteString("[" + token + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(shorten(token, 80))
	}
	return b.String()
}

func (p *plan) kindText(name string, k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *failed.Required:
		return "is missing " + strings.Join(k.Missing[:min(len(k.Missing), 8)], ", ")
	case *failed.Enum:
		return fmt.Sprintf("must be one of %s, got %s", valueList(k.Want), p.shown(name, k.Got))
	case *failed.Const:
		return fmt.Sprintf("must be %s, got %s", valueText(k.Want), p.shown(name, k.Got))
	case *failed.Minimum:
		return fmt.Sprintf("must be at least %s, got %s", ratText(k.Want), p.secretOr(name, ratText(k.Got)))
	case *failed.Maximum:
		return fmt.Sprintf("must be at most %s, got %s", ratText(k.Want), p.secretOr(name, ratText(k.Got)))
	case *failed.ExclusiveMinimum:
		return fmt.Sprintf("must be more than %s, got %s", ratText(k.Want), p.secretOr(name, ratText(k.Got)))
	case *failed.ExclusiveMaximum:
		return fmt.Sprintf("must be less than %s, got %s", ratText(k.Want), p.secretOr(name, ratText(k.Got)))
	case *failed.MultipleOf:
		return "must be a multiple of " + ratText(k.Want)
	case *failed.MinLength:
		return fmt.Sprintf("must have at least %d characters, got %d", k.Want, k.Got)
	case *failed.MaxLength:
		return fmt.Sprintf("must have at most %d characters, got %d", k.Want, k.Got)
	case *failed.MinItems:
		return fmt.Sprintf("must have at least %d items, got %d", k.Want, k.Got)
	case *failed.MaxItems:
		return fmt.Sprintf("must have at most %d items, got %d", k.Want, k.Got)
	case *failed.UniqueItems:
		return "must not repeat items"
	case *failed.Pattern:
		return fmt.Sprintf("must match %s, got %s", shorten(k.Want, 100), p.shown(name, k.Got))
	case *failed.Format:
		return "must be " + formatText(k.Want)
	case *failed.AdditionalProperties:
		list := append([]string(nil), k.Properties...)
		sort.Strings(list)
		return "does not have " + shorten(strings.Join(list[:min(len(list), 5)], ", "), 120)
	}
	return "does not fit the tool's schema"
}

func formatText(format string) string {
	switch format {
	case "date-time":
		return "a date-time like 2026-01-31T09:00:00Z"
	case "date":
		return "a date like 2026-01-31"
	case "time":
		return "a time like 09:00:00Z"
	case "uuid":
		return "a UUID like 123e4567-e89b-12d3-a456-426614174000"
	case "email":
		return "an email address"
	case "uri":
		return "a URI like https://example.com/x"
	}
	return "an address in the form " + format
}

// typeText says "an integer", "a string or a list".
func typeText(names []string) string {
	var parts []string
	for _, n := range names {
		switch n {
		case "integer", "object", "array":
			parts = append(parts, "an "+n)
		case "null":
		default:
			parts = append(parts, "a "+n)
		}
	}
	if len(parts) == 0 {
		return "null"
	}
	return strings.Join(parts, " or ")
}

func valueList(values []any) string {
	var parts []string
	for i, v := range values {
		if i == 10 {
			parts = append(parts, "…")
			break
		}
		if v != nil {
			parts = append(parts, valueText(v))
		}
	}
	return strings.Join(parts, ", ")
}

func valueText(v any) string {
	text := string(appendValue(nil, v))
	if utf8.RuneCountInString(text) > 60 {
		text = shorten(text, 60)
	}
	text, _ = visible(text)
	return text
}

// shown is a value as it may stand in a text: short, and never a secret's.
func (p *plan) shown(name string, v any) string { return p.secretOr(name, valueText(v)) }

func (p *plan) secretOr(name, text string) string {
	if a := p.byName[name]; a != nil && a.secret {
		return "another value"
	}
	return shorten(text, 60)
}

func ratText(r *big.Rat) string {
	if r == nil {
		return "?"
	}
	if r.IsInt() {
		return shorten(r.Num().String(), 60)
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}
