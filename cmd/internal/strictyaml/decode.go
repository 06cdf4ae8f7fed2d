package strictyaml

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// Options say where the decoder gets what does not stand in the file. Only cmd/drawbridge hands the environment in (C10).
type Options struct {
	File string // name that faults carry, as the user typed it
	Dir  string // folder that file: references are relative to; "" means the working directory
	// Env looks a variable up; nil: none is set.
	Env func(string) (string, bool)
	// ReadFile reads what a file: reference names; nil reads regular files of at most 64 KiB.
	ReadFile func(path string) ([]byte, error)
	// UnsetSecrets lets references name variables that are not set and files that are not there (operations.md Y1); their
	// values are then zero.
	UnsetSecrets bool
	// Raw leaves ${…} as it stands: for tools that look at a file as an editor does.
	Raw bool
}

// Decode reads one YAML document into the struct that into points to. It returns the positions of everything that the
// file holds, and every fault in file order; after faults into holds what could be read, for further checks only.
func Decode(data []byte, into any, o Options) (*Positions, []Fault) {
	d := newDecoder(o)
	root, fault := parse(data)
	if fault != nil {
		fault.File = o.File
		d.pos.faulty[""] = true
		return d.pos, []Fault{*fault}
	}
	d.value(root, "", reflect.ValueOf(into).Elem(), field{required: false})
	return d.pos, Sort(d.faults)
}

// Defaults fills the struct that into points to as an empty file would: for a configuration that a program makes.
func Defaults(into any) {
	d := newDecoder(Options{})
	v := reflect.ValueOf(into).Elem()
	d.defaults(v, "")
}

type decoder struct {
	o      Options
	pos    *Positions
	faults []Fault
	shapes map[reflect.Type]*shape
	// fromTag is set while a default is decoded: its text is ours, so nothing expands and no position is kept.
	fromTag bool
}

func newDecoder(o Options) *decoder {
	if o.Env == nil {
		o.Env = func(string) (string, bool) { return "", false }
	}
	if o.ReadFile == nil {
		o.ReadFile = readFile
	}
	return &decoder{o: o, pos: NewPositions(o.File), shapes: map[reflect.Type]*shape{}}
}

func (d *decoder) shape(t reflect.Type) *shape {
	s, ok := d.shapes[t]
	if !ok {
		s = shapeOf(t)
		d.shapes[t] = s
	}
	return s
}

func (d *decoder) fault(n *yaml.Node, path, format string, args ...any) {
	d.pos.faulty[path] = true
	d.faults = append(d.faults, Fault{d.o.File, n.Line, n.Column, path, fmt.Sprintf(format, args...)})
}

// value decodes n into v. f carries the tags of the field that v is or belongs to.
func (d *decoder) value(n *yaml.Node, path string, v reflect.Value, f field) {
	if !d.fromTag {
		if _, ok := d.pos.values[path]; !ok {
			d.pos.values[path] = Position{n.Line, n.Column}
			d.noteText(n, path)
		}
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		if isNull(n) {
			return
		}
		v.Set(reflect.New(t.Elem()))
		d.value(n, path, v.Elem(), f)
	case t == rawType:
		d.raw(n, path, v)
	case t.Kind() == reflect.Interface:
		if free := d.free(n, path); free != nil {
			v.Set(reflect.ValueOf(free))
		}
	case t == secretType:
		d.secret(n, path, v, f)
	case t.Kind() == reflect.Struct:
		d.structure(n, path, v, f)
	case takesText(t):
		d.text(n, path, v, f)
	case t.Kind() == reflect.Slice:
		d.list(n, path, v, f)
	case t.Kind() == reflect.Map:
		d.dictionary(n, path, v, f)
	default:
		d.scalar(n, path, v, f)
	}
}

// noteText remembers where the text of a one-line scalar begins, so that a fault can point inside it.
func (d *decoder) noteText(n *yaml.Node, path string) {
	if n.Kind != yaml.ScalarNode || strings.ContainsAny(n.Value, "\n") || strings.Contains(n.Value, "${") {
		return
	}
	switch {
	case plain(n):
		d.pos.texts[path] = text{n.Value, 0}
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		d.pos.texts[path] = text{n.Value, 1}
	}
}

// structure decodes a mapping, or the scalar or list that may stand for it.
func (d *decoder) structure(n *yaml.Node, path string, v reflect.Value, f field) {
	s := d.shape(v.Type())
	switch {
	case n.Kind == yaml.ScalarNode && takesText(v.Type()):
		d.defaults(v, path)
		d.text(n, path, v, f)
	case n.Kind != yaml.ScalarNode && takesText(v.Type()) && len(s.fields) == 0:
		d.jsonText(n, path, v)
	case n.Kind == yaml.SequenceNode && s.sequence >= 0:
		d.defaults(v, path)
		inner := s.fields[s.sequence]
		d.value(n, path, v.FieldByIndex(inner.index), inner)
	case n.Kind == yaml.MappingNode:
		d.mapping(n, path, v, s)
	case isNull(n):
		d.defaults(v, path)
	case takesText(v.Type()):
		d.fault(n, path, "must be text or a mapping")
	default:
		d.fault(n, path, "must be a mapping")
	}
}

func (d *decoder) mapping(n *yaml.Node, path string, v reflect.Value, s *shape) {
	given := map[int]bool{}
	for _, p := range d.pairs(n, path) {
		i, known := s.byName[p.name]
		at := Join(path, p.name)
		if !known || p.name == "" {
			d.unknown(p, at, s)
			continue
		}
		f := s.fields[i]
		d.key(at, p.key)
		if f.missing {
			d.notBuilt(p, at, f)
			continue
		}
		if isNull(resolve(p.value)) && !takesNull(f.typ) {
			continue // as if absent
		}
		given[i] = true
		d.value(p.value, at, v.FieldByIndex(f.index), f)
		if f.required && !d.pos.faulty[at] && emptyNode(resolve(p.value)) {
			d.fault(p.value, at, "must not be empty")
		}
	}
	for i, f := range s.fields {
		if given[i] || f.missing || f.name == "" {
			continue
		}
		if at := Join(path, f.name); f.required {
			d.fault(n, at, "is required")
		}
		d.fallback(v.FieldByIndex(f.index), path, f)
	}
}

// takesNull reports whether null is a value of the field and not the absence of one.
func takesNull(t reflect.Type) bool { return t.Kind() == reflect.Interface || t == rawType }

func (d *decoder) unknown(p pair, at string, s *shape) {
	d.key(at, p.key)
	if near := Suggest(p.name, s.names()); near != "" {
		d.fault(p.key, at, "unknown key %q; did you mean %q?", clip(p.name), near)
		return
	}
	d.fault(p.key, at, "unknown key %q", clip(p.name))
}

// notBuilt refuses what the contract has and this version does not. A value that does nothing there passes.
func (d *decoder) notBuilt(p pair, at string, f field) {
	n := resolve(p.value)
	if emptyNode(n) || n.Kind == yaml.ScalarNode && f.hasFallback && n.Value == f.fallback {
		return
	}
	d.fault(p.key, at, "not available in this version")
}

func (d *decoder) key(path string, n *yaml.Node) {
	if !d.fromTag {
		d.pos.keys[path] = Position{n.Line, n.Column}
	}
}

// defaults fills a struct whose key is absent. What is required inside it is not, since the whole is absent.
func (d *decoder) defaults(v reflect.Value, path string) {
	for _, f := range d.shape(v.Type()).fields {
		if !f.missing {
			d.fallback(v.FieldByIndex(f.index), path, f)
		}
	}
}

func (d *decoder) fallback(v reflect.Value, path string, f field) {
	switch {
	case f.hasFallback && f.fallback != "":
		d.tagged(v, Join(path, f.name), f)
	case v.Kind() == reflect.Struct && v.Type() != secretType:
		d.defaults(v, Join(path, f.name))
	}
}

// tagged decodes the text of a default tag. A default that does not fit its field is a mistake of ours.
func (d *decoder) tagged(v reflect.Value, path string, f field) {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.fallback}
	if f.fallback[0] == '[' || f.fallback[0] == '{' {
		var fault *Fault
		if n, fault = parse([]byte(f.fallback)); fault != nil {
			panic("strictyaml: default of " + f.name + ": " + fault.Message)
		}
	}
	before, was := len(d.faults), d.fromTag
	d.fromTag = true
	d.value(n, path, v, f)
	d.fromTag = was
	if len(d.faults) > before {
		panic("strictyaml: default of " + f.name + ": " + d.faults[before].Message)
	}
}

func (d *decoder) list(n *yaml.Node, path string, v reflect.Value, f field) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fault(n, path, "must be a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	inner := f
	inner.min, inner.max, inner.required = "", "", false
	for i, child := range n.Content {
		at := Index(path, i)
		if isNull(resolve(child)) && v.Type().Elem().Kind() != reflect.Interface {
			d.fault(child, at, "must not be empty")
			continue
		}
		d.value(child, at, out.Index(i), inner)
	}
	v.Set(out)
	d.length(n, path, len(n.Content), f, "entries")
}

func (d *decoder) dictionary(n *yaml.Node, path string, v reflect.Value, f field) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fault(n, path, "must be a mapping")
		return
	}
	out := reflect.MakeMap(v.Type())
	inner := f
	inner.min, inner.max, inner.required = "", "", false
	for _, p := range d.pairs(n, path) {
		at := Join(path, p.name)
		d.key(at, p.key)
		elem := reflect.New(v.Type().Elem()).Elem()
		if isNull(resolve(p.value)) && elem.Kind() == reflect.Struct {
			d.defaults(elem, at)
		} else {
			d.value(p.value, at, elem, inner)
		}
		out.SetMapIndex(reflect.ValueOf(p.name).Convert(v.Type().Key()), elem)
	}
	v.Set(out)
	d.length(n, path, len(n.Content)/2, f, "entries")
}

func (d *decoder) length(n *yaml.Node, path string, got int, f field, what string) {
	if low, err := strconv.Atoi(f.min); err == nil && got < low {
		d.fault(n, path, "must have at least %d %s", low, what)
	}
	if high, err := strconv.Atoi(f.max); err == nil && got > high {
		d.fault(n, path, "must have at most %d %s", high, what)
	}
}
