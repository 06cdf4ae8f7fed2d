package strictyaml

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// field is one key of a struct, read from its tags.
type field struct {
	name        string
	index       []int
	typ         reflect.Type
	owner       reflect.Type // the struct that declares it, for its comment
	goName      string
	fallback    string
	hasFallback bool
	enum        []string
	unavailable []string
	required    bool
	size        bool
	zero        bool
	min, max    string
	format      string
	strong      bool
	missing     bool // available:"false"
}

// shape is what the decoder and the schema know of a struct type.
type shape struct {
	fields   []field
	byName   map[string]int
	sequence int // index of the field that takes a list, or -1
}

var (
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[secret.Reference]()
	rawType      = reflect.TypeFor[json.RawMessage]()
)

func takesText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

// shapeOf reads the tags of a struct type. It returns one without fields for structs that have no tags.
func shapeOf(t reflect.Type) *shape {
	s := &shape{byName: map[string]int{}, sequence: -1}
	s.add(t, nil)
	return s
}

func (s *shape) add(t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		at := append(append([]int(nil), index...), i)
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct && !takesText(f.Type) {
			s.add(f.Type, at)
			continue
		}
		if !f.IsExported() || name == "-" || f.Tag.Get("yaml") == "" {
			continue
		}
		fallback, has := f.Tag.Lookup("default")
		read := field{
			name: name, index: at, typ: f.Type, owner: t, goName: f.Name, fallback: fallback, hasFallback: has,
			enum: list(f.Tag.Get("enum")), unavailable: list(f.Tag.Get("unavailable")),
			required: f.Tag.Get("required") == "true", size: f.Tag.Get("unit") == "size", zero: f.Tag.Get("zero") == "off",
			min: f.Tag.Get("min"), max: f.Tag.Get("max"), format: f.Tag.Get("format"),
			strong: f.Tag.Get("secret") == "strong", missing: f.Tag.Get("available") == "false",
		}
		if inner, taken := s.byName[name]; taken && name != "" { // as in Go, the outer field hides the embedded one
			s.fields[inner] = read
			continue
		}
		if options == "sequence" {
			s.sequence = len(s.fields)
		}
		s.byName[name] = len(s.fields)
		s.fields = append(s.fields, read)
	}
}

// names are the keys that a fault may offer: those that are built.
func (s *shape) names() []string {
	out := make([]string, 0, len(s.fields))
	for _, f := range s.fields {
		if !f.missing && f.name != "" {
			out = append(out, f.name)
		}
	}
	return out
}

func list(tag string) []string {
	if tag == "" {
		return nil
	}
	parts := strings.Split(tag, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
