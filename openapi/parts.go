package openapi

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
)

const (
	maxParts     = 50
	maxPartDepth = 2 // parts of parts
)

// parts maps a multipart answer part by part, each like an answer of its own; the limits are those of the whole.
func (r *answerReader) parts(data []byte, cut bool) *Result {
	_, params, err := mime.ParseMediaType(r.resp.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" || r.depth > maxPartDepth {
		return r.text(strings.ToValidUTF8(string(data), "\ufffd"), cut)
	}
	res := &Result{}
	reader := multipart.NewReader(bytes.NewReader(data), params["boundary"])
	left, count := r.limit, 0
	for count < maxParts && left > 0 {
		part, err := reader.NextPart() // which undoes quoted-printable
		if err != nil {
			break
		}
		body, err := io.ReadAll(part)
		if err != nil {
			break // the rest of it was not read
		}
		count++
		if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "base64") {
			if raw, err := base64.StdEncoding.DecodeString(string(body)); err == nil {
				body = raw
			}
		}
		one := r.part(http.Header(part.Header), left).content(body, false)
		for _, c := range one.Content {
			left -= len(c.Text)
		}
		res.Content = append(res.Content, one.Content...)
		if one.Meta != nil {
			res.truncated(len(data))
		}
	}
	if count == 0 {
		return r.text(strings.ToValidUTF8(string(data), "\ufffd"), cut)
	}
	if _, err := reader.NextPart(); cut || err == nil {
		res.Content = append(res.Content, Content{Type: TextContent, Text: fmt.Sprintf("Shortened: the first %d parts are shown.%s", count, r.askForLess())})
		res.truncated(len(data))
	}
	return res
}

// part reads one part: its headers are its own, and nothing is declared of it.
func (r *answerReader) part(header http.Header, limit int) *answerReader {
	one := *r
	one.plan, one.limit, one.depth = &answerPlan{}, limit, r.depth+1
	one.resp = &http.Response{StatusCode: r.resp.StatusCode, Header: header, ContentLength: -1}
	return &one
}
