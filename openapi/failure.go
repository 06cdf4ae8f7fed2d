package openapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"
)

const maxErrorText = 4 << 10

// failure maps an answer of 400 and above: what happened, the API's own words, and what to do (§12).
func (r *answerReader) failure() (*Result, error) {
	data, _, _ := r.body(false) // what came before an error, and the status alone, still say much
	if len(data) > 64<<10 {
		data = data[:64<<10]
	}
	lines := []string{fmt.Sprintf("%s from %s %s", r.statusLine(), r.tool.Method, r.tool.Path)}
	value, odd, decodeErr := decodeAnswer(data)
	isJSON := decodeErr == nil && len(data) > 0 && (data[0] == '{' || data[0] == '[' || data[0] == '"')
	switch {
	case isJSON:
		lines = append(lines, jsonMessage(value))
	case len(data) > 0 && (r.mediaType() == "text/html" || strings.HasPrefix(strings.TrimSpace(strings.ToLower(string(data[:min(len(data), 200)]))), "<!doctype html")):
		lines = append(lines, htmlText(string(data)))
	case len(data) > 0 && (r.mediaType() == "" || isTextType(r.mediaType())):
		if text, ok := decodeText(data, r.resp.Header.Get("Content-Type"), r.mediaType()); ok {
			lines = append(lines, text)
		}
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

// jsonMessage finds the words in a JSON error: problem details (RFC 9457) and the customs of others, else the JSON.
func jsonMessage(v any) string {
	object, ok := v.(map[string]any)
	if !ok {
		return compactText(v)
	}
	title, _ := object["title"].(string)
	detail, _ := object["detail"].(string)
	if title != "" {
		text := title
		if detail != "" {
			text += ": " + detail
		}
		rest := map[string]any{}
		for k, x := range object {
			if k != "title" && k != "detail" && k != "status" && k != "type" {
				rest[k] = x
			}
		}
		if len(rest) > 0 {
			text += "\n" + compactText(rest)
		}
		return text
	}
	if inner, ok := object["error"].(map[string]any); ok {
		if text, ok := inner["message"].(string); ok && text != "" {
			return text + others(inner, "message")
		}
	}
	for _, key := range [...]string{"error_description", "message", "msg", "errors", "detail", "error", "reason"} {
		text, _ := object[key].(string)
		if list, ok := object[key].([]any); ok && key == "errors" {
			text = messagesOf(list)
		}
		if text != "" {
			return text + others(object, key)
		}
	}
	return compactText(v)
}

// messagesOf joins the messages of a list of errors; "" when one of them has none, for the JSON then says more.
func messagesOf(list []any) string {
	var texts []string
	for _, item := range list {
		text, _ := item.(string)
		object, _ := item.(map[string]any)
		for _, key := range [...]string{"message", "detail", "title"} {
			if s, ok := object[key].(string); ok && text == "" {
				text = s + others(object, key)
			}
		}
		if text == "" {
			return ""
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "\n")
}

// others shows the details that stand beside a message.
func others(object map[string]any, key string) string {
	for _, k := range [...]string{"errors", "details", "code", "type"} {
		if x, ok := object[k]; ok && k != key && x != nil {
			return "\n" + k + ": " + compactText(x)
		}
	}
	return ""
}

func compactText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(appendValue(nil, v))
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
				skip = string(name)
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
