package combined

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	separator = "__"
	maxName   = 64 // characters; what common clients take
	kept      = 54 // of a longer one
)

// PublicName is how a tool or prompt of a source is called here (C1). It depends on nothing but prefix and name, so that
// a name does not change because a source was added.
func PublicName(as, name string) string {
	whole := as + separator + name
	if utf8.RuneCountInString(whole) <= maxName {
		return whole
	}
	sum := sha256.Sum256([]byte(whole))
	end, left := 0, kept
	for i := range whole {
		if left == 0 {
			end = i
			break
		}
		left--
	}
	return whole[:end] + "_" + hex.EncodeToString(sum[:4])
}

// prefixOf returns the prefix of a public name. A prefix has no underscore, so the first two end it.
func prefixOf(public string) (as string, ok bool) {
	as, _, ok = strings.Cut(public, separator)
	return as, ok
}

var prefixForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$`)

// ValidPrefix reports whether as can stand before the names of a source (mcp.md §1).
func ValidPrefix(as string) bool {
	return prefixForm.MatchString(as) && !strings.Contains(as, separator)
}

// PrefixFor is the prefix of a source that was given none: the name of its API or backend.
func PrefixFor(name string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(name) }
