package openapi

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"
)

const (
	maxErrorText = 4 << 10
	maxErrorRead = 64 << 10
)

// failure maps an answer of 400 and above: what happened, the API's own words, and what to do (§12).
func (r *answerReader) failure() (*Result, error) {
	data, _, _ := r.body(false) // what came before an error, and the status alone, still say much
	lines := []string{fmt.Sprintf("%s from %s %s", r.statusLine(), r.tool.Method, r.tool.Path)}
	value, odd, isJSON := r.errorJSON(data)
	if isJSON {
		lines = append(lines, jsonMessage(value))
	} else {
		lines = append(lines, r.errorText(data[:min(len(data), maxErrorRead)]))
	}
	text := cutLines(strings.TrimSpace(strings.Join(lines, "\n")), maxErrorText)
	if hint := r.hint(); hint != "" {
		text += "\n" + hint
	}
	text, _ = visible(text)
	res := &Result{IsError: true, Content: []Content{{Type: TextContent, Text: text}}}
	if object, ok := value.(map[string]any); ok && isJSON && r.tool.OutputSchema == nil {
		cut, _ := cutValue(object, r.limit)
		res.Structured = r.structured(cut, appendValue(nil, cut), odd)
	}
	return res, nil
}

// errorJSON is the body of an error as JSON, whatever it is called; of a long one its beginning.
func (r *answerReader) errorJSON(data []byte) (value any, odd, ok bool) {
	text, ok := jsonText(data, r.resp.Header.Get("Content-Type"))
	text = bytes.TrimSpace(text)
	if !ok || len(text) == 0 || text[0] != '{' && text[0] != '[' && text[0] != '"' {
		return nil, false, false
	}
	value, odd, err := decodeAnswer(string(text))
	if err != nil && len(text) > maxErrorRead {
		value, odd, err = decodeAnswer(string(wholeJSON(text)))
	}
	return value, odd, err == nil
}

// errorText is the body of an error as text.
func (r *answerReader) errorText(data []byte) string {
	contentType := r.mediaType()
	if contentType != "" && !isTextType(contentType) {
		return ""
	}
	text, ok := decodeText(data, r.resp.Header.Get("Content-Type"), contentType)
	start := strings.ToLower(strings.TrimSpace(text[:min(len(text), 200)]))
	switch {
	case !ok:
		return ""
	case contentType == "text/html" || contentType == "application/xhtml+xml" || strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html"):
		return htmlText(text)
	}
	return text
}

// hint says what the caller's model can do about a status.
func (r *answerReader) hint() string {
	switch status := r.resp.StatusCode; {
	case status == 400 || status == 422:
		return "check the arguments"
	case status == 401 || status == 403:
		if r.options.CredentialHint != "" {
			return r.options.CredentialHint
		}
		return "the gateway's credential for this API was refused; this is not about your sign-in"
	case status == 409 || status == 412:
		return "fetch the current state first"
	case status == 429:
		if s := r.retryAfter(); s >= 0 {
			return fmt.Sprintf("retry after %d s", s)
		}
		return "retry later"
	case status >= 500:
		return "the API failed; try again later"
	}
	return ""
}

// retryAfter is how many seconds the API asks to wait; -1: it does not say. A date is read against the answer's own.
func (r *answerReader) retryAfter() int {
	for _, name := range [...]string{"Retry-After", "RateLimit-Reset"} {
		text := strings.TrimSpace(r.resp.Header.Get(name))
		if s, err := strconv.Atoi(text); err == nil && s >= 0 && s < 1e7 {
			return s
		}
		until, err := http.ParseTime(text)
		now, err2 := http.ParseTime(r.resp.Header.Get("Date"))
		if wait := until.Sub(now); err == nil && err2 == nil && wait < 1e7*time.Second {
			return int(max(0, wait) / time.Second)
		}
	}
	return -1
}

// htmlText is the title and the text of a page, without what is not read.
func htmlText(page string) string {
	z := html.NewTokenizer(strings.NewReader(page))
	var b strings.Builder
	skip := ""
	for b.Len() < maxErrorText {
		switch z.Next() {
		case html.ErrorToken:
			return strings.ReplaceAll(fold(b.String()), "\n\n", "\n")
		case html.StartTagToken:
			name, _ := z.TagName()
			switch string(name) {
			case "script", "style", "noscript", "svg":
				if skip == "" {
					skip = string(name)
				}
			case "br", "p", "div", "h1", "h2", "h3", "li", "tr", "title", "body":
				b.WriteByte('\n')
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == skip {
				skip = ""
			}
		case html.TextToken:
			if skip == "" {
				b.Write(z.Text())
				b.WriteByte(' ')
			}
		}
	}
	return fold(b.String())
}

// Failure is the result for an API that gave no answer. reason is one of the fixed texts below: never a host, an address
// or the text of an error.
func Failure(reason string) *Result {
	return &Result{IsError: true, Content: []Content{{Type: TextContent, Text: reason}}}
}

// Texts for Failure.
const (
	Unreachable = "the API could not be reached"
	BrokenOff   = "the connection broke off"
)

// NoAnswer says that the backend's time was over.
func NoAnswer(within string) string { return "the API did not answer within " + within }
