package openapi

// A validator walks every variant of every union again for each place that leads to it: schemas that lead to themselves by
// two ways take twice as long for each level of a value, and nothing can stop a validation that has begun. So the work is
// counted before it, each pair of schema and place once.

const (
	maxWork         = 50_000 // visits of a schema
	maxWorkPerValue = 10     // and as many more for each value of the arguments
)

// spot is a value of the arguments; it gives equal values in different places an identity.
type spot struct {
	members map[string]*spot
	items   []*spot
}

func spotsOf(v any, count *int) *spot {
	*count++
	p := &spot{}
	switch v := v.(type) {
	case []any:
		p.items = make([]*spot, len(v))
		for i, item := range v {
			p.items[i] = spotsOf(item, count)
		}
	case map[string]any:
		p.members = make(map[string]*spot, len(v))
		for k, m := range v {
			p.members[k] = spotsOf(m, count)
		}
	}
	return p
}

// tooMuchWork says whether checking a value would take longer than a call may.
func tooMuchWork(s *schema, v any) bool {
	values := 0
	at := spotsOf(v, &values)
	w := &work{limit: maxWork + maxWorkPerValue*values, known: map[workKey]int{}}
	return w.count(s, at) >= w.limit
}

type workKey struct {
	schema *schema
	at     *spot
}

type work struct {
	limit int
	known map[workKey]int
}

// count is how many schemas a validator looks at for one value, at most limit.
func (w *work) count(s *schema, at *spot) int {
	if s == nil || at == nil {
		return 0
	}
	if s.isLeaf() {
		return 1
	}
	key := workKey{s, at}
	if n, ok := w.known[key]; ok {
		if n == 0 {
			return w.limit // a schema that leads to itself at the same place, which a validator refuses whatever the value is
		}
		return n
	}
	if len(w.known) >= w.limit {
		return w.limit
	}
	w.known[key] = 0
	n := 1
	add := func(s *schema, at *spot) {
		if n < w.limit {
			n = min(w.limit, n+w.count(s, at))
		}
	}
	for _, list := range [...][]*schema{s.allOf, s.anyOf, s.oneOf, {s.not, s.ifs, s.then, s.elses}} {
		for _, m := range list {
			add(m, at)
		}
	}
	for _, d := range s.dependent {
		add(d.schema, at)
	}
	w.members(s, at, add)
	w.items(s, at, add)
	w.known[key] = n
	return n
}

func (w *work) members(s *schema, at *spot, add func(*schema, *spot)) {
	if len(at.members) == 0 {
		return
	}
	names := safeNames(s)
	declared := make(map[string]*schema, len(names))
	for i, name := range names {
		declared[name] = s.props[i].schema
	}
	for name, m := range at.members {
		if p := declared[name]; p != nil {
			add(p, m)
		} else {
			add(s.addl, m)
		}
		for _, p := range s.patternProps {
			add(p.schema, m)
		}
		add(s.otherProps, m)
		add(s.propNames, &spot{})
	}
}

func (w *work) items(s *schema, at *spot, add func(*schema, *spot)) {
	for i, item := range at.items {
		if i < len(s.prefix) {
			add(s.prefix[i], item)
		} else {
			add(s.items, item)
		}
		add(s.contains, item)
		add(s.otherItems, item)
	}
}
