package oauth

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// DisplayNameLimit is how many characters of a client's name a page shows (oauth.md §5.2).
const DisplayNameLimit = 60

// DisplayName makes a name that somebody else chose safe to show: control, bidirectional and zero-width characters are
// removed (they turn "evil" into something that reads like a trusted name), runs of space become one, the rest is NFC
// and cut at limit characters with an ellipsis. It does not escape: templates do. limit 0 means DisplayNameLimit.
func DisplayName(name string, limit int) string {
	if limit <= 0 {
		limit = DisplayNameLimit
	}
	if most := 16 * limit; len(name) > most {
		name = name[:most] // nobody may make us normalise megabytes for sixty characters
	}
	name = strings.ToValidUTF8(name, "")
	name = strings.Map(visible, name)
	name = strings.Join(strings.Fields(norm.NFC.String(name)), " ")
	runes := []rune(name)
	if len(runes) > limit {
		return strings.TrimSpace(string(runes[:limit])) + "…"
	}
	return name
}

// visible keeps what a reader can see. Format characters (Cf) hold all bidi and zero-width controls; the tag block and
// variation selectors hide text as well. Separators become a plain space.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), unicode.Is(unicode.Cs, r):
		return -1
	case r >= 0xFE00 && r <= 0xFE0F, r >= 0xE0100 && r <= 0xE01EF, r == 0x034F, r == 0x115F, r == 0x1160, r == 0x3164, r == 0xFFA0:
		return -1 // variation selectors, grapheme joiner, invisible fillers
	}
	return r
}
