package openapi

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// Changes says how the tools of a document differ from those of an earlier reading of it (§14). Names are sorted.
type Changes struct {
	Added   []string
	Removed []string
	Changed []Change
}

// Change is one tool whose bytes in tools/list, method or path are other ones.
type Change struct {
	Name     string
	Breaking []string // what may break callers, one reason each; nil: nothing that we see
}

// Diff compares two readings of one document, tool by tool. old may be nil: then there is nothing to compare with.
func Diff(old, new *Document) Changes {
	var c Changes
	if old == nil || new == nil {
		return c
	}
	before := make(map[string]*Tool, len(old.Tools))
	for _, t := range old.Tools {
		before[t.Name] = t
	}
	for _, t := range new.Tools {
		was := before[t.Name]
		delete(before, t.Name)
		switch {
		case was == nil:
			c.Added = append(c.Added, t.Name)
		case was.Hash() != t.Hash():
			c.Changed = append(c.Changed, Change{t.Name, breaks(was, t)})
		}
	}
	c.Removed = sortedKeys(before)
	slices.Sort(c.Added)
	slices.SortFunc(c.Changed, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return c
}

// Empty says that no tool differs.
func (c Changes) Empty() bool { return len(c.Added)+len(c.Removed)+len(c.Changed) == 0 }

// Breaking lists what may break callers, one line for each tool.
func (c Changes) Breaking() []string {
	var list []string
	for _, name := range c.Removed {
		list = append(list, name+": removed")
	}
	for _, t := range c.Changed {
		if len(t.Breaking) > 0 {
			list = append(list, t.Name+": "+strings.Join(t.Breaking, ", "))
		}
	}
	return list
}

// String is the line of §14: 2 added (a, b), 1 removed (c, breaking), 3 changed (d, e breaking, f).
func (c Changes) String() string {
	if c.Empty() {
		return "no tool changed"
	}
	var parts []string
	add := func(names []string, what string) {
		if len(names) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", len(names), what, someOf(names)))
		}
	}
	add(c.Added, "added")
	removed := make([]string, len(c.Removed))
	for i, name := range c.Removed {
		removed[i] = name + " breaking"
	}
	add(removed, "removed")
	changed := make([]string, len(c.Changed))
	for i, t := range c.Changed {
		if changed[i] = t.Name; len(t.Breaking) > 0 {
			changed[i] += " breaking"
		}
	}
	add(changed, "changed")
	return strings.Join(parts, ", ")
}

// someOf keeps a line of the log short: a document may lose thousands of tools at once.
func someOf(names []string) string {
	const most = 20
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, … and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// Hash is SHA-256 over the tool's canonical JSON: what clients see of it, and the operation that it calls. Schemas are
// written with sorted keys, so that equal tools have equal bytes (N7).
func (t *Tool) Hash() [sha256.Size]byte {
	b := appendString([]byte(`{"name":`), t.Name)
	for _, member := range [...]struct{ key, value string }{{"title", t.Title}, {"description", t.Description}, {"method", t.Method}, {"path", t.Path}} {
		b = append(append(append(b, `,"`...), member.key...), `":`...)
		b = appendString(b, member.value)
	}
	b = append(append(b, `,"inputSchema":`...), t.InputSchema...)
	if t.OutputSchema != nil {
		b = append(append(b, `,"outputSchema":`...), t.OutputSchema...)
	}
	a := t.Annotations
	b = fmt.Appendf(b, `,"annotations":{"title":%q,"readOnlyHint":%t,"destructiveHint":%t,"idempotentHint":%t,"openWorldHint":%t}}`,
		a.Title, a.ReadOnly, a.Destructive, a.Idempotent, a.OpenWorld)
	return sha256.Sum256(b)
}

// breaks says what a change of a tool takes away from its callers: arguments and values that were good and are refused now.
func breaks(old, new *Tool) []string {
	before, err := readAdvertised(old.InputSchema)
	if err != nil {
		return nil
	}
	after, err := readAdvertised(new.InputSchema)
	if err != nil {
		return nil
	}
	n := &narrowing{}
	n.objects("", before, after, 0)
	return n.found
}
