package strictyaml

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Comments gives the text above a type (field "") or a field, as it stands in the source.
type Comments func(t reflect.Type, field string) string

// Schema returns the JSON Schema (draft 2020-12) of what Decode accepts into the struct that v points to, made from the
// same tags (operations.md S1). What tags cannot say, such as references between objects, is left to validation.
func Schema(v any, id string, comments Comments) ([]byte, error) {
	s := &schemer{comments: comments, shapes: newDecoder(Options{}), defs: jsonschema.Definitions{}}
	root := s.object(reflect.TypeOf(v).Elem())
	root.Version, root.ID, root.Definitions = jsonschema.Version, jsonschema.ID(id), s.defs
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(out, '\n'), nil
}

type schemer struct {
	comments Comments
	shapes   *decoder
	defs     jsonschema.Definitions
}

// object describes a struct as a mapping.
func (s *schemer) object(t reflect.Type) *jsonschema.Schema {
	o := &jsonschema.Schema{
		Type: "object", Description: oneParagraph(s.comments(t, "")), Properties: jsonschema.NewProperties(),
		AdditionalProperties: jsonschema.FalseSchema,
	}
	for _, f := range s.shapes.shape(t).fields {
		if f.name == "" {
			continue
		}
		o.Properties.Set(f.name, s.property(f))
		if f.required {
			o.Required = append(o.Required, f.name)
		}
	}
	return o
}

func (s *schemer) property(f field) *jsonschema.Schema {
	text := oneParagraph(s.comments(f.owner, f.goName))
	if f.missing {
		return &jsonschema.Schema{Description: strings.TrimSpace("Not available in this version. " + text)}
	}
	p := s.value(f.typ, f)
	p.Description = text
	if f.hasFallback && f.fallback != "" {
		p.Default = s.fallback(f)
	}
	return p
}

// fallback is a default as JSON types it.
func (s *schemer) fallback(f field) any {
	n, fault := parse([]byte(f.fallback))
	if fault != nil || f.typ.Kind() == reflect.String {
		return f.fallback
	}
	return s.shapes.free(n, "")
}

func (s *schemer) value(t reflect.Type, f field) *jsonschema.Schema {
	switch {
	case t.Kind() == reflect.Pointer:
		return s.value(t.Elem(), f)
	case t == rawType || t.Kind() == reflect.Interface:
		return &jsonschema.Schema{}
	case t == secretType:
		return &jsonschema.Schema{Type: "string", Pattern: `^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|\$\{.+)?$`}
	case t.Kind() == reflect.Struct:
		return s.structure(t)
	case takesText(t):
		return s.scalarText(f)
	case t.Kind() == reflect.Slice:
		return s.array(t, f)
	case t.Kind() == reflect.Map:
		inner := f
		inner.min, inner.max = "", ""
		return &jsonschema.Schema{Type: "object", AdditionalProperties: s.value(t.Elem(), inner)}
	}
	return s.scalar(t, f)
}

func (s *schemer) array(t reflect.Type, f field) *jsonschema.Schema {
	inner := f
	inner.min, inner.max, inner.required = "", "", false
	a := &jsonschema.Schema{Type: "array", Items: s.value(t.Elem(), inner), MinItems: number(f.min), MaxItems: number(f.max)}
	if f.required && a.MinItems == nil {
		a.MinItems = number("1")
	}
	return a
}

// structure refers to the definition of a struct, beside the shorter forms that may stand for it.
func (s *schemer) structure(t reflect.Type) *jsonschema.Schema {
	shape := s.shapes.shape(t)
	if takesText(t) && len(shape.fields) == 0 {
		return &jsonschema.Schema{} // the type reads what it likes
	}
	var forms []*jsonschema.Schema
	if takesText(t) {
		forms = append(forms, s.scalarText(field{}))
	}
	if shape.sequence >= 0 {
		inner := shape.fields[shape.sequence]
		forms = append(forms, s.array(inner.typ, inner))
	}
	if len(shape.names()) > 0 || len(forms) == 0 {
		forms = append(forms, s.reference(t))
	}
	if len(forms) == 1 {
		return forms[0]
	}
	return &jsonschema.Schema{AnyOf: forms}
}

func (s *schemer) reference(t reflect.Type) *jsonschema.Schema {
	name := path.Base(t.PkgPath()) + "." + t.Name()
	if _, known := s.defs[name]; !known {
		s.defs[name] = &jsonschema.Schema{} // before its fields, for types that hold themselves
		s.defs[name] = s.object(t)
	}
	return &jsonschema.Schema{Ref: "#/$defs/" + name}
}

// scalarText is any scalar: the type reads its text.
func (s *schemer) scalarText(f field) *jsonschema.Schema {
	if f.enum != nil {
		return &jsonschema.Schema{Enum: members(f)}
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}}
}

// members are the texts of an enum that are built; true, false and numbers also as YAML types them without quotes.
func members(f field) []any {
	var out []any
	for _, e := range f.enum {
		if slices.Contains(f.unavailable, e) {
			continue
		}
		out = append(out, e)
		if e == "true" || e == "false" {
			out = append(out, e == "true")
		}
	}
	return out
}

const variable = `\$\{.+`

func (s *schemer) scalar(t reflect.Type, f field) *jsonschema.Schema {
	switch {
	case f.size:
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "integer", Minimum: "0"}, {Type: "string", Pattern: `^[0-9]+(KiB|MiB|GiB)?$|` + variable},
		}}
	case t == durationType:
		d := &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$|` + variable}
		if f.zero {
			d.Pattern = `^0$|` + d.Pattern
			return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{d, {Type: "integer", Enum: []any{0}}}}
		}
		return d
	}
	switch t.Kind() {
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Float64:
		return &jsonschema.Schema{Type: "number", Minimum: json.Number(f.min), Maximum: json.Number(f.max)}
	case reflect.String:
		return s.text(f)
	}
	return &jsonschema.Schema{Type: "integer", Minimum: json.Number(f.min), Maximum: json.Number(f.max)}
}

func (s *schemer) text(f field) *jsonschema.Schema {
	if f.enum != nil {
		all := members(f)
		if len(all) == len(f.enum)-len(f.unavailable) {
			return &jsonschema.Schema{Type: "string", Enum: all}
		}
		return &jsonschema.Schema{Enum: all}
	}
	text := &jsonschema.Schema{Type: "string", MinLength: number(f.min), MaxLength: number(f.max)}
	if f.required && text.MinLength == nil {
		text.MinLength = number("1")
	}
	if p := pattern(f.format); p != "" {
		text.Pattern = p + "|" + variable
		if !f.required {
			text.Pattern = "^$|" + text.Pattern
		}
	}
	return text
}

// pattern is as much of a format as a regular expression says well; validation says the rest.
func pattern(format string) string {
	switch format {
	case "name":
		return nameForm.String()
	case "model":
		return modelForm.String()
	case "url", "origin":
		return `^https?://[^\s#]+$`
	case "hostport":
		return `^[^\s/@]*:[0-9]{1,5}$`
	case "listen":
		return `^[^\s/@]*:[0-9]{1,5}$|^unix:/`
	case "status":
		return `^[1-5][0-9]{2}(-[1-5][0-9]{2})?$`
	case "guid":
		return guidForm.String()
	case "word":
		return wordForm.String()
	case "file":
		return `^file:.+`
	}
	return ""
}

func number(s string) *uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

func oneParagraph(s string) string { return strings.Join(strings.Fields(s), " ") }
