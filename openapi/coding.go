package openapi

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
)

var errCoding = errors.New("the answer has a content coding that is not read")

// codings are the content codings of the answer, in the order in which they were put on (RFC 9110 §8.4). What is no
// coding says nothing: servers write charsets and types into this header.
func (r *answerReader) codings() []string {
	header := r.header("Content-Encoding")
	if header == "" {
		return nil
	}
	var list []string
	for _, coding := range strings.Split(header, ",") {
		switch coding = strings.ToLower(strings.TrimSpace(coding)); coding {
		case "gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz":
			list = append(list, coding)
		}
	}
	return list
}

// unknownCoding is a content coding of the answer that is not read: nobody asks for it.
func (r *answerReader) unknownCoding() string {
	list := r.codings()
	for _, coding := range list {
		if coding != "gzip" && coding != "x-gzip" && coding != "deflate" || len(list) > 2 {
			return coding
		}
	}
	return ""
}

// compressed is an answer of which nothing but its coding can be said.
func (r *answerReader) compressed() *Result {
	text := r.statusLine() + "; the answer is compressed with " + r.unknownCoding() + ", which is not read here"
	return &Result{Content: []Content{{Type: TextContent, Text: text}}}
}

// decoded is the body without its content codings.
func (r *answerReader) decoded() (io.Reader, error) {
	body := io.Reader(r.resp.Body)
	list := r.codings()
	if list == nil {
		return body, nil
	}
	if r.unknownCoding() != "" {
		return nil, errCoding
	}
	for i := len(list) - 1; i >= 0; i-- {
		next, err := inflated(body, list[i])
		if err != nil {
			return nil, err
		}
		body = next
	}
	return body, nil
}

// inflated takes one coding off. An answer without a body has none, and servers say gzip of what is not (any more).
func inflated(body io.Reader, coding string) (io.Reader, error) {
	r := bufio.NewReader(body)
	head, _ := r.Peek(2) // whoever reads meets the error
	switch {
	case len(head) < 2:
		return r, nil
	case coding != "deflate" && head[0] == 0x1f && head[1] == 0x8b:
		return gzip.NewReader(r)
	case coding != "deflate":
		return r, nil
	case head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0:
		return zlib.NewReader(r)
	}
	return flate.NewReader(r), nil // without the wrapping that RFC 9110 asks for
}
