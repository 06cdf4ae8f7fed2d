package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxDepth = 512
	maxNodes = 5_000_000
)

var (
	errTooDeep  = errors.New("nested deeper than 512 levels")
	errTooMany  = errors.New("the document has more than 5000000 nodes")
	errNotJSON  = errors.New("not JSON")
	errTrailing = errors.New("text after the end of the document")
)

// jsonReader reads JSON into nodes with their lines, which encoding/json does not keep.
type jsonReader struct {
	data      []byte
	pos       int
	line      int32
	lineStart int
	depth     int
	file      *file
	names     map[string]string // keys repeat thousands of times
	slab      []node
	count     int
	repeated  func(n *node, key string)
}

func (r *jsonReader) document() (*node, error) {
	r.line = 1
	r.names = map[string]string{}
	n, err := r.value()
	if err != nil {
		return nil, err
	}
	r.space()
	if r.pos < len(r.data) {
		return nil, r.fail(errTrailing)
	}
	return n, nil
}

func (r *jsonReader) fail(err error) error {
	return fmt.Errorf("line %d, column %d: %w", r.line, r.pos-r.lineStart+1, err)
}

func (r *jsonReader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case '\n':
			r.line++
			r.lineStart = r.pos + 1
		case ' ', '\t', '\r':
		default:
			return
		}
		r.pos++
	}
}

func (r *jsonReader) node(k kind) *node {
	if len(r.slab) == 0 {
		r.slab = make([]node, 512)
	}
	n := &r.slab[0]
	r.slab = r.slab[1:]
	r.count++
	n.kind, n.line, n.col, n.file = k, r.line, int32(r.pos-r.lineStart+1), r.file
	return n
}

func (r *jsonReader) value() (*node, error) {
	r.space()
	if r.pos >= len(r.data) {
		return nil, r.fail(errNotJSON)
	}
	if r.count > maxNodes {
		return nil, r.fail(errTooMany)
	}
	switch c := r.data[r.pos]; {
	case c == '{':
		return r.object()
	case c == '[':
		return r.array()
	case c == '"':
		n := r.node(stringKind)
		text, err := r.str()
		n.text = text
		return n, err
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	}
	return r.word()
}

func (r *jsonReader) word() (*node, error) {
	rest := r.data[r.pos:]
	for _, word := range [...]string{"true", "false", "null"} {
		if !bytes.HasPrefix(rest, []byte(word)) {
			continue
		}
		n := r.node(nullKind)
		if word != "null" {
			n.kind, n.text = boolKind, word
		}
		r.pos += len(word)
		return n, nil
	}
	return nil, r.fail(errNotJSON)
}

func (r *jsonReader) number() (*node, error) {
	start := r.pos
	n := r.node(numberKind)
	for r.pos < len(r.data) && strings.IndexByte("+-.eE0123456789", r.data[r.pos]) >= 0 {
		r.pos++
	}
	n.text = string(r.data[start:r.pos])
	if !isNumber(n.text) {
		return nil, r.fail(errNotJSON)
	}
	return n, nil
}

func (r *jsonReader) enter() error {
	r.depth++
	if r.depth > maxDepth {
		return fmt.Errorf("%w at line %d", errTooDeep, r.line)
	}
	r.pos++
	r.space()
	return nil
}

func (r *jsonReader) array() (*node, error) {
	n := r.node(listKind)
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer func() { r.depth-- }()
	for first := true; ; first = false {
		r.space()
		if r.take(']') {
			return n, nil
		}
		if !first && !r.take(',') {
			return nil, r.fail(errNotJSON)
		}
		item, err := r.value()
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, item)
	}
}

func (r *jsonReader) object() (*node, error) {
	n := r.node(mapKind)
	n.m = &mapping{}
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer func() { r.depth-- }()
	for first := true; ; first = false {
		r.space()
		if r.take('}') {
			return n, nil
		}
		if !first && !r.take(',') {
			return nil, r.fail(errNotJSON)
		}
		r.space()
		key, err := r.key()
		if err != nil {
			return nil, err
		}
		value, err := r.value()
		if err != nil {
			return nil, err
		}
		if n.m.put(key, value) && r.repeated != nil {
			r.repeated(value, key)
		}
	}
}

func (r *jsonReader) key() (string, error) {
	if r.pos >= len(r.data) || r.data[r.pos] != '"' {
		return "", r.fail(errNotJSON)
	}
	key, err := r.str()
	if err != nil {
		return "", err
	}
	if known, ok := r.names[key]; ok {
		key = known
	} else {
		r.names[key] = key
	}
	r.space()
	if !r.take(':') {
		return "", r.fail(errNotJSON)
	}
	return key, nil
}

func (r *jsonReader) take(c byte) bool {
	if r.pos < len(r.data) && r.data[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

// str reads a string whose opening quote is at pos.
func (r *jsonReader) str() (string, error) {
	start := r.pos
	r.pos++
	plain := true
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; {
		case c == '"':
			r.pos++
			return r.unquote(r.data[start:r.pos], plain)
		case c == '\\':
			plain = false
			r.pos += 2
		case c < 0x20:
			return "", r.fail(errNotJSON)
		default:
			r.pos++
		}
	}
	return "", r.fail(errNotJSON)
}

func (r *jsonReader) unquote(quoted []byte, plain bool) (string, error) {
	inner := quoted[1 : len(quoted)-1]
	if plain && utf8.Valid(inner) {
		return string(inner), nil
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return "", r.fail(errNotJSON)
	}
	return text, nil
}

// isNumber says whether s is a number of JSON's grammar, which is also all that we take for a number in YAML (P28).
func isNumber(s string) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	zero := i < len(s) && s[i] == '0'
	first := i
	if !digits() || zero && i > first+1 {
		return false
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(s)
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string without HTML escapes.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			} else if r == '\u2028' || r == '\u2029' {
				b = append(append(b, s[start:i]...), '\\', 'u', '2', '0', '2', hexDigits[r&0xf])
				start = i + size
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
