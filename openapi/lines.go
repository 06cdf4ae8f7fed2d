package openapi

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

const recordSeparator = 0x1e // RFC 7464

// lines maps ndjson and json-seq: one line per value, read like an event stream.
func (r *answerReader) lines() (*Result, error) {
	c := collector{answerReader: r}
	first, some := "", false
	expired, err := r.forItsTime(func(body io.Reader) error {
		return readRecords(body, &some, func(record string) bool {
			first = record
			return c.take("", record)
		})
	})
	broken := err != nil && err != io.EOF && !expired && !c.full
	switch {
	case broken && !some:
		return nil, err
	case c.full && len(c.lines) == 0: // one value may be cut inside of itself
		return r.json([]byte(first), false), nil
	}
	res := c.result()
	note := ""
	switch count := len(c.lines); {
	case expired:
		note = fmt.Sprintf("(stream cut after %s, %d lines)", shortDuration(r.options.StreamFor), count)
	case c.full:
		note = fmt.Sprintf("Shortened: the first %d lines are shown.%s", count, r.askForLess())
	case broken:
		note = fmt.Sprintf("(answer broke off after %d lines)", count)
	}
	if note != "" {
		res.Content = append(res.Content, Content{Type: TextContent, Text: note})
	}
	if c.full || expired {
		res.truncated(c.size)
	}
	return res, nil
}

// linesOf maps JSON values that follow each other in what is called JSON, as watches and logs send them; nil when they
// are something else.
func (r *answerReader) linesOf(data []byte) *Result {
	c := collector{answerReader: r}
	if err := readRecords(bytes.NewReader(data), new(bool), func(record string) bool { return c.take("", record) }); !errors.Is(err, io.EOF) || len(c.values) != len(c.lines) {
		return nil
	}
	return c.result()
}

// readRecords reads values line by line, or up to the next record separator where there are any, and gives each to use
// until that says false. What the end of a broken body leaves is half of a value unless its line is whole. some is set
// when anything was read.
func readRecords(r io.Reader, some *bool, use func(string) bool) error {
	br := bufio.NewReaderSize(r, 4096)
	end := byte('\n')
	if mark, _ := br.Peek(1); len(mark) == 1 && mark[0] == recordSeparator {
		end = recordSeparator
	}
	var record []byte
	for {
		piece, err := br.ReadSlice(end)
		*some = *some || len(piece) > 0
		record = append(record, piece...)
		switch {
		case len(record) > maxStreamLine:
			return bufio.ErrTooLong
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		}
		whole := err == nil || err == io.EOF || bytes.HasSuffix(record, []byte{'\n'})
		if text := bytes.Trim(record, " \t\r\n\x1e"); whole && len(text) > 0 && !use(string(text)) {
			return nil
		}
		if err != nil {
			return err
		}
		record = record[:0]
	}
}
