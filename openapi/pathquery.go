package openapi

import (
	"net/url"
	"strings"
)

// settleQuery reads what a path has after `?` (P20). Its constants tell the operation apart and are sent always; a pair
// whose value is a parameter, ?name={name}, is that parameter's.
func (t *template) settleQuery(query string, repaired func(string)) {
	var constant []string
	for _, pair := range strings.Split(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		name, whole := strings.CutPrefix(value, "{")
		name, closed := strings.CutSuffix(name, "}")
		switch {
		case key == "":
		case whole && closed && name != "" && !strings.ContainsAny(name+key, "{}"):
			if t.filled == nil {
				t.filled = map[string]string{}
			}
			t.filled[name] = decodedKey(key)
		default:
			constant = append(constant, pair)
		}
	}
	if t.query = encodeQuery(strings.Join(constant, "&")); t.query != "" {
		repaired("the path's query is sent always")
	}
}

func decodedKey(key string) string {
	if decoded, err := url.QueryUnescape(key); err == nil {
		return decoded
	}
	return key
}

// queryParams lists the parameters of a path's query as what they are: one that is declared for the path or not at all
// becomes a query parameter, and one that the path sends itself is none.
func (t *template) queryParams(specs []*paramSpec) []*paramSpec {
	sent, err := url.ParseQuery(t.query)
	if err != nil {
		sent = nil
	}
	var out []*paramSpec
	for _, p := range specs {
		key, fills := t.filled[p.name]
		switch {
		case p.in == "query" && sent.Has(p.name):
			continue
		case fills && p.in == "query":
			moved := *p
			moved.name = key
			p = &moved
		case fills && p.in == "path" && !t.has(p.name):
			moved := *p
			moved.in, moved.name = "query", key
			moved.style, moved.explode = defaultStyle("query")
			p = &moved
		}
		out = append(out, p)
	}
	for _, name := range sortedKeys(t.filled) {
		if key := t.filled[name]; !declares(out, key) {
			style, explode := defaultStyle("query")
			out = append(out, &paramSpec{name: key, in: "query", style: style, explode: explode, schema: &schema{types: tString}, required: true})
		}
	}
	return out
}

func declares(specs []*paramSpec, key string) bool {
	for _, p := range specs {
		if p.in == "query" && p.name == key {
			return true
		}
	}
	return false
}

// encodeQuery encodes what may not stand in a query; escapes that are there stay.
func encodeQuery(s string) string {
	if values, err := url.ParseQuery(s); err != nil || len(values) == 0 {
		return ""
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		if isUnreserved(c) || strings.IndexByte("!$&'()*+,;=:@/?%", c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}
