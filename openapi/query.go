package openapi

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// query collects the query of a request.
type query struct {
	b        []byte
	used     map[string]bool // names taken by other parameters and the credential (Q11)
	fixed    string          // what stands in front, by the base and the path
	reserved bool            // allowReserved of the parameter being written
	between  byte            // what stands between values, and so not inside of them; 0: nothing
	form     bool            // WHATWG form encoding: space as +
}

// reservedInQuery may stay under allowReserved: what would change the structure may not (B8).
const reservedInQuery = ":/?[]@!$'()*,;"

func (q *query) escape(s string) {
	if !q.reserved {
		q.plain(s)
		return
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			q.b = append(q.b, s[i:i+3]...)
			i += 2
			continue
		}
		if strings.IndexByte(reservedInQuery, s[i]) >= 0 && s[i] != q.between {
			q.b = append(q.b, s[i])
			continue
		}
		q.plain(s[i : i+1])
	}
}

func (q *query) plain(s string) {
	if q.form {
		q.b = appendForm(q.b, s)
		return
	}
	q.b = appendEscaped(q.b, s, "")
}

// appendForm is the application/x-www-form-urlencoded serializer of WHATWG URL.
func appendForm(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == ' ':
			b = append(b, '+')
		case isLetter(c) || c >= '0' && c <= '9' || c == '*' || c == '-' || c == '.' || c == '_':
			b = append(b, c)
		default:
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

func (q *query) key(name string) {
	if len(q.b) > 0 {
		q.b = append(q.b, '&')
	}
	reserved := q.reserved
	q.reserved = false
	q.escape(name)
	q.reserved = reserved
	q.b = append(q.b, '=')
}

func (q *query) pair(name, value string) {
	q.key(name)
	q.escape(value)
}

// joined writes name=a,b,c with a literal delimiter.
func (q *query) joined(name string, values []string, delimiter string) {
	q.key(name)
	q.between = delimiter[0]
	defer func() { q.between = 0 }()
	for i, v := range values {
		if i > 0 {
			q.b = append(q.b, delimiter...)
		}
		q.escape(v)
	}
}

// parameter writes one query argument (§8.2).
func (q *query) parameter(p *paramSpec, v any) error {
	q.reserved = p.reserved
	defer func() { q.reserved = false }()
	if p.contentType != "" {
		q.pair(p.name, contentText(p, v))
		return nil
	}
	switch v := v.(type) {
	case []any:
		q.list(p, v)
	case map[string]any:
		return q.object(p, v)
	case bool:
		if p.emptyAllowed && v {
			q.pair(p.name, "")
			return nil
		}
		q.pair(p.name, scalarText(v))
	default:
		q.pair(p.name, scalarText(v))
	}
	return nil
}

func delimiter(p *paramSpec) string {
	switch {
	case p.tabs:
		return "%09"
	case p.style == "spaceDelimited":
		return "%20"
	case p.style == "pipeDelimited":
		return "%7C"
	}
	return ","
}

func (q *query) list(p *paramSpec, list []any) {
	if len(list) == 0 {
		return // B10
	}
	if p.style == "deepObject" {
		for i, item := range list {
			q.deep(p.name, []string{strconv.Itoa(i)}, item)
		}
		return
	}
	values := make([]string, len(list))
	for i, item := range list {
		values[i] = scalarText(item)
	}
	if p.explode {
		for _, v := range values {
			q.pair(p.name, v)
		}
		return
	}
	q.joined(p.name, values, delimiter(p))
}

func (q *query) object(p *paramSpec, object map[string]any) error {
	keys := sortedKeys(object)
	switch {
	case len(keys) == 0:
		return nil
	case p.style == "deepObject":
		for _, k := range keys {
			q.deep(p.name, []string{k}, object[k])
		}
	case p.explode:
		for _, k := range keys {
			if q.taken(k, p.name) {
				return fault(fmt.Sprintf("must not have a member %q, which is another parameter's name", shorten(k, 60)))
			}
			if list, ok := object[k].([]any); ok {
				for _, item := range list {
					q.pair(k, scalarText(item))
				}
				continue
			}
			q.pair(k, scalarText(object[k]))
		}
	default:
		var values []string
		for _, k := range keys {
			values = append(values, k, scalarText(object[k]))
		}
		q.joined(p.name, values, delimiter(p))
	}
	return nil
}

// taken says whether a member of an object would be, or be read into, what somebody else sends: another parameter, or the
// constant query of the base and of the path, which stand in front of it (Q11).
func (q *query) taken(member, own string) bool {
	name, _, bracket := strings.Cut(member, "[")
	if member != own && q.used[member] || bracket && name != own && q.used[name] {
		return true
	}
	for pair := range strings.SplitSeq(q.fixed, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err == nil && pair != "" && (key == member || bracket && key == name) {
			return true
		}
	}
	return false
}

// whole writes a parameter that is the query itself (3.2 in: querystring, B13). Every key of it is the argument's own, but
// none may be the credential's or that of the base and of other parameters (Q11).
func (q *query) whole(p *paramSpec, v any, credential string) error {
	object, isObject := v.(map[string]any)
	inner := &query{form: true}
	switch {
	case isFormType(p.contentType) && isObject:
		for _, k := range sortedKeys(object) {
			if name, _, _ := strings.Cut(k, "["); q.taken(k, "") || name == credential && credential != "" {
				return fault(fmt.Sprintf("must not have a member %q, which is another parameter's name", shorten(k, 60)))
			}
		}
		inner.nested("", object)
	case isJSONType(p.contentType):
		inner.b = appendEscaped(nil, string(appendValue(nil, v)), "")
	default:
		inner.b = appendEscaped(nil, scalarText(v), "")
	}
	if len(q.b) > 0 && len(inner.b) > 0 {
		q.b = append(q.b, '&')
	}
	q.b = append(q.b, inner.b...)
	return nil
}

// deep writes name[a][b]=v; brackets are literal, what stands inside is encoded.
func (q *query) deep(name string, path []string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			q.deep(name, append(path[:len(path):len(path)], k), v[k])
		}
		return
	case []any:
		for i, item := range v {
			q.deep(name, append(path[:len(path):len(path)], strconv.Itoa(i)), item)
		}
		return
	}
	if len(q.b) > 0 {
		q.b = append(q.b, '&')
	}
	reserved := q.reserved
	q.reserved = false
	q.escape(name)
	for _, p := range path {
		q.b = append(q.b, '[')
		q.escape(p)
		q.b = append(q.b, ']')
	}
	q.reserved = reserved
	q.b = append(q.b, '=')
	q.escape(scalarText(v))
}
