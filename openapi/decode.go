package openapi

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	errBadJSON   = errors.New("not valid JSON")
	errAfterJSON = errors.New("text after the JSON value")
)

// maxJSONDepth is encoding/json's own limit: deeper values would only be refused later.
const maxJSONDepth = 10_000

// decodeJSON decodes a JSON text; numbers keep their digits (B11). It takes and gives what encoding/json does with
// UseNumber, in a quarter of the time: texts and numbers are parts of one copy of the input.
func decodeJSON(raw []byte) (any, error) {
	p := jsonParser{s: string(raw)}
	return p.document()
}

type jsonParser struct {
	s     string
	i     int
	depth int
	odd   bool // JSON, but not for every reader (decodeAnswer)
}

func (p *jsonParser) document() (any, error) {
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.space(); p.i < len(p.s) {
		return nil, errAfterJSON
	}
	return v, nil
}

func (p *jsonParser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		default:
			return
		}
	}
}

// take steps over one character, if it is next.
func (p *jsonParser) take(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *jsonParser) value() (any, error) {
	p.space()
	if p.i >= len(p.s) {
		return nil, errBadJSON
	}
	switch c := p.s[p.i]; {
	case c == '{':
		return p.nested(p.object)
	case c == '[':
		return p.nested(p.list)
	case c == '"':
		return boxed(p.text())
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	switch {
	case p.word("true"):
		return true, nil
	case p.word("false"):
		return false, nil
	case p.word("null"):
		return nil, nil
	}
	return nil, errBadJSON
}

// word steps over a word, if it is next.
func (p *jsonParser) word(text string) bool {
	if !strings.HasPrefix(p.s[p.i:], text) {
		return false
	}
	p.i += len(text)
	return true
}

func boxed(s string, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (p *jsonParser) nested(read func() (any, error)) (any, error) {
	if p.depth++; p.depth > maxJSONDepth {
		return nil, errBadJSON
	}
	p.odd = p.odd || p.depth > portableDepth
	p.i++
	v, err := read()
	p.depth--
	return v, err
}

func (p *jsonParser) object() (any, error) {
	m := map[string]any{}
	if p.take('}') {
		return m, nil
	}
	for {
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		known := len(m)
		if m[key], err = p.value(); err != nil {
			return nil, err
		}
		p.odd = p.odd || len(m) == known // strict readers refuse a repeated key; the last one counts
		if p.take(',') {
			continue
		}
		if p.take('}') {
			return m, nil
		}
		return nil, errBadJSON
	}
}

// key reads the name of a member and the colon behind it.
func (p *jsonParser) key() (string, error) {
	if p.space(); p.i >= len(p.s) || p.s[p.i] != '"' {
		return "", errBadJSON
	}
	key, err := p.text()
	if err == nil && !p.take(':') {
		err = errBadJSON
	}
	return key, err
}

func (p *jsonParser) list() (any, error) {
	if p.take(']') {
		return []any{}, nil
	}
	list := make([]any, 0, 4)
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if p.take(',') {
			continue
		}
		if p.take(']') {
			return list, nil
		}
		return nil, errBadJSON
	}
}

func (p *jsonParser) digits() bool {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i > start
}

func (p *jsonParser) number() (any, error) {
	number, ok := p.digitsOf()
	if !ok {
		return nil, errBadJSON
	}
	return json.Number(number), nil
}

// digitsOf reads a number as it is written.
func (p *jsonParser) digitsOf() (number string, ok bool) {
	start, exponent := p.i, false
	if p.s[p.i] == '-' {
		p.i++
	}
	if p.i < len(p.s) && p.s[p.i] == '0' {
		p.i++
	} else if !p.digits() {
		return "", false
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		if !p.digits() {
			return "", false
		}
	}
	if p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		exponent = true
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !p.digits() {
			return "", false
		}
	}
	number = p.s[start:p.i]
	if exponent || len(number) > 300 {
		p.odd = p.odd || !isPortable(number)
	}
	return number, true
}

// text reads a quoted text; without escapes it is a part of the input.
func (p *jsonParser) text() (string, error) {
	p.i++
	start, ascii := p.i, true
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			s := p.s[start:p.i]
			p.i++
			if !ascii && !utf8.ValidString(s) {
				s = string(appendValid(nil, s))
			}
			return s, nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", errBadJSON
		case c >= utf8.RuneSelf:
			ascii = false
		}
		p.i++
	}
	return "", errBadJSON
}

// appendValid replaces every byte that is no UTF-8.
func appendValid(b []byte, s string) []byte {
	for _, r := range s {
		b = utf8.AppendRune(b, r)
	}
	return b
}

// escaped reads a text from its first escape on.
func (p *jsonParser) escaped(start int) (string, error) {
	b := append(make([]byte, 0, p.i-start+32), p.s[start:p.i]...)
	if !utf8.Valid(b) {
		b = appendValid(nil, string(b))
	}
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return string(b), nil
		case c < 0x20:
			return "", errBadJSON
		case c == '\\':
			r, ok := p.escape()
			if !ok {
				return "", errBadJSON
			}
			b = utf8.AppendRune(b, r)
		case c < utf8.RuneSelf:
			b = append(b, c)
			p.i++
		default:
			r, size := utf8.DecodeRuneInString(p.s[p.i:])
			b = utf8.AppendRune(b, r)
			p.i += size
		}
	}
	return "", errBadJSON
}

// escape reads one escape; half of a surrogate pair is U+FFFD.
func (p *jsonParser) escape() (rune, bool) {
	if p.i+1 >= len(p.s) {
		return 0, false
	}
	c := p.s[p.i+1]
	p.i += 2
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
	default:
		return 0, false
	}
	r, ok := p.hex()
	if !ok {
		return 0, false
	}
	if !utf16.IsSurrogate(r) {
		return r, true
	}
	if p.i+1 < len(p.s) && p.s[p.i] == '\\' && p.s[p.i+1] == 'u' {
		before := p.i
		p.i += 2
		low, ok := p.hex()
		if !ok {
			return 0, false
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, true
		}
		p.i = before // the second stands for itself
	}
	p.odd = true
	return utf8.RuneError, true
}

func (p *jsonParser) hex() (rune, bool) {
	if p.i+4 > len(p.s) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(p.s[p.i : p.i+4]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	p.i += 4
	return r, true
}
