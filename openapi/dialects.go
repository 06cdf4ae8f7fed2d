package openapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Swagger 2.0 has body and formData parameters, OpenAPI 3 has request bodies. Documents that were converted by hand mix
// the two, and mean what each says in its own version.

// bodyMembers parts the parameters of an operation from those that make its body.
func (im *importer) bodyMembers(o *rawOperation, nodes []*node) (params, members []*node) {
	for _, n := range nodes {
		if in := n.strAt("in"); in == "body" || in == "formData" {
			members = append(members, n)
		} else {
			params = append(params, n)
		}
	}
	if len(members) == 0 {
		return params, nil
	}
	body := o.node.get("requestBody")
	switch {
	case im.swagger && !body.isNull():
		im.warn.add(body, "repaired: the operation has a body parameter; requestBody is dropped")
	case !im.swagger && !body.isNull():
		for _, n := range members {
			im.dropMember(n, "the operation has a request body")
		}
		return params, nil
	case !im.swagger:
		im.warn.add(members[0], "repaired: parameters in "+members[0].strAt("in")+" are 2.0's; read as the request body")
	}
	return params, im.oneBody(o, members)
}

// oneBody keeps what can be one body: the last body parameter (P19), or the form. Where a document has both, it is the
// form if that is what the operation consumes.
func (im *importer) oneBody(o *rawOperation, members []*node) []*node {
	last, forms := -1, 0
	for i, n := range members {
		if n.strAt("in") == "body" {
			last = i
		} else {
			forms++
		}
	}
	form := last < 0 || forms > 0 && slices.ContainsFunc(im.mediaList(o, "consumes"), isFormType)
	var kept []*node
	for i, n := range members {
		if form && n.strAt("in") == "formData" || !form && i == last {
			kept = append(kept, n)
		} else {
			im.dropMember(n, "an operation has one body")
		}
	}
	return kept
}

func (im *importer) dropMember(n *node, why string) {
	im.warn.add(n, "repaired: "+why+"; "+n.strAt("in")+" parameter "+shorten(n.strAt("name"), 60)+" is dropped")
}

// ownSchema is the schema of a 2.0 parameter: the parameter itself, or what 3.0 would have under schema.
func (im *importer) ownSchema(n *node) *schema {
	if s := n.get("schema"); s != nil && n.get("type") == nil {
		return im.reader.read(s)
	}
	s := im.reader.read(n)
	if s.infer() != 0 || len(s.allOf)+len(s.anyOf)+len(s.oneOf) > 0 {
		return s
	}
	im.warn.add(n, "repaired: parameter "+shorten(n.strAt("name"), 60)+" has no schema; read as a string") // P6
	text := *s
	text.types = tString
	return &text
}

// swaggerBody makes a body of body and formData parameters.
func (im *importer) swaggerBody(o *rawOperation, members []*node) *bodySpec {
	consumes := im.mediaList(o, "consumes")
	if members[0].strAt("in") == "body" {
		return im.swaggerJSONBody(members[0], consumes)
	}
	return im.swaggerForm(members, consumes)
}

func (im *importer) swaggerJSONBody(n *node, consumes []string) *bodySpec {
	spec := &bodySpec{required: n.isTrue("required"), desc: im.reader.text(n.get("description"))}
	at := n.get("schema")
	if at == nil && n.get("type") != nil {
		im.warn.add(n, "repaired: a body parameter has a schema, not a type")
		at = n
	}
	s := im.reader.read(at)
	for _, c := range consumes {
		if isFormType(c) { // a body parameter never becomes a form (§8.3)
			continue
		}
		spec.media = append(spec.media, mediaSpec{contentType: c, schema: s, described: true})
	}
	if len(spec.media) == 0 {
		spec.media = []mediaSpec{{contentType: "application/json", schema: s, described: true}}
	}
	return spec
}

func (im *importer) swaggerForm(members []*node, consumes []string) *bodySpec {
	form := &schema{types: tObject}
	encoding := map[string]encodingSpec{}
	file := false
	for _, n := range members {
		s := im.ownSchema(n)
		file = file || n.strAt("type") == "file" || im.fileOf(im.merge.flat(s), encodingSpec{}) != noFile && !slices.Equal(consumes, []string{"application/x-www-form-urlencoded"})
		form.props = append(form.props, property{n.strAt("name"), s})
		if n.isTrue("required") {
			form.required = append(form.required, n.strAt("name"))
		}
		if s.types == tArray {
			encoding[n.strAt("name")] = collectionEncoding(n.strAt("collectionFormat"))
		}
	}
	contentType := "application/x-www-form-urlencoded"
	onlyMultipart := len(consumes) > 0
	for _, c := range consumes {
		onlyMultipart = onlyMultipart && strings.HasPrefix(c, "multipart/")
	}
	if file || onlyMultipart {
		contentType = "multipart/form-data"
	}
	return &bodySpec{required: len(form.required) > 0, media: []mediaSpec{{contentType: contentType, schema: form, described: true, encoding: encoding}}}
}

// bodyOfSwagger reads a request body in a 2.0 document.
func (im *importer) bodyOfSwagger(body *node) (*bodySpec, error) {
	im.warn.add(body, "repaired: requestBody is 3.0's; read as there")
	data, err := json.Marshal(skeleton{RequestBody: im.outlineBody(body), Responses: map[string]any{}})
	if err != nil {
		return nil, err
	}
	var op openapi3.Operation
	if err := op.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("kin: %w", err)
	}
	return im.bodySpec(body, &op), nil
}

// bareName finds the component that a reference names without saying where: $ref: Pet, as Swagger 1.2 had it.
func (r *schemaReader) bareName(n *node, ref string) *node {
	if n.file == nil || strings.ContainsAny(ref, "#/.:") {
		return nil
	}
	for _, at := range [...]string{"#/components/schemas/", "#/definitions/"} {
		if target, err := r.lib.lookup(n.file, at+ref); err == nil && target != n {
			r.repaired(n, "reference %s is read as %s", shorten(ref, 60), shorten(at+ref, 100))
			return target
		}
	}
	return nil
}

// azureBase fills the host template of an Azure document; a template that configuration and defaults do not fill needs a
// backend.
func (im *importer) azureBase(t *node, base string) (*url.URL, error) {
	text := t.strAt("hostTemplate")
	if prefix, ok := t.get("useSchemePrefix").truth(); prefix || !ok {
		text = "https://" + text
	}
	for _, item := range t.get("parameters").items() {
		p, err := im.lib.follow(item)
		if err != nil {
			continue
		}
		name := p.strAt("name")
		value, ok := im.options.ServerVariables[name]
		if !ok {
			value = p.strAt("default")
		}
		if value != "" {
			text = strings.ReplaceAll(text, "{"+name+"}", value)
		}
	}
	if strings.Contains(text, "{") {
		im.warn.add(t, fmt.Sprintf("lint: server URL %q has no usable host: set backend", shorten(text, 100)))
		return nil, nil
	}
	return im.resolveServer(strings.TrimSuffix(text, "/")+base, t)
}
