package bridge

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-mcp/drawbridge/openapi"
)

const hexDigits = "0123456789abcdef"

// appendQuoted appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(append(b, s[start:i]...), "\ufffd"...)
			i++
			start = i
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

func quoted(s string) []byte { return appendQuoted(nil, s) }

// appendMember appends ,"key":"value" unless the value is empty.
func appendMember(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), key...), `":`...)
	return appendQuoted(b, value)
}

// maxResult is the largest result there is, cut or not (B7).
const maxResult = 8 << 20

// resultBody is a result without its end, which differs by era; it is what a cache keeps.
type resultBody struct {
	open []byte          // everything but _meta and the closing brace; what may follow it in memory is nobody else's
	meta json.RawMessage // an object's members without braces; nil: none
}

// encodeResult writes a result as tools/call answers it, and leaves room for its end.
func encodeResult(r *openapi.Result, end int) resultBody {
	size := 64 + len(r.Structured) + end
	for i := range r.Content {
		c := &r.Content[i]
		size += 96 + len(c.Text) + strings.Count(c.Text, `"`) + strings.Count(c.Text, "\n") + len(c.Data)*4/3
	}
	b := append(make([]byte, 0, size), `{"content":[`...)
	for i := range r.Content {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendContent(b, &r.Content[i])
	}
	b = append(b, ']')
	if structured := bytes.TrimSpace(r.Structured); len(structured) > 0 {
		b = append(append(b, `,"structuredContent":`...), structured...)
	}
	if r.IsError {
		b = append(b, `,"isError":true`...)
	}
	if len(b) > maxResult {
		return textResult("the answer is larger than 8 MiB and was left out; ask for less", false)
	}
	body := resultBody{open: b}
	if len(r.Meta) > 0 {
		if meta, err := json.Marshal(r.Meta); err == nil && len(meta) > 2 {
			body.meta = meta[1 : len(meta)-1]
		}
	}
	return body
}

func textResult(text string, isError bool) resultBody {
	b := appendQuoted([]byte(`{"content":[{"type":"text","text":`), text)
	b = append(b, "}]"...)
	if isError {
		b = append(b, `,"isError":true`...)
	}
	return resultBody{open: b}
}

func appendContent(b []byte, c *openapi.Content) []byte {
	switch c.Type {
	case openapi.ImageContent, openapi.AudioContent:
		b = append(append(append(b, `{"type":"`...), c.Type...), `","data":"`...)
		b = base64.StdEncoding.AppendEncode(b, c.Data)
		b = append(b, '"')
		b = appendMember(b, "mimeType", c.MIMEType)
		return append(b, '}')
	case openapi.ResourceContent:
		b = append(b, `{"type":"resource","resource":{"uri":`...)
		b = appendQuoted(b, c.URI)
		b = appendMember(b, "mimeType", c.MIMEType)
		if c.Data == nil {
			b = append(b, `,"text":`...)
			b = appendQuoted(b, c.Text)
		} else {
			b = append(b, `,"blob":"`...)
			b = append(base64.StdEncoding.AppendEncode(b, c.Data), '"')
		}
		return append(b, "}}"...)
	default:
		b = append(b, `{"type":"text","text":`...)
		return append(appendQuoted(b, c.Text), '}')
	}
}

const completeHead = `,"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":`

// finish ends a result for one era (B4).
func (s *Server) finish(r resultBody, modern bool) json.RawMessage {
	b := r.open
	if modern {
		b = append(b, completeHead...)
		b = append(b, s.info...)
		if r.meta != nil {
			b = append(append(b, ','), r.meta...)
		}
		return append(b, "}}"...)
	}
	if r.meta != nil {
		b = append(append(b, `,"_meta":{`...), r.meta...)
		b = append(b, '}')
	}
	return append(b, '}')
}
