package pins

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

var (
	base64Run = regexp.MustCompile(`[A-Za-z0-9+/_-]{201,}={0,2}`)
	// Orders to the model instead of words about the tool.
	imperative = regexp.MustCompile(`(?i)<\s*(important|system|instructions?)\s*>|\b(ignore (all |any |the )?(previous|prior|above)|do not (tell|mention|inform|reveal)|you must (always|never|first|now)|` +
		`before (using|calling) (any|this|other)|system prompt|without (telling|asking|informing) the user|never (tell|mention|ask) the user|` +
		`send (it|them|this|the (contents?|conversation|history|file))[^.]{0,40} to\b)`)
)

// Lint names what in a tool's texts is meant for a model rather than for people (Q8). Warnings, never edits.
func Lint(text string, otherTools []string) []string {
	var found []string
	for _, kind := range []struct {
		what string
		is   func(r rune) bool
	}{
		{"zero-width characters", func(r rune) bool {
			return r >= 0x200b && r <= 0x200f && r != 0x200e && r != 0x200f || r == 0x2060 || r == 0xfeff || r == 0x00ad
		}},
		{"characters that turn the direction of writing", func(r rune) bool {
			return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
		}},
		{"invisible tag characters", func(r rune) bool { return r >= 0xe0000 && r <= 0xe007f }},
		{"control characters", func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }},
	} {
		if strings.IndexFunc(text, kind.is) >= 0 {
			found = append(found, "has "+kind.what)
		}
	}
	if base64Run.MatchString(text) {
		found = append(found, "has a long run of base64")
	}
	if m := imperative.FindString(text); m != "" {
		found = append(found, fmt.Sprintf("gives orders to the model (%q)", clip(m)))
	}
	for _, name := range otherTools {
		if len(name) >= 4 && strings.Contains(text, name) {
			found = append(found, fmt.Sprintf("speaks of the tool %q of another server", clip(name)))
			break
		}
	}
	return found
}

// Visible writes hidden characters so that people see them.
func Visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && r != 0x00ad {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "⟦U+%04X⟧", r)
	}
	return b.String()
}

func clip(s string) string {
	const most = 128
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
