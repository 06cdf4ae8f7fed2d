package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

const (
	maxBytes = 8 << 20 // C6
	maxNodes = 200_000 // C6, aliases counted as often as they are used
	maxDepth = 64      // C6
)

// parse reads one document into nodes. A non-nil fault means that there is nothing to decode.
func parse(data []byte) (*yaml.Node, *Fault) {
	if f := checkBytes(data); f != nil {
		return nil, f
	}
	loader, err := yaml.NewLoader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	if err != nil {
		return nil, &Fault{Message: "cannot be read as YAML"}
	}
	var doc, more yaml.Node
	if err := loader.Load(&doc); err != nil {
		return nil, syntaxFault(data, err)
	}
	if len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return nil, &Fault{Line: 1, Column: 1, Message: "the file is empty"}
	}
	switch err := loader.Load(&more); {
	case err == nil:
		return nil, &Fault{Line: more.Line, Column: more.Column, Message: "a second YAML document begins here; one file holds one"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxFault(data, err)
	}
	c := counter{}
	if f := c.count(doc.Content[0], 1); f != nil {
		return nil, f
	}
	return doc.Content[0], nil
}

// checkBytes refuses what is not UTF-8 text, at its line (C2), and what is too large (C6).
func checkBytes(data []byte) *Fault {
	if len(data) > maxBytes {
		at := place(data, maxBytes)
		return &Fault{Line: at.Line, Column: 1, Message: "the file is larger than 8MiB"}
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return &Fault{Line: 1, Column: 1, Message: "must be UTF-8"}
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		at := place(data, i)
		return &Fault{Line: at.Line, Column: at.Column, Message: "must not contain NUL"}
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			at := place(data, i)
			return &Fault{Line: at.Line, Column: at.Column, Message: "must be UTF-8"}
		}
		i += n
	}
	return nil
}

func place(data []byte, offset int) Position {
	before := data[:offset]
	line := bytes.Count(before, []byte("\n")) + 1
	start := bytes.LastIndexByte(before, '\n') + 1
	return Position{line, utf8.RuneCount(before[start:]) + 1}
}

// syntaxFault words the parser's error without any text of the file: a pasted password that begins with * would else
// come back as the name of an unknown anchor.
func syntaxFault(data []byte, err error) *Fault {
	if errors.Is(err, io.EOF) {
		return &Fault{Line: 1, Column: 1, Message: "the file is empty"}
	}
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return &Fault{Line: 1, Column: 1, Message: "cannot be read as YAML"}
	}
	f := &Fault{Line: load.Mark.Line, Column: load.Mark.Column}
	if f.Line == 0 {
		f.Line, f.Column = 1, 1
	}
	switch m := load.Message; {
	case strings.Contains(m, "unknown anchor"):
		f.Message = "no anchor of this name comes before this alias"
	case strings.Contains(m, "max depth"):
		f.Message = fmt.Sprintf("nesting is deeper than %d", maxDepth)
	case strings.Contains(m, "cannot start any token") && tabAt(data, *f):
		f.Message = "not YAML: a tab; lines are indented with spaces"
	default:
		f.Message = "not YAML: " + m
	}
	return f
}

// tabAt reports whether a tab is at the place of a fault.
func tabAt(data []byte, f Fault) bool {
	for range f.Line - 1 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return f.Column >= 1 && f.Column <= len(line) && line[f.Column-1] == '\t'
}

// counter walks a document as decoding will, aliases included.
type counter struct{ nodes int }

func (c *counter) count(n *yaml.Node, depth int) *Fault {
	if c.nodes++; c.nodes > maxNodes {
		return &Fault{Line: n.Line, Column: n.Column, Message: fmt.Sprintf("more than %d values, aliases included", maxNodes)}
	}
	if depth > maxDepth {
		return &Fault{Line: n.Line, Column: n.Column, Message: fmt.Sprintf("nesting is deeper than %d", maxDepth)}
	}
	if n.Kind == yaml.AliasNode {
		return c.count(n.Alias, depth+1)
	}
	if n.Style&yaml.TaggedStyle != 0 && !strings.HasPrefix(n.Tag, "!!") || n.Tag == "!!binary" {
		return &Fault{Line: n.Line, Column: n.Column, Message: "tags are not used in this file"}
	}
	for _, child := range n.Content {
		if f := c.count(child, depth+1); f != nil {
			return f
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0
}

// plain reports whether a scalar was written without quotes and not as a block.
func plain(n *yaml.Node) bool {
	const written = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Style&written == 0
}
