package strictyaml

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

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
