package openapi

import (
	"mime"
	"net/url"
	"path"
	"strings"
)

// location is where the API points: the path alone when it is on the same host.
func (r *answerReader) location() string {
	text := headerLine(r.resp.Header.Get("Location"))
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	u.User = nil
	if r.resp.Request != nil && r.resp.Request.URL != nil && strings.EqualFold(u.Host, r.resp.Request.URL.Host) {
		u.Scheme, u.Host = "", ""
	}
	return u.String()
}

// headerLine is a header's value, made safe for a line of text.
func headerLine(s string) string {
	if s == "" {
		return ""
	}
	s, _ = visible(strings.ToValidUTF8(s, "\ufffd"))
	return shorten(strings.Join(strings.Fields(s), " "), 1000)
}

// headerLines are the headers that are shown: those named, and what the document declares of the rest (§12).
func (r *answerReader) headerLines(always ...string) []string {
	names := always
	for _, name := range r.plan.headers {
		if !contains(names, name) {
			names = append(names, name)
		}
	}
	var lines []string
	for _, name := range names {
		value := ""
		if name == "location" {
			value = r.location()
		} else {
			value = headerLine(r.resp.Header.Get(name))
		}
		if value != "" {
			lines = append(lines, name+": "+value)
		}
	}
	return lines
}

// extras adds what the headers say, as far as the document declares them.
func (r *answerReader) extras(res *Result) {
	var always []string
	if r.resp.StatusCode == 201 || r.resp.StatusCode == 202 {
		always = []string{"location"}
	}
	if lines := r.headerLines(always...); len(lines) > 0 {
		res.Content = append(res.Content, Content{Type: TextContent, Text: strings.Join(lines, "\n")})
	}
	r.more(res)
}

// more names the next page, unless the answer itself did.
func (r *answerReader) more(res *Result) {
	if more := r.nextLink(); more != "" && (res.Meta == nil || !strings.Contains(res.lastText(), "More: ")) {
		res.Content = append(res.Content, Content{Type: TextContent, Text: more})
	}
}

func (res *Result) lastText() string {
	if len(res.Content) == 0 {
		return ""
	}
	return res.Content[len(res.Content)-1].Text
}

// filename is the base name that Content-Disposition gives, else one by the type (RFC 6266).
func (r *answerReader) filename(contentType string) string {
	name, _ := visible(strings.ToValidUTF8(dispositionName(r.resp.Header.Get("Content-Disposition")), "\ufffd"))
	name = path.Base(strings.ReplaceAll(name, "\\", "/"))
	if name != "" && name != "." && name != ".." && name != "/" && len(name) <= 255 {
		return strings.Map(func(r rune) rune {
			if r < 0x20 {
				return -1
			}
			return r
		}, name)
	}
	return "file" + extension(contentType)
}

// dispositionName is the file name in a header; many servers forget the quotes that a name with spaces needs.
func dispositionName(header string) string {
	_, params, err := mime.ParseMediaType(header)
	if err == nil {
		return params["filename"]
	}
	lower := strings.ToLower(header)
	i := strings.Index(lower, "filename=")
	if i < 0 || len(lower) != len(header) {
		return ""
	}
	name, _, _ := strings.Cut(header[i+len("filename="):], ";")
	return strings.Trim(strings.TrimSpace(name), `"`)
}

// nextLink reads Link: <…>; rel="next" (RFC 8288 §3).
func (r *answerReader) nextLink() string {
	for _, header := range r.resp.Header["Link"] {
		for header != "" {
			target, params, rest := cutLink(header)
			if isNext(params) {
				return r.nextFromURL(target)
			}
			header = rest
		}
	}
	return ""
}

// cutLink takes the first link off a header: commas stand in addresses and in quotes, too.
func cutLink(header string) (target, params, rest string) {
	_, header, _ = strings.Cut(header, "<")
	target, params, _ = strings.Cut(header, ">")
	quoted := false
	for i := range len(params) {
		switch c := params[i]; {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return target, params[:i], params[i+1:]
		}
	}
	return target, params, ""
}

// isNext says whether one of a link's relations is next.
func isNext(params string) bool {
	for _, param := range strings.Split(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for _, relation := range strings.Fields(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(relation, "next") {
				return true
			}
		}
	}
	return false
}
