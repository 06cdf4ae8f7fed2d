package openapi

import (
	"bufio"
	"fmt"
	"io"
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
	if mark, _ := br.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = br.Discard(3)
	}
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

// collector keeps what a stream says, up to the limit.
type collector struct {
	*answerReader
	lines     []string
	values    []any // of the lines that are JSON
	size      int
	full, odd bool // full: the limit ended the stream
}

// take adds an event or a line; false ends the stream.
func (c *collector) take(name, data string) bool {
	line := strings.ToValidUTF8(name+data, "\ufffd")
	if c.size+len(line) > c.limit {
		c.full = true
		return false
	}
	c.size += len(line) + 1
	c.lines = append(c.lines, line)
	if v, odd, err := decodeAnswer(data); err == nil {
		c.values, c.odd = append(c.values, v), c.odd || odd
	}
	if c.options.Event != nil {
		c.options.Event(len(c.lines))
	}
	return true
}

// result has the lines as they came, and their values when all of them are JSON.
func (c *collector) result() *Result {
	res := &Result{Content: []Content{{Type: TextContent, Text: strings.Join(c.lines, "\n")}}}
	if len(c.values) > 0 && len(c.values) == len(c.lines) {
		res.Structured = c.structured(c.values, appendValue(nil, c.values), c.odd)
	}
	return res
}

// forItsTime reads the body as a stream, at most for stream_for.
func (r *answerReader) forItsTime(read func(io.Reader) error) (expired bool, err error) {
	var over atomic.Bool
	timer := time.AfterFunc(r.options.StreamFor, func() {
		over.Store(true)
		r.resp.Body.Close() // ends the read that waits
	})
	defer timer.Stop()
	body, err := r.decoded()
	if err == nil {
		err = read(body)
	}
	return over.Load(), err
}

// events reads an event stream until its end, the limit of bytes, or stream_for.
func (r *answerReader) events() *Result {
	c := collector{answerReader: r}
	expired, err := r.forItsTime(func(body io.Reader) error {
		return readEvents(body, func(e event) bool {
			switch {
			case e.data == "[DONE]":
				return true
			case e.name != "" && e.name != "message":
				return c.take("event: "+e.name+" ", e.data)
			}
			return c.take("", e.data)
		})
	})
	res := c.result()
	note := ""
	switch count := len(c.lines); {
	case expired:
		note = fmt.Sprintf("(stream cut after %s, %d events)", shortDuration(r.options.StreamFor), count)
	case c.full:
		note = fmt.Sprintf("(stream cut after %d bytes, %d events)", r.limit, count)
	case err != nil && err != io.EOF:
		note = fmt.Sprintf("(stream broke off after %d events)", count)
	}
	if note != "" {
		res.Content[0].Text = strings.TrimPrefix(res.Content[0].Text+"\n"+note, "\n")
	}
	if c.full || expired {
		res.Meta = map[string]any{"drawbridge/truncated": true}
	}
	return res
}

func shortDuration(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", int(d/time.Second))
	}
	return d.String()
}
