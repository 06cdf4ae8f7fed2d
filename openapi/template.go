package openapi

import (
	"slices"
	"strings"
)

// template is a path with its parameters, read once (P20, P21).
type template struct {
	parts    []part            // in order; literal parts are already encoded
	query    string            // constant query of the path, encoded
	filled   map[string]string // keys of the path's query by the parameters that fill them
	reserved map[string]bool
	patterns map[string]string
	segments []string // literal segments; "" where a segment holds a parameter
	slashes  bool     // a parameter keeps its slashes, so that the count of segments is open
}

type part struct {
	literal string
	param   string
}

// hasSteps says whether the document itself put "." or ".." into the path: it would leave the backend's base.
func (t *template) hasSteps() bool {
	for _, s := range t.segments {
		if s != "" && s != "\x00" && checkSegment(decodeOnce(s)) == faultSteps {
			return true
		}
	}
	return false
}

func (t *template) names() []string {
	var names []string
	for _, p := range t.parts {
		if p.param != "" && !slices.Contains(names, p.param) {
			names = append(names, p.param)
		}
	}
	return names
}

func (t *template) has(name string) bool { return slices.Contains(t.names(), name) }

// readTemplate reads a path template; declared says which path parameters the document declares.
func readTemplate(path string, declared func(string) bool, repaired func(string)) *template {
	t := &template{reserved: map[string]bool{}, patterns: map[string]string{}}
	if i := indexOutside(path, '#'); i >= 0 {
		path = path[:i]
		repaired("the fragment of the path is removed")
	}
	if i := indexOutside(path, '?'); i >= 0 {
		t.settleQuery(path[i+1:], repaired)
		path = path[:i]
	}
	if !strings.HasPrefix(path, "/") {
		repaired("the path starts without /")
		path = "/" + path
	}
	for path != "" {
		open := strings.IndexByte(path, '{')
		colon := colonParam(path, declared)
		if colon >= 0 && (open < 0 || colon < open) {
			end := colon + 1
			for end < len(path) && (isToolChar(path[end]) && path[end] != '-') {
				end++
			}
			t.literal(path[:colon])
			t.parts = append(t.parts, part{param: path[colon+1 : end]})
			path = path[end:]
			continue
		}
		shut := closing(path, open)
		if open < 0 || shut < 0 {
			t.literal(path)
			break
		}
		t.literal(path[:open])
		t.expression(path[open+1:shut], declared, repaired)
		path = path[shut+1:]
	}
	t.split()
	return t
}

// indexOutside finds c outside of braces.
func indexOutside(s string, c byte) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '{':
			depth++
		case s[i] == '}':
			depth--
		case s[i] == c && depth <= 0:
			return i
		}
	}
	return -1
}

// closing finds the brace that closes the one at open.
func closing(s string, open int) int {
	if open < 0 {
		return -1
	}
	depth := 0
	for i := open; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// colonParam finds /:name where a path parameter of that name is declared (P21).
func colonParam(path string, declared func(string) bool) int {
	for i := 0; i+1 < len(path); i++ {
		if path[i] == '{' {
			if end := closing(path, i); end > 0 {
				i = end
				continue
			}
		}
		if path[i] != '/' || path[i+1] != ':' {
			continue
		}
		end := i + 2
		for end < len(path) && isToolChar(path[end]) && path[end] != '-' {
			end++
		}
		if end > i+2 && declared(path[i+2:end]) {
			return i + 1
		}
	}
	return -1
}

// expression reads what stands between braces. The notations of routers mean what they mean there: {proxy+}, {*path},
// {name:path} and {name=projects/*} take slashes.
func (t *template) expression(e string, declared func(string) bool, repaired func(string)) {
	slashes := strings.HasSuffix(e, "+") && !strings.Contains(e, ":")
	switch {
	case strings.HasPrefix(e, "?") || strings.HasPrefix(e, "&") || strings.HasPrefix(e, "#"):
		repaired("{" + shorten(e, 40) + "} is removed from the path")
		return
	case declared(e):
	case strings.HasPrefix(e, "+") || strings.HasPrefix(e, "*"):
		slashes, e = true, strings.TrimLeft(e, "+*")
	case strings.HasPrefix(e, "/") || strings.HasPrefix(e, ".") || strings.HasPrefix(e, ";"):
		t.literal(e[:1])
		e = e[1:]
	}
	if i := strings.IndexAny(e, ":="); i > 0 && !declared(e) {
		if e[i] == '=' {
			slashes = true
		} else {
			slashes = t.pattern(e[:i], e[i+1:], repaired) || slashes
		}
		e = e[:i]
	}
	if !declared(e) {
		e = strings.TrimSpace(strings.Trim(strings.TrimRight(e, "+*?"), "{}"))
	}
	if e == "" {
		repaired("{} is removed from the path")
		return
	}
	if slashes {
		t.reserved[e], t.slashes = true, true
	}
	t.parts = append(t.parts, part{param: e})
}

// pattern notes the rule of {id:[0-9]+}. A word alone is no rule but a router's type; that of {name:path} takes slashes.
func (t *template) pattern(name, pattern string, repaired func(string)) (slashes bool) {
	for i := 0; i < len(pattern); i++ {
		if !isLetter(pattern[i]) {
			t.patterns[name] = "^(?:" + pattern + ")$"
			repaired("the pattern of {" + shorten(name, 40) + "} is checked")
			return false
		}
	}
	return pattern == "path"
}

func (t *template) literal(s string) {
	if s != "" {
		t.parts = append(t.parts, part{literal: encodeLiteral(s)})
	}
}

// encodeLiteral encodes what may not stand in a path; escapes that are there stay.
func encodeLiteral(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case isUnreserved(c) || strings.IndexByte("!$&'()*+,;=:@/", c) >= 0:
			b = append(b, c)
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, c)
		default:
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// split notes the segments that are literal, for the check of the finished request (§9).
func (t *template) split() {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.literal)
		if p.param != "" {
			b.WriteByte(0)
		}
	}
	for _, s := range strings.Split(b.String(), "/") {
		if strings.IndexByte(s, 0) >= 0 {
			s = ""
		} else if s == "" {
			s = "\x00" // an empty literal segment, such as the one before the first slash
		}
		t.segments = append(t.segments, s)
	}
}
