package openapi

import (
	"encoding/json"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const upperHex = "0123456789ABCDEF"

func isUnreserved(c byte) bool {
	return isLetter(c) || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// appendEscaped percent-encodes everything but unreserved characters and those in keep.
func appendEscaped(b []byte, s, keep string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if isUnreserved(c) || keep != "" && strings.IndexByte(keep, c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// scalarText is how a value is written where there is no JSON (B11).
func scalarText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return string(appendValue(nil, v))
}

// fault is what is wrong with one argument; its text follows the argument's name.
type fault string

func (f fault) Error() string { return string(f) }

const (
	faultSteps   = fault(`must not contain path steps ("..")`)
	faultEmpty   = fault("must not be empty")
	faultControl = fault("must not contain control characters")
	faultLines   = fault("must not contain line breaks")
	faultNUL     = fault("must not contain NUL characters")
	faultLong    = fault("must not be longer than 8 KiB")
)

// pathStyle describes how a path parameter is written: prefix, what stands between values, and between names and values.
type pathStyle struct {
	prefix, between, equals string
	named                   bool   // matrix writes the parameter's name
	dot                     bool   // label: a dot inside of a value is encoded
	keep                    string // reserved characters that stay (B8)
}

// reservedInPath may stay under allowReserved: / ? # and % would change the path (Q1, Q4, Q9).
const reservedInPath = ":[]@!$&'()*+,;="

func pathStyleOf(style string, explode bool) pathStyle {
	switch style {
	case "label":
		s := pathStyle{prefix: ".", between: ",", equals: ",", dot: true}
		if explode {
			s.between, s.equals = ".", "="
		}
		return s
	case "matrix":
		s := pathStyle{prefix: ";", between: ",", equals: ",", named: true}
		if explode {
			s.between, s.equals = ";", "="
		}
		return s
	}
	s := pathStyle{between: ",", equals: ","}
	if explode {
		s.equals = "="
	}
	return s
}

// appendPath writes a path argument (§8.2), refusing what would leave its segment (§9).
func appendPath(b []byte, a *arg, v any) ([]byte, error) {
	if a.spec.contentType != "" {
		return appendSegment(b, contentText(a.spec, v), pathStyle{}, a.slashes)
	}
	st := pathStyleOf(a.spec.style, a.spec.explode)
	if a.spec.reserved {
		st.keep = reservedInPath
	}
	b = append(b, st.prefix...)
	name := ""
	if st.named {
		name = string(appendEscaped(nil, a.orig, ""))
	}
	var err error
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			return nil, faultEmpty
		}
		st.keep = without(st.keep, st.between)
		return appendPathList(b, a, v, st, name)
	case map[string]any:
		if len(v) == 0 {
			return nil, faultEmpty
		}
		st.keep = without(st.keep, st.between+st.equals)
		return appendPathObject(b, a, v, st, name)
	default:
		if st.named {
			b = append(append(b, name...), '=')
		}
		b, err = appendSegment(b, scalarText(v), st, a.slashes)
	}
	return b, err
}

// without removes characters from a set of them.
func without(set, gone string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(gone, r) {
			return -1
		}
		return r
	}, set)
}

func appendPathList(b []byte, a *arg, list []any, st pathStyle, name string) ([]byte, error) {
	var err error
	for i, item := range list {
		if i > 0 {
			b = append(b, st.between...)
		}
		if st.named && (i == 0 || a.spec.explode) {
			b = append(append(b, name...), '=')
		}
		if b, err = appendSegment(b, scalarText(item), st, a.slashes); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendPathObject(b []byte, a *arg, object map[string]any, st pathStyle, name string) ([]byte, error) {
	if st.named && !a.spec.explode {
		b = append(append(b, name...), '=')
	}
	var err error
	for i, k := range sortedKeys(object) {
		if i > 0 {
			b = append(b, st.between...)
		}
		if b, err = appendSegment(b, k, st, false); err != nil {
			return nil, err
		}
		b = append(b, st.equals...)
		if b, err = appendSegment(b, scalarText(object[k]), st, a.slashes); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// appendSegment writes one value into a path segment (Q1–Q9).
func appendSegment(b []byte, s string, st pathStyle, slashes bool) ([]byte, error) {
	if err := checkSegment(s); err != nil {
		return nil, err
	}
	if slashes {
		for i, piece := range strings.Split(s, "/") {
			if strings.TrimSpace(piece) == "" {
				return nil, fault("must not contain empty path segments")
			}
			if i > 0 {
				b = append(b, '/')
			}
			b = appendEscaped(b, piece, st.keep)
		}
		return b, nil
	}
	if !st.dot {
		return appendEscaped(b, s, st.keep), nil
	}
	start := len(b)
	b = appendEscaped(b, s, st.keep)
	return append(b[:start], strings.ReplaceAll(string(b[start:]), ".", "%2E")...), nil
}

// checkSegment refuses path steps in any of their disguises: encoded once or often, with backslashes, path parameters or
// full-width dots (Q2, Q3, Q6).
func checkSegment(s string) error {
	if strings.TrimSpace(s) == "" {
		return faultEmpty
	}
	plain := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < 0x20 || c == 0x7f {
			return faultControl
		}
		if c == '.' || c == '%' || c >= utf8.RuneSelf {
			plain = false
		}
	}
	if plain {
		return nil
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return faultControl
	}
	for range 8 {
		n := norm.NFKC.String(s)
		if hasSteps(n) {
			return faultSteps
		}
		next := decodeOnce(n)
		if next == n {
			return nil
		}
		s = next
	}
	return faultSteps // encoded more often than any honest value is
}

func hasSteps(s string) bool {
	for _, piece := range strings.FieldsFunc(s, func(r rune) bool { return r == '/' || r == '\\' }) {
		piece, _, _ = strings.Cut(piece, ";")
		piece = strings.TrimFunc(piece, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
		if piece == "." || piece == ".." {
			return true
		}
	}
	return false
}

// decodeOnce decodes the escapes that are valid and keeps the rest.
func decodeOnce(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			v, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			b = append(b, byte(v))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

// contentText is the text of a parameter with content (B9).
func contentText(p *paramSpec, v any) string {
	if isJSONType(p.contentType) {
		return string(appendValue(nil, v))
	}
	return scalarText(v)
}

// sortedNames is sort.Strings on a copy.
func sortedNames(list []string) []string {
	out := append([]string(nil), list...)
	sort.Strings(out)
	return out
}
