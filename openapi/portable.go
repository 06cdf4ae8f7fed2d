package openapi

import (
	"encoding/json"
	"strconv"
)

// portableDepth is how deep structuredContent nests. Readers of JSON in other languages stop at 128 or 200 levels, and
// one that stops loses the whole message, the text included.
const portableDepth = 64

// decodeAnswer decodes the JSON of an API. odd says that the text is JSON of which some clients cannot read a part:
// numbers outside of a double's range, halves of surrogate pairs, very deep values, repeated keys.
func decodeAnswer(text string) (v any, odd bool, err error) {
	p := jsonParser{s: text}
	v, err = p.document()
	return v, p.odd, err
}

// isPortable says whether a number lies in the range of a double; readers fail on others, or make them infinite.
func isPortable(number string) bool {
	_, err := strconv.ParseFloat(number, 64)
	return err == nil
}

// portableValue leaves out what clients cannot read; ok is false when nothing is left. It changes the value.
func portableValue(v any, depth int) (portable any, ok bool) {
	switch v := v.(type) {
	case json.Number:
		return v, isPortable(string(v))
	case []any:
		if depth >= portableDepth {
			return cutBelow(v, 0), true
		}
		kept := v[:0]
		for _, item := range v {
			if item, ok := portableValue(item, depth+1); ok {
				kept = append(kept, item)
			}
		}
		return kept, true
	case map[string]any:
		if depth >= portableDepth {
			return cutBelow(v, 0), true
		}
		for k, item := range v {
			if item, ok := portableValue(item, depth+1); ok {
				v[k] = item
			} else {
				delete(v, k)
			}
		}
	}
	return v, true
}
