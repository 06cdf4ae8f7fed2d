package openapi

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxArgDepth = 64

var errNotObject = errors.New("the arguments are not a JSON object")

// scan looks for what decoding would hide or what could hurt: bad UTF-8, lone surrogates (Q7), NUL (Q6), depth (Q18).
func scan(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("the arguments are not valid UTF-8")
	}
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if !quoted {
			switch c {
			case '{', '[':
				if depth++; depth > maxArgDepth {
					return errors.New("the arguments are nested deeper than 64 levels")
				}
			case '}', ']':
				depth--
			case '"':
				quoted = true
			}
			continue
		}
		switch c {
		case '"':
			quoted = false
		case '\\':
			i++
			if i < len(raw) && raw[i] == 'u' {
				skip, err := scanEscape(raw[i:])
				if err != nil {
					return err
				}
				i += skip
			}
		}
	}
	return nil
}

// scanEscape reads uXXXX and returns how many bytes more belong to it.
func scanEscape(s []byte) (int, error) {
	unit, ok := hex4(s)
	if !ok {
		return 0, nil // the decoder says what is wrong
	}
	switch {
	case unit == 0:
		return 0, errors.New("the arguments hold a NUL character")
	case unit >= 0xDC00 && unit <= 0xDFFF:
		return 0, errors.New("the arguments hold half of a surrogate pair")
	case unit >= 0xD800 && unit <= 0xDBFF:
		if len(s) >= 11 && s[5] == '\\' && s[6] == 'u' {
			if low, ok := hex4(s[6:]); ok && low >= 0xDC00 && low <= 0xDFFF {
				return 10, nil
			}
		}
		return 0, errors.New("the arguments hold half of a surrogate pair")
	}
	return 4, nil
}

func hex4(s []byte) (uint64, bool) {
	if len(s) < 5 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(s[1:5]), 16, 32)
	return v, err == nil
}

// name is the name of a set of one type.
func (t types) name() string {
	for _, n := range typeNames {
		if t == n.t {
			return n.name
		}
	}
	return ""
}

// valueType is the JSON type of a decoded value.
func valueType(v any) types {
	switch v := v.(type) {
	case nil:
		return tNull
	case bool:
		return tBool
	case string:
		return tString
	case json.Number:
		return numberType(string(v))
	case []any:
		return tArray
	}
	return tObject
}

// numberType says integer also of 5.0 (§10).
func numberType(text string) types {
	if !strings.ContainsAny(text, ".eE") {
		return tInteger
	}
	whole, fraction, ok := strings.Cut(text, ".")
	if ok && whole != "" && strings.Trim(fraction, "0") == "" {
		return tInteger
	}
	return tNumber
}

// appendValue writes a decoded value as compact JSON: keys sorted, numbers with their digits.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendString(b, v)
	case json.Number:
		return append(b, v...)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, item)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, k)
			b = append(b, ':')
			b = appendValue(b, v[k])
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// coerce makes of what models tend to write what the schema wants, where there is no doubt (§10).
func coerce(a *arg, v any) any {
	if a.file != noFile {
		return coerceFile(a, v)
	}
	if a.kinds != 0 {
		v = coerceTo(a.kinds, v)
	}
	if a.texted {
		v = enumsBack(a.schema, v, 0)
	}
	if a.kinds == 0 {
		return v
	}
	if list, ok := v.([]any); ok && a.lists != 0 {
		for i, item := range list {
			list[i] = coerceTo(a.lists, item)
		}
		return list
	}
	if a.kinds&^tNull == tArray && v != nil {
		if _, isList := v.([]any); !isList && (a.lists == 0 || valueType(v) != tObject || a.lists.has(tObject)) {
			if a.lists != 0 {
				v = coerceTo(a.lists, v)
			}
			return []any{v}
		}
	}
	return v
}

func coerceTo(kinds types, v any) any {
	switch v := v.(type) {
	case string:
		if !kinds.has(tString) {
			return coerceText(kinds, v)
		}
	case json.Number:
		if kinds&^tNull == tString {
			return string(v)
		}
	case bool:
		if kinds&^tNull == tString {
			return strconv.FormatBool(v)
		}
	}
	return v
}

func coerceText(kinds types, text string) any {
	trimmed := strings.TrimSpace(text)
	switch {
	case kinds.has(tInteger|tNumber) && isNumber(trimmed) && len(trimmed) < 64:
		return json.Number(trimmed)
	case kinds.has(tBool) && (trimmed == "true" || trimmed == "false"):
		return trimmed == "true"
	case kinds.has(tArray) && strings.HasPrefix(trimmed, "["), kinds.has(tObject) && strings.HasPrefix(trimmed, "{"):
		if scan([]byte(trimmed)) == nil {
			if v, err := decodeJSON([]byte(trimmed)); err == nil {
				return v
			}
		}
	}
	return text
}

// coerceFile takes a bare string for the bytes of a file (A10).
func coerceFile(a *arg, v any) any {
	one := func(v any) any {
		if s, ok := v.(string); ok {
			return map[string]any{"data": s}
		}
		return v
	}
	if a.file == oneFile {
		return one(v)
	}
	list, ok := v.([]any)
	if !ok {
		return []any{one(v)}
	}
	for i := range list {
		list[i] = one(list[i])
	}
	return list
}

// containsNUL says whether a value holds a NUL character anywhere.
func containsNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.IndexByte(v, 0) >= 0
	case []any:
		for _, item := range v {
			if containsNUL(item) {
				return true
			}
		}
	case map[string]any:
		for k, item := range v {
			if strings.IndexByte(k, 0) >= 0 || containsNUL(item) {
				return true
			}
		}
	}
	return false
}
