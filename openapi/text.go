package openapi

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxToolText     = 1024
	maxPropertyText = 512
)

// plainText reduces CommonMark and HTML to text (D2) and removes characters that hide instructions (D6); hidden says
// whether there were any.
func plainText(s string) (text string, hidden bool) {
	s, hidden = visible(s)
	if !strings.ContainsAny(s, "<&[]!\n\t") && !strings.Contains(s, "  ") {
		return strings.TrimSpace(s), hidden
	}
	s = stripTags(s)
	if strings.IndexByte(s, '&') >= 0 {
		s, _ = visible(html.UnescapeString(s))
	}
	s = stripLinks(s)
	return fold(s), hidden
}

// visible removes control, bidirectional, zero-width and tag characters.
func visible(s string) (string, bool) {
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 && c != '\n' && c != '\t' && c != '\r' || c >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s, false
	}
	hidden := false
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return r
		}
		if unicode.IsControl(r) || r >= 0x200B && r <= 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r >= 0xE0000 && r <= 0xE007F {
			hidden = true
			return -1
		}
		return r
	}, s)
	return strings.ToValidUTF8(s, "\ufffd"), hidden
}

// stripTags removes HTML tags and comments; script and style go with their content. A `<` that opens no tag stays.
func stripTags(s string) string {
	if strings.IndexByte(s, '<') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '<' {
			next := strings.IndexByte(s[i:], '<')
			if next < 0 {
				next = len(s) - i
			}
			b.WriteString(s[i : i+next])
			i += next
			continue
		}
		end := tagEnd(s[i:])
		if end == 0 {
			b.WriteByte('<')
			i++
			continue
		}
		tag := strings.ToLower(s[i : i+end])
		i += end
		for _, name := range [...]string{"script", "style"} {
			if strings.HasPrefix(tag, "<"+name) {
				if close := strings.Index(strings.ToLower(s[i:]), "</"+name); close >= 0 {
					i += close
				}
			}
		}
		if isBlockTag(tag) {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func isBlockTag(tag string) bool {
	for _, name := range [...]string{"<br", "<p", "</p", "<li", "<div", "</div", "<tr", "<h", "</h", "<ul", "<ol"} {
		if strings.HasPrefix(tag, name) {
			return true
		}
	}
	return false
}

// tagEnd returns the length of the tag that s starts with, 0 when it is none.
func tagEnd(s string) int {
	if strings.HasPrefix(s, "<!--") {
		if end := strings.Index(s, "-->"); end >= 0 {
			return end + 3
		}
		return 0
	}
	if len(s) < 3 || !(s[1] == '/' || s[1] == '!' || isLetter(s[1])) {
		return 0
	}
	end := strings.IndexByte(s, '>')
	if end < 0 || end > 2000 || strings.ContainsAny(s[1:end], "<{") {
		return 0
	}
	name := strings.TrimPrefix(s[1:end], "/")
	for i := 0; i < len(name) && name[i] != ' ' && name[i] != '\n' && name[i] != '/'; i++ {
		if !isLetter(name[i]) && !(name[i] >= '0' && name[i] <= '9') && name[i] != '-' && name[i] != '!' {
			return 0
		}
	}
	if !knownTag(name) {
		return 0
	}
	return end + 1
}

// knownTag keeps `<id>` and `<your-token>`, which are placeholders and not HTML.
func knownTag(name string) bool {
	name, _, _ = strings.Cut(strings.TrimRight(strings.ToLower(name), "/"), " ")
	name, _, _ = strings.Cut(name, "\n")
	switch strings.TrimRight(name, "/") {
	case "a", "abbr", "b", "blockquote", "body", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del", "details", "div", "dl", "dt",
		"em", "embed", "font", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "i", "iframe", "img", "input",
		"ins", "kbd", "li", "link", "main", "mark", "meta", "nav", "object", "ol", "p", "pre", "q", "s", "samp", "script", "section", "select", "small",
		"span", "strike", "strong", "style", "sub", "summary", "sup", "svg", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr", "tt", "u",
		"ul", "var", "video", "!doctype":
		return true
	}
	return false
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// stripLinks turns [text](url) into text and removes images.
func stripLinks(s string) string {
	if !strings.Contains(s, "](") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		image := strings.HasPrefix(s[i:], "![")
		if s[i] != '[' && !image {
			b.WriteByte(s[i])
			i++
			continue
		}
		open := i
		if image {
			open++
		}
		text, length := linkAt(s[open:])
		if length == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		if !image {
			b.WriteString(stripLinks(text))
		}
		i = open + length
	}
	return b.String()
}

// linkAt reads [text](url) at the start of s.
func linkAt(s string) (text string, length int) {
	depth := 0
	for i := 0; i < len(s) && i < 1000; i++ {
		switch s[i] {
		case '[':
			depth++
		case ']':
			if depth--; depth > 0 {
				continue
			}
			if i+1 >= len(s) || s[i+1] != '(' {
				return "", 0
			}
			end := strings.IndexByte(s[i:], ')')
			if end < 0 || strings.IndexByte(s[i:i+end], '\n') >= 0 {
				return "", 0
			}
			return s[1:i], i + end + 1
		}
	}
	return "", 0
}

// fold joins white space, keeping lines and paragraphs apart.
func fold(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	blank := 0
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" {
			blank++
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
			if blank > 0 {
				b.WriteByte('\n')
			}
		}
		blank = 0
		b.WriteString(line)
	}
	return b.String()
}

// cutText shortens a text to limit characters at the end of a sentence or a word (D3).
func cutText(s string, limit int) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	end, count := 0, 0
	for i := range s {
		if count == limit-1 {
			end = i
			break
		}
		count++
	}
	head := s[:end]
	if i := strings.LastIndexAny(head, ".!?\n"); i > end/2 && (i+1 == len(head) || s[i+1] == ' ' || s[i+1] == '\n') {
		return strings.TrimSpace(head[:i+1]) + "…"
	}
	if i := strings.LastIndexAny(head, " \n"); i > end/2 {
		head = head[:i]
	}
	return strings.TrimRight(head, " \n,;:") + "…"
}
