package openapi

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// cutValue shortens a JSON value so that it stays valid JSON: the largest lists lose items from the end, then all lists,
// then long texts are shortened, then maps lose members, then the deepest objects say how many members are left out. The
// number of passes is fixed, so that no answer can make it slow.
func cutValue(v any, limit int) (any, string) {
	note := ""
	for range 8 {
		best := &listPlace{}
		size := best.measure(v, func(l []any) { v = l }, true)
		if size <= limit {
			return v, note
		}
		if best.list == nil {
			break
		}
		total := len(best.list)
		keep := max(1, min(total-1, total*(limit-(size-best.size))/max(1, best.size)))
		best.put(best.list[:keep])
		if note == "" {
			note = fmt.Sprintf("Shortened: items %s of %s shown.", thousands(keep), thousands(total))
		} else if !strings.HasSuffix(note, "too.") {
			note += " Other lists are cut, too."
		}
	}
	for _, items := range [...]int{50, 10, 2} {
		if valueSize(v) > limit {
			v = cutLists(v, items)
		}
	}
	v = cutTextsIn(v)
	if members := cutMembers(v, limit); note == "" {
		note = members
	}
	if note == "" {
		note = "Shortened: long texts and nested objects are cut."
	}
	for _, depth := range [...]int{16, 8, 6, 4, 3, 2, 1, 0} {
		if valueSize(v) <= limit {
			break
		}
		v = cutBelow(v, depth)
	}
	return v, note
}

func valueSize(v any) int { return new(listPlace).measure(v, nil, false) }

// listPlace is the list with the most bytes, and how to replace it.
type listPlace struct {
	list []any
	size int
	put  func([]any)
	buf  []byte // for the sizes of scalars

	object     map[string]any // the map with the most bytes
	objectSize int
}

// manyMembers is how many members an object has that is a map by names, of which the first are worth showing.
const manyMembers = 50

// measure returns the size of a value as JSON and looks on its way for the largest list, from the outside in: the items
// of a long list are small against it.
func (p *listPlace) measure(v any, put func([]any), look bool) int {
	switch v := v.(type) {
	case []any:
		size := 2 + max(0, len(v)-1)
		inner := look && len(v) <= 50
		for i, item := range v {
			if !inner || isScalar(item) {
				size += p.measure(item, nil, false)
				continue
			}
			size += p.measure(item, func(l []any) { v[i] = l }, inner)
		}
		if look && len(v) > 1 && size >= p.size {
			p.list, p.size, p.put = v, size, put
		}
		return size
	case map[string]any:
		size := 2 + max(0, len(v)-1)
		for _, k := range sortedKeys(v) {
			p.buf = appendString(p.buf[:0], k)
			size += len(p.buf) + 1
			if !look || isScalar(v[k]) {
				size += p.measure(v[k], nil, false)
				continue
			}
			size += p.measure(v[k], func(l []any) { v[k] = l }, look)
		}
		if len(v) > manyMembers && size >= p.objectSize {
			p.object, p.objectSize = v, size
		}
		return size
	}
	p.buf = appendValue(p.buf[:0], v)
	return len(p.buf)
}

func isScalar(v any) bool {
	switch v.(type) {
	case []any, map[string]any:
		return false
	}
	return true
}

func cutLists(v any, items int) any {
	switch v := v.(type) {
	case []any:
		v = v[:min(len(v), items)]
		for i := range v {
			v[i] = cutLists(v[i], items)
		}
		return v
	case map[string]any:
		for k := range v {
			v[k] = cutLists(v[k], items)
		}
	}
	return v
}

// cutMembers leaves the first members by name of the largest maps.
func cutMembers(v any, limit int) (note string) {
	for range 4 {
		best := &listPlace{}
		size := best.measure(v, nil, false)
		if size <= limit || best.object == nil {
			return note
		}
		names := sortedKeys(best.object)
		total := len(names)
		keep := min(total-1, total*max(0, limit-40-(size-best.objectSize))/best.objectSize)
		for _, name := range names[keep:] {
			delete(best.object, name)
		}
		best.object["…"] = fmt.Sprintf("%d members left out", total-keep)
		if note == "" {
			note = fmt.Sprintf("Shortened: members %s of %s shown.", thousands(keep), thousands(total))
		}
	}
	return note
}

func cutTextsIn(v any) any {
	switch v := v.(type) {
	case string:
		return shorten(v, 1000)
	case []any:
		for i := range v {
			v[i] = cutTextsIn(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = cutTextsIn(v[k])
		}
	}
	return v
}

func cutBelow(v any, depth int) any {
	switch v := v.(type) {
	case []any:
		if depth <= 0 {
			return []any{}
		}
		for i := range v {
			v[i] = cutBelow(v[i], depth-1)
		}
	case map[string]any:
		if depth <= 0 {
			return map[string]any{"…": fmt.Sprintf("%d members left out", len(v))}
		}
		for k := range v {
			v[k] = cutBelow(v[k], depth-1)
		}
	}
	return v
}

// wholeJSON is the beginning of a JSON text up to its last whole value, with what is open closed.
func wholeJSON(data []byte) []byte {
	var open []byte
	safe, key := 0, false // where the text may end; whether the next string is a key
scan:
	for i := 0; i < len(data); {
		switch c := data[i]; c {
		case '{', '[':
			open = append(open, c)
			key = c == '{'
			i++
			safe = i
		case '}', ']':
			open = open[:max(0, len(open)-1)]
			i++
			safe = i
		case ',':
			key = len(open) > 0 && open[len(open)-1] == '{'
			i++
		case ' ', '\t', '\r', '\n', ':':
			i++
		default:
			if i = scalarEnd(data, i); i == len(data) {
				break scan // it may be half of one
			}
			if !key || c != '"' {
				safe = i
			}
			key = false
		}
	}
	whole := append(make([]byte, 0, safe+len(open)), data[:safe]...)
	for i := len(open) - 1; i >= 0; i-- {
		whole = append(whole, open[i]+2) // in ASCII, { and } and [ and ] are two apart
	}
	return whole
}

// scalarEnd is the place after the text, number or word at i.
func scalarEnd(data []byte, i int) int {
	if data[i] != '"' {
		if n := bytes.IndexAny(data[i:], ",:]} \t\r\n\""); n > 0 {
			return i + n
		}
		return len(data)
	}
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// cutLines cuts a text at the end of a line.
func cutLines(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	text = text[:limit]
	if i := strings.LastIndexByte(text, '\n'); i > limit/2 {
		text = text[:i]
	}
	return text
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
