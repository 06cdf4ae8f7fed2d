package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxOutputBytes = 8 << 10
	maxOutputNodes = 200
)

// shapeTool writes the schemas of a tool and keeps it under its budgets (§6.3, §6.4).
func (im *importer) shapeTool(t *Tool, body *bodyPlan, output *schema) error {
	tr := &translator{merge: im.merge, plain: im.plain, profile: im.options.Profile, keepNull: body.keepNull, maxNodes: maxShapeNodes, maxBytes: maxToolBytes + maxToolBytes/2}
	root := &shape{typ: "object", closed: true}
	args := slices.Clone(t.plan.args)
	slices.SortFunc(args, func(a, b *arg) int { return strings.Compare(a.name, b.name) })
	for _, a := range args {
		a.shape = im.argShape(tr, a)
		root.props = append(root.props, shapeProp{a.name, a.shape})
		if a.required && a.def == nil {
			root.required = append(root.required, a.name)
		}
	}
	tr.run()
	if defs := tr.definitions(); len(defs) > 0 {
		root.rich = &richParts{defs: defs}
	}
	root.each((*shape).uniteEqual)
	for _, a := range t.plan.args {
		if a.in == "body" && !body.flat {
			a.shape.null = a.shape.null && a.nullable // a merge patch may hold null, it is none
		}
	}
	for _, a := range t.plan.args {
		im.describeArg(a, a.shape)
	}
	root.sortProps()
	if text := im.variantTexts[body.schema]; text != "" && body.flat {
		t.Description = cutText(joinSentences(t.Description, text), maxToolText)
	}
	t.Parameters = len(t.plan.args)
	var out []byte
	if s := im.outputShape(output); s != nil {
		out = s.bytes
	}
	return im.fit(t, root, out)
}

// argShape queues the translation of one argument.
func (im *importer) argShape(tr *translator, a *arg) *shape {
	switch a.file {
	case oneFile:
		return fileShape(1)
	case listOfFiles:
		s := im.merge.flat(a.schema)
		return &shape{typ: "array", depth: 1, items: fileShape(2), minItems: s.minItems, maxItems: s.maxItems, desc: im.plain(s.desc)}
	}
	return tr.translate(a.schema, 1, a.spec != nil, !a.required || a.in == "path") // a path has no place for null
}

// fileShape is how a file is given (A10).
func fileShape(depth int) *shape {
	text := func(desc string) *shape { return &shape{typ: "string", desc: desc, depth: depth + 1} }
	data := text("The bytes, as base64 or a data: URI.")
	return &shape{typ: "object", closed: true, keep: true, depth: depth, required: []string{"data"}, props: []shapeProp{
		{"content_type", text("Media type.")}, {"data", data}, {"filename", text("")},
	}}
}

// describeArg writes the description of an argument (D5).
func (im *importer) describeArg(a *arg, s *shape) {
	flat := im.merge.flat(a.schema)
	text := a.desc
	if text == "" && a.spec != nil {
		text = im.plain(a.spec.desc)
	}
	if text == "" {
		text = s.desc
	} else if strings.HasPrefix(s.desc, "One of ") {
		text = joinSentences(text, s.desc)
	}
	if text == "" && a.file != noFile {
		text = im.plain(flat.desc)
	}
	var more []string
	if a.orig != "" && a.orig != a.name {
		more = append(more, fmt.Sprintf("Sent as %q.", visibleName(a.orig)))
	}
	if f := flat.format; f != "" && (s.format == "" || im.options.Profile == Gemini && s.format != "date-time") && f != "binary" && f != "byte" && f != "int32" && f != "password" && len(f) <= 40 {
		more = append(more, "Format: "+visibleName(f)+".")
	}
	if len(s.target().enum) == 0 && s.def == "" {
		if e := im.exampleOf(a, flat); e != "" {
			more = append(more, "Example: "+e+".")
		}
	}
	tail := strings.Join(more, " ")
	if tail == "" {
		s.desc = cutText(text, maxPropertyText)
	} else {
		s.desc = joinSentences(cutText(text, maxPropertyText-len(tail)-2), tail)
	}
	if a.defText != "" {
		s.def = a.defText
	}
}

func visibleName(s string) string {
	s, _ = visible(s)
	return shorten(s, 120)
}

func (im *importer) exampleOf(a *arg, flat *schema) string {
	text := flat.example
	if a.spec != nil && a.spec.node != nil {
		if e := firstExample(a.spec.node); e != nil {
			text = literal(e)
		}
	}
	if text == "" || text == "null" || text == `""` || len(text) > 100 || a.secret {
		return ""
	}
	text, _ = visible(text)
	return text
}

// firstExample is the example of a parameter, or the first by name of several.
func firstExample(n *node) *node {
	if e := n.get("example"); e != nil {
		return e
	}
	first := field{}
	for _, f := range n.get("examples").fields() {
		if v := f.value.get("value"); v != nil && (first.value == nil || f.key < first.key) {
			first = field{f.key, v}
		}
	}
	return first.value
}

// tool size, as the object stands in tools/list.
func toolBytes(t *Tool, input, output []byte) int {
	b := make([]byte, 0, 512)
	b = appendString(b, t.Name)
	b = appendString(b, t.Title)
	b = appendString(b, t.Description)
	b = appendString(b, t.Annotations.Title)
	const rest = len(`{"name":,"title":,"description":,"inputSchema":,"annotations":{"title":,"readOnlyHint":false,"destructiveHint":false,"idempotentHint":false,"openWorldHint":false}}`)
	size := len(b) + rest + len(input)
	if output != nil {
		size += len(output) + len(`,"outputSchema":`)
	}
	return size
}

// fit shortens a tool until it is small enough (§6.4); the names of arguments are never dropped.
func (im *importer) fit(t *Tool, root *shape, output []byte) error {
	as := style{profile: im.options.Profile}
	input := root.json(as)
	limit := maxToolBytes - 16 // room for the hash of N4
	fits := func() bool { return toolBytes(t, input, output) <= limit }
	steps := []func(){
		func() { root.cutTexts(3, 120) },
		func() { root.cutTexts(3, 0) },
		func() { root.cutEnums() },
	}
	for depth := maxShapeDepth; depth >= 2; depth-- {
		steps = append(steps, func() { root.cutDepth(depth) })
	}
	steps = append(steps,
		func() { output = nil },
		func() { root.cutTexts(1, 200) },
		func() { root.cutDepth(1) },
		func() { root.bareScalars(t.plan.args) },
		func() { root.cutTexts(1, 0) },
		func() { limit = hardToolBytes - 16 },
	)
	for i := 0; !fits(); i++ {
		if i == len(steps) {
			return errors.New("tool is larger than 64KiB after shortening")
		}
		if i >= 3 && i < 3+maxShapeDepth-1 && root.maxDepth() < maxShapeDepth-(i-3) {
			continue
		}
		steps[i]()
		input = root.json(as)
		if i == len(steps)-1 {
			im.warn.at(t.Method+" "+t.Path, "schema: the arguments' names alone exceed 32KiB")
		}
	}
	t.InputSchema, t.OutputSchema = input, output
	t.Bytes = toolBytes(t, input, output)
	for _, a := range t.plan.args {
		a.shape = nil
	}
	return nil
}

// cutTexts shortens descriptions from a depth on; limit 0 removes them.
func (s *shape) cutTexts(from, limit int) {
	s.each(func(s *shape) {
		if s.depth < from || s.desc == "" || s.keep {
			return
		}
		if s.typ == "" && len(s.variants()) == 0 && !s.refers() { // "any JSON value" stays: such a schema has nothing else
			s.desc = "any JSON value"
			return
		}
		s.desc = cutText(s.desc, max(limit, 1))
		if limit == 0 {
			s.desc = ""
		}
	})
}

func (s *shape) cutEnums() {
	s.each(func(s *shape) {
		if len(s.enum) > 50 {
			s.desc = cutText(joinSentences(s.desc, "One of "+strings.Join(s.enum[:50], ", ")+", …"), maxPropertyText)
			s.enum = nil
		}
	})
}

// cutDepth replaces objects at a depth by ones without properties.
func (s *shape) cutDepth(depth int) {
	s.each(func(s *shape) {
		if s.depth < depth || s.keep || s.refers() {
			return
		}
		switch {
		case s.typ == "object" && (len(s.props) > 0 || s.addl != nil):
			*s = shape{typ: "object", desc: joinShort(s.desc), depth: s.depth, null: s.null}
		case len(s.variants()) > 0:
			*s = shape{typ: s.onlyObjects(), desc: joinShort(s.desc), depth: s.depth}
		}
	})
}

// onlyObjects is "object" when every variant is one, else "": what is cut may not refuse what was allowed.
func (s *shape) onlyObjects() string {
	for _, m := range s.variants() {
		if m = m.target(); m.typ != "object" || m.null {
			return ""
		}
	}
	if s.null {
		return ""
	}
	return "object"
}

func joinShort(desc string) string {
	if strings.HasSuffix(desc, "("+shortened+")") {
		return desc
	}
	return strings.TrimSpace(cutText(desc, 120) + " (" + shortened + ")")
}

func (s *shape) maxDepth() int {
	deepest := 0
	s.each(func(s *shape) { deepest = max(deepest, s.depth) })
	return deepest
}

// bareScalars keeps of optional arguments name and type alone.
func (s *shape) bareScalars(args []*arg) {
	optional := map[string]bool{}
	for _, a := range args {
		optional[a.name] = !a.required
	}
	for i, p := range s.props {
		if optional[p.name] && p.shape.typ != "" && p.shape.typ != "object" && p.shape.typ != "array" {
			s.props[i].shape = &shape{typ: p.shape.typ, depth: 1}
		}
	}
}

// outputShape is an output schema as advertised, made once per response schema.
type outputShape struct {
	bytes   []byte
	wrapped bool
	root    *outline
}

// outputShape translates the schema of an answer (§7); nil when it says nothing.
func (im *importer) outputShape(s *schema) *outputShape {
	if s == nil {
		return nil
	}
	if done, ok := im.outputs[s]; ok {
		return done
	}
	out := im.makeOutput(s)
	im.outputs[s] = out
	return out
}

func (im *importer) makeOutput(s *schema) *outputShape {
	flat := im.merge.flat(s)
	tr := &translator{merge: im.merge, plain: im.plain, output: true, maxNodes: maxOutputNodes, maxBytes: 2 * maxOutputBytes}
	if !tr.says(flat) || flat.infer()&^tNull == tObject && len(flat.props) == 0 && len(flat.anyOf)+len(flat.oneOf) == 0 && flat.addl == nil {
		return nil // free-form (O1)
	}
	wrapped := wrapsOutput(im.merge, flat)
	depth := 0
	if wrapped {
		depth = 1
	}
	value := tr.translate(im.objectOnly(flat, wrapped), depth, false, false)
	tr.run()
	value.each((*shape).uniteEqual)
	root := value
	if wrapped {
		root = &shape{typ: "object", props: []shapeProp{{"result", value}}}
	}
	root.null, root.typ = false, "object"
	if root.anyOf != nil {
		return nil
	}
	as := style{output: true, profile: im.options.Profile}
	b := root.json(as)
	if len(b) > maxOutputBytes {
		root.cutTexts(1, 80)
		b = root.json(as)
	}
	if len(b) > maxOutputBytes {
		root.cutTexts(1, 0)
		b = root.json(as)
	}
	for depth := min(maxShapeDepth, root.maxDepth()); len(b) > maxOutputBytes && depth >= 1; depth-- {
		root.cutDepth(depth)
		b = root.json(as)
	}
	if len(b) > maxOutputBytes {
		return nil
	}
	return &outputShape{bytes: b, wrapped: wrapped, root: outlineFor(im.options.Profile, root)}
}

// objectOnly turns a root that is a union of objects into one object (O2).
func (im *importer) objectOnly(flat *schema, wrapped bool) *schema {
	if wrapped || len(flat.anyOf)+len(flat.oneOf) == 0 {
		return flat
	}
	return im.withoutUnion(im.bodySchema(flat))
}

// wrapsOutput says whether the value stands under "result" (O2): everything that is not surely an object does.
func wrapsOutput(m *merger, flat *schema) bool {
	if len(flat.anyOf)+len(flat.oneOf) > 0 {
		t := &translator{merge: m}
		members, _, open := t.members(flat)
		if open || len(members) == 0 {
			return flat.infer()&^tNull != tObject
		}
		for _, s := range members {
			if k := m.flat(s).infer() &^ tNull; k != tObject && !(k == 0 && len(flat.props) > 0) || len(m.flat(s).anyOf)+len(m.flat(s).oneOf) > 0 {
				return true
			}
		}
		return false
	}
	return flat.infer()&^tNull != tObject
}

// finishTools releases what only the import needed.
func (im *importer) finishTools() {
	for _, t := range im.doc.Tools {
		for _, a := range t.plan.args {
			a.release()
		}
		for _, a := range t.plan.fixed {
			a.release()
		}
	}
	for _, s := range im.reader.known {
		s.ext = nil // it holds the raw tree
	}
	for _, s := range im.merge.done {
		s.ext = nil
	}
	im.doc.panics = im.stacks
}

// release drops the raw tree, which is large.
func (a *arg) release() {
	if a.spec != nil {
		a.spec.node = nil
	}
}
