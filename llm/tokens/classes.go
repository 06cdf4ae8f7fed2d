package tokens

import (
	"unicode"
	"unicode/utf8"
)

// class is what a pattern may ask of a character.
type class uint8

const (
	upper   class = 1 << iota // \p{Lu} \p{Lt}
	lower                     // \p{Ll}
	other                     // \p{Lm} \p{Lo}
	mark                      // \p{M}
	number                    // \p{N}
	space                     // \s: White_Space, so not U+001C…U+001F
	newline                   // CR and LF, which are space too

	letter = upper | lower | other // \p{L}
)

// classes holds the class of each character of the basic plane, where nearly all text is.
type classes struct{ basic [1 << 16]class }

func newClasses() *classes {
	c := new(classes)
	for r := range rune(len(c.basic)) {
		c.basic[r] = classify(r)
	}
	return c
}

func classify(r rune) (c class) {
	switch {
	case unicode.Is(unicode.Lu, r) || unicode.Is(unicode.Lt, r):
		c = upper
	case unicode.Is(unicode.Ll, r):
		c = lower
	case unicode.Is(unicode.Lm, r) || unicode.Is(unicode.Lo, r):
		c = other
	case unicode.Is(unicode.M, r):
		c = mark
	case unicode.Is(unicode.N, r):
		c = number
	case r == '\r' || r == '\n':
		c = space | newline
	case unicode.IsSpace(r):
		c = space
	}
	return c
}

// at returns the class and the width of the character at offset i; width 0 at the end of the text.
func (c *classes) at(text string, i int) (class, int) {
	if i >= len(text) {
		return 0, 0
	}
	if b := text[i]; b < utf8.RuneSelf {
		return c.basic[b], 1
	}
	r, width := utf8.DecodeRuneInString(text[i:])
	if int(r) < len(c.basic) {
		return c.basic[r], width
	}
	return classify(r), width
}

// run returns where the longest run of characters that have any of the classes in want ends.
func (c *classes) run(text string, i int, want class) int {
	for {
		is, width := c.at(text, i)
		if width == 0 || is&want == 0 {
			return i
		}
		i += width
	}
}

// runWithout is run for characters that have none of the classes.
func (c *classes) runWithout(text string, i int, unwanted class) int {
	for {
		is, width := c.at(text, i)
		if width == 0 || is&unwanted != 0 {
			return i
		}
		i += width
	}
}
