package body

import (
	"bytes"
	"slices"

	"golang.org/x/text/unicode/norm"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
)

// AppendCanonical appends the body in a form that is the same for requests that mean the same: members sorted, no white space,
// numbers as written, texts of the prompt in NFC without trailing white space, and without the members that do not change
// the answer (llm.md CA-6).
func (v *View) AppendCanonical(out []byte) []byte {
	c := canonical{out: slices.Grow(out, len(v.Data))}
	c.object(v.Data, true)
	return c.out
}

type canonical struct {
	out  []byte
	text bool // inside the prompt
}

// silent reports whether a member of the body has no influence on the answer.
func silent(name string) bool {
	switch name {
	case "stream", "stream_options", "user", "safety_identifier", "metadata", "store":
		return true
	}
	return false
}

// prompting reports whether a member of the body holds texts of the prompt.
func prompting(name string) bool { return name == "messages" || name == "input" || name == "prompt" }

type member struct {
	key, value []byte
}

// The errors of jsonscan cannot happen below: Parse has read the same bytes.

func (c *canonical) object(data []byte, body bool) {
	var few [12]member
	members := few[:0]
	_ = jsonscan.Members(data, func(key, value []byte) error {
		if !body || !silent(string(key)) {
			members = append(members, member{key, value})
		}
		return nil
	})
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare(a.key, b.key) })
	c.out = append(c.out, '{')
	for i, m := range members {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = append(appendQuoted(c.out, m.key), ':')
		if body {
			c.text = prompting(string(m.key))
		}
		c.value(m.value)
	}
	c.out = append(c.out, '}')
}

func (c *canonical) value(raw []byte) {
	switch raw[0] {
	case '{':
		c.object(raw, false)
	case '[':
		c.out = append(c.out, '[')
		first := true
		_ = jsonscan.Elements(raw, func(value []byte) error {
			if !first {
				c.out = append(c.out, ',')
			}
			first = false
			c.value(value)
			return nil
		})
		c.out = append(c.out, ']')
	case '"':
		c.string(raw)
	default:
		c.out = append(c.out, raw...)
	}
}

func (c *canonical) string(raw []byte) {
	text := raw[1 : len(raw)-1]
	if simple(text) { // then it is also its own NFC
		if c.text {
			text = bytes.TrimRight(text, " ")
		}
		c.out = append(append(append(c.out, '"'), text...), '"')
		return
	}
	text = jsonscan.AppendText(nil, raw)
	if c.text {
		text = bytes.TrimRight(norm.NFC.Bytes(text), " \t\r\n")
	}
	c.out = appendQuoted(c.out, text)
}

// appendQuoted appends what quote returns.
func appendQuoted[T string | []byte](out []byte, text T) []byte {
	if simple(text) {
		return append(append(append(out, '"'), text...), '"')
	}
	return append(out, quote(string(text))...)
}

// simple reports whether a text is written in JSON as it is, by us and by encoding/json: printable ASCII without quotes,
// backslashes and what pages could take for a tag.
func simple[T string | []byte](text T) bool {
	for i := range len(text) {
		switch b := text[i]; {
		case b < ' ', b >= 0x7f, b == '"', b == '\\', b == '<', b == '>', b == '&':
			return false
		}
	}
	return true
}
