package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// named is an answer in plain JSON that passes as it comes, and breaks off where it says that it is the answer to another
// request: a client that goes by ids alone would take it for the list it waits for (see stray.go). Only the envelope is read.
type named struct {
	io.ReadCloser
	want []byte // the request's id

	depth   int
	text    bool // inside a string
	escaped bool
	key     bool   // the next string of the envelope is a key
	id      bool   // the value of id is being read
	kept    []byte // of the key, or of the id, that is being read
	end     error  // nothing is handed out behind it
}

func (x *exchange) named(body io.ReadCloser) *named {
	return &named{ReadCloser: body, want: x.r.Message.Bytes(x.r.Message.ID)}
}

const maxNamed = 2 << 10 // bytes of an id as it is written

var errOtherAnswer = errors.New("the answer to another request")

// Read implements io.Reader. What comes with the fault is not handed out.
func (n *named) Read(p []byte) (int, error) {
	if n.end != nil {
		return 0, n.end
	}
	got, err := n.ReadCloser.Read(p)
	if wrong := n.look(p[:got]); wrong != nil {
		n.end = notMCP(wrong.Error())
		return 0, n.end
	}
	return got, err
}

// look reads on. Members inside of members are stepped over.
func (n *named) look(b []byte) error {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if n.text {
			if n.depth > 1 && !n.escaped {
				skip := bytes.IndexAny(b[i:], `"\`)
				if skip < 0 {
					return nil
				}
				i += skip
				c = b[i]
			}
			if err := n.within(c); err != nil {
				return err
			}
			continue
		}
		if err := n.between(c); err != nil {
			return err
		}
	}
	return nil
}

// within is one byte of a string.
func (n *named) within(c byte) error {
	if n.depth == 1 {
		n.keep(c)
	}
	switch {
	case n.escaped:
		n.escaped = false
	case c == '\\':
		n.escaped = true
	case c == '"':
		n.text = false
		if n.depth == 1 && n.key {
			return n.begin()
		}
	}
	return nil
}

// between is one byte outside of strings.
func (n *named) between(c byte) error {
	switch c {
	case ' ', '\t', '\r', '\n':
		return nil
	case '{', '[':
		if n.depth++; n.depth == 1 {
			n.key = true
		} else if n.id {
			return errOtherAnswer // no id
		}
		return nil
	case '}', ']', ',':
		if n.depth == 1 && n.id && !sameID(n.kept, n.want) {
			return errOtherAnswer
		}
		if n.depth == 1 {
			n.id, n.key, n.kept = false, true, n.kept[:0]
		}
		if c != ',' {
			n.depth--
		}
		return nil
	case '"':
		n.text = true
	case ':':
		return nil
	}
	if n.depth == 1 {
		n.keep(c)
	}
	return nil
}

func (n *named) keep(c byte) {
	if (n.key || n.id) && len(n.kept) < maxNamed {
		n.kept = append(n.kept, c)
	}
}

// begin is the end of a key of the envelope. One that is written so that some readers take it for the id is none of ours.
func (n *named) begin() error {
	key := string(n.kept)
	n.key, n.kept = false, n.kept[:0]
	switch n.id = key == `"id"`; {
	case n.id:
		return nil
	case strings.EqualFold(key, `"id"`) || strings.Contains(key, `\`):
		return errOtherAnswer
	}
	return nil
}

// sameID compares ids as clients do: the text, or the number, however it is written. An error may have none.
func sameID(got, want []byte) bool {
	if bytes.Equal(got, want) || string(got) == "null" {
		return true
	}
	if len(got) == 0 || len(want) == 0 || (got[0] == '"') != (want[0] == '"') {
		return false
	}
	if got[0] == '"' {
		var a, b string
		return json.Unmarshal(got, &a) == nil && json.Unmarshal(want, &b) == nil && a == b
	}
	a, err := strconv.ParseFloat(string(got), 64)
	b, other := strconv.ParseFloat(string(want), 64)
	return err == nil && other == nil && a == b
}
