package strictyaml

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

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
