package openapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// header is the first value of a header, by its canonical name.
func (r *answerReader) header(name string) string {
	if values := r.resp.Header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// mediaType is the type of the answer: its own, else the one that is declared.
func (r *answerReader) mediaType() string {
	if t := headerType(r.header("Content-Type")); t != "" {
		return t
	}
	return r.onlyType()
}

// headerType is the media type in a Content-Type header, "" when there is none: names of types are shown and sent on.
func headerType(header string) string {
	if header == "application/json" {
		return header
	}
	header, _, _ = strings.Cut(header, ",") // two headers that became one
	t := essence(header)
	main, sub, ok := strings.Cut(t, "/")
	switch {
	case !ok || len(t) > 127 || !isToken(main) || !isToken(sub): // RFC 6838 §4.2
		return ""
	case t == "image/jpg": // the name that is not registered
		return "image/jpeg"
	}
	return t
}

// onlyType is the type that the operation declares, if there is exactly one.
func (r *answerReader) onlyType() string {
	if len(r.plan.types) == 1 && !strings.Contains(r.plan.types[0], "*") {
		return essence(r.plan.types[0])
	}
	return ""
}

// trueType corrects what many servers say of everything, by what the operation declares and by the bytes: text of an
// answer that is JSON, text/plain or octets of any other.
func (r *answerReader) trueType(contentType string, data []byte) string {
	if contentType == "application/json" {
		return contentType
	}
	declared := r.onlyType()
	octets := contentType == "application/octet-stream" || contentType == "binary/octet-stream"
	switch {
	case contentType == "":
		return sniff(data)
	case shownImage(contentType):
		return imageType(contentType, data)
	case (octets || strings.HasPrefix(contentType, "text/")) && !isJSONType(contentType) && slices.ContainsFunc(r.plan.types, isJSONType):
		if t := sniff(data); t == "application/json" {
			return t
		}
	case declared == "" || declared == contentType || isLinesType(declared) || isJSONType(declared):
	case isTextType(declared): // text/plain is true of these, too
		if octets && utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 {
			return declared
		}
	case octets || contentType == "text/plain" && !utf8.Valid(data):
		return declared
	}
	return contentType
}

func shownImage(t string) bool {
	return t == "image/png" || t == "image/jpeg" || t == "image/gif" || t == "image/webp"
}

// imageType is what the bytes of an image are: a model's API refuses a whole conversation with an image that is none, or
// of another type than it says.
func imageType(contentType string, data []byte) string {
	switch found := sniff(data); {
	case shownImage(found), found == "application/json", strings.HasPrefix(found, "text/"):
		return found
	}
	return contentType
}

// fileType is the type of bytes that are no text, though the answer said so.
func fileType(data []byte) string {
	if t := sniff(data); !isTextType(t) {
		return t
	}
	return "application/octet-stream"
}

// jsonText is JSON in UTF-8 without byte order mark, whatever it came in; ok is false for bytes that are no text.
func jsonText(data []byte, header string) (text []byte, ok bool) {
	if utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 {
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), true
	}
	if s, ok := decodeText(data, header, "application/json"); ok {
		return []byte(strings.TrimPrefix(s, "\ufeff")), true
	}
	text = bytes.ToValidUTF8(data, []byte("\ufffd"))
	return text, json.Valid(text)
}

func sniff(data []byte) string {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(data) {
		return "application/json"
	}
	return essence(http.DetectContentType(data))
}
