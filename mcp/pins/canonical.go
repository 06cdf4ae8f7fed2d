package pins

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// covered are the members that a hash covers (Q1), sorted: what a model or a client acts upon. Not _meta, not icons. Clients
// that do not mind the case of keys act upon what is spelt differently, too, in place of what is spelt right.
func covered(all map[string]json.RawMessage) (keys []string) {
	for key := range all {
		for _, name := range [...]string{"annotations", "description", "inputSchema", "name", "outputSchema", "title"} {
			if strings.EqualFold(key, name) {
				keys = append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, byUnits)
	return keys
}

// Canonical returns what of a definition is pinned, as canonical JSON (RFC 8785): the order of keys and the spelling of
// numbers are no change.
func Canonical(definition json.RawMessage) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(definition, &all); err != nil {
		return nil, errors.New("the definition is no object")
	}
	b := []byte{'{'}
	for _, key := range covered(all) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		var v any
		d := json.NewDecoder(bytes.NewReader(all[key]))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return nil, errors.New("the definition cannot be read")
		}
		var err error
		if b, err = appendValue(append(appendString(b, key), ':'), v); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// Hash is the SHA-256 of the canonical form, in hexadecimal.
func Hash(definition json.RawMessage) (string, error) {
	b, err := Canonical(definition)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendString(b, v), nil
	case json.Number:
		return appendNumber(b, v)
	case []any:
		b = append(b, '[')
		for i, one := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendValue(b, one); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	default:
		return appendObject(b, v.(map[string]any))
	}
}

func byUnits(x, y string) int {
	return slices.Compare(utf16.Encode([]rune(x)), utf16.Encode([]rune(y)))
}

// appendObject sorts keys by their UTF-16 code units (RFC 8785 §3.2.3).
func appendObject(b []byte, v map[string]any) ([]byte, error) {
	keys := make([]string, 0, len(v))
	for key := range v {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, byUnits)
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(append(appendString(b, key), ':'), v[key]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendNumber writes a number as ECMAScript does (RFC 8785 §3.2.2.3). One that no double holds keeps its own spelling: it
// must not look like another.
func appendNumber(b []byte, n json.Number) ([]byte, error) {
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) {
		return append(b, n...), nil
	}
	if f == 0 {
		return append(b, '0'), nil
	}
	text, err := json.Marshal(f) // as ES6, for finite numbers
	if err != nil {
		return nil, err
	}
	return append(b, text...), nil
}

// appendString escapes what JSON demands and nothing else (RFC 8785 §3.2.2.2).
func appendString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\b':
			b = append(b, '\\', 'b')
		case r == '\f':
			b = append(b, '\\', 'f')
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
