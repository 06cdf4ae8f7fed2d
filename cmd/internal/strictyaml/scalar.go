package strictyaml

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	anyNumber   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	sizeText    = regexp.MustCompile(`^([0-9]+)(KiB|MiB|GiB)?$`)
	dayText     = regexp.MustCompile(`^([0-9]+)d`)
	durations   = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ms|h|m|s))*$`)
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

func (d *decoder) quantity(n *yaml.Node, path string, v reflect.Value, f field) {
	s, ok := d.expanded(n, path)
	if !ok {
		return
	}
	parse := ParseSize
	if v.Type() == durationType {
		parse = func(s string) (int64, error) {
			t, err := ParseDuration(s)
			if err == nil && t == 0 && !f.zero {
				err = errDuration
			}
			return int64(t), err
		}
	}
	i, err := parse(s)
	if err != nil {
		d.fault(n, path, "%s", err)
		return
	}
	v.SetInt(i)
	if low, err := parse(f.min); f.min != "" && err == nil && i < low && i != 0 {
		d.fault(n, path, "must be at least %s", f.min)
	}
	if high, err := parse(f.max); f.max != "" && err == nil && i > high {
		d.fault(n, path, "must be at most %s", f.max)
	}
}

func (d *decoder) bounds(n *yaml.Node, path string, x float64, f field) {
	if low, err := strconv.ParseFloat(f.min, 64); err == nil && x < low {
		d.fault(n, path, "must be at least %s", f.min)
	}
	if high, err := strconv.ParseFloat(f.max, 64); err == nil && x > high {
		d.fault(n, path, "must be at most %s", f.max)
	}
}

// text hands a scalar to a type that reads text itself.
func (d *decoder) text(n *yaml.Node, path string, v reflect.Value, f field) {
	if n.Kind != yaml.ScalarNode {
		d.fault(n, path, "must be text")
		return
	}
	s, ok := d.expanded(n, path)
	if !ok {
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
		d.fault(n, path, "%s", err)
		return
	}
	if v.Kind() == reflect.Struct {
		d.inner(n, path, v, f)
	}
}

// inner resolves the references that a type put into its fields when it read a text.
func (d *decoder) inner(n *yaml.Node, path string, v reflect.Value, f field) {
	for i := range v.NumField() {
		if v.Type().Field(i).Type != secretType || !v.Field(i).CanSet() {
			continue
		}
		ref := v.Field(i).Interface().(secret.Reference)
		if ref.Source == "" {
			continue
		}
		resolved, err := d.reference(ref.Source, f.strong || v.Type().Field(i).Tag.Get("secret") == "strong")
		if err != nil {
			resolved = secret.Reference{}
			d.fault(n, path, "%s", err)
		}
		v.Field(i).Set(reflect.ValueOf(resolved))
	}
}

// jsonText hands a list or mapping as JSON to a type that has no fields of its own and reads any value.
func (d *decoder) jsonText(n *yaml.Node, path string, v reflect.Value) {
	data, err := json.Marshal(d.free(n, path))
	if err == nil {
		err = v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(data)
	}
	if err != nil {
		d.fault(n, path, "%s", err)
	}
}

// secret resolves a reference. A text that is no reference is not even expanded: its ${…} may be part of a password.
func (d *decoder) secret(n *yaml.Node, path string, v reflect.Value, f field) {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.fault(n, path, "%s", errLiteral)
		return
	case n.Value == "":
		return
	case !strings.HasPrefix(n.Value, "env:") && !strings.HasPrefix(n.Value, "file:") && !strings.HasPrefix(n.Value, "${"):
		d.fault(n, path, "%s", errLiteral)
		return
	}
	s, ok := d.expanded(n, path)
	if !ok {
		return
	}
	ref, err := d.reference(s, f.strong)
	if err != nil {
		d.fault(n, path, "%s", err)
		return
	}
	v.Set(reflect.ValueOf(ref))
}

// free decodes what JSON can say: nil, bool, int64, float64, string, []any, map[string]any.
func (d *decoder) free(n *yaml.Node, path string) any {
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for _, p := range d.pairs(n, path) {
			d.key(Join(path, p.name), p.key)
			out[p.name] = d.free(p.value, Join(path, p.name))
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, child := range n.Content {
			out[i] = d.free(child, Index(path, i))
		}
		return out
	}
	if plain(n) {
		if v, ok := core(n); ok {
			return v
		}
	}
	s, _ := d.expanded(n, path)
	return s
}

// core types a plain scalar as JSON would; everything else is text.
func core(n *yaml.Node) (any, bool) {
	switch {
	case isNull(n):
		return nil, true
	case n.Value == "true" || n.Value == "false":
		return n.Value == "true", true
	case wholeNumber.MatchString(n.Value):
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i, true
		}
	case !anyNumber.MatchString(n.Value) || strings.ContainsAny(n.Value, "eE"):
		return nil, false
	}
	x, err := strconv.ParseFloat(n.Value, 64)
	return x, err == nil && !math.IsInf(x, 0)
}

func (d *decoder) raw(n *yaml.Node, path string, v reflect.Value) {
	data, err := json.Marshal(d.free(n, path))
	if err != nil {
		d.fault(n, path, "must be what JSON can say")
		return
	}
	v.SetBytes(data)
}

var (
	errDuration = errors.New("must be a duration such as 30s or 5m")
	errSize     = errors.New("must be a size such as 64KiB")
)

// ParseDuration reads 300ms, 30s, 5m, 24h, 1h30m, 7d; a day is 24 hours.
func ParseDuration(s string) (time.Duration, error) {
	rest, days := s, time.Duration(0)
	if m := dayText.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > 100_000 {
			return 0, errDuration
		}
		days, rest = time.Duration(n)*24*time.Hour, s[len(m[0]):]
	}
	if rest == "" && s != "" {
		return days, nil
	}
	if s == "0" {
		return 0, nil
	}
	if rest == "" || !durations.MatchString(rest) {
		return 0, errDuration
	}
	t, err := time.ParseDuration(rest)
	if err != nil || t > math.MaxInt64-days {
		return 0, errDuration
	}
	return days + t, nil
}

// ParseSize reads 0, 512, 64KiB, 10MiB, 1GiB into bytes.
func ParseSize(s string) (int64, error) {
	m := sizeText.FindStringSubmatch(s)
	if m == nil {
		return 0, errSize
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]uint{"": 0, "KiB": 10, "MiB": 20, "GiB": 30}[m[2]]
	if err != nil || n > math.MaxInt64>>shift {
		return 0, errSize
	}
	return n << shift, nil
}
