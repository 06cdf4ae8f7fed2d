package oauth_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// Row 65: names with HTML, bidi, zero-width, 10 KiB, emoji.
func TestDisplayNameShowsOnlyWhatAReaderCanSee_65(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "Claude Code", "Claude Code"},
		{"bidi override", "evil\u202egnp.exe\u202c", "evilgnp.exe"},
		{"bidi isolate", "\u2066a\u2069b", "ab"},
		{"zero width", "Cla\u200bu\u200dde\ufeff", "Claude"},
		{"controls and lines", "a\r\nb\x00c\td", "a bc d"},
		{"html stays text", "<b>x</b>", "<b>x</b>"},
		{"decomposed", "Cafe\u0301", "Café"},
		{"invalid utf-8", "a\xff\xfeb", "ab"},
		{"emoji", "🌉 bridge", "🌉 bridge"},
		{"only invisible", "\u200b\u200b", ""},
		{"tag characters", "a\U000E0041\U000E0042b", "ab"},
		{"sixty", strings.Repeat("x", 60), strings.Repeat("x", 60)},
		{"sixty-one", strings.Repeat("x", 61), strings.Repeat("x", 60) + "…"},
		{"ten KiB of emoji", strings.Repeat("🌉", 2560), strings.Repeat("🌉", 60) + "…"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := oauth.DisplayName(tc.in, 0); got != tc.want {
				t.Errorf("DisplayName(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func FuzzDisplayName(f *testing.F) {
	f.Add("Claude\u202e", 60)
	f.Add("\xff", 1)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = limit%100 + 1
		if limit < 1 {
			limit = 1
		}
		got := oauth.DisplayName(s, limit)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > limit+1 {
			t.Errorf("DisplayName(%q, %d) = %q", s, limit, got)
		}
		if strings.ContainsAny(got, "\r\n\t\u202e\u2066\u200b") {
			t.Errorf("DisplayName(%q) kept a control: %q", s, got)
		}
	})
}
