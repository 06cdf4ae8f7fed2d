package openapi

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"sync/atomic"
	"time"
)

const maxStreamLine = 1 << 20

// event is one server-sent event.
type event struct {
	name string
	data string
}

// readEvents reads server-sent events (WHATWG) and gives each to use, until the end or until use says false. Its memory
// is bounded by maxStreamLine per event.
func readEvents(r io.Reader, use func(event) bool) error {
	br := bufio.NewReaderSize(r, 4096)
	var e event
	var data []string
	size := 0
	for {
		line, err := readLine(br)
		if err != nil {
			return err
		}
		size += len(line)
		switch {
		case len(line) == 0:
			if len(data) > 0 {
				e.data = strings.Join(data, "\n")
				if !use(e) {
					return nil
				}
			}
			e, data, size = event{}, nil, 0
			continue
		case size > maxStreamLine:
			return bufio.ErrTooLong
		case line[0] == ':':
			continue
		}
		field, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "data":
			data = append(data, value)
		case "event":
			e.name = value
		}
	}
}

// readLine reads up to CR, LF or CRLF. A line that the end of the stream cuts off is dropped, as WHATWG asks.
func readLine(br *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		c, err := br.ReadByte()
		if err != nil {
			return nil, err
		}
		switch c {
		case '\n':
			return line, nil
		case '\r':
			if br.Buffered() > 0 { // never wait for more only to see whether it is LF
				if next, err := br.Peek(1); err == nil && next[0] == '\n' {
					_, _ = br.ReadByte()
				}
			}
			return line, nil
		}
		if len(line) >= maxStreamLine {
			return nil, bufio.ErrTooLong
		}
		line = append(line, c)
	}
}

// events reads an event stream until its end, the limit of bytes, or stream_for.
func (r *answerReader) events() (*Result, error) {
	var expired atomic.Bool
	timer := time.AfterFunc(r.options.StreamFor, func() {
		expired.Store(true)
		r.resp.Body.Close() // ends the read that waits
	})
	defer timer.Stop()
	var lines []string
	var values []any
	size, count, cut, odd := 0, 0, false, false
	body, err := r.decoded()
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	err = readEvents(body, func(e event) bool {
		if e.data == "[DONE]" {
			return true
		}
		if size+len(e.data) > r.limit {
			cut = true
			return false
		}
		line := e.data
		if e.name != "" && e.name != "message" {
			line = "event: " + e.name + " " + e.data
		}
		size += len(line) + 1
		count++
		lines = append(lines, line)
		if v, strange, err := decodeAnswer([]byte(e.data)); err == nil {
			values, odd = append(values, v), odd || strange
		}
		if r.options.Event != nil {
			r.options.Event(count)
		}
		return true
	})
	return r.streamed(lines, values, count, cut, expired.Load(), odd, err), nil
}

func (r *answerReader) streamed(lines []string, values []any, count int, cut, expired, odd bool, err error) *Result {
	switch {
	case expired:
		lines = append(lines, fmt.Sprintf("(stream cut after %s, %d events)", shortDuration(r.options.StreamFor), count))
	case cut:
		lines = append(lines, fmt.Sprintf("(stream cut after %d bytes, %d events)", r.limit, count))
	case err != nil && err != io.EOF:
		lines = append(lines, fmt.Sprintf("(stream broke off after %d events)", count))
	}
	res := &Result{Content: []Content{{Type: TextContent, Text: strings.Join(lines, "\n")}}}
	if cut || expired {
		res.Meta = map[string]any{"drawbridge/truncated": true}
	}
	if len(values) > 0 && len(values) == count {
		r.listStructured(res, values, odd)
	}
	r.fillStructured(res)
	return res
}

// listStructured puts the values of a stream under "result", when the tool's schema does not say otherwise.
func (r *answerReader) listStructured(res *Result, values []any, odd bool) {
	res.Structured = r.structured(values, appendValue(nil, values), odd)
}

func shortDuration(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", int(d/time.Second))
	}
	return d.String()
}

// lines maps ndjson and json-seq: one line per value.
func (r *answerReader) lines(data []byte, cut bool) *Result {
	var values []any
	count, odd := 0, false
	if cut { // the last line may be half of a value
		data = data[:bytes.LastIndexByte(data, '\n')+1]
	}
	var kept []string
	size := 0
	for line := range bytes.SplitSeq(bytes.ReplaceAll(data, []byte{0x1e}, nil), []byte{'\n'}) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if size += len(line) + 1; size > r.limit {
			cut = true
			break
		}
		count++
		kept = append(kept, strings.ToValidUTF8(string(line), "\ufffd"))
		if v, strange, err := decodeAnswer(line); err == nil {
			values, odd = append(values, v), odd || strange
		}
	}
	res := &Result{Content: []Content{{Type: TextContent, Text: strings.Join(kept, "\n")}}}
	if cut {
		res.Content = append(res.Content, Content{Type: TextContent, Text: fmt.Sprintf("Shortened: the first %d lines are shown.%s", count, r.askForLess())})
		res.truncated(len(data))
	}
	if len(values) > 0 && len(values) == count {
		r.listStructured(res, values, odd)
	}
	r.fillStructured(res)
	return res
}

// brokenLines maps the lines that came before the connection broke off; the last one may be half of a value.
func (r *answerReader) brokenLines(data []byte) *Result {
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	res := r.lines(whole, false)
	count := 0
	for line := range bytes.SplitSeq(whole, []byte{'\n'}) {
		if len(bytes.TrimSpace(line)) > 0 {
			count++
		}
	}
	res.Content = append(res.Content, Content{Type: TextContent, Text: fmt.Sprintf("(answer broke off after %d lines)", count)})
	return res
}

// parts maps a multipart answer part by part.
func (r *answerReader) parts(data []byte, cut bool) *Result {
	_, params, err := mime.ParseMediaType(r.resp.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return r.text(strings.ToValidUTF8(string(data), "\ufffd"), cut)
	}
	res := &Result{}
	reader := multipart.NewReader(bytes.NewReader(data), params["boundary"])
	for range 50 {
		part, err := reader.NextPart()
		if err != nil {
			break
		}
		body, err := io.ReadAll(io.LimitReader(part, r.options.MaxBinaryBytes))
		if err != nil {
			break
		}
		contentType := essence(part.Header.Get("Content-Type"))
		if contentType == "" || isTextType(contentType) {
			text, _ := decodeText(body, part.Header.Get("Content-Type"), contentType)
			res.Content = append(res.Content, Content{Type: TextContent, Text: cutLines(text, r.limit)})
			continue
		}
		res.Content = append(res.Content, r.binary(body, contentType, false).Content...)
	}
	if len(res.Content) == 0 {
		return r.text(strings.ToValidUTF8(string(data), "\ufffd"), cut)
	}
	r.fillStructured(res)
	return res
}
