package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"strings"
)

const (
	maxToolName = 50
	maxArgName  = 64
)

func shortHash(text string, digits int) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:digits]
}

// toolName makes a name of a source text (N2, N3, N6); key is "METHOD path".
func toolName(source, key string) string {
	name := strings.Trim(replaceRuns(source, isToolChar), "_-")
	switch {
	case name == "":
		return "op_" + shortHash(key, 8)
	case len(name) > maxToolName:
		return name[:41] + "_" + shortHash(key, 8)
	}
	return name
}

// methodPathName names an operation without operationId: GET /orders/{id}/items is get_orders_id_items.
func methodPathName(method, path string) string {
	return strings.ToLower(method) + "_" + strings.NewReplacer("{", "", "}", "").Replace(strings.TrimPrefix(path, "/"))
}

func isToolChar(c byte) bool {
	return c == '_' || c == '-' || isLetter(c) || c >= '0' && c <= '9'
}

func isArgChar(c byte) bool { return isToolChar(c) || c == '.' }

// replaceRuns turns every run of characters that are not allowed into one `_`.
func replaceRuns(s string, allowed func(byte) bool) string {
	var b strings.Builder
	run := false
	for i := 0; i < len(s); i++ {
		if allowed(s[i]) {
			b.WriteByte(s[i])
			run = false
		} else if !run {
			b.WriteByte('_')
			run = true
		}
	}
	return b.String()
}

// argName makes a name that every client takes (A3).
func argName(name string) string {
	if name != "" && len(name) <= maxArgName {
		ok := true
		for i := 0; i < len(name) && ok; i++ {
			ok = isArgChar(name[i])
		}
		if ok {
			return name
		}
	}
	safe := replaceRuns(name, isArgChar)
	if name != "" && !isArgChar(name[0]) {
		safe = strings.TrimPrefix(safe, "_")
	}
	if name != "" && !isArgChar(name[len(name)-1]) {
		safe = strings.TrimSuffix(safe, "_")
	}
	switch {
	case safe == "":
		return "arg_" + shortHash(name, 8)
	case len(safe) > maxArgName:
		return safe[:55] + "_" + shortHash(name, 8)
	}
	return safe
}

// safeNames are the advertised names of an object's properties, in their order; where two meet, all but an exact match
// get a hash (A4).
func safeNames(s *schema) []string {
	names := make([]string, len(s.props))
	clean := true
	for i, p := range s.props {
		names[i] = argName(p.name)
		clean = clean && names[i] == p.name
	}
	if clean {
		return names
	}
	count := map[string]int{}
	for _, n := range names {
		count[n]++
	}
	for i, p := range s.props {
		if count[names[i]] > 1 && names[i] != p.name {
			names[i] = suffixed(names[i], "_"+shortHash("body:"+p.name, 6))
		}
	}
	return names
}

// suffixed adds a suffix and keeps the length.
func suffixed(name, suffix string) string {
	if len(name)+len(suffix) > maxArgName {
		name = name[:maxArgName-len(suffix)]
	}
	return name + suffix
}

// settleNames gives tools with the same name, compared without case, a hash of their own (N4): never a counter, so that
// no unrelated operation changes a name. Names from configuration stay as they are.
func settleNames(tools []*Tool, configured map[*Tool]bool) {
	groups := map[string][]*Tool{}
	for _, t := range tools {
		key := strings.ToLower(t.Name)
		groups[key] = append(groups[key], t)
	}
	for _, group := range groups {
		if len(group) < 2 {
			continue
		}
		for _, t := range group {
			if configured[t] {
				continue
			}
			base := t.Name
			if len(base) > 43 {
				base = base[:43]
			}
			t.Name = base + "_" + shortHash(t.Method+" "+t.Path, 6)
		}
	}
}

var methodOrder = [...]string{"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "QUERY"}

func methodRank(method string) int {
	for i, m := range methodOrder {
		if m == method {
			return i
		}
	}
	return len(methodOrder)
}

// sortTools puts tools in the order of N7.
func sortTools(tools []*Tool) {
	sort.SliceStable(tools, func(i, j int) bool {
		a, b := tools[i], tools[j]
		if a.Path != b.Path {
			return a.Path < b.Path
		}
		if ra, rb := methodRank(a.Method), methodRank(b.Method); ra != rb {
			return ra < rb
		}
		return a.Method < b.Method
	})
}

// words turns a name into words for a title (D4): getHTTPRoutes is "Get HTTP routes".
func words(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c == '_' || c == '-':
			b.WriteByte(' ')
		case beginsWord(name, i):
			b.WriteByte(' ')
			if i+1 == len(name) || !isUpper(name[i+1]) { // an abbreviation keeps its case
				c |= 0x20
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	if text != "" && isLower(text[0]) {
		text = string(text[0]-0x20) + text[1:]
	}
	return text
}

// beginsWord says whether a capital inside of a name begins a word: after a small letter, or before one and after digits or
// several capitals (OAuth is one word).
func beginsWord(name string, i int) bool {
	if i == 0 || !isUpper(name[i]) || name[i-1] == '_' || name[i-1] == '-' {
		return false
	}
	if isLower(name[i-1]) {
		return true
	}
	several := !isUpper(name[i-1]) || i > 1 && isUpper(name[i-2])
	return several && i+2 < len(name) && isLower(name[i+1]) && isLower(name[i+2])
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
