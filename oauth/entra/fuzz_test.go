package entra

import (
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

func FuzzReadHeader(f *testing.F) {
	f.Add("eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := readHeader(raw); err == nil && strings.Count(raw, ".") != 2 {
			t.Errorf("readHeader(%q) took it", raw)
		}
	})
}

// Whatever a provider says, what a client gets is ASCII of ours.
func FuzzProviderErrors(f *testing.F) {
	f.Add("access_denied", "AADSTS65001: <b>x</b>")
	f.Add("<script>", "AADSTS99999999999999999999")
	f.Fuzz(func(t *testing.T, code, description string) {
		r := newRefusal(code, description)
		for _, e := range []*oauth.Error{r.signInError("Contoso"), r.refreshError()} {
			for _, c := range e.Description {
				if c < 0x20 || c > 0x7e || c == '<' {
					t.Errorf("description %q from %q, %q", e.Description, code, description)
				}
			}
			if len(e.Description) > 120 || strings.ContainsAny(e.Error(), "<>\r\n") {
				t.Errorf("error %q", e.Error())
			}
		}
	})
}
