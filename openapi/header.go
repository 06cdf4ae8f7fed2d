package openapi

import (
	"fmt"
	"strings"
)

// isEmptyValue says whether a value has no members, so that its parameter is left out (B10).
func isEmptyValue(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// headerText writes a header argument (simple style); it is not percent-encoded (B14, Q12, Q13).
func headerText(p *paramSpec, v any) (string, error) {
	text := ""
	switch value := v.(type) {
	case []any:
		parts := make([]string, len(value))
		for i, item := range value {
			parts[i] = scalarText(item)
		}
		text = strings.Join(parts, ",")
	case map[string]any:
		var parts []string
		for _, k := range sortedKeys(value) {
			if p.explode {
				parts = append(parts, k+"="+scalarText(value[k]))
			} else {
				parts = append(parts, k, scalarText(value[k]))
			}
		}
		text = strings.Join(parts, ",")
	default:
		text = scalarText(v)
	}
	if p.contentType != "" {
		text = contentText(p, v)
	}
	text = strings.TrimSpace(text)
	if len(text) > 8<<10 {
		return "", faultLong
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return "", faultLines
		}
	}
	return text, nil
}

// cookiePairs writes a cookie argument (form style, Q14, Q15).
func cookiePairs(p *paramSpec, v any, refused func(string) bool) ([]string, error) {
	keep := "" // form encodes as a query does; 3.2's own style only what would end the value (B13)
	if p.style == "cookie" {
		keep = "!#$%&'()*+/:<=>?@[]^`{|}"
	}
	encode := func(s string) string { return string(appendEscaped(nil, s, keep)) }
	name := p.name
	if p.contentType != "" {
		return []string{name + "=" + encode(contentText(p, v))}, nil
	}
	switch v := v.(type) {
	case []any:
		var values []string
		for _, item := range v {
			values = append(values, encode(scalarText(item)))
		}
		if len(values) == 0 {
			return nil, nil
		}
		if !p.explode {
			return []string{name + "=" + strings.Join(values, ",")}, nil
		}
		for i := range values {
			values[i] = name + "=" + values[i]
		}
		return values, nil
	case map[string]any:
		return cookieObject(p, v, encode, refused)
	}
	return []string{name + "=" + encode(scalarText(v))}, nil
}

func cookieObject(p *paramSpec, v map[string]any, encode func(string) string, refused func(string) bool) ([]string, error) {
	var parts []string
	for _, k := range sortedKeys(v) {
		if !p.explode {
			parts = append(parts, encode(k), encode(scalarText(v[k])))
			continue
		}
		if !isToken(k) || refused(k) {
			return nil, fault(fmt.Sprintf("must not have a member %q", shorten(k, 60)))
		}
		parts = append(parts, k+"="+encode(scalarText(v[k])))
	}
	if len(parts) == 0 {
		return nil, nil
	}
	if !p.explode {
		return []string{p.name + "=" + strings.Join(parts, ",")}, nil
	}
	return parts, nil
}
