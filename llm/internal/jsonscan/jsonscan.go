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
	"math/bits"
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
	ones   = 0x0101010101010101
	highs  = 0x8080808080808080
	quotes = '"' * ones
	slants = '\\' * ones
	spaces = ' ' * ones
)

// special marks, in the high bit of each byte of x, quotes, backslashes and control characters. The lowest mark is
// always right; higher ones may be carries of it.
func special(x uint64) uint64 {
	q, b := x^quotes, x^slants
	return ((x-spaces)&^x | (q-ones)&^q | (b-ones)&^b) & highs
}

// String reads the string that begins at data[at] == '"' and returns the position behind its closing quote, and whether
// it holds escapes.
func String(data []byte, at int) (end int, escaped bool, err error) {
	i := at + 1
	var seen uint64 // every byte of the string, or-ed: the high bits tell whether any is not ASCII
	for {
		for i+16 <= len(data) {
			x := binary.LittleEndian.Uint64(data[i:])
			y := binary.LittleEndian.Uint64(data[i+8:])
			if m := special(x); m != 0 {
				n := bits.TrailingZeros64(m) &^ 7
				seen |= x & (1<<n - 1)
				i += n >> 3
				goto found
			}
			seen |= x
			if m := special(y); m != 0 {
				n := bits.TrailingZeros64(m) &^ 7
				seen |= y & (1<<n - 1)
				i += 8 + n>>3
				goto found
			}
			seen |= y
			i += 16
		}
		for i < len(data) && data[i] != '"' && data[i] != '\\' && data[i] >= ' ' {
			seen |= uint64(data[i])
			i++
		}
		if i >= len(data) {
			return 0, false, ErrSyntax
		}
	found:
		switch data[i] {
		case '"':
			if seen&highs != 0 && !utf8.Valid(data[at+1:i]) {
				return 0, false, ErrSyntax
			}
			return i + 1, escaped, nil
		case '\\':
			escaped = true
			n := escape(data[i:])
			if n == 0 {
				return 0, false, ErrSyntax
			}
			i += n
		default:
			return 0, false, ErrSyntax // a bare control character
		}
	}
}

// escape returns the length of the escape sequence that data begins with, 0 when it is none.
func escape(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	switch data[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if hex4(data[2:]) >= 0 {
			return 6
		}
	}
	return 0
}

// LoneSurrogate reports whether a raw string holds half of a surrogate pair without the other half. It is no character,
// and readers disagree about what it is (TK-10).
func LoneSurrogate(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 || i+1 >= len(raw) {
			return false
		}
		r, n := unescape(raw[i:])
		if n == 6 && r == utf8.RuneError && hex4(raw[i+2:]) != utf8.RuneError {
			return true
		}
		raw = raw[i+n:]
	}
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
