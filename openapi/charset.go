package openapi

import (
	"bytes"
	"mime"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// decodeText turns the bytes of a text type into UTF-8: a byte order mark beats the header, an XML declaration counts,
// an unknown charset is read as UTF-8. ok is false for bytes that are no text at all.
func decodeText(data []byte, header, contentType string) (text string, ok bool) {
	if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) || bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}) {
		return string(toUTF8(data)), true
	}
	charset := ""
	if _, params, err := mime.ParseMediaType(header); err == nil {
		charset = strings.ToLower(params["charset"])
	}
	if charset == "" && isXMLType(contentType) {
		charset = xmlCharset(data)
	}
	switch charset {
	case "utf-16", "utf-16be", "utf-16le":
		return fromMarkless(data, charset == "utf-16le" || charset == "utf-16" && startsLittle(data)), true
	case "iso-8859-1", "latin1", "windows-1252", "cp1252":
		return decodeWith(charmap.Windows1252, data), true
	}
	if bytes.IndexByte(data, 0) >= 0 {
		if isJSONType(contentType) && len(data)%2 == 0 && (startsLittle(data) || startsBig(data)) { // RFC 4627 §3
			return fromMarkless(data, startsLittle(data)), true
		}
		return "", false
	}
	if utf8.Valid(data) {
		return string(data), true
	}
	if charset == "" && invalidShare(data) > 0.1 {
		return "", false
	}
	return strings.ToValidUTF8(string(data), "\ufffd"), true
}

// startsLittle says whether UTF-16 without a byte order mark starts with an ASCII character whose first byte is the low one.
func startsLittle(data []byte) bool { return len(data) > 1 && data[0] != 0 && data[1] == 0 }

func startsBig(data []byte) bool { return len(data) > 1 && data[0] == 0 && data[1] != 0 }

func fromMarkless(data []byte, little bool) string {
	if little {
		return string(fromUTF16(data, 0, 1))
	}
	return string(fromUTF16(data, 1, 0))
}

func decodeWith(e encoding.Encoding, data []byte) string {
	out, err := e.NewDecoder().Bytes(data)
	if err != nil {
		return strings.ToValidUTF8(string(data), "\ufffd")
	}
	return string(out)
}

// invalidShare is the part of bytes that are not UTF-8.
func invalidShare(data []byte) float64 {
	bad := 0
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			bad++
		}
		i += size
	}
	return float64(bad) / float64(max(1, len(data)))
}

func xmlCharset(data []byte) string {
	head := data[:min(len(data), 200)]
	m := regexp.MustCompile(`^\s*<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)["']`).FindSubmatch(head)
	if m == nil {
		return ""
	}
	return strings.ToLower(string(m[1]))
}
