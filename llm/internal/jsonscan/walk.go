package jsonscan

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Skip reads the value that begins at data[at], white space not included, and returns the position behind it.
func Skip(data []byte, at int) (end int, err error) { return skip(data, at, 0) }

func skip(data []byte, at, depth int) (end int, err error) {
	if at >= len(data) {
		return 0, ErrSyntax
	}
	switch data[at] {
	case '{':
		return walk(data, at, depth+1, nil)
	case '[':
		return walk(data, at, depth+1, nil)
	}
	return Scalar(data, at)
}

// walk reads the object or array at data[at] and shows each of its values to see, with raw key in objects.
func walk(data []byte, at, depth int, see func(key, value []byte) error) (end int, err error) {
	if depth > MaxDepth {
		return 0, ErrDepth
	}
	object, closing := data[at] == '{', data[at]+2 // '}' and ']' are two behind their openings
	at = Space(data, at+1)
	if at < len(data) && data[at] == closing {
		return at + 1, nil
	}
	for {
		var key []byte
		if object {
			if key, at, err = readKey(data, at); err != nil {
				return 0, err
			}
		}
		if end, err = skip(data, at, depth); err != nil {
			return 0, err
		}
		if see != nil {
			if err = see(key, data[at:end]); err != nil {
				return 0, err
			}
		}
		at = Space(data, end)
		if at >= len(data) || data[at] != ',' && data[at] != closing {
			return 0, ErrSyntax
		}
		if data[at] == closing {
			return at + 1, nil
		}
		at = Space(data, at+1)
	}
}

// readKey reads a member's name and colon and returns the name without quotes, escapes resolved, and where its value is.
func readKey(data []byte, at int) (key []byte, value int, err error) {
	if at >= len(data) || data[at] != '"' {
		return nil, 0, ErrSyntax
	}
	end, escaped, err := String(data, at)
	if err != nil {
		return nil, 0, err
	}
	key = data[at+1 : end-1]
	if escaped {
		key = AppendText(nil, data[at:end])
	}
	at = Space(data, end)
	if at >= len(data) || data[at] != ':' {
		return nil, 0, ErrSyntax
	}
	return key, Space(data, at+1), nil
}

// Members shows the members of the object that data is, white space around it allowed. Values are raw.
func Members(data []byte, see func(key, value []byte) error) error { return whole(data, '{', see) }

// Elements shows the elements of the array that data is. Values are raw.
func Elements(data []byte, see func(value []byte) error) error {
	return whole(data, '[', func(_, value []byte) error { return see(value) })
}

func whole(data []byte, opening byte, see func(key, value []byte) error) error {
	at := Space(data, 0)
	if at >= len(data) || data[at] != opening {
		return ErrSyntax
	}
	end, err := walk(data, at, 1, see)
	if err != nil {
		return err
	}
	if Space(data, end) != len(data) {
		return ErrSyntax
	}
	return nil
}

// Text returns the text of a raw string, "" when raw is none.
func Text(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	return string(AppendText(nil, raw))
}

// AppendText appends the text of a raw string to dst; nothing when raw is none. raw was read by String.
func AppendText(dst, raw []byte) []byte {
	if len(raw) < 2 || raw[0] != '"' {
		return dst
	}
	raw = raw[1 : len(raw)-1]
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		r, n := unescape(raw[i:])
		dst = utf8.AppendRune(append(dst, raw[:i]...), r)
		raw = raw[i+n:]
	}
}

func unescape(raw []byte) (r rune, n int) {
	switch c := raw[1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		u := hex4(raw[2:])
		if !utf16.IsSurrogate(u) {
			return u, 6
		}
		if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
			if r := utf16.DecodeRune(u, hex4(raw[8:])); r != utf8.RuneError {
				return r, 12
			}
		}
		return utf8.RuneError, 6
	default:
		return rune(c), 2
	}
}

// Int returns the whole number that raw spells, however it is spelled (1e3, 16.0); ok is false for anything else, and for
// numbers that a float64 does not hold exactly.
func Int(raw []byte) (n int, ok bool) {
	if len(raw) == 0 || len(raw) > MaxNumber || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, false
	}
	if n, err := strconv.Atoi(string(raw)); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != float64(int64(f)) || f > 1<<53 || f < -1<<53 {
		return 0, false
	}
	return int(f), true
}

// IsNull reports whether raw is null or absent.
func IsNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }
