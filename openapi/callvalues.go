package openapi

import "encoding/json"

// callValues are the arguments of a call, each at its place in the plan. A map would cost more than all else that most
// calls have to have done to their arguments.
type callValues []callValue

type callValue struct {
	value any
	given bool
}

// of is the value of an argument; ok is false when it was not given.
func (c callValues) of(a *arg) (v any, ok bool) { return c[a.at].value, c[a.at].given }

func (c callValues) set(a *arg, v any) { c[a.at] = callValue{v, true} }

// values decodes, completes and checks the arguments of a call.
func (p *plan) values(raw json.RawMessage) (callValues, error) {
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	if err := scan(raw); err != nil {
		return nil, &ArgumentError{Problems: []string{err.Error()}}
	}
	values, unknown, err := p.decode(raw)
	if err != nil {
		return nil, &ArgumentError{Problems: []string{errNotObject.Error()}}
	}
	problems := p.prepareValues(values, unknown)
	if len(problems) == 0 {
		problems = p.check.arguments(values)
	}
	if len(problems) > 0 {
		return nil, &ArgumentError{Problems: problems[:min(len(problems), 5)]}
	}
	for _, a := range p.fixed {
		values.set(a, a.fixed)
	}
	return values, nil
}

// decode reads a JSON object, each member to its place; unknown are the names of those that have none. Of a repeated name
// the last one counts.
func (p *plan) decode(raw json.RawMessage) (values callValues, unknown []string, err error) {
	d := jsonParser{s: string(raw), depth: 1}
	if !d.take('{') {
		return nil, nil, errNotObject
	}
	values = make(callValues, len(p.args)+len(p.fixed))
	for more := !d.take('}'); more; {
		name, err := d.key()
		if err != nil {
			return nil, nil, err
		}
		v, err := d.value()
		if err != nil {
			return nil, nil, err
		}
		if a := p.byName[name]; a != nil {
			values.set(a, v)
		} else {
			unknown = append(unknown, name)
		}
		if more = d.take(','); !more && !d.take('}') {
			return nil, nil, errBadJSON
		}
	}
	if d.space(); d.i < len(d.s) {
		return nil, nil, errAfterJSON
	}
	return values, unknown, nil
}

// prepareValues drops nulls that mean "absent" (A9), coerces, sends defaults, and looks for what is unknown or missing.
func (p *plan) prepareValues(values callValues, unknown []string) []string {
	var problems []string
	for _, name := range unknown {
		problems = append(problems, p.unknown(name))
	}
	bodyGiven := false
	for _, a := range p.args {
		v, given := values.of(a)
		if !given {
			continue
		}
		switch {
		case v != nil || a.in == "body" && (a.nullable || p.body.keepNull && p.body.flat):
			values.set(a, coerce(a, v))
		case !a.required || a.nullable:
			values[a.at] = callValue{}
			continue
		}
		bodyGiven = bodyGiven || a.in == "body"
	}
	for _, a := range p.args {
		if _, given := values.of(a); given {
			continue
		}
		if a.def != nil {
			values.set(a, a.def)
			continue
		}
		if a.required || bodyGiven && p.body.flat && a.in == "body" && !a.rest && p.body.schema.requires(a.orig) { // A5
			problems = append(problems, a.missing())
		}
	}
	if problems == nil {
		return nil
	}
	return unique(sortedNames(problems))
}
