package openapi

import "strings"

// leaf is what a schema without parts says of values; its texts are in the tools already. Most schemas of a document are
// leaves, and most leaves say what another says.
type leaf struct {
	types                                                                    types
	never, cut, unique, closed, open, readOnly, writeOnly                    bool
	format, pattern, enum, required, def, encoding, media                    string
	min, max, above, below, multipleOf                                       string
	minLen, maxLen, minItems, maxItems, minProps, maxProps, minHeld, maxHeld string
}

// leafOf returns what s says, when it is a leaf.
func leafOf(s *schema) (leaf, bool) {
	if !s.isLeaf() || s.then != nil || s.elses != nil || s.selector != nil || len(s.kinds) > 0 || s.ext != nil {
		return leaf{}, false
	}
	const between = "\x00" // in no JSON text
	return leaf{
		types: s.types, never: s.never, cut: s.cut, unique: s.unique, closed: s.closed, open: s.open, readOnly: s.readOnly, writeOnly: s.writeOnly,
		format: s.format, pattern: s.pattern, enum: strings.Join(s.enum, between), required: strings.Join(s.required, between), def: s.def,
		encoding: s.encoding, media: s.media, min: s.min, max: s.max, above: s.above, below: s.below, multipleOf: s.multipleOf,
		minLen: s.minLen, maxLen: s.maxLen, minItems: s.minItems, maxItems: s.maxItems, minProps: s.minProps, maxProps: s.maxProps,
		minHeld: s.minContains, maxHeld: s.maxContains,
	}, true
}

// sharer lets parts of schemas that say the same be the same, once all tools are made (§16: memory of a served document).
type sharer struct {
	leaves map[leaf]*schema
	seen   map[*schema]bool
	queue  []*schema
}

func shareLeaves(tools []*Tool) {
	sh := &sharer{leaves: map[leaf]*schema{}, seen: map[*schema]bool{}}
	for _, t := range tools {
		for _, list := range [...][]*arg{t.plan.args, t.plan.fixed} {
			for _, a := range list {
				sh.argument(a)
			}
		}
		if t.plan.body != nil {
			sh.take(t.plan.body.schema)
		}
	}
	for len(sh.queue) > 0 {
		s := sh.queue[len(sh.queue)-1]
		sh.queue = sh.queue[:len(sh.queue)-1]
		sh.parts(s)
	}
}

// argument keeps the text that a call without the argument is told.
func (sh *sharer) argument(a *arg) {
	if a.desc == "" && a.spec != nil {
		a.desc = a.spec.desc
	}
	if a.desc == "" && a.schema != nil {
		a.desc = a.schema.desc
	}
	a.schema = sh.share(a.schema)
	if a.spec != nil {
		a.spec.schema = sh.share(a.spec.schema)
	}
}

func (sh *sharer) take(s *schema) {
	if s != nil && !sh.seen[s] {
		sh.seen[s] = true
		sh.queue = append(sh.queue, s)
	}
}

func (sh *sharer) parts(s *schema) {
	for _, list := range [...][]*schema{s.prefix, s.allOf, s.anyOf, s.oneOf, s.kinds} {
		for i := range list {
			list[i] = sh.share(list[i])
		}
	}
	for _, list := range [...][]property{s.props, s.patternProps} {
		for i := range list {
			list[i].schema = sh.share(list[i].schema)
		}
	}
	for i := range s.dependent {
		s.dependent[i].schema = sh.share(s.dependent[i].schema)
	}
	for _, one := range [...]**schema{&s.addl, &s.items, &s.not, &s.ifs, &s.then, &s.elses, &s.contains, &s.propNames} {
		*one = sh.share(*one)
	}
}

// share returns the one schema that says what s says.
func (sh *sharer) share(s *schema) *schema {
	if s == nil {
		return nil
	}
	key, ok := leafOf(s)
	if !ok {
		sh.take(s)
		return s
	}
	if sh.leaves[key] == nil {
		bare := *s
		bare.name, bare.title, bare.desc, bare.example = "", "", "", ""
		sh.leaves[key] = &bare
	}
	return sh.leaves[key]
}
