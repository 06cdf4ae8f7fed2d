package telemetry

import "strings"

// texture is what a text needs before it may stand in a line.
type texture uint8

const (
	clean   texture = iota // nothing: printable ASCII
	quoted                 // the same with quotes or backslashes
	suspect                // Redact: it is long, may hold a credential, or has other characters
)

// scan tells the texture of s in one pass. Whatever Redact would change is suspect; almost every logged text is clean,
// and the expression that Redact uses costs more than the rest of a line.
func scan(s string) texture {
	if len(s) > maxValue {
		return suspect
	}
	found := clean
	for i := range len(s) {
		switch marks[s[i]] {
		case 0:
		case '"':
			found = quoted
		case foreign:
			return suspect
		default:
			if secretAround(s, i) {
				return suspect
			}
		}
	}
	return found
}

// plain reports whether Redact certainly leaves s alone.
func plain(s string) bool { return scan(s) != suspect }

const foreign = 1 // of marks: a control character, or no ASCII

// marks says of every byte why a text with it is not simply clean; 0: it is. Bytes that every credential has, and other
// texts seldom, stand for themselves.
var marks = func() (m [256]byte) {
	for c := range m {
		if c < 0x20 || c >= 0x7f {
			m[c] = foreign
		}
	}
	m['"'], m['\\'] = '"', '"'
	for _, c := range []byte("J-_I ") {
		m[c] = c
	}
	return m
}()

// secretAround reports whether the byte at i, which marks names, may belong to a match of secretText: each of its
// alternatives has one of these bytes at a fixed place, or behind the scheme of a header.
func secretAround(s string, i int) bool {
	before := s[:i]
	switch s[i] {
	case 'J':
		return strings.HasSuffix(before, "ey")
	case '-':
		return strings.HasSuffix(before, "sk")
	case '_':
		return i >= 3 && s[i-3] == 'd' && s[i-2] == 'b'
	case 'I':
		return strings.HasSuffix(before, "AK")
	default: // a space
		return endsIn(before, "bearer") || endsIn(before, "basic")
	}
}

// endsIn compares in any case.
func endsIn(s, word string) bool {
	return len(s) >= len(word) && strings.EqualFold(s[len(s)-len(word):], word)
}
