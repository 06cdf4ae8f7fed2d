package openapi

import (
	"errors"
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
	accept   []string // the header's value, the same for all requests; nobody changes it
	place    CredentialPlace
	queries  map[string]bool // declared query names (Q11)
	fileMax  int64
	answers  answerPlan
	check    *checker
}

// tool makes one tool.
func (im *importer) tool(o *rawOperation) (*Tool, error) {
	config := im.config(o)
	for _, n := range [...]*node{im.root, o.item, o.node} {
		im.unknownKeys(n.get("x-drawbridge"), "skip", "name", "description", "annotations", "content_type", "retry")
	}
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
	args := im.paramArgs(o, tpl.queryParams(specs), tpl)
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
	for _, a := range args {
		im.extendArg(a, args, p)
		im.prepare(a)
	}
	if err := im.configureArgs(o, config, args, p); err != nil {
		return nil, err
	}
	p.fixedOrGiven(args)
	im.describeTool(o, config, t)
	t.Security = im.security(o)
	answers := im.responses(o)
	p.answers, p.accept = answers.plan, []string{acceptHeader(answers.types)}
	if err := im.shapeTool(t, body, answers.schema); err != nil {
		return nil, err
	}
	p.check = &checker{plan: p}
	return t, nil
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
	for i, a := range p.args {
		a.at = i
	}
	for i, a := range p.fixed {
		a.at = len(p.args) + i
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
		t.Name, source = config.Name, config.Name
		im.configured[t] = true
	}
	summary, text := im.summaryOf(o.node)
	if summary == "" && text == "" {
		summary, text = im.summaryOf(o.item) // which are meant for all operations of the path
	}
	t.Title = summary
	if config.Title != "" {
		t.Title = config.Title
	}
	if t.Title == "" || len([]rune(t.Title)) > 80 || strings.Contains(t.Title, "\n") {
		if t.Title = cutText(words(replaceRuns(source, isToolChar)), 80); t.Title == "" { // of the whole name: a hash is no word
			t.Title = words(t.Name)
		}
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

// summaryOf are the summary and the description of an operation or a path item.
func (im *importer) summaryOf(n *node) (summary, description string) {
	return im.plain(im.reader.text(n.get("summary"))), im.plain(im.reader.text(n.get("description")))
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
