package combined

import (
	"regexp"
	"strings"
)

// template is a URI template (RFC 6570) turned round: it tells whether a URI can have come of it. Matching takes time
// linear in the URI, whatever a source wrote into the template.
type template struct{ form *regexp.Regexp }

const (
	maxTemplate = 2048 // bytes
	maxURI      = 8 << 10
)

// newTemplate reads a template; nil when it is none. A nil template fits nothing.
func newTemplate(text string) *template {
	if len(text) > maxTemplate {
		return nil
	}
	var form strings.Builder
	form.WriteString(`(?s)^`)
	for text != "" {
		literal, rest, more := strings.Cut(text, "{")
		if strings.Contains(literal, "}") {
			return nil
		}
		form.WriteString(regexp.QuoteMeta(literal))
		if !more {
			break
		}
		expression, after, closed := strings.Cut(rest, "}")
		if !closed || expression == "" {
			return nil
		}
		form.WriteString(expansion(expression))
		text = after
	}
	compiled, err := regexp.Compile(form.String() + `$`)
	if err != nil {
		return nil
	}
	return &template{compiled}
}

// expansion is what an expression can become (RFC 6570 §3.2).
func expansion(expression string) string {
	switch expression[0] {
	case '+': // reserved characters stay
		return `.+`
	case '#':
		return `(?:#.*)?`
	case '.':
		return `(?:\.[^/?#]*)?`
	case '/':
		return `(?:/[^?#]*)?`
	case ';':
		return `(?:;[^/?#]*)?`
	case '?':
		return `(?:\?[^#]*)?`
	case '&':
		return `(?:&[^#]*)?`
	}
	if strings.HasSuffix(expression, "*") { // servers take it for the rest of a path
		return `[^?#]+`
	}
	return `[^/?#]+`
}

func (t *template) fits(uri string) bool {
	return t != nil && len(uri) <= maxURI && t.form.MatchString(uri)
}
