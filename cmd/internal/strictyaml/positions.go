package strictyaml

import (
	"fmt"
	"strconv"
	"strings"
)

// Position is a place in a file, from 1.
type Position struct{ Line, Column int }

// Positions tells where each path of a decoded file stands, so that later checks can place their faults.
type Positions struct {
	file   string
	values map[string]Position
	keys   map[string]Position
	texts  map[string]text // one-line scalars
	faulty map[string]bool
}

// text is a scalar that stands on one line as it is.
type text struct {
	value string
	quote int // characters before it: 0 plain, 1 quoted
}

// NewPositions returns Positions that know only the file's name, for a configuration that was made by a program.
func NewPositions(file string) *Positions {
	return &Positions{
		file: file, values: map[string]Position{}, keys: map[string]Position{}, texts: map[string]text{}, faulty: map[string]bool{},
	}
}

// File is the name that faults carry.
func (p *Positions) File() string { return p.file }

// Has reports whether the file itself has path, so that a value is the user's and not a default.
func (p *Positions) Has(path string) bool { _, ok := p.values[path]; return ok }

// Value returns where the value at path begins, or that of the nearest path above it.
func (p *Positions) Value(path string) Position { return nearest(p.values, path) }

// Key returns where the key of path stands, or its value when it has none, as list elements.
func (p *Positions) Key(path string) Position {
	if at, ok := p.keys[path]; ok {
		return at
	}
	return nearest(p.values, path)
}

// Fault places message at the value of path.
func (p *Positions) Fault(path, format string, args ...any) Fault {
	at := p.Value(path)
	return Fault{File: p.file, Line: at.Line, Column: at.Column, Path: path, Message: fmt.Sprintf(format, args...)}
}

// KeyFault places message at the key of path.
func (p *Positions) KeyFault(path, format string, args ...any) Fault {
	at := p.Key(path)
	return Fault{File: p.file, Line: at.Line, Column: at.Column, Path: path, Message: fmt.Sprintf(format, args...)}
}

// Inside places message at an offset, in characters, inside the text at path (C13). Texts over several lines, and texts
// in which a variable was expanded, are placed at their beginning.
func (p *Positions) Inside(path string, offset int, format string, args ...any) Fault {
	f := p.Fault(path, format, args...)
	if t, ok := p.texts[path]; ok {
		f.Column += t.quote + offset
	}
	return f
}

// Text returns the text at path, when it stands on one line as it is.
func (p *Positions) Text(path string) (string, bool) {
	t, ok := p.texts[path]
	return t.value, ok
}

// Faulty reports whether decoding already found a fault at path, above it or below it, so that a later check does not
// report what follows from that.
func (p *Positions) Faulty(path string) bool {
	if p.faulty[path] {
		return true
	}
	for up := path; up != ""; {
		up = parent(up)
		if up != "" && p.faulty[up] {
			return true
		}
	}
	for f := range p.faulty {
		if strings.HasPrefix(f, path) && len(f) > len(path) && (f[len(path)] == '.' || f[len(path)] == '[') {
			return true
		}
	}
	return false
}

func nearest(m map[string]Position, path string) Position {
	for {
		if at, ok := m[path]; ok {
			return at
		}
		if path == "" {
			return Position{}
		}
		path = parent(path)
	}
}

// parent cuts the last element of a path.
func parent(path string) string {
	if strings.HasSuffix(path, `"]`) {
		if i := strings.LastIndex(path, `["`); i >= 0 {
			return path[:i]
		}
	}
	i := strings.LastIndexAny(path, ".[")
	if i < 0 {
		return ""
	}
	return path[:i]
}

// Join returns the path of key inside the mapping at path.
func Join(path, key string) string {
	if !plainKey(key) {
		return path + "[" + strconv.Quote(clip(key)) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// Index returns the path of element i of the list at path.
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func plainKey(key string) bool {
	if key == "" || len(key) > 100 {
		return false
	}
	for _, r := range key {
		if r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

// clip keeps a hostile key from filling the screen.
func clip(s string) string {
	if r := []rune(s); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return s
}
