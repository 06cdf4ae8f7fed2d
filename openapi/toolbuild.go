package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// plan is what a call of a tool needs, compiled at import.
type plan struct {
	method   string
	path     string // as in the document, for texts
	template *template
	args     []*arg // those a caller may give
	fixed    []*arg // always sent
	byName   map[string]*arg
	body     *bodyPlan
	accept   string
	place    CredentialPlace
	queries  map[string]bool // declared query names (Q11)
	fileMax  int64
	answers  answerPlan
	check    *checker
}

// tool makes one tool.
func (im *importer) tool(o *rawOperation) (*Tool, error) {
	config := im.config(o)
	base, err := im.baseURL(o)
	if err != nil {
		return nil, err
	}
	specs, bodySpec, err := im.typed(o)
	if err != nil {
		return nil, err
	}
	tpl := im.template(o, specs)
	if tpl.hasSteps() {
		return nil, errors.New(`server URL: the path of the document leaves its base ("..")`)
	}
	args := im.paramArgs(o, specs, tpl)
	bodyArgs, body := im.bodyArgs(o, bodySpec, config)
	args = append(args, bodyArgs...)
	t := &Tool{Method: o.method, Path: o.path, OperationID: o.id, BaseURL: base, Tags: texts(o.node.get("tags")), Deprecated: o.node.isTrue("deprecated")}
	if v, ok := im.extension(o, "retry").truth(); ok {
		t.Retry = &v
	}
	p := &plan{method: o.method, path: o.path, template: tpl, body: body, place: im.options.Credential, queries: map[string]bool{}, fileMax: im.options.Requests.MaxBytes}
	if p.fileMax <= 0 {
		p.fileMax = defaultFileBytes
	}
	t.plan = p
	nameArgs(args)
	if err := im.configureArgs(o, config, args, p); err != nil {
		return nil, err
	}
	p.fixedOrGiven(args)
	im.describeTool(o, config, t)
	t.Security = im.security(o)
	answers := im.responses(o)
	p.answers, p.accept = answers.plan, acceptHeader(answers.types)
	if err := im.shapeTool(t, body, answers.schema); err != nil {
		return nil, err
	}
	p.check = &checker{plan: p}
	return t, nil
}

// config is the configuration of an operation: by operationId, else by method and path.
func (im *importer) config(o *rawOperation) ToolConfig {
	if c, ok := im.options.Tools[o.id]; ok && o.id != "" {
		im.usedTools[o.id] = true
		return c
	}
	if c, ok := im.options.Tools[o.key()]; ok {
		im.usedTools[o.key()] = true
		return c
	}
	return ToolConfig{}
}

// unknownTools refuses configuration for operations that do not exist (§3.1).
func (im *importer) unknownTools(raw []*rawOperation) error {
	var ids []string
	known := map[string]bool{}
	for _, o := range raw {
		known[o.id], known[o.key()] = true, true
		ids = append(ids, o.id)
	}
	for _, key := range sortedKeys(im.options.Tools) {
		if im.usedTools[key] || known[key] {
			continue
		}
		text := fmt.Sprintf("tools.%s: no such operation", key)
		if near := nearest(key, ids); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		}
		return errors.New(text)
	}
	return nil
}

// configurationFaults checks what can be checked without the document.
func (im *importer) configurationFaults() error {
	names := map[string]string{}
	for _, key := range sortedKeys(im.options.Tools) {
		name := im.options.Tools[key].Name
		if name == "" {
			continue
		}
		if len(name) > 64 || replaceRuns(name, isToolChar) != name {
			return fmt.Errorf("tools.%s.name: %q: want letters, digits, _ and -, at most 64", key, shorten(name, 80))
		}
		if other, taken := names[strings.ToLower(name)]; taken {
			return fmt.Errorf("tools.%s.name: %q is also the name of %s", key, name, other)
		}
		names[strings.ToLower(name)] = key
	}
	return nil
}

func (im *importer) template(o *rawOperation, specs []*paramSpec) *template {
	declared := func(name string) bool {
		for _, p := range specs {
			if p.in == "path" && p.name == name {
				return true
			}
		}
		return false
	}
	return readTemplate(o.path, declared, func(text string) { im.warn.add(o.node, "repaired: "+text) })
}

// configureArgs applies configuration and x-drawbridge to arguments (A6).
func (im *importer) configureArgs(o *rawOperation, config ToolConfig, args []*arg, p *plan) error {
	for _, a := range args {
		im.extendArg(a)
		im.prepare(a)
	}
	for _, key := range sortedKeys(config.Arguments) {
		a := findArg(args, key)
		if a == nil {
			return fmt.Errorf("tools: argument %q of %s does not exist", key, o.key())
		}
		c := config.Arguments[key]
		if c.Name != "" {
			if argName(c.Name) != c.Name {
				return fmt.Errorf("tools: argument name %q of %s: want letters, digits, _ . and -, at most 64", c.Name, o.key())
			}
			if other := findArg(args, c.Name); other != nil && other != a && other.name == c.Name {
				return fmt.Errorf("tools: argument name %q of %s is taken", c.Name, o.key())
			}
			a.name = c.Name
		}
		if c.Description != "" {
			a.desc = c.Description
		}
		a.hidden = a.hidden || c.Hidden
		a.slashes = a.slashes || c.Slashes && a.in == "path"
		if err := p.setLiterals(a, c); err != nil {
			return fmt.Errorf("tools: argument %q of %s: %w", key, o.key(), err)
		}
	}
	for _, a := range args {
		if a.slashes {
			p.template.slashes = true
		}
		if a.hidden && a.required && a.fixed == nil {
			return fmt.Errorf("tools: argument %q of %s is required and cannot be hidden; give it a fixed value", a.name, o.key())
		}
	}
	return nil
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

// extendArg reads x-drawbridge of a parameter or property (§4.3).
func (im *importer) extendArg(a *arg) {
	ext := im.merge.flat(a.schema).ext
	if a.spec != nil && a.spec.node != nil && a.spec.node.get("x-drawbridge") != nil {
		ext = a.spec.node.get("x-drawbridge")
	}
	if ext == nil {
		return
	}
	if s := ext.strAt("name"); s != "" && argName(s) == s {
		a.name = s
	}
	if s := ext.strAt("description"); s != "" {
		a.desc = im.plain(s)
	}
	if ext.isTrue("hidden") && !a.required {
		a.hidden = true
	}
	if v := ext.get("fixed"); v != nil {
		if value, err := decodeJSON(v.appendJSON(nil)); err == nil {
			a.fixed = value
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
			return errors.New(problem)
		}
		*l.into = value
	}
	if a.def != nil {
		a.defText = string(appendValue(nil, a.def))
	}
	return nil
}

// fixedOrGiven parts the arguments a caller gives from those that are always sent.
func (p *plan) fixedOrGiven(args []*arg) {
	p.byName = make(map[string]*arg, len(args))
	for _, a := range args {
		if a.in == "query" {
			p.queries[a.orig] = true
		}
		switch {
		case a.fixed != nil:
			p.fixed = append(p.fixed, a)
		case a.hidden:
		default:
			p.args = append(p.args, a)
			p.byName[a.name] = a
		}
	}
}

// describeTool writes name, title, description and annotations (§4).
func (im *importer) describeTool(o *rawOperation, config ToolConfig, t *Tool) {
	source := o.id
	if source == "" {
		source = methodPathName(o.method, o.path)
	}
	if s := im.ownExtension(o, "name").str(); s != "" {
		source = s
	}
	t.Name = toolName(source, o.key())
	if config.Name != "" {
		t.Name = config.Name
		im.configured[t] = true
	}
	summary, text := im.plain(im.reader.text(o.node.get("summary"))), im.plain(im.reader.text(o.node.get("description")))
	t.Title = summary
	if config.Title != "" {
		t.Title = config.Title
	}
	if t.Title == "" || len([]rune(t.Title)) > 80 || strings.Contains(t.Title, "\n") {
		t.Title = words(t.Name)
	}
	switch {
	case config.Description != "":
		text = config.Description
	case im.ownExtension(o, "description").str() != "":
		text = im.plain(im.ownExtension(o, "description").str())
	case text == "":
		text = summary
	case summary != "" && !strings.HasPrefix(strings.ToLower(text), strings.ToLower(strings.TrimRight(summary, "."))):
		text = summary + "\n\n" + text
	}
	if text == "" {
		text = o.key()
	}
	if t.Deprecated {
		text = "Deprecated. " + text
	}
	t.Description = cutText(text, maxToolText)
	t.Annotations = im.annotations(o, config, t)
}

// ownExtension reads x-drawbridge of the operation alone: names and texts are not handed down.
func (im *importer) ownExtension(o *rawOperation, key string) *node {
	return o.node.get("x-drawbridge").get(key)
}

// annotations follow from the method, unless configuration or the document says otherwise (§4.3).
func (im *importer) annotations(o *rawOperation, config ToolConfig, t *Tool) Annotations {
	a := Annotations{Title: t.Title, OpenWorld: true, ReadOnly: isRead(o.method), Idempotent: isRead(o.method)}
	switch o.method {
	case "PUT", "DELETE":
		a.Destructive, a.Idempotent = true, true
	case "PATCH":
		a.Destructive = true
		a.Idempotent = t.plan.body != nil && t.plan.body.keepNull
	case "POST":
		a.Destructive = soundsDestructive(o)
	}
	for _, from := range [...]*node{o.node.get("x-mcp").get("annotations"), im.extension(o, "annotations")} {
		setHint(&a.ReadOnly, from.strAt("readOnlyHint"))
		setHint(&a.Destructive, from.strAt("destructiveHint"))
		setHint(&a.Idempotent, from.strAt("idempotentHint"))
		setHint(&a.OpenWorld, from.strAt("openWorldHint"))
	}
	setHint(&a.ReadOnly, string(config.Annotations.ReadOnly))
	setHint(&a.Destructive, string(config.Annotations.Destructive))
	setHint(&a.Idempotent, string(config.Annotations.Idempotent))
	setHint(&a.OpenWorld, string(config.Annotations.OpenWorld))
	return a
}

func setHint(hint *bool, text string) {
	if text == "true" || text == "false" {
		*hint = text == "true"
	}
}

// soundsDestructive looks for a word of destruction in the operationId or the last literal segment of the path.
func soundsDestructive(o *rawOperation) bool {
	last := ""
	for _, s := range strings.Split(o.path, "/") {
		if s != "" && !strings.Contains(s, "{") {
			last = s
		} else if i := strings.LastIndexAny(s, ":}"); i >= 0 && i+1 < len(s) {
			last = s[i+1:]
		}
	}
	for _, w := range strings.Fields(strings.ToLower(words(o.id) + " " + words(last) + " " + strings.NewReplacer(".", " ", ":", " ", "/", " ").Replace(words(o.id)+" "+words(last)))) {
		switch w {
		case "delete", "remove", "destroy", "purge", "cancel", "revoke", "reset", "terminate", "drop", "erase", "wipe", "kill", "disable", "void", "refund", "close":
			return true
		}
	}
	return false
}

// base is where a request starts: the backend given, else the implicit one.
func (t *Tool) base(given *url.URL) (*url.URL, error) {
	if given == nil {
		given = t.BaseURL
	}
	if given == nil {
		return nil, errors.New("the document's server is relative: set backend")
	}
	return given, CheckBase(given)
}
