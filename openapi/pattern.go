package openapi

import (
	"regexp"
	"strings"
)

// portablePattern rewrites a pattern so that it means the same to RE2 and to ECMA-262 with flag u, or says that it
// cannot be (S10): lookaround, back-references, RE2's own syntax and nested unbounded quantifiers are left out.
func portablePattern(pattern string) (string, bool) {
	if pattern == "" || len(pattern) > maxPattern {
		return "", false
	}
	p := &patternReader{in: pattern}
	if !p.rewrite() {
		return "", false
	}
	out := p.out.String()
	if _, err := regexp.Compile(out); err != nil {
		return "", false
	}
	return out, true
}

type patternReader struct {
	in    string
	pos   int
	out   strings.Builder
	class bool
	first bool // at the start of a class
	// groups holds for each open group whether something in it repeats without bound.
	groups []bool
	closed bool // the group just closed repeats without bound inside
}

func (p *patternReader) rewrite() bool {
	p.groups = []bool{false}
	for p.pos < len(p.in) {
		c := p.in[p.pos]
		ok := true
		switch {
		case c == '\\':
			ok = p.escape()
		case p.class:
			ok = p.inClass(c)
		default:
			ok = p.outside(c)
		}
		if !ok {
			return false
		}
	}
	return !p.class && len(p.groups) == 1
}

func (p *patternReader) copy(n int) {
	p.out.WriteString(p.in[p.pos : p.pos+n])
	p.pos += n
}

func (p *patternReader) escape() bool {
	if p.pos+1 >= len(p.in) {
		return false
	}
	c := p.in[p.pos+1]
	p.first = false
	p.closed = false
	switch {
	case strings.IndexByte("dDwWsSnrtfv", c) >= 0, strings.IndexByte(`^$\.*+?()[]{}|/`, c) >= 0:
		p.copy(2)
	case c == '-' && p.class:
		p.copy(2)
	case (c == 'b' || c == 'B') && !p.class:
		p.copy(2)
	case c == 'p' || c == 'P':
		end := strings.IndexByte(p.in[p.pos:], '}')
		if p.pos+2 >= len(p.in) || p.in[p.pos+2] != '{' || end < 0 {
			return false
		}
		p.copy(end + 1)
	case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x80:
		return false
	default: // an identity escape, which flag u forbids
		p.pos++
		if p.class && c == '-' {
			p.out.WriteByte('\\')
		}
		p.copy(1)
	}
	return true
}

func (p *patternReader) inClass(c byte) bool {
	switch {
	case c == ']' && !p.first:
		p.class = false
	case c == ']' || c == '[' && strings.HasPrefix(p.in[p.pos:], "[:"):
		return false
	case c == '[':
		p.out.WriteByte('\\')
	case c == '-' && !p.first && p.besideEscape():
		p.out.WriteByte('\\')
	}
	p.first = p.first && c == '^' && p.in[p.pos-1] == '['
	p.copy(1)
	return true
}

// besideEscape says whether the hyphen at pos stands next to \w, \d or \s, where flag u takes it for a bad range.
func (p *patternReader) besideEscape() bool {
	before, after := p.in[:p.pos], p.in[p.pos+1:]
	isSet := func(s string) bool { return len(s) == 2 && s[0] == '\\' && strings.IndexByte("dDwWsS", s[1]) >= 0 }
	return len(before) >= 2 && isSet(before[len(before)-2:]) || len(after) >= 2 && isSet(after[:2])
}

func (p *patternReader) outside(c byte) bool {
	closed := p.closed
	p.closed = false
	switch c {
	case '[':
		p.class, p.first = true, true
	case ']':
		p.out.WriteByte('\\')
	case '(':
		if strings.HasPrefix(p.in[p.pos:], "(?") && !strings.HasPrefix(p.in[p.pos:], "(?:") {
			return false
		}
		p.groups = append(p.groups, false)
	case ')':
		if len(p.groups) == 1 {
			return false
		}
		p.closed = p.groups[len(p.groups)-1]
		p.groups = p.groups[:len(p.groups)-1]
		if p.closed {
			p.groups[len(p.groups)-1] = true
		}
	case '*', '+':
		if closed {
			return false
		}
		p.groups[len(p.groups)-1] = true
	case '{':
		return p.brace(closed)
	case '}':
		p.out.WriteByte('\\')
	}
	p.copy(1)
	if c == '(' && strings.HasPrefix(p.in[p.pos:], "?:") {
		p.copy(2)
	}
	return true
}

// brace copies a quantifier, or escapes a brace that is none.
func (p *patternReader) brace(closed bool) bool {
	end := strings.IndexByte(p.in[p.pos:], '}')
	inner := ""
	if end > 0 {
		inner = p.in[p.pos+1 : p.pos+end]
	}
	low, high, ranged := strings.Cut(inner, ",")
	if !digitsOnly(low) || low == "" || !digitsOnly(high) {
		p.out.WriteByte('\\')
		p.copy(1)
		return true
	}
	if ranged && high == "" {
		if closed {
			return false
		}
		p.groups[len(p.groups)-1] = true
	}
	p.copy(end + 1)
	return true
}

func digitsOnly(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) <= 6
}
