package strictyaml

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Manual writes the reference of the struct that v points to as Markdown: one table per top-level key (operations.md S4).
// Types in shared are described once, under their title, wherever they occur.
func Manual(v any, intro, since string, shared map[reflect.Type]string, comments Comments) []byte {
	m := &manual{since: since, shared: shared, comments: comments, shapes: newDecoder(Options{})}
	m.b.WriteString(intro)
	root := m.shapes.shape(reflect.TypeOf(v).Elem())
	m.section("Top level", "Keys that stand alone.")
	for _, f := range root.fields {
		switch {
		case f.missing:
			m.absent = append(m.absent, f.name)
		case m.inner(f.typ) == nil:
			m.row(f.name, f)
		}
	}
	for _, f := range root.fields {
		if t := m.inner(f.typ); !f.missing && t != nil {
			m.section("`"+f.name+"`", comments(f.owner, f.goName))
			m.keys(t, key(f, ""))
		}
	}
	for _, t := range m.sharedTypes() {
		m.section(shared[t], comments(t, ""))
		m.keys(t, "")
	}
	m.missing()
	return []byte(m.b.String())
}

type manual struct {
	b        strings.Builder
	since    string
	shared   map[reflect.Type]string
	comments Comments
	shapes   *decoder
	absent   []string
}

func (m *manual) sharedTypes() []reflect.Type {
	var out []reflect.Type
	for t := range m.shared {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b reflect.Type) int { return strings.Compare(m.shared[a], m.shared[b]) })
	return out
}

func (m *manual) section(title, text string) {
	fmt.Fprintf(&m.b, "\n## %s\n\n%s\n\n| key | type | default | meaning | since |\n|---|---|---|---|---|\n", title, oneParagraph(text))
}

// inner returns the struct whose keys a table goes on with, or nil.
func (m *manual) inner(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t != rawType || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == secretType || m.shared[t] != "" || len(m.shapes.shape(t).names()) == 0 {
		return nil
	}
	return t
}

// key is the path of a field in a table: lists get [], maps .NAME.
func key(f field, prefix string) string {
	name := prefix + f.name
	t := f.typ
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice && t != rawType:
		return name + "[]."
	case t.Kind() == reflect.Map:
		return name + ".NAME."
	}
	return name + "."
}

func (m *manual) keys(t reflect.Type, prefix string) {
	for _, f := range m.shapes.shape(t).fields {
		if f.name == "" {
			continue
		}
		if f.missing {
			m.absent = append(m.absent, prefix+f.name)
			continue
		}
		m.row(prefix+f.name, f)
		if inner := m.inner(f.typ); inner != nil {
			m.keys(inner, key(f, prefix))
		}
	}
}

func (m *manual) row(path string, f field) {
	fallback := ""
	if f.hasFallback && f.fallback != "" {
		fallback = "`" + f.fallback + "`"
	}
	if f.required {
		fallback = "required"
	}
	meaning := oneParagraph(m.comments(f.owner, f.goName))
	fmt.Fprintf(&m.b, "| `%s` | %s | %s | %s | %s |\n", path, cell(m.kind(f.typ, f)), cell(fallback), cell(meaning), m.since)
}

// kind names a type for people.
func (m *manual) kind(t reflect.Type, f field) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return m.kind(t.Elem(), f)
	case t == secretType:
		return "`env:NAME` or `file:PATH`"
	case t == rawType || t.Kind() == reflect.Interface:
		return "any"
	case m.shared[t] != "":
		return m.shared[t]
	case t.Kind() == reflect.Slice:
		return "list of " + m.kind(t.Elem(), f)
	case t.Kind() == reflect.Map:
		return "mapping of " + m.kind(t.Elem(), f)
	case f.enum != nil:
		return m.set(f)
	case t.Kind() == reflect.Struct && takesText(t) && len(m.shapes.shape(t).fields) > 0:
		return "text or mapping"
	case t.Kind() == reflect.Struct && !takesText(t):
		return "mapping"
	case takesText(t):
		return "text"
	case t == durationType:
		return "duration"
	case f.size:
		return "size"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.String:
		return formatNoun(f.format)
	}
	return "whole number"
}

func formatNoun(format string) string {
	switch format {
	case "url":
		return "URL"
	case "origin":
		return "origin"
	case "hostport":
		return "host:port"
	case "listen":
		return "host:port or `unix:/path`"
	case "cidr":
		return "address or CIDR"
	case "file":
		return "`file:PATH`"
	}
	return "text"
}

func (m *manual) set(f field) string {
	var out []string
	for _, e := range f.enum {
		if e != "" && !slices.Contains(f.unavailable, e) {
			out = append(out, "`"+e+"`")
		}
	}
	return strings.Join(out, ", ")
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// missing lists the keys of the contract that this version refuses.
func (m *manual) missing() {
	if len(m.absent) == 0 {
		return
	}
	slices.Sort(m.absent)
	fmt.Fprintf(&m.b, "\n## Not available in this version\n\nThese keys are refused with `not available in this version`:\n\n")
	for _, path := range slices.Compact(m.absent) {
		fmt.Fprintf(&m.b, "- `%s`\n", path)
	}
}
