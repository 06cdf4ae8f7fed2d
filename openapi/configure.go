package openapi

import (
	"errors"
	"fmt"
	"strings"
)

// config is the configuration of an operation: by operationId, else by method and path.
func (im *importer) config(o *rawOperation) ToolConfig {
	for _, key := range [...]string{o.id, o.key()} {
		if c, ok := im.options.Tools[key]; ok && key != "" {
			im.usedTools[key] = true
			return c
		}
	}
	return ToolConfig{}
}

// toolFaults is everything that configuration says of operations and arguments that do not exist, in one error (§3.1, A6).
func (im *importer) toolFaults(raw []*rawOperation) error {
	var ids []string
	known := map[string]bool{}
	for _, o := range raw {
		known[o.id], known[o.key()] = true, true
		ids = append(ids, o.id)
	}
	var faults []error
	for _, key := range sortedKeys(im.options.Tools) {
		if !im.usedTools[key] && !known[key] {
			faults = append(faults, errors.New("tools."+key+": no such operation"+didYouMean(key, ids)))
		}
		for _, f := range im.argFaults[key] {
			if f.argument == "" || !im.usedArgs[key+"\x00"+f.argument] { // operations that share an id need not share arguments
				faults = append(faults, f.err)
			}
		}
	}
	return errors.Join(faults...)
}

func didYouMean(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// argFault is what is wrong with the configuration of one argument.
type argFault struct {
	argument string // that does not exist; "": another fault
	err      error
}

// configurationFaults checks what can be checked without the document.
func (im *importer) configurationFaults() error {
	names := map[string]string{}
	var faults []error
	for _, key := range sortedKeys(im.options.Tools) {
		name := im.options.Tools[key].Name
		if name == "" {
			continue
		}
		if len(name) > 64 || replaceRuns(name, isToolChar) != name {
			faults = append(faults, fmt.Errorf("tools.%s.name: %q: want letters, digits, _ and -, at most 64", key, shorten(name, 80)))
		} else if other, taken := names[strings.ToLower(name)]; taken {
			faults = append(faults, fmt.Errorf("tools.%s.name: %q is also the name of %s", key, name, other))
		}
		names[strings.ToLower(name)] = key
	}
	return errors.Join(faults...)
}

// configureArgs applies configuration to arguments (A6). A fault is the operator's, and fails the import.
func (im *importer) configureArgs(o *rawOperation, config ToolConfig, args []*arg, p *plan) error {
	key := o.id
	if _, ok := im.options.Tools[key]; !ok || key == "" {
		key = o.key()
	}
	before := len(im.argFaults[key])
	fault := func(missing, at, format string, values ...any) {
		im.argFaults[key] = append(im.argFaults[key], argFault{missing, fmt.Errorf("tools.%s.arguments.%s: "+format, append([]any{key, at}, values...)...)})
	}
	for _, name := range sortedKeys(config.Arguments) {
		a := findArg(args, name)
		if a == nil {
			fault(name, name, "no such argument%s", didYouMean(name, argNames(args)))
			continue
		}
		im.usedArgs[key+"\x00"+name] = true
		if problem := p.configureArg(a, config.Arguments[name], args); problem != "" {
			fault("", name, "%s", problem)
		}
	}
	for _, a := range args {
		if a.slashes {
			p.template.slashes = true
		}
		if a.hidden && a.required && a.fixed == nil {
			fault("", a.name, "it is required and cannot be hidden; give it a fixed value")
		}
	}
	if list := im.argFaults[key]; len(list) > before {
		return list[before].err
	}
	return nil
}

func argNames(args []*arg) []string {
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = a.name
	}
	return names
}

func (p *plan) configureArg(a *arg, c ArgumentConfig, args []*arg) (problem string) {
	if c.Name != "" {
		if argName(c.Name) != c.Name {
			return fmt.Sprintf("name %q: want letters, digits, _ . and -, at most 64", shorten(c.Name, 80))
		}
		if taken(args, a, c.Name) {
			return fmt.Sprintf("name %q is taken", c.Name)
		}
		a.name = c.Name
	}
	if c.Description != "" {
		a.desc = c.Description
	}
	a.hidden = a.hidden || c.Hidden
	a.slashes = a.slashes || c.Slashes && a.in == "path"
	if err := p.setLiterals(a, c); err != nil {
		return err.Error()
	}
	return ""
}

// prepare notes what a call needs of the argument's schema, so that calls merge nothing.
func (im *importer) prepare(a *arg) {
	t := &translator{merge: im.merge}
	a.kinds, a.lists = t.accepted(a.schema, 0)
	a.nullable = a.kinds.has(tNull)
	a.texted = im.options.Profile == Gemini && im.textEnums.holds(a.schema)
}

func findArg(args []*arg, key string) *arg {
	for _, a := range args {
		if a.name == key {
			return a
		}
	}
	for _, a := range args {
		if a.orig != "" && a.key() == key {
			return a
		}
	}
	return nil
}

// taken says whether another argument has a name.
func taken(args []*arg, a *arg, name string) bool {
	for _, other := range args {
		if other != a && other.name == name {
			return true
		}
	}
	return false
}

// extendArg reads x-drawbridge of a parameter or property (§4.3). What does not fit there is a warning.
func (im *importer) extendArg(a *arg, args []*arg, p *plan) {
	ext := im.merge.flat(a.schema).ext
	if a.spec != nil && a.spec.node != nil && a.spec.node.get("x-drawbridge") != nil {
		ext = a.spec.node.get("x-drawbridge")
	}
	if ext == nil {
		return
	}
	im.unknownKeys(ext, "name", "description", "hidden", "fixed")
	if s := ext.strAt("name"); s != "" && argName(s) == s {
		if taken(args, a, s) {
			im.warn.add(ext, "lint: x-drawbridge.name "+shorten(s, 64)+" is another argument's name; not used")
		} else {
			a.name = s
		}
	}
	if s := ext.strAt("description"); s != "" {
		a.desc = im.plain(s)
	}
	if ext.isTrue("hidden") && !a.required {
		a.hidden = true
	}
	if v := ext.get("fixed"); v != nil && !v.isNull() {
		im.prepare(a)
		if err := p.setLiterals(a, ArgumentConfig{Fixed: Literal{Raw: v.appendJSON(nil)}}); err != nil {
			im.warn.add(v, "lint: x-drawbridge.fixed "+err.Error()+"; not used")
		}
	}
}

// unknownKeys warns of what x-drawbridge does not have (§4.3).
func (im *importer) unknownKeys(ext *node, known ...string) {
	for _, f := range ext.fields() {
		if !contains(known, f.key) {
			im.warn.add(f.value, "lint: x-drawbridge."+shorten(f.key, 40)+" is not known"+didYouMean(f.key, known))
		}
	}
}

// setLiterals reads fixed and default, made to fit the argument.
func (p *plan) setLiterals(a *arg, c ArgumentConfig) error {
	for _, l := range [...]struct {
		from Literal
		into *any
	}{{c.Fixed, &a.fixed}, {c.Default, &a.def}} {
		if !l.from.isSet() {
			continue
		}
		value, err := decodeJSON(l.from.Raw)
		if err != nil {
			return err
		}
		value = coerce(a, value)
		if problem := checkValue(p, a, value); problem != "" {
			return errors.New(strings.TrimPrefix(problem, fmt.Sprintf("argument %q: ", a.name)))
		}
		*l.into = value
	}
	if a.def != nil {
		a.defText = string(appendValue(nil, a.def))
	}
	return nil
}
