// Package jsonscan walks JSON text without building anything: it finds where values begin and end, checks the grammar of
// RFC 8259 on the way, and leaves the bytes where they are. Prompts are long and answers are only passed on, so neither is
// ever decoded whole.
//
//	bytes ─ String, Number, Skip (grammar, UTF-8) ─▶ ends of values
//	bytes ─ Members, Elements ─▶ raw keys and values, one level deep ─ Text, Int ─▶ what a caller needs of them
//
// It does not look for repeated members: that is the strict reader's work (llm/internal/body).
package jsonscan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrSyntax says that a text is not JSON.
var ErrSyntax = errors.New("not valid JSON")

// ErrDepth says that arrays and objects are nested deeper than MaxDepth.
var ErrDepth = errors.New("nested too deeply")

const (
	// MaxDepth is how deep arrays and objects may be nested (llm.md ER-5, WF-4).
	MaxDepth = 64
	// MaxNumber is how many characters a number may have (llm.md SZ-4).
	MaxNumber = 1000
)

const (
	highs  = 0x8080808080808080
	spaces = 0x2020202020202020
)

// short is how long a string is read byte by byte: most names and roles are not longer.
const short = 16

// String reads the string that begins at data[at] == '"' and returns the position behind its closing quote, and whether
// it holds escapes.
func String(data []byte, at int) (end int, escaped bool, err error) {
	return scanString(data, at, false)
}

// StrictString is String, and refuses half of a surrogate pair without the other half: it is no character, and readers
// disagree about what it is (TK-10).
func StrictString(data []byte, at int) (end int, escaped bool, err error) {
	return scanString(data, at, true)
}

func scanString(data []byte, at int, strict bool) (end int, escaped bool, err error) {
	for i := at + 1; i < len(data) && i <= at+short; i++ {
		switch c := data[i]; {
		case c == '"':
			return i + 1, false, nil
		case c == '\\' || c < ' ' || c >= utf8.RuneSelf:
			return longString(data, at, strict)
		}
	}
	return longString(data, at, strict)
}

// longString searches for quotes and backslashes, which processors do fast, and looks at all bytes once at the end.
func longString(data []byte, at int, strict bool) (end int, escaped bool, err error) {
	i := at + 1
	quote := i
	for {
		if quote <= i { // the one found before was escaped, or none was searched yet
			n := bytes.IndexByte(data[i:], '"')
			if n < 0 {
				return 0, false, ErrSyntax
			}
			quote = i + n
		}
		n := bytes.IndexByte(data[i:quote], '\\')
		if n < 0 {
			break
		}
		escaped = true
		i += n
		if n = escape(data[i:], strict); n == 0 {
			return 0, false, ErrSyntax
		}
		if i += n; quote < i {
			quote = i - 1
		}
	}
	if !plain(data[at+1 : quote]) {
		return 0, false, ErrSyntax
	}
	return quote + 1, escaped, nil
}

// plain reports whether text is UTF-8 without control characters.
func plain(text []byte) bool {
	var low, high uint64 // in the high bit of each byte: control characters, bytes that are not ASCII
	rest := text
	for len(rest) >= 32 {
		a, b := binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[8:])
		c, d := binary.LittleEndian.Uint64(rest[16:]), binary.LittleEndian.Uint64(rest[24:])
		low |= (a-spaces)&^a | (b-spaces)&^b | (c-spaces)&^c | (d-spaces)&^d // only a control character borrows
		high |= a | b | c | d
		rest = rest[32:]
	}
	for _, c := range rest {
		if c < ' ' {
			return false
		}
		high |= uint64(c)
	}
	return low&highs == 0 && (high&highs == 0 || utf8.Valid(text))
}

// escape returns the length of the escape sequence that data begins with, 0 when it is none.
func escape(data []byte, strict bool) int {
	if len(data) < 2 {
		return 0
	}
	switch data[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		u := hex4(data[2:])
		switch {
		case u < 0:
			return 0
		case !strict || !utf16.IsSurrogate(u):
			return 6
		}
		if r, n := unescape(data); r != utf8.RuneError {
			return n
		}
	}
	return 0
}

// hex4 reads four hexadecimal digits; −1 when they are not there.
func hex4(data []byte) rune {
	if len(data) < 4 {
		return -1
	}
	var u rune
	for _, c := range data[:4] {
		switch {
		case '0' <= c && c <= '9':
			u = u<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			u = u<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			u = u<<4 | rune(c-'A'+10)
		default:
			return -1
		}
	}
	return u
}

// Number reads the number that begins at data[at] and returns the position behind it.
func Number(data []byte, at int) (end int, err error) {
	i := at
	if i < len(data) && data[i] == '-' {
		i++
	}
	whole := digits(data, i)
	if whole == i || data[i] == '0' && whole > i+1 {
		return 0, ErrSyntax
	}
	i = whole
	if i < len(data) && data[i] == '.' {
		frac := digits(data, i+1)
		if frac == i+1 {
			return 0, ErrSyntax
		}
		i = frac
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		exp := digits(data, i)
		if exp == i {
			return 0, ErrSyntax
		}
		i = exp
	}
	if i-at > MaxNumber {
		return 0, ErrSyntax
	}
	return i, nil
}

func digits(data []byte, i int) int {
	for i < len(data) && '0' <= data[i] && data[i] <= '9' {
		i++
	}
	return i
}

// Literal reads true, false or null at data[at].
func Literal(data []byte, at int) (end int, err error) {
	for _, word := range [...]string{"true", "false", "null"} {
		if end = at + len(word); end <= len(data) && string(data[at:end]) == word {
			return end, nil
		}
	}
	return 0, ErrSyntax
}

// Space returns the first position from at on that is not white space.
func Space(data []byte, at int) int {
	for at < len(data) {
		switch data[at] {
		case ' ', '\n', '\r', '\t':
			at++
		default:
			return at
		}
	}
	return at
}

// Scalar reads the string, number or literal at data[at].
func Scalar(data []byte, at int) (end int, err error) {
	if at >= len(data) {
		return 0, ErrSyntax
	}
	switch c := data[at]; {
	case c == '"':
		end, _, err = String(data, at)
		return end, err
	case c == '-' || '0' <= c && c <= '9':
		return Number(data, at)
	default:
		return Literal(data, at)
	}
}
