package openapi

import (
	"fmt"
	"path"
	"strings"
)

// selector of operations, compiled once (§3.1).
type selection struct {
	include, exclude []entry
	includeTexts     []string
	excludeTexts     []string
}

// entry says whether an operation matches.
type entry func(o *rawOperation) bool

func (s Selection) compile() *selection {
	c := &selection{includeTexts: s.Include, excludeTexts: s.Exclude}
	for _, text := range s.Include {
		c.include = append(c.include, compileEntry(text))
	}
	for _, text := range s.Exclude {
		c.exclude = append(c.exclude, compileEntry(text))
	}
	return c
}

func (c *selection) takes(o *rawOperation) bool {
	for _, e := range c.exclude {
		if e(o) {
			return false
		}
	}
	for _, e := range c.include {
		if e(o) {
			return true
		}
	}
	return len(c.include) == 0
}

// unmatched names the entries that match no operation.
func (c *selection) unmatched(all []*rawOperation) []string {
	var out []string
	check := func(list string, entries []entry, texts []string) {
		for i, e := range entries {
			found := false
			for _, o := range all {
				if o.node.isMap() && e(o) {
					found = true
					break
				}
			}
			if found {
				continue
			}
			text := fmt.Sprintf("operations.%s[%d]: %q matches no operation", list, i, texts[i])
			var ids []string
			for _, o := range all {
				ids = append(ids, o.id)
			}
			if near := nearest(texts[i], ids); near != "" {
				text += fmt.Sprintf("; did you mean %q?", near)
			}
			out = append(out, text)
		}
	}
	check("include", c.include, c.includeTexts)
	check("exclude", c.exclude, c.excludeTexts)
	return out
}

func compileEntry(text string) entry {
	text = strings.TrimSpace(text)
	if tag, ok := strings.CutPrefix(text, "tag:"); ok {
		return func(o *rawOperation) bool {
			for _, t := range texts(o.node.get("tags")) {
				if wildcard(tag, t) {
					return true
				}
			}
			return false
		}
	}
	switch text {
	case "is:read":
		return func(o *rawOperation) bool { return isRead(o.method) }
	case "is:write":
		return func(o *rawOperation) bool { return !isRead(o.method) }
	case "is:deprecated":
		return func(o *rawOperation) bool { return o.node.isTrue("deprecated") }
	}
	method, pattern, hasMethod := strings.Cut(text, " ")
	if hasMethod && strings.HasPrefix(strings.TrimSpace(pattern), "/") {
		methods := strings.Split(strings.ToUpper(method), ",")
		return func(o *rawOperation) bool {
			return (method == "*" || contains(methods, o.method)) && pathMatches(strings.TrimSpace(pattern), o.path)
		}
	}
	if strings.HasPrefix(text, "/") {
		return func(o *rawOperation) bool { return pathMatches(text, o.path) }
	}
	return func(o *rawOperation) bool { return o.id != "" && wildcard(text, o.id) }
}

func isRead(method string) bool {
	return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "QUERY"
}

// wildcard matches a text against a pattern where * is any run of characters.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}

// pathMatches matches a path template by segments: * is one, or a part of one, ** any number.
func pathMatches(pattern, p string) bool {
	return segmentsMatch(strings.Split(path.Clean(pattern), "/"), strings.Split(strings.TrimSuffix(p, "/"), "/"))
}

func segmentsMatch(pattern, segments []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := 0; i <= len(segments); i++ {
				if segmentsMatch(pattern[1:], segments[i:]) {
					return true
				}
			}
			return false
		}
		if len(segments) == 0 || !wildcard(pattern[0], segments[0]) {
			return false
		}
		pattern, segments = pattern[1:], segments[1:]
	}
	return len(segments) == 0
}

// nearest returns the candidate that a mistyped word most likely means, or "".
func nearest(word string, candidates []string) string {
	best, limit := "", len(word)/3+1
	for _, c := range candidates {
		if c == "" || c == word {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(c), limit); d < limit {
			best, limit = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance, or more than limit.
func distance(a, b string, limit int) int {
	if len(a) > 100 || len(b) > 100 || len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := before
			if a[i-1] != b[j-1] {
				cost++
			}
			before = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
