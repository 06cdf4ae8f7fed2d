package openapi

import (
	"slices"
	"strconv"
	"strings"
)

// kind is the JSON kind of a node.
type kind uint8

const (
	nullKind kind = iota
	boolKind
	numberKind
	stringKind
	listKind
	mapKind
)

// node is one value of a document as its author wrote it: order, digits and position kept. Nodes are never changed once
// read, so that YAML aliases may share them.
type node struct {
	kind kind
	line int32
	col  int32
	file *file
	text string  // scalars: the text as written, unquoted
	list []*node // lists
	m    *mapping
}

// mapping keeps the order of the document; big ones are indexed.
type mapping struct {
	fields []field
	index  map[string]int
}

type field struct {
	key   string
	value *node
}

const indexFrom = 12

// put adds or replaces a field and says whether the key was there before (R2: the last one wins).
func (m *mapping) put(key string, value *node) (repeated bool) {
	if i := m.find(key); i >= 0 {
		m.fields[i].value = value
		return true
	}
	m.fields = append(m.fields, field{key, value})
	if m.index != nil {
		m.index[key] = len(m.fields) - 1
	} else if len(m.fields) > indexFrom {
		m.index = make(map[string]int, 2*len(m.fields))
		for i, f := range m.fields {
			m.index[f.key] = i
		}
	}
	return false
}

func (m *mapping) find(key string) int {
	if m.index != nil {
		if i, ok := m.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range m.fields {
		if m.fields[i].key == key {
			return i
		}
	}
	return -1
}

// get returns the value under key, or nil; n may be nil or of any kind.
func (n *node) get(key string) *node {
	if n == nil || n.kind != mapKind {
		return nil
	}
	if i := n.m.find(key); i >= 0 {
		return n.m.fields[i].value
	}
	return nil
}

func (n *node) fields() []field {
	if n == nil || n.kind != mapKind {
		return nil
	}
	return n.m.fields
}

// sortedFields are the fields by their keys, for what must not depend on the order in which a document has them.
func (n *node) sortedFields() []field {
	list := n.fields()
	if slices.IsSortedFunc(list, compareKeys) {
		return list
	}
	list = slices.Clone(list)
	slices.SortFunc(list, compareKeys)
	return list
}

func compareKeys(a, b field) int { return strings.Compare(a.key, b.key) }

func (n *node) items() []*node {
	if n == nil || n.kind != listKind {
		return nil
	}
	return n.list
}

func (n *node) isMap() bool  { return n != nil && n.kind == mapKind }
func (n *node) isList() bool { return n != nil && n.kind == listKind }
func (n *node) isNull() bool { return n == nil || n.kind == nullKind }

func (n *node) isScalar() bool {
	return n != nil && (n.kind == stringKind || n.kind == numberKind || n.kind == boolKind)
}

// str is the text of a scalar as written, whatever YAML takes it for (P28); "" for anything else.
func (n *node) str() string {
	if !n.isScalar() {
		return ""
	}
	return n.text
}

// strAt is the text under key.
func (n *node) strAt(key string) string { return n.get(key).str() }

// truth reads a boolean, generously: YAML 1.1 words and texts count where a boolean is wanted (R2, P13).
func (n *node) truth() (value, ok bool) {
	switch strings.ToLower(n.str()) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}

func (n *node) isTrue(key string) bool {
	v, _ := n.get(key).truth()
	return v
}

// at names the node's place for warnings.
func (n *node) at() string {
	if n == nil {
		return ""
	}
	name := ""
	if n.file != nil {
		name = n.file.name
	}
	return name + ":" + strconv.Itoa(int(n.line)) + ":" + strconv.Itoa(int(n.col))
}

func (n *node) String() string {
	if n == nil {
		return "nothing"
	}
	names := [...]string{"null", "a boolean", "a number", "a string", "a list", "a mapping"}
	return names[n.kind]
}

// appendJSON writes the node as compact JSON. Keys keep the document's order, numbers their digits.
func (n *node) appendJSON(b []byte) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	switch n.kind {
	case boolKind, numberKind:
		return append(b, n.text...)
	case stringKind:
		return appendString(b, n.text)
	case listKind:
		b = append(b, '[')
		for i, item := range n.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	case mapKind:
		b = append(b, '{')
		for i, f := range n.m.fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, f.key)
			b = append(b, ':')
			b = f.value.appendJSON(b)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// small says whether the value has at most limit nodes, counting shared ones as often as they occur.
func (n *node) small(limit int) bool { return n.count(&limit) }

func (n *node) count(left *int) bool {
	*left--
	if *left < 0 {
		return false
	}
	for _, item := range n.items() {
		if !item.count(left) {
			return false
		}
	}
	for _, f := range n.fields() {
		if !f.value.count(left) {
			return false
		}
	}
	return true
}
