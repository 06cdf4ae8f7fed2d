package pins

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/drawbridge-mcp/drawbridge/mcp"
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
			return unseen(r) && !turns(r) && !tags(r) && !unicode.Is(unicode.Variation_Selector, r)
		}},
		{"characters that turn the direction of writing", turns},
		{"invisible tag characters", tags},
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
		found = append(found, fmt.Sprintf("gives orders to the model (%q)", mcp.Clip(m)))
	}
	if name := spokenOf(text, otherTools); name != "" {
		found = append(found, fmt.Sprintf("speaks of the tool %q of another server", mcp.Clip(name)))
	}
	return found
}

// spokenOf returns the first of names that stands in the text as a word. Names that are words of English anyway are nobody's.
func spokenOf(text string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	written := map[string]bool{}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || !inName(byte(r)) }) {
		written[word] = true
		written[strings.TrimRight(word, ".-")] = true // the end of a sentence
	}
	for _, name := range names {
		if written[name] && strings.ContainsFunc(name, func(r rune) bool { return r < 'a' || r > 'z' }) {
			return name
		}
	}
	return ""
}

func inName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

// unseen are characters that leave no trace on a screen: formats, fillers, joiners, selectors of variants.
func unseen(r rune) bool {
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r) ||
		r == 0x2800 // a Braille pattern without dots
}

func turns(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

// tags are letters nobody sees and models read: the tag block, and the selectors that no font has.
func tags(r rune) bool { return r >= 0xe0000 && r <= 0xe0fff || r >= 0xfe00 && r <= 0xfe0d }

// Visible writes hidden characters so that people see them.
func Visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && !unseen(r) {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "⟦U+%04X⟧", r)
	}
	return b.String()
}

// texts are all keys and texts of a definition, a line each.
func texts(definition []byte) string {
	d := json.NewDecoder(bytes.NewReader(definition))
	d.UseNumber()
	var b strings.Builder
	for {
		token, err := d.Token()
		if err != nil {
			return b.String()
		}
		if text, ok := token.(string); ok {
			b.WriteString(text)
			b.WriteByte('\n')
		}
	}
}
