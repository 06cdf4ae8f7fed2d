package policy

import (
	"fmt"
	"slices"
)

const maxFragments = 4 // deep (PO-5)

// list compiles the entries at a place, and those of fragments in theirs. open are the fragments around it.
func (c *compiler) list(entries []Entry, at, when string, open []string) {
	for i := range entries {
		e, path := &entries[i], fmt.Sprintf("%s[%d]", at, i)
		if e.Fragment == "" {
			c.entry(path, e, when)
			continue
		}
		c.fragment(e, path, joinWhen(when, e.When), open)
	}
}

// fragment expands `- fragment: NAME`. Counters belong to the place that includes: its path is part of theirs.
func (c *compiler) fragment(e *Entry, path, when string, open []string) {
	c.at = path
	inner, known := c.env.deps.Fragments[e.Fragment]
	switch {
	case len(builds(e)) > 0 || e.ID != "":
		c.fault("", "a fragment takes when, and nothing else")
	case !known:
		c.fault("fragment", fmt.Sprintf("no fragment %q", e.Fragment))
	case slices.Contains(open, e.Fragment):
		c.fault("fragment", fmt.Sprintf("%q includes itself", e.Fragment))
	case len(open) >= maxFragments:
		c.fault("fragment", fmt.Sprintf("fragments are more than %d deep", maxFragments))
	default:
		c.list(inner, path+".fragment."+e.Fragment, when, append(slices.Clip(open), e.Fragment))
	}
}

// joinWhen is both conditions.
func joinWhen(outer, inner string) string {
	switch {
	case outer == "":
		return inner
	case inner == "":
		return outer
	default:
		return "(" + outer + ") && (" + inner + ")"
	}
}
