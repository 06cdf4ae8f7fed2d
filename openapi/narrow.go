package openapi

import (
	"encoding/json"
	"fmt"
	"slices"
)

// advertised is as much of a tool's schema as a comparison needs.
type advertised struct {
	Type       json.RawMessage        `json:"type"` // a name or a list of names
	Enum       []json.RawMessage      `json:"enum"`
	Properties map[string]*advertised `json:"properties"`
	Required   []string               `json:"required"`
	Items      *advertised            `json:"items"`
	AnyOf      []*advertised          `json:"anyOf"`
}

func readAdvertised(schema json.RawMessage) (*advertised, error) {
	var a advertised
	if err := json.Unmarshal(schema, &a); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	return &a, nil
}

// kinds are the JSON types that a schema takes; 0 is any.
func (a *advertised) kinds() types {
	var names []string
	var one string
	switch {
	case json.Unmarshal(a.Type, &one) == nil && one != "":
		names = []string{one}
	case json.Unmarshal(a.Type, &names) == nil:
	}
	var kinds types
	for _, name := range names {
		kinds |= typeNamed(name)
	}
	if kinds != 0 || len(a.AnyOf) == 0 {
		return kinds
	}
	for _, m := range a.AnyOf {
		k := m.kinds()
		if k == 0 {
			return 0
		}
		kinds |= k
	}
	return kinds
}

func typeNamed(name string) types {
	for _, t := range [...]types{tNull, tBool, tInteger, tNumber, tString, tArray, tObject} {
		if t.names()[0] == name {
			return t
		}
	}
	return 0
}

// narrowing collects what a newer schema refuses.
type narrowing struct{ found []string }

func (n *narrowing) say(format string, args ...any) {
	if len(n.found) < 20 {
		n.found = append(n.found, fmt.Sprintf(format, args...))
	}
}

// objects compares two objects by their properties.
func (n *narrowing) objects(at string, old, new *advertised, depth int) {
	if depth > maxShapeDepth {
		return
	}
	for _, name := range sortedKeys(old.Properties) {
		place := at + name
		now, ok := new.Properties[name]
		if !ok {
			n.say("argument %s removed", shorten(place, 120))
			continue
		}
		n.values(place, old.Properties[name], now, depth)
	}
	for _, name := range new.Required {
		if !slices.Contains(old.Required, name) {
			n.say("argument %s required", shorten(at+name, 120))
		}
	}
}

// values compares what one argument may be.
func (n *narrowing) values(at string, old, new *advertised, depth int) {
	before, after := old.kinds(), new.kinds()
	if before.has(tNumber) {
		before |= tInteger
	}
	if after.has(tNumber) {
		after |= tInteger
	}
	if after != 0 && (before == 0 || before&^after != 0) {
		n.say("argument %s has a narrower type", shorten(at, 120))
		return
	}
	if now := new.enum(); len(now) > 0 && !takesAll(now, old.enum()) {
		n.say("argument %s has a narrower enum", shorten(at, 120))
	}
	if old.Items != nil && new.Items != nil {
		n.values(at+"[]", old.Items, new.Items, depth+1)
	}
	if len(old.Properties) > 0 && len(new.Properties) > 0 {
		n.objects(at+".", old, new, depth+1)
	}
}

// enum lists the values of a schema, those of its variants joined; nil: anything of its type.
func (a *advertised) enum() []string {
	var values []string
	for _, e := range a.Enum {
		values = append(values, string(e))
	}
	for _, m := range a.AnyOf {
		list := m.enum()
		if len(list) == 0 && m.kinds() != tNull {
			return nil
		}
		values = append(values, list...)
	}
	return values
}

// takesAll says whether every value of an older enum is in the newer one; an empty older one took anything.
func takesAll(now, old []string) bool {
	return len(old) > 0 && !slices.ContainsFunc(old, func(e string) bool { return !slices.Contains(now, e) })
}
