package openapi

import "strings"

// cleanType repairs a media type of a document (P17); its parameters stay as written.
func cleanType(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if strings.EqualFold(s, "applicationjson") || strings.EqualFold(s, "json") {
		return "application/json", true
	}
	essence, _, _ := strings.Cut(s, ";")
	main, sub, ok := strings.Cut(strings.TrimSpace(essence), "/")
	if !ok || main == "" || sub == "" || !isToken(main) || !isToken(sub) {
		return "", false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return "", false
		}
	}
	return s, true
}

func cleanTypes(list []string) []string {
	var out []string
	for _, s := range list {
		if t, ok := cleanType(s); ok {
			out = append(out, t)
		}
	}
	return out
}

// essence is a media type without parameters, in lower case.
func essence(s string) string {
	if isEssence(s) {
		return s
	}
	s, _, _ = strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(s))
}

// isEssence says whether a media type is its own essence, as nearly all are.
func isEssence(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == ';' || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}

func isJSONType(s string) bool {
	t := essence(s)
	return strings.HasSuffix(t, "/json") || strings.HasSuffix(t, "+json")
}

func isXMLType(s string) bool {
	t := essence(s)
	return strings.HasSuffix(t, "/xml") || strings.HasSuffix(t, "+xml")
}

func isFormType(s string) bool {
	t := essence(s)
	return t == "application/x-www-form-urlencoded" || strings.HasPrefix(t, "multipart/")
}

// isTextType says whether bytes of a type are characters.
func isTextType(s string) bool {
	if s == "application/json" {
		return true
	}
	t := essence(s)
	if strings.HasPrefix(t, "text/") || isXMLType(t) || isJSONType(t) || isLinesType(t) {
		return true
	}
	switch t {
	case "application/yaml", "application/x-yaml", "application/javascript", "application/ecmascript", "application/csv", "application/sdp",
		"application/x-www-form-urlencoded", "application/graphql", "application/sql", "application/toml", "application/jwt", "application/x-sh":
		return true
	}
	return strings.HasSuffix(t, "+yaml")
}

// isLinesType says whether a type is one JSON value per line.
func isLinesType(s string) bool {
	t := essence(s)
	switch t {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines",
		"application/json-lines", "application/json-seq", "application/stream+json":
		return true
	}
	return strings.HasSuffix(t, "+json-seq")
}

// isToken says whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !isLetter(c) && !(c >= '0' && c <= '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return true
}

// preferred returns the index of the media type to send (§8.3), and whether a wish could be met.
func preferred(media []mediaSpec, wish string) (int, bool) {
	if wish != "" {
		for i, m := range media {
			if strings.EqualFold(m.contentType, wish) || essence(m.contentType) == essence(wish) {
				return i, true
			}
		}
	}
	best, rank := 0, 99
	for i, m := range media {
		// Among equals the smaller name wins, not the first: a document's tools do not depend on the order of its keys.
		if r := mediaRank(m.contentType); r < rank || r == rank && m.contentType < media[best].contentType {
			best, rank = i, r
		}
	}
	return best, wish == ""
}

func mediaRank(contentType string) int {
	t := essence(contentType)
	switch {
	case t == "application/json":
		return 0
	case strings.HasSuffix(t, "/json"):
		return 1
	case t == "application/merge-patch+json":
		return 2
	case strings.HasSuffix(t, "+json") && t != "application/json-patch+json":
		return 3
	case t == "application/json-patch+json":
		return 4
	case t == "application/x-www-form-urlencoded":
		return 5
	case t == "multipart/form-data":
		return 6
	case t == "text/plain":
		return 7
	case strings.HasPrefix(t, "text/"):
		return 8
	case isXMLType(t):
		return 9
	case t == "application/octet-stream":
		return 10
	}
	return 20
}
