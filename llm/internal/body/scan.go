package body

import (
	"bytes"
	"strconv"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
)

// few is how many members of one object are compared one by one before a set is made of them: most objects have few,
// and one with a hundred thousand must not take the square of that.
const few = 24

// scanner is the strict pass. It walks as jsonscan does, and also refuses repeated members.
type scanner struct {
	data []byte
	view *View
	left int      // members that may still come
	keys [][]byte // names of the objects that are open, innermost last
	room [48][]byte

	text    bool // inside messages, input or prompt: strings count
	image   bool // inside the address of an image or a sound
	options bool // inside stream_options
}

func (s *scanner) syntax(at int) error {
	return &Fault{Code: "invalid_json", Msg: "The request body is not valid JSON at byte " + strconv.Itoa(at) + "."}
}

func (s *scanner) value(at, depth int) (end int, err error) {
	if at >= len(s.data) {
		return 0, s.syntax(at)
	}
	switch s.data[at] {
	case '{':
		return s.object(at, depth+1, false)
	case '[':
		return s.array(at, depth+1, false)
	case '"':
		end, err = s.string(at)
		if err == nil && s.text {
			s.view.TextBytes += end - at - 2
			if s.image {
				s.view.ImageBytes += end - at - 2
			}
		}
		return end, err
	default:
		if end, err = jsonscan.Scalar(s.data, at); err != nil {
			return 0, s.syntax(at)
		}
		return end, nil
	}
}

func (s *scanner) string(at int) (end int, err error) {
	if end, _, err = jsonscan.StrictString(s.data, at); err != nil {
		return 0, s.syntax(at)
	}
	return end, nil
}

func (s *scanner) array(at, depth int, messages bool) (end int, err error) {
	if depth > jsonscan.MaxDepth {
		return 0, tooDeep()
	}
	at = jsonscan.Space(s.data, at+1)
	if at < len(s.data) && s.data[at] == ']' {
		return at + 1, nil
	}
	for {
		if messages {
			s.view.MessageCount++
		}
		if end, err = s.value(at, depth); err != nil {
			return 0, err
		}
		at = jsonscan.Space(s.data, end)
		switch {
		case at < len(s.data) && s.data[at] == ']':
			return at + 1, nil
		case at >= len(s.data) || s.data[at] != ',':
			return 0, s.syntax(at)
		}
		at = jsonscan.Space(s.data, at+1)
	}
}

func tooDeep() error {
	return &Fault{Code: "invalid_json", Msg: "The request body is nested deeper than " + strconv.Itoa(jsonscan.MaxDepth) + " levels."}
}

// object reads the object at data[at]; body says that it is the whole one, whose members the view keeps.
func (s *scanner) object(at, depth int, body bool) (end int, err error) {
	if depth > jsonscan.MaxDepth {
		return 0, tooDeep()
	}
	first := len(s.keys)
	var seen map[string]struct{} // takes over from keys when they are more than few
	at = jsonscan.Space(s.data, at+1)
	if at < len(s.data) && s.data[at] == '}' {
		return at + 1, nil
	}
	for {
		key, from, err := s.key(at)
		if err != nil {
			return 0, err
		}
		if seen, err = s.unique(key, first, seen); err != nil {
			return 0, err
		}
		if body {
			end, err = s.member(key, from)
		} else {
			end, err = s.nested(key, from, depth)
		}
		if err != nil {
			return 0, err
		}
		at = jsonscan.Space(s.data, end)
		switch {
		case at < len(s.data) && s.data[at] == '}':
			s.keys = s.keys[:first]
			return at + 1, nil
		case at >= len(s.data) || s.data[at] != ',':
			return 0, s.syntax(at)
		}
		at = jsonscan.Space(s.data, at+1)
	}
}

// key reads a member's name, and returns where its value begins.
func (s *scanner) key(at int) (key []byte, value int, err error) {
	if at >= len(s.data) || s.data[at] != '"' {
		return nil, 0, s.syntax(at)
	}
	end, err := s.string(at)
	if err != nil {
		return nil, 0, err
	}
	key = s.data[at+1 : end-1]
	if bytes.IndexByte(key, '\\') >= 0 {
		key = jsonscan.AppendText(nil, s.data[at:end])
	}
	colon := jsonscan.Space(s.data, end)
	if colon >= len(s.data) || s.data[colon] != ':' {
		return nil, 0, s.syntax(colon)
	}
	return key, jsonscan.Space(s.data, colon+1), nil
}

// unique refuses a name that its object already has.
func (s *scanner) unique(key []byte, first int, seen map[string]struct{}) (map[string]struct{}, error) {
	if s.left--; s.left < 0 {
		return nil, &Fault{Code: "invalid_json", Msg: "The request body has too many members."}
	}
	names := s.keys[first:]
	again := false
	if seen != nil {
		_, again = seen[string(key)]
		seen[string(key)] = struct{}{}
	} else {
		for _, k := range names {
			again = again || string(k) == string(key)
		}
		s.keys = append(s.keys, key)
		if len(names) == few {
			seen = make(map[string]struct{}, 4*few)
			for _, k := range s.keys[first:] {
				seen[string(k)] = struct{}{}
			}
		}
	}
	if again {
		return nil, &Fault{Code: "invalid_json", Param: shown(key), Msg: "The request body repeats a member of one object. Send each member once."}
	}
	return seen, nil
}

// shown is a member name as an error may tell it: short, and nothing but plain characters.
func shown(key []byte) string {
	if len(key) > 64 {
		return ""
	}
	for _, c := range key {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return string(key)
}

// member reads a member of the body itself.
func (s *scanner) member(key []byte, from int) (end int, err error) {
	switch string(key) {
	case "messages":
		s.text = true
		if from < len(s.data) && s.data[from] == '[' {
			end, err = s.array(from, 2, true)
		} else {
			end, err = s.value(from, 1)
		}
	case "input", "prompt":
		s.text = true
		end, err = s.value(from, 1)
	case "stream_options":
		s.options = true
		end, err = s.value(from, 1)
	default:
		end, err = s.value(from, 1)
	}
	s.text, s.options = false, false
	if err != nil {
		return 0, err
	}
	s.view.members++
	return end, s.view.note(string(key), Span{from, end})
}

// nested reads a member of an inner object, at that depth. Parts that are images or sounds are told apart: their bytes are no text.
func (s *scanner) nested(key []byte, from, depth int) (end int, err error) {
	if s.options && depth == 2 {
		if end, err = s.value(from, depth); err != nil {
			return 0, err
		}
		return end, s.view.noteOption(string(key), Span{from, end})
	}
	if !s.text || s.image {
		return s.value(from, depth)
	}
	switch string(key) {
	case "image_url", "input_audio":
		s.image = true
		s.view.Images++
		end, err = s.value(from, depth)
		s.image = false
		return end, err
	}
	return s.value(from, depth)
}
