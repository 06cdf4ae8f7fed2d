package openapi

import (
	"fmt"
	"strings"
)

// arg is one argument of a tool: a parameter, a member of the body, or the body.
type arg struct {
	name     string // advertised
	in       string // path, query, querystring, header, cookie, body
	orig     string // as the backend knows it; "" for a whole body
	spec     *paramSpec
	schema   *schema
	required bool
	desc     string // from configuration or x-drawbridge
	fixed    any    // always sent; not advertised
	def      any    // sent when absent
	defText  string
	hidden   bool
	slashes  bool // `/` is kept in a path (Q8)
	file     fileKind
	rest     bool  // additional_properties (A12)
	renamed  bool  // values hold names that are mapped back (A3)
	texted   bool  // profile gemini: texts stand for values of enums
	secret   bool  // the value is not repeated in texts
	kinds    types // JSON types that the schema accepts; 0: any
	lists    types // those of the items, when it accepts lists
	nullable bool
	shape    *shape
	check    argCheck
	at       int // its place among the values of a call
}

type fileKind uint8

const (
	noFile fileKind = iota
	oneFile
	listOfFiles
)

// fixedKey finds the configuration of an argument.
func (a *arg) key() string { return a.in + ":" + a.orig }

// isForbiddenHeader lists the headers that no argument may set (A2).
func isForbiddenHeader(name string) (ignored, dropped bool) {
	name = strings.ToLower(name)
	switch name {
	case "accept", "content-type", "authorization":
		return true, false
	case "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "keep-alive", "cookie", "set-cookie", "forwarded",
		"x-real-ip", "x-method-override", "x-original-url", "x-rewrite-url", "proxy-connection":
		return false, true
	}
	for _, prefix := range [...]string{"proxy-", "x-forwarded-", "x-http-method"} {
		if strings.HasPrefix(name, prefix) {
			return false, true
		}
	}
	return false, false
}

// paramArgs makes arguments of parameters, those left out that may not be one.
func (im *importer) paramArgs(o *rawOperation, specs []*paramSpec, tpl *template) []*arg {
	var args []*arg
	for _, p := range specs {
		if !im.offered(o, p, tpl) {
			continue
		}
		a := &arg{in: p.in, orig: p.name, spec: p, schema: p.schema, required: p.required || p.in == "path", slashes: tpl.reserved[p.name]}
		a.secret = p.schema.format == "password" || p.schema.writeOnly
		args = append(args, a)
	}
	for _, name := range tpl.names() { // P8
		found := false
		for _, a := range args {
			found = found || a.in == "path" && a.orig == name
		}
		if !found {
			im.warn.add(o.node, fmt.Sprintf("repaired: path parameter %q is not declared; read as a string", shorten(name, 60)))
			s := &schema{types: tString, pattern: tpl.patterns[name]}
			args = append(args, &arg{in: "path", orig: name, schema: s, required: true, slashes: tpl.reserved[name],
				spec: &paramSpec{name: name, in: "path", style: "simple", schema: s, required: true}})
		}
	}
	return args
}

func (im *importer) offered(o *rawOperation, p *paramSpec, tpl *template) bool {
	switch p.in {
	case "path":
		if !tpl.has(p.name) {
			im.warn.add(p.node, fmt.Sprintf("repaired: path parameter %q is not in the path; dropped", shorten(p.name, 60)))
			return false
		}
		if !p.required {
			im.warn.add(p.node, fmt.Sprintf("repaired: path parameter %q is required", shorten(p.name, 60)))
		}
	case "header":
		ignored, dropped := isForbiddenHeader(p.name)
		if dropped || !isToken(p.name) {
			im.warn.add(p.node, fmt.Sprintf("lint: header %q cannot be an argument; dropped", shorten(p.name, 60)))
		}
		return !ignored && !dropped && isToken(p.name) && !strings.EqualFold(p.name, im.options.Credential.Header)
	case "query":
		return p.name != im.options.Credential.Query || p.name == ""
	case "cookie":
		return isToken(p.name) && (p.name != im.options.Credential.Cookie || p.name == "")
	}
	return true
}

// nameArgs gives every argument a name of its own (A3, A4): path, query, header, cookie, body; the first keeps the name.
func nameArgs(args []*arg) {
	order := []string{"path", "query", "querystring", "header", "cookie", "body"}
	taken := map[string]bool{}
	for _, in := range order {
		exact := map[string]bool{}
		for _, a := range args {
			if a.in == in && argName(a.orig) == a.orig {
				exact[a.orig] = true
			}
		}
		within := map[string]int{}
		for _, a := range args {
			if a.in == in && a.orig != "" {
				within[argName(a.orig)]++
			}
		}
		for _, a := range args {
			if a.in != in {
				continue
			}
			if a.name == "" {
				a.name = argName(a.orig)
				if a.name != a.orig && within[a.name] > 1 {
					a.name = suffixed(a.name, "_"+shortHash(in+":"+a.orig, 6))
				}
			}
			if taken[a.name] {
				a.name = suffixed(a.name, "_"+in)
			}
			if taken[a.name] {
				a.name = suffixed(argName(a.orig), "_"+shortHash(a.key(), 6))
			}
			taken[a.name] = true
		}
	}
}

// bodyKind is how arguments become a body.
type bodyKind uint8

const (
	noBody bodyKind = iota
	jsonBody
	formBody
	multipartBody
	binaryBody
	textBody
	linesBody // ndjson
)

// bodyPlan says what is sent as a body, and how it is put together.
type bodyPlan struct {
	kind        bodyKind
	contentType string
	required    bool
	flat        bool // one argument per property
	schema      *schema
	whole       *schema // as the document has it, for the check of the joined body
	encoding    map[string]encodingSpec
	keepNull    bool
	check       bool // the joined body has rules of its own (unions, dependencies)
	wildcard    bool // the type is chosen by the caller
}

// bodyArgs chooses the media type and makes arguments of the body (A1, §8.3).
func (im *importer) bodyArgs(o *rawOperation, spec *bodySpec, config ToolConfig) ([]*arg, *bodyPlan) {
	if spec == nil {
		return nil, &bodyPlan{}
	}
	wish := config.ContentType
	if wish == "" {
		wish = im.extension(o, "content_type").str()
	}
	i, met := preferred(spec.media, wish)
	if !met {
		im.warn.add(o.node, fmt.Sprintf("lint: the body cannot be sent as %s; the document does not offer it", shorten(wish, 60)))
	}
	media := spec.media[i]
	b := &bodyPlan{contentType: media.contentType, required: spec.required, encoding: media.encoding}
	if media.itemType != "" { // a body that is a list: its parts have no names of their own
		b.encoding = map[string]encodingSpec{listPart: {contentType: media.itemType}}
	}
	b.kind, b.wildcard = bodyKindOf(media.contentType, media.described)
	if b.wildcard && b.kind == jsonBody {
		b.contentType = "application/json"
	}
	b.keepNull = essence(b.contentType) == "application/merge-patch+json"
	b.schema, b.whole = im.bodySchema(media.schema), media.schema
	if im.merge.familyOf(media.schema) != nil {
		b.whole = b.schema // with what the kinds add
	}
	if b.kind == binaryBody && b.schema.infer()&^tNull == tObject && len(b.schema.props) > 0 {
		im.warn.add(o.node, "repaired: "+shorten(b.contentType, 60)+" with an object is sent as JSON") // Docker's older documents
		b.kind, b.contentType, b.wildcard = jsonBody, "application/json", false
	}
	switch b.kind {
	case jsonBody, formBody, multipartBody:
		return im.objectArgs(b, spec), b
	}
	a := &arg{name: "body", in: "body", schema: media.schema, required: spec.required, desc: im.bodyText(spec)}
	switch b.kind {
	case binaryBody:
		a.file = oneFile
	case linesBody:
		a.schema = &schema{types: tString | tArray, items: anything()}
		if media.item != nil {
			a.schema.items = media.item
		}
		a.renamed = im.renames.holds(a.schema.items)
	default:
		a.schema = &schema{types: tString, desc: media.schema.desc}
		if isXMLType(b.contentType) {
			a.desc = joinSentences(a.desc, "An XML document.")
		}
	}
	return []*arg{a}, b
}

func bodyKindOf(contentType string, described bool) (kind bodyKind, wildcard bool) {
	t := essence(contentType)
	switch {
	case t == "*/*" || t == "application/*":
		return jsonBody, true
	case isJSONType(t) && !isLinesType(t):
		return jsonBody, false
	case t == "application/x-www-form-urlencoded":
		return formBody, false
	case strings.HasPrefix(t, "multipart/"):
		return multipartBody, false
	case isLinesType(t):
		return linesBody, false
	case t == "text/*":
		return textBody, true
	case isTextType(t) && t != "image/svg+xml":
		return textBody, false
	}
	return binaryBody, strings.Contains(t, "*")
}

func (im *importer) bodyText(spec *bodySpec) string { return im.plain(spec.desc) }

// objectArgs makes one argument per top-level property, or one `body` for anything that is no object with properties.
func (im *importer) objectArgs(b *bodyPlan, spec *bodySpec) []*arg {
	s := b.schema
	if s.infer()&^tNull != tObject || len(s.props) == 0 {
		a := &arg{name: "body", in: "body", schema: s, required: spec.required, desc: im.bodyText(spec)}
		if essence(b.contentType) == "application/json-patch+json" && s.infer()&^tNull != tArray {
			a.schema = jsonPatchSchema()
		} else if essence(b.contentType) == "application/json-patch+json" && s.items == nil {
			a.schema = jsonPatchSchema()
		}
		if b.kind != jsonBody && s.infer()&^tNull == 0 {
			a.schema = &schema{types: tObject, open: true, desc: s.desc}
		}
		if b.kind == multipartBody {
			a.file = im.fileOf(s, b.encoding[listPart])
		}
		a.renamed = im.renames.holds(a.schema)
		return []*arg{a}
	}
	b.flat = true
	b.check = s.joins() || b.whole.joins()
	var args []*arg
	for _, p := range s.props {
		flat := im.merge.flat(p.schema)
		if flat.readOnly || flat.never {
			continue
		}
		a := &arg{in: "body", orig: p.name, schema: p.schema, required: b.required && s.requires(p.name), renamed: im.renames.holds(p.schema)}
		a.secret = flat.format == "password" || flat.writeOnly
		if b.kind == multipartBody {
			a.file = im.fileOf(flat, b.encoding[p.name])
			b.typePart(p.name, im.partMedia(flat))
		}
		args = append(args, a)
	}
	if s.addl != nil || s.open { // A12
		rest := &schema{types: tObject, addl: s.addl, open: s.addl == nil, desc: "Further members of the body."}
		args = append(args, &arg{name: "additional_properties", in: "body", orig: "", rest: true, schema: rest, renamed: s.addl != nil && im.renames.holds(s.addl)})
	}
	return args
}

// joins says whether a schema has rules about its members together, which no argument's own check sees.
func (s *schema) joins() bool {
	seen := map[*schema]bool{}
	for parts := []*schema{s}; len(parts) > 0 && len(seen) < maxLead; {
		at := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		if at.minProps != "" || at.maxProps != "" || at.not != nil || at.ifs != nil || len(at.dependent)+len(at.anyOf)+len(at.oneOf) > 0 {
			return true
		}
		if !seen[at] {
			seen[at] = true
			parts = append(parts, at.allOf...)
		}
	}
	return false
}

// fileOf says whether a part of a multipart body is a file, or a list of them (A10).
func (im *importer) fileOf(s *schema, e encodingSpec) fileKind {
	isFile := func(s *schema) bool {
		if s.isFile() {
			return true
		}
		t := s.infer() &^ tNull
		return (t == tString || t == 0) && e.contentType != "" && !isTextType(e.contentType) && len(s.anyOf)+len(s.oneOf) == 0
	}
	if isFile(s) {
		return oneFile
	}
	if s.items != nil && s.infer()&^tNull == tArray && isFile(im.merge.flat(s.items)) {
		return listOfFiles
	}
	found := noFile
	for _, list := range [...][]*schema{s.anyOf, s.oneOf} {
		for _, m := range list {
			m = im.merge.flat(m)
			switch {
			case m.isFile():
				return oneFile
			case m.items != nil && im.merge.flat(m.items).isFile(): // a list of files, or null
				found = listOfFiles
			}
		}
	}
	return found
}

func jsonPatchSchema() *schema {
	text := func(desc string) *schema { return &schema{types: tString, desc: desc} }
	op := &schema{types: tString, enum: []string{`"add"`, `"remove"`, `"replace"`, `"move"`, `"copy"`, `"test"`}}
	return &schema{types: tArray, desc: "JSON Patch operations (RFC 6902).", items: &schema{types: tObject, required: []string{"op", "path"}, props: []property{
		{"op", op}, {"path", text("JSON pointer.")}, {"value", anything()}, {"from", text("JSON pointer, for move and copy.")},
	}}}
}
