package strictyaml

import yaml "go.yaml.in/yaml/v4"

// pair is one entry of a mapping.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs returns the entries of a mapping, those it merges (<<) after its own and only where it has none of that name.
// A repeated key is a fault at its second place: last-wins would hide an edit (C4).
func (d *decoder) pairs(n *yaml.Node, path string) []pair {
	lines := make(map[string]int, len(n.Content)/2)
	var out []pair
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			d.fault(n.Content[i], path, "a key must be text")
			continue
		}
		if key.Tag == "!!merge" && plain(key) {
			merged = append(merged, value)
			continue
		}
		if line, repeated := lines[key.Value]; repeated {
			d.fault(key, Join(path, key.Value), "key %q is repeated; first in line %d", clip(key.Value), line)
			continue
		}
		lines[key.Value] = key.Line
		out = append(out, pair{key.Value, key, value})
	}
	for _, m := range merged {
		out = d.merge(m, path, out, lines)
	}
	return out
}

func (d *decoder) merge(n *yaml.Node, path string, out []pair, lines map[string]int) []pair {
	n = resolve(n)
	switch n.Kind {
	case yaml.SequenceNode:
		for _, one := range n.Content {
			if resolve(one).Kind != yaml.MappingNode {
				d.fault(one, path, "<< takes a mapping or a list of mappings")
				continue
			}
			out = d.merge(one, path, out, lines)
		}
	case yaml.MappingNode:
		for _, p := range d.pairs(n, path) {
			if _, own := lines[p.name]; !own {
				lines[p.name] = p.key.Line
				out = append(out, p)
			}
		}
	default:
		d.fault(n, path, "<< takes a mapping or a list of mappings")
	}
	return out
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// emptyNode reports whether a value says nothing: null, "", [], {}.
func emptyNode(n *yaml.Node) bool {
	switch n.Kind {
	case yaml.ScalarNode:
		return isNull(n) || n.Value == ""
	default:
		return len(n.Content) == 0
	}
}
