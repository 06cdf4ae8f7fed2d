package openapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"

	"go.yaml.in/yaml/v4"
)

var errAliases = errors.New("YAML aliases expand to more than 5000000 nodes, or 20 times what is written")

// readTree reads JSON or YAML, told apart by content (R2).
func readTree(data []byte, f *file, warn func(n *node, message string)) (*node, error) {
	data = toUTF8(data)
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
		r := &jsonReader{data: data, file: f, repeated: func(n *node, key string) {
			warn(n, fmt.Sprintf("repaired: key %q is repeated; the last one counts", shorten(key, 60)))
		}}
		n, err := r.document()
		if err == nil || errors.Is(err, errTooDeep) || errors.Is(err, errTooMany) {
			return n, err
		}
		if n, yamlErr := readYAML(data, f, warn); yamlErr == nil {
			return n, nil
		}
		return nil, err
	}
	return readYAML(data, f, warn)
}

// toUTF8 removes a byte order mark and turns UTF-16 into UTF-8.
func toUTF8(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		return data[3:]
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		return fromUTF16(data[2:], 0, 1)
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		return fromUTF16(data[2:], 1, 0)
	}
	return data
}

func fromUTF16(data []byte, low, high int) []byte {
	units := make([]uint16, 0, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		units = append(units, uint16(data[i+low])|uint16(data[i+high])<<8)
	}
	return []byte(string(utf16.Decode(units)))
}

// tooDeep looks for nesting before the YAML reader recurses into it: brackets of flow style, and indentation.
func tooDeep(data []byte) (line int, deep bool) {
	depth, line := 0, 1
	for _, c := range data {
		switch c {
		case '\n':
			line++
		case '[', '{':
			if depth++; depth > 4*maxDepth {
				return line, true
			}
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	return line, false
}

func readYAML(data []byte, f *file, warn func(n *node, message string)) (*node, error) {
	if line, deep := tooDeep(data); deep {
		return nil, fmt.Errorf("%w at line %d", errTooDeep, line)
	}
	data = withoutDirectives(data)
	doc, loader, err := loadYAML(data)
	if err != nil && bytes.IndexByte(data, '\t') >= 0 {
		spaced, again := spacesForTabs(data)
		if d, l, err := loadYAML(spaced); again && err == nil {
			warn(&node{file: f, line: 1, col: 1}, "repaired: tabs indent the document; each is read as four spaces")
			return readDocument(d, l, f, warn)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	return readDocument(doc, loader, f, warn)
}

// loadYAML parses the first document; nil when there is none.
func loadYAML(data []byte) (*yaml.Node, *yaml.Loader, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, nil, err
	}
	var doc yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	return &doc, loader, nil
}

// withoutDirectives empties the lines before the document that start with %: the parser takes %YAML 1.1 only, and what the
// directives could say changes nothing here.
func withoutDirectives(data []byte) []byte {
	for at := 0; at < len(data) && (data[at] == '%' || data[at] == '#' || data[at] == '\n' || data[at] == '\r'); {
		end := bytes.IndexByte(data[at:], '\n')
		if end < 0 {
			return data
		}
		if data[at] == '%' {
			data = append(append(bytes.Clone(data[:at]), '#'), data[at+1:]...)
		}
		at += end + 1
	}
	return data
}

// spacesForTabs replaces tabs at the start of lines, which YAML does not take for indentation (R2).
func spacesForTabs(data []byte) (spaced []byte, changed bool) {
	spaced = make([]byte, 0, len(data)+len(data)/8)
	start := true
	for _, c := range data {
		if start && c == '\t' {
			spaced, changed = append(spaced, "    "...), true
			continue
		}
		start = c == '\n' || start && c == ' '
		spaced = append(spaced, c)
	}
	return spaced, changed
}

func readDocument(doc *yaml.Node, loader *yaml.Loader, f *file, warn func(n *node, message string)) (*node, error) {
	if doc == nil {
		return &node{file: f, line: 1, col: 1}, nil
	}
	c := &yamlConverter{file: f, warn: warn, done: map[*yaml.Node]*node{}, sizes: map[*node]int{}, open: map[*yaml.Node]bool{}, names: map[string]string{}}
	root := doc
	if root.Kind == yaml.DocumentNode && len(root.Content) > 0 {
		root = root.Content[0]
	}
	n, size, err := c.convert(root, 0)
	if err != nil {
		return nil, err
	}
	if size > maxNodes || size > 20*c.written && size > 10_000 {
		return nil, errAliases
	}
	var next yaml.Node
	if loader.Load(&next) == nil {
		warn(n, "lint: the file holds several documents; the first one is read")
	}
	return n, nil
}

// yamlConverter makes nodes of YAML nodes. Aliases share the node of their anchor, so that "billion laughs" cost nothing
// here; sizes are counted as if they were expanded.
type yamlConverter struct {
	file    *file
	warn    func(n *node, message string)
	done    map[*yaml.Node]*node // anchored nodes only
	sizes   map[*node]int        // expanded sizes of those
	open    map[*yaml.Node]bool
	names   map[string]string
	slab    []node
	written int
}

func (c *yamlConverter) node(y *yaml.Node, k kind) *node {
	if len(c.slab) == 0 {
		c.slab = make([]node, 512)
	}
	n := &c.slab[0]
	c.slab = c.slab[1:]
	c.written++
	n.kind, n.line, n.col, n.file = k, int32(y.Line), int32(y.Column), c.file
	return n
}

func (c *yamlConverter) convert(y *yaml.Node, depth int) (n *node, size int, err error) {
	if depth > maxDepth {
		return nil, 0, fmt.Errorf("%w at line %d", errTooDeep, y.Line)
	}
	if c.written > maxNodes {
		return nil, 0, errTooMany
	}
	if y.Kind == yaml.AliasNode {
		return c.alias(y, depth)
	}
	if y.Anchor != "" {
		c.open[y] = true
		defer delete(c.open, y)
	}
	switch y.Kind {
	case yaml.MappingNode:
		n, size, err = c.mapping(y, depth)
	case yaml.SequenceNode:
		n, size, err = c.sequence(y, depth)
	default:
		n, size = c.scalar(y), 1
	}
	if y.Anchor != "" && err == nil {
		c.done[y], c.sizes[n] = n, size
	}
	return n, size, err
}

func (c *yamlConverter) alias(y *yaml.Node, depth int) (*node, int, error) {
	if c.open[y.Alias] {
		return nil, 0, fmt.Errorf("line %d: YAML alias %q contains itself", y.Line, y.Value)
	}
	if n := c.done[y.Alias]; n != nil {
		return n, c.sizes[n], nil
	}
	return c.convert(y.Alias, depth+1)
}

func (c *yamlConverter) sequence(y *yaml.Node, depth int) (*node, int, error) {
	n, size := c.node(y, listKind), 1
	n.list = make([]*node, 0, len(y.Content))
	for _, item := range y.Content {
		v, s, err := c.convert(item, depth+1)
		if err != nil {
			return nil, 0, err
		}
		n.list, size = append(n.list, v), min(size+s, 2*maxNodes)
	}
	return n, size, nil
}

func (c *yamlConverter) mapping(y *yaml.Node, depth int) (*node, int, error) {
	n, size := c.node(y, mapKind), 1
	n.m = &mapping{fields: make([]field, 0, len(y.Content)/2)}
	var merges []*node
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		v, s, err := c.convert(y.Content[i+1], depth+1)
		if err != nil {
			return nil, 0, err
		}
		size = min(size+s, 2*maxNodes)
		if key.Value == "<<" && key.Style == 0 {
			merges = append(merges, v)
			continue
		}
		name := c.name(key)
		if n.m.put(name, v) {
			c.warn(v, fmt.Sprintf("repaired: key %q is repeated; the last one counts", shorten(name, 60)))
		}
	}
	for _, m := range merges {
		mergeInto(n, m)
	}
	return n, size, nil
}

// mergeInto adds what a merge key brings; keys that are there stay as they are.
func mergeInto(n, from *node) {
	for _, item := range from.items() {
		mergeInto(n, item)
	}
	for _, f := range from.fields() {
		if n.m.find(f.key) < 0 {
			n.m.put(f.key, f.value)
		}
	}
}

// name is a key's text as written, also of keys that YAML takes for numbers or booleans (P23).
func (c *yamlConverter) name(key *yaml.Node) string {
	if key.Kind == yaml.AliasNode && key.Alias != nil {
		key = key.Alias
	}
	if known, ok := c.names[key.Value]; ok {
		return known
	}
	c.names[key.Value] = key.Value
	return key.Value
}

// scalar decides by JSON's own grammar what a plain scalar is: YAML 1.1's yes, 1_000, 12:30 and dates stay text (P28).
func (c *yamlConverter) scalar(y *yaml.Node) *node {
	n := c.node(y, stringKind)
	n.text = y.Value
	if y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return n
	}
	if y.Style&yaml.TaggedStyle != 0 && y.Tag == "!!str" {
		return n
	}
	switch y.Value {
	case "", "~", "null", "Null", "NULL":
		n.kind, n.text = nullKind, ""
	case "true", "True", "TRUE":
		n.kind, n.text = boolKind, "true"
	case "false", "False", "FALSE":
		n.kind, n.text = boolKind, "false"
	default:
		if isNumber(y.Value) {
			n.kind = numberKind
		}
	}
	return n
}
