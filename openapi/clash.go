package openapi

// Documents contradict themselves: generators put `type: object` beside every allOf, and a list's type beside a union of
// its items. No value fits as written, so one side is believed, and the tool and the validator believe the same one.

// settle intersects the types that two parts of an allOf take. Where nothing is left, the part that says more than a type
// wins, else the first one (S3).
func (m *merger) settle(a, b *schema) types {
	t, ok := meet(a.types, b.types)
	if ok {
		return t
	}
	kept, left := a.types, b.types
	if a.saysOnlyType() && !b.saysOnlyType() {
		kept, left = left, kept
	}
	m.clashes = append(m.clashes, "schema: parts of an allOf contradict each other: "+typeText(left.names())+" and "+typeText(kept.names())+"; the latter is used")
	return kept
}

// tellClashes warns of what was settled while the tool of an operation was made.
func (im *importer) tellClashes(o *rawOperation) {
	for _, text := range im.merge.clashes {
		im.warn.add(o.node, text)
	}
	im.merge.clashes = im.merge.clashes[:0]
}

// meet intersects two sets of types; false, and the first one, where they have nothing in common.
func meet(a, b types) (types, bool) {
	if a == 0 || b == 0 {
		return a | b, true
	}
	if a.has(tNumber) && b.has(tInteger) && !b.has(tNumber) {
		a |= tInteger
	}
	if b.has(tNumber) && a.has(tInteger) {
		b |= tInteger
	}
	if t := a & b; t&^tNull != 0 {
		return t, true
	}
	return a, a == tNull || b == tNull
}

func (s *schema) saysOnlyType() bool {
	rest := *s
	rest.types = 0
	return rest.saysNothing() && len(rest.allOf) == 0
}

// uncontested is a schema without what contradicts the rest of it: its own type where an allOf or a union knows better,
// and the parts of an allOf that lost. The schema itself where nothing does.
func (f *flattener) uncontested(s *schema) *schema {
	if s.types == 0 && len(s.allOf) < 2 || len(s.allOf)+len(s.anyOf)+len(s.oneOf) == 0 {
		return s // as nearly always, a reference with a description among them
	}
	own, lost := s.types, 0
	if f.contestedByUnion(s) {
		own = 0
	}
	want := f.merge.flatten(s, 0).types
	for _, part := range s.allOf {
		if _, ok := meet(want, f.merge.flatten(part, 0).types); !ok {
			lost++
		}
	}
	if _, ok := meet(want, own); len(s.allOf) > 0 && !ok {
		own = 0
	}
	if own == s.types && lost == 0 {
		return s
	}
	out := *s
	out.types, out.allOf = own, nil
	for _, part := range s.allOf {
		if _, ok := meet(want, f.merge.flatten(part, 0).types); ok {
			out.allOf = append(out.allOf, part)
		}
	}
	return &out
}

// contestedByUnion says whether the type beside a union shuts out one of its members.
func (f *flattener) contestedByUnion(s *schema) bool {
	for _, list := range [...][]*schema{s.anyOf, s.oneOf} {
		for _, member := range list {
			kinds := f.merge.flatten(member, 0).infer()
			if _, ok := meet(s.types, kinds); !ok && kinds != tNull {
				return true
			}
		}
	}
	return false
}

// required lists what must be given, as far as it can be: a name without a property is kept (P11), unless the object is
// closed or no argument could hold it.
func (f *flattener) required(k flatKey, names []string) []any {
	s := k.schema
	closed := s.closed && !k.member && len(s.allOf)+len(s.patternProps) == 0
	var required []any
	for _, r := range s.required {
		name, can := r, !closed && (f.offered == nil || f.offered[r])
		for i, p := range s.props {
			if p.name == r {
				name, can = names[i], !p.schema.isReadOnly()
			}
		}
		if can {
			required = append(required, name)
		}
	}
	return required
}

// offered are the members that the arguments of a flat body can give; nil where they can give any.
func (p *plan) offered() map[string]bool {
	if p.rest() != nil {
		return nil
	}
	names := map[string]bool{}
	for _, list := range [...][]*arg{p.args, p.fixed} {
		for _, a := range list {
			if a.in == "body" {
				names[a.orig] = true
			}
		}
	}
	return names
}
