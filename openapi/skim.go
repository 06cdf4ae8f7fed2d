package openapi

import (
	"encoding/json"
	"sync"
	"unicode/utf8"
)

// manyKeys is the number of keys of an object up to which a skim compares each with each.
const manyKeys = 128

// skim reads the usual JSON answer once and keeps nothing of it: whole says that the text is JSON which every client reads
// (decodeAnswer) and of which nothing has to go for it to fit o, and object that it is an object. When it is not whole,
// that says nothing: whoever wants to know decodes it. A nil outline takes everything.
func skim(text string, o *outline) (object, whole bool) {
	s := skimmers.Get().(*skimmer)
	defer s.put()
	s.s = text
	s.space()
	object = s.i < len(text) && text[s.i] == '{'
	if !s.fits(o) || s.odd {
		return object, false
	}
	s.space()
	return object, s.i == len(text) && (!s.runes || utf8.ValidString(text))
}

// skimmer walks a text and its outline side by side. Whatever it would have to think about ends the walk.
type skimmer struct {
	jsonParser
	runes bool     // some text is not ASCII
	keys  []string // of the open objects, innermost last, as written: none has an escape
	most  int      // how many of them there were at once
}

// skimmers is a cache and nothing else: an empty one changes no result.
var skimmers = sync.Pool{New: func() any { return &skimmer{keys: make([]string, 0, 2*manyKeys)} }}

// put forgets the text, so that no answer is held by a skimmer that waits.
func (s *skimmer) put() {
	if cap(s.keys) > 8*manyKeys {
		return
	}
	clear(s.keys[:s.most])
	*s = skimmer{keys: s.keys[:0]}
	skimmers.Put(s)
}

// fits reads one value that fits an outline.
func (s *skimmer) fits(o *outline) bool {
	s.space()
	if s.i >= len(s.s) {
		return false
	}
	switch c := s.s[s.i]; {
	case c == '{':
		o, ok := o.only("object")
		return ok && s.members(o)
	case c == '[':
		o, ok := o.only("array")
		return ok && s.items(o)
	case c == '"':
		_, ok := s.plain(true)
		return ok && o.takes("string")
	case c == '-' || c >= '0' && c <= '9':
		number, ok := s.digitsOf()
		return ok && o.takes(numberType(number).name())
	case c == 't':
		return s.word("true") && o.takes("boolean")
	case c == 'f':
		return s.word("false") && o.takes("boolean")
	}
	return s.word("null") && o.takes("null")
}

// members reads an object. Its keys are looked for among the outline's from where the last one was found: answers tend to
// be written in their document's order.
func (s *skimmer) members(o *outline) bool {
	if !s.enter() {
		return false
	}
	if s.take('}') {
		return s.leave()
	}
	first, at := len(s.keys), 0
	for {
		if s.space(); s.i >= len(s.s) || s.s[s.i] != '"' {
			return false
		}
		key, ok := s.plain(false)
		if !ok || !s.fresh(first, key) || !s.take(':') {
			return false
		}
		var member *outline
		if o != nil {
			member, at = o.member(key, at)
		}
		if !s.fits(member) {
			return false
		}
		if s.take(',') {
			continue
		}
		s.keys = s.keys[:first]
		return s.take('}') && s.leave()
	}
}

func (s *skimmer) items(o *outline) bool {
	if !s.enter() {
		return false
	}
	if s.take(']') {
		return s.leave()
	}
	var item *outline
	if o != nil {
		item = o.items
	}
	for {
		if !s.fits(item) {
			return false
		}
		if s.take(',') {
			continue
		}
		return s.take(']') && s.leave()
	}
}

// enter steps into an object or a list that is not too deep for every reader, leave out of it.
func (s *skimmer) enter() bool {
	s.depth++
	s.i++
	return s.depth <= portableDepth
}

func (s *skimmer) leave() bool {
	s.depth--
	return true
}

// fresh notes a key that the innermost object does not have yet.
func (s *skimmer) fresh(first int, key string) bool {
	own := s.keys[first:]
	if len(own) >= manyKeys {
		return false
	}
	for _, k := range own {
		if k == key {
			return false
		}
	}
	s.keys = append(s.keys, key)
	s.most = max(s.most, len(s.keys))
	return true
}

// plain reads a text, which has no escapes unless they are let pass.
func (s *skimmer) plain(escapes bool) (text string, ok bool) {
	s.i++
	start := s.i
	for s.i < len(s.s) {
		switch c := s.s[s.i]; {
		case c == '"':
			s.i++
			return s.s[start : s.i-1], true
		case c == '\\':
			if _, good := s.escape(); !escapes || !good {
				return "", false
			}
			continue
		case c < 0x20:
			return "", false
		case c >= utf8.RuneSelf:
			s.runes = true
		}
		s.i++
	}
	return "", false
}

// takes reports whether a value without parts fits; t is its type, or null.
func (o *outline) takes(t string) bool {
	switch {
	case o == nil:
		return true
	case t == "null":
		return o.null || o.typ == "" && len(o.anyOf) == 0
	case len(o.anyOf) == 0:
		return o.typ == "" || o.typ == t || o.typ == "number" && t == "integer"
	}
	for _, m := range o.anyOf {
		if m.takes(t) {
			return true
		}
	}
	return false
}

// only is the outline that values of a type with parts are held to. There is none when they do not fit, or when more than
// one variant may be theirs.
func (o *outline) only(t string) (*outline, bool) {
	if o == nil || len(o.anyOf) == 0 {
		return o, o == nil || o.typ == "" || o.typ == t
	}
	var found *outline
	for _, m := range o.anyOf {
		if m.typ != "" && m.typ != t {
			continue
		}
		if found != nil || len(m.anyOf) > 0 {
			return nil, false
		}
		found = m
	}
	return found, found != nil
}

// member is the outline of a member, nil when any value will do, and where the next one is looked for first.
func (o *outline) member(key string, from int) (*outline, int) {
	for i := from; i < len(o.props); i++ {
		if o.props[i].name == key {
			return o.props[i].outline, i + 1
		}
	}
	for i := range o.props[:from] {
		if o.props[i].name == key {
			return o.props[i].outline, i + 1
		}
	}
	return o.addl, from
}

// unchanged is the structured content of an answer that stays as it came, the usual one; ok is false when only its value
// can tell.
func (r *answerReader) unchanged(text string, data []byte) (content json.RawMessage, ok bool) {
	out := r.plan.output
	wrapped := out != nil && r.plan.wrapped
	if wrapped {
		out = out.props[0].outline
	}
	object, whole := skim(text, out)
	switch {
	case !whole:
		return nil, false
	case wrapped || !object && out == nil:
		return wrap(data), true
	}
	return data, object
}
