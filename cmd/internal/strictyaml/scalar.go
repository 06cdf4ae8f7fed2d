package strictyaml

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	anyNumber   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// scalar decodes by the type of the field, never by what the text looks like (C7).
func (d *decoder) scalar(n *yaml.Node, path string, v reflect.Value, f field) {
	if n.Kind != yaml.ScalarNode {
		d.fault(n, path, "must be %s", noun(v.Type(), f))
		return
	}
	if v.Kind() == reflect.String {
		d.stringValue(n, path, v, f)
		return
	}
	if v.Type() == durationType || f.size {
		d.quantity(n, path, v, f)
		return
	}
	quoted := !d.fromTag && !plain(n)
	switch v.Kind() {
	case reflect.Bool:
		if quoted || n.Value != "true" && n.Value != "false" {
			d.fault(n, path, "must be true or false")
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int, reflect.Int64, reflect.Int32:
		i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
		if quoted || err != nil || !wholeNumber.MatchString(n.Value) {
			d.fault(n, path, "must be a whole number")
			return
		}
		v.SetInt(i)
		d.bounds(n, path, float64(i), f)
	case reflect.Float64:
		x, err := strconv.ParseFloat(n.Value, 64)
		if quoted || err != nil || !anyNumber.MatchString(n.Value) {
			d.fault(n, path, "must be a number")
			return
		}
		v.SetFloat(x)
		d.bounds(n, path, x, f)
	default:
		panic("strictyaml: no way to decode a " + v.Type().String())
	}
}

func noun(t reflect.Type, f field) string {
	switch {
	case t == durationType:
		return "a duration such as 30s or 5m"
	case f.size:
		return "a size such as 64KiB"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// expanded returns the text of a scalar with its variables replaced.
func (d *decoder) expanded(n *yaml.Node, path string) (string, bool) {
	if d.fromTag || d.o.Raw {
		return n.Value, true
	}
	s, err := expand(n.Value, d.o.Env)
	if err != nil {
		d.fault(n, path, "%s", err)
		return "", false
	}
	return s, true
}

func (d *decoder) stringValue(n *yaml.Node, path string, v reflect.Value, f field) {
	s, ok := d.expanded(n, path)
	if !ok {
		return
	}
	switch {
	case f.enum != nil && !(s == "" && slices.Contains(f.enum, "")) && !slices.Contains(f.enum, s):
		d.notInSet(n, path, s, f)
		return
	case slices.Contains(f.unavailable, s):
		d.fault(n, path, "%q is not available in this version", s)
		return
	case f.format != "" && s != "":
		if err := checkFormat(f.format, s); err != nil {
			d.fault(n, path, "%s", err)
			return
		}
	}
	v.SetString(s)
	if s != "" {
		d.length(n, path, utf8.RuneCountInString(s), f, "characters")
	}
}

// notInSet tells the set, and the nearest member; never the text itself, which may have strayed there.
func (d *decoder) notInSet(n *yaml.Node, path, s string, f field) {
	var offered []string
	for _, e := range f.enum {
		if e != "" && !slices.Contains(f.unavailable, e) {
			offered = append(offered, e)
		}
	}
	message := "must be one of " + strings.Join(offered, ", ")
	if len(offered) == 1 {
		message = "must be " + offered[0]
	}
	if near := Suggest(s, offered); near != "" {
		message += fmt.Sprintf("; did you mean %q?", near)
	}
	d.fault(n, path, "%s", message)
}

func (d *decoder) bounds(n *yaml.Node, path string, x float64, f field) {
	if low, err := strconv.ParseFloat(f.min, 64); err == nil && x < low {
		d.fault(n, path, "must be at least %s", f.min)
	}
	if high, err := strconv.ParseFloat(f.max, 64); err == nil && x > high {
		d.fault(n, path, "must be at most %s", f.max)
	}
}
