package strictjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// plain are the bytes a string may hold as they are, other than those that begin a rune of several bytes.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// scalar reads a string, number or literal that begins with c. lone reports half a surrogate pair in a string.
func (d *decoder) scalar(c byte) (lone bool, err error) {
	switch {
	case c == '"':
		_, lone, err = d.text()
		return lone, err
	case c == '-' || c >= '0' && c <= '9':
		return false, d.number()
	case c == 't':
		return false, d.literal("true")
	case c == 'f':
		return false, d.literal("false")
	case c == 'n':
		return false, d.literal("null")
	case d.pos >= len(d.buf):
		return false, d.syntax("it ends too early")
	default:
		return false, d.syntax("expected a value")
	}
}

func (d *decoder) literal(word string) error {
	if len(d.buf)-d.pos < len(word) || string(d.buf[d.pos:d.pos+len(word)]) != word {
		return d.syntax("expected a value")
	}
	d.pos += len(word)
	return nil
}

// number reads an RFC 8259 number: no leading zeros or +, digits on both sides of the point (J2).
func (d *decoder) number() error {
	if d.peek() == '-' {
		d.pos++
	}
	if d.peek() == '0' {
		d.pos++
		if c := d.peek(); c >= '0' && c <= '9' {
			return d.syntax("a number must not begin with 0")
		}
	} else if !d.digits() {
		return d.syntax("expected a digit")
	}
	if d.peek() == '.' {
		d.pos++
		if !d.digits() {
			return d.syntax("expected a digit")
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		d.pos++
		if c := d.peek(); c == '+' || c == '-' {
			d.pos++
		}
		if !d.digits() {
			return d.syntax("expected a digit")
		}
	}
	return nil
}

func (d *decoder) digits() bool {
	start := d.pos
	for d.pos < len(d.buf) && d.buf[d.pos] >= '0' && d.buf[d.pos] <= '9' {
		d.pos++
	}
	return d.pos > start
}

// text reads a string, quotes included. Everything but its escapes is as it will be when decoded.
func (d *decoder) text() (escaped, lone bool, err error) {
	d.pos++
	var high bool // the last thing was an escaped high surrogate
	for d.pos < len(d.buf) {
		start := d.pos
		for d.pos < len(d.buf) && plain[d.buf[d.pos]] {
			d.pos++
		}
		if d.pos == len(d.buf) {
			break
		}
		if d.pos > start {
			lone, high = lone || high, false
		}
		switch c := d.buf[d.pos]; {
		case c == '"':
			d.pos++
			return escaped, lone || high, nil
		case c == '\\':
			escaped = true
			r, err := d.escape()
			if err != nil {
				return false, false, err
			}
			switch low := r >= 0xDC00 && r <= 0xDFFF; {
			case high && low:
				high = false
			case low:
				lone = true
			default:
				lone = lone || high
				high = r >= 0xD800 && r <= 0xDBFF
			}
		case c < 0x20:
			return false, false, d.syntax("a control character in a string") // J1
		default:
			r, size := utf8.DecodeRune(d.buf[d.pos:])
			if r == utf8.RuneError && size == 1 {
				return false, false, d.syntax("bad UTF-8") // J1; overlong and surrogate forms too
			}
			d.pos += size
			lone, high = lone || high, false
		}
	}
	return false, false, d.syntax("it ends too early")
}

// escape reads one escape and returns the code unit it stands for.
func (d *decoder) escape() (rune, error) {
	d.pos++
	c := d.peek()
	d.pos++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return rune(c), nil
	case 'u':
		if len(d.buf)-d.pos < 4 {
			return 0, d.syntax("it ends too early")
		}
		r, ok := hex4(d.buf[d.pos:])
		if !ok {
			return 0, d.syntax("a bad escape")
		}
		d.pos += 4
		return r, nil
	default:
		d.pos--
		return 0, d.syntax("a bad escape")
	}
}

func hex4(b []byte) (r rune, ok bool) {
	for _, c := range b[:4] {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			r |= rune(c - 'A' + 10)
		default:
			return 0, false
		}
	}
	return r, true
}

var unescaped = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unquote decodes the inside of a string that was read before; half a surrogate pair becomes U+FFFD.
func unquote(inside []byte) string {
	i := 0
	for i < len(inside) && inside[i] != '\\' {
		i++
	}
	if i == len(inside) {
		return string(inside)
	}
	out := append(make([]byte, 0, len(inside)), inside[:i]...)
	for i < len(inside) {
		c := inside[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		if inside[i+1] != 'u' {
			out = append(out, unescaped[inside[i+1]])
			i += 2
			continue
		}
		r, _ := hex4(inside[i+2:])
		i += 6
		if utf16.IsSurrogate(r) {
			r2 := rune(-1)
			if len(inside)-i >= 6 && inside[i] == '\\' && inside[i+1] == 'u' {
				r2, _ = hex4(inside[i+2:])
			}
			if r = utf16.DecodeRune(r, r2); r != utf8.RuneError {
				i += 6
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}
