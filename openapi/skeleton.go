package openapi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
)

// nodeKey marks in a skeleton which node of the raw tree a part was made from.
const nodeKey = "x-drawbridge-node"

// paramSpec is a parameter as kin-openapi reads it from the clean skeleton, with its schema from the raw tree.
type paramSpec struct {
	name, in      string
	style         string
	explode       bool
	reserved      bool // allowReserved
	emptyAllowed  bool
	required      bool
	deprecated    bool
	desc          string
	contentType   string // of a parameter with content (B9)
	tabs          bool   // collectionFormat tsv, which OpenAPI 3 lost
	schema        *schema
	node          *node
	styleDeclared string
}

// bodySpec is a request body: what it may be, in the document's order.
type bodySpec struct {
	required bool
	desc     string
	media    []mediaSpec
}

type mediaSpec struct {
	contentType string
	schema      *schema
	item        *schema // of each value of a sequence (3.2 itemSchema)
	itemType    string  // of each part (3.2 itemEncoding)
	described   bool    // a schema was given
	encoding    map[string]encodingSpec
}

type encodingSpec struct {
	contentType string
	style       string
	explode     *bool
	reserved    bool
	between     string      // 2.0: what stands between the items of a list; "" where each is a value of its own
	headers     [][2]string // of a part of a multipart body, in the order of their names
}

// skeleton is the clean, reference-free outline of one operation that kin-openapi reads: no schemas, texts or examples,
// which the raw tree holds more truly.
type skeleton struct {
	Parameters  []map[string]any `json:"parameters,omitempty"`
	RequestBody map[string]any   `json:"requestBody,omitempty"`
	Consumes    []string         `json:"consumes,omitempty"`
	Responses   map[string]any   `json:"responses"`
}

// typed has kin-openapi read the operation: styles and their defaults, bodies, and for Swagger 2.0 the conversion.
func (im *importer) typed(o *rawOperation) ([]*paramSpec, *bodySpec, error) {
	nodes, members := im.bodyMembers(o, im.parameters(o))
	sk := skeleton{Responses: map[string]any{}}
	for i, p := range nodes {
		sk.Parameters = append(sk.Parameters, im.outline(p, i))
	}
	var body *node
	if len(members) == 0 {
		body = im.bodyNode(o)
	}
	if body != nil && !im.swagger {
		sk.RequestBody = im.outlineBody(body)
	}
	op, err := im.readSkeleton(o, sk)
	if err != nil {
		return nil, nil, fmt.Errorf("kin: %w", err)
	}
	params := make([]*paramSpec, 0, len(op.Parameters))
	for _, ref := range op.Parameters {
		if p := im.paramSpec(ref.Value, nodes); p != nil {
			params = append(params, p)
		}
	}
	switch {
	case len(members) > 0:
		return params, im.swaggerBody(o, members), nil
	case body != nil && im.swagger:
		spec, err := im.bodyOfSwagger(body)
		return params, spec, err
	}
	return params, im.bodySpec(body, op), nil
}

func (im *importer) readSkeleton(o *rawOperation, sk skeleton) (*openapi3.Operation, error) {
	if im.swagger {
		sk.Consumes = im.mediaList(o, "consumes")
	}
	data, err := json.Marshal(sk)
	if err != nil {
		return nil, err
	}
	if !im.swagger {
		var op openapi3.Operation
		return &op, op.UnmarshalJSON(data)
	}
	var op openapi2.Operation
	if err := op.UnmarshalJSON(data); err != nil {
		return nil, err
	}
	return openapi2conv.ToV3Operation(&openapi3.Components{}, nil, &op, sk.Consumes)
}

// mediaList is consumes or produces: the operation's, else the document's.
func (im *importer) mediaList(o *rawOperation, key string) []string {
	if v := o.node.get(key); v.isList() {
		return cleanTypes(texts(v))
	}
	return cleanTypes(texts(im.root.get(key)))
}

// outline writes the well-typed members of a parameter.
func (im *importer) outline(p *node, index int) map[string]any {
	out := map[string]any{"name": p.strAt("name"), "in": p.strAt("in"), nodeKey: strconv.Itoa(index)}
	if out["in"] == "querystring" {
		out["in"] = "query" // kin knows 3.1's places
	}
	for _, key := range [...]string{"required", "explode", "allowReserved", "allowEmptyValue", "deprecated"} {
		if v, ok := p.get(key).truth(); ok && (!im.swagger || key == "required" || key == "allowEmptyValue") {
			out[key] = v
		}
	}
	if im.swagger {
		if f := p.strAt("collectionFormat"); f != "" {
			out["collectionFormat"] = f
		}
		if t := p.strAt("type"); t != "" {
			out["type"] = t
		}
		return out
	}
	if s := p.strAt("style"); s != "" {
		out["style"] = s
	}
	return out
}

func (im *importer) bodyNode(o *rawOperation) *node {
	v := o.node.get("requestBody")
	if v.isNull() {
		return nil
	}
	body, err := im.lib.follow(v)
	if err != nil {
		im.warn.add(v, referenceText(err))
		return nil
	}
	if !body.isMap() {
		im.warn.add(v, "repaired: a request body is a mapping; dropped")
		return nil
	}
	return body
}

func (im *importer) outlineBody(body *node) map[string]any {
	return map[string]any{"required": body.isTrue("required"), "content": im.outlineContent(body)}
}

func (im *importer) outlineContent(body *node) map[string]any {
	content := map[string]any{}
	for _, f := range body.get("content").fields() {
		name, ok := cleanType(f.key)
		if !ok {
			im.warn.add(f.value, "repaired: "+shorten(f.key, 60)+" is not a media type")
			continue
		}
		encodings := map[string]any{}
		media, err := im.lib.follow(f.value) // 3.2 keeps media types under components
		if err != nil {
			im.warn.add(f.value, referenceText(err))
			media = nil
		}
		for _, e := range media.get("encoding").fields() {
			one := map[string]any{}
			for _, key := range [...]string{"contentType", "style"} {
				if s := e.value.strAt(key); s != "" {
					one[key] = s
				}
			}
			for _, key := range [...]string{"explode", "allowReserved"} {
				if v, ok := e.value.get(key).truth(); ok {
					one[key] = v
				}
			}
			encodings[e.key] = one
		}
		content[name] = map[string]any{"encoding": encodings}
	}
	return content
}

// paramSpec joins kin's reading of a parameter with its schema.
func (im *importer) paramSpec(p *openapi3.Parameter, nodes []*node) *paramSpec {
	n := nodes[nodeIndex(p.Extensions)]
	method, err := p.SerializationMethod()
	if err != nil {
		return nil
	}
	spec := &paramSpec{
		name: p.Name, in: p.In, style: method.Style, explode: method.Explode, styleDeclared: p.Style,
		reserved: p.AllowReserved, emptyAllowed: p.AllowEmptyValue, required: p.Required, deprecated: n.isTrue("deprecated"),
		desc: im.reader.text(n.get("description")), node: n,
	}
	if n.strAt("in") == "querystring" {
		spec.in, spec.style = "querystring", "form"
	}
	if spec.in == "path" && !strings.HasPrefix(im.doc.OpenAPI, "3.2") {
		spec.reserved = false // B8
	}
	if !styleFits(spec.in, spec.style) {
		im.warn.add(n, "repaired: style "+shorten(spec.style, 40)+" is not for "+spec.in) // B13
		spec.style, spec.explode = defaultStyle(spec.in)
	}
	if im.swagger {
		spec.schema = im.ownSchema(n)
		spec.tabs = n.strAt("collectionFormat") == "tsv"
		switch n.strAt("collectionFormat") {
		case "", "csv", "tsv":
			spec.explode = false
		case "ssv", "pipes": // only query has these in OpenAPI 3; elsewhere they read as csv
		}
		return spec
	}
	im.paramSchema(spec, n)
	return spec
}

func (im *importer) paramSchema(spec *paramSpec, n *node) {
	s, content := n.get("schema"), n.get("content")
	switch {
	case s != nil:
		if content != nil {
			im.warn.add(n, "repaired: parameter with schema and content; schema counts") // P5
		}
		spec.schema = im.reader.read(s)
	case len(content.fields()) > 0:
		f := content.fields()[0]
		spec.contentType = f.key
		spec.schema = im.reader.read(f.value.get("schema"))
	default:
		if n.strAt("type") != "" { // 2.0 habits in 3.0 documents
			spec.schema = im.reader.read(n)
			return
		}
		im.warn.add(n, "repaired: parameter "+shorten(spec.name, 60)+" has no schema; read as a string") // P6
		spec.schema = &schema{types: tString}
	}
}

func nodeIndex(extensions map[string]any) int {
	text, _ := extensions[nodeKey].(string)
	i, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return i
}

func (im *importer) bodySpec(n *node, op *openapi3.Operation) *bodySpec {
	if n == nil || op.RequestBody == nil || op.RequestBody.Value == nil {
		return nil
	}
	spec := &bodySpec{required: op.RequestBody.Value.Required, desc: im.reader.text(n.get("description"))}
	for _, f := range n.get("content").fields() {
		name, ok := cleanType(f.key)
		if !ok {
			continue
		}
		media := f.value
		if media.get("$ref") != nil {
			if target, err := im.lib.follow(media); err == nil {
				media = target
			}
		}
		encoding := encodings(op.RequestBody.Value.Content[name])
		if strings.HasPrefix(essence(name), "multipart/") {
			im.partHeaders(media, encoding)
		}
		one := mediaSpec{contentType: name, schema: im.reader.read(media.get("schema")), described: media.get("schema") != nil, encoding: encoding}
		if item := media.get("itemEncoding"); item.isMap() && strings.HasPrefix(essence(name), "multipart/") {
			first, _, _ := strings.Cut(item.strAt("contentType"), ",")
			one.itemType, _ = cleanType(first)
		}
		if item := media.get("itemSchema"); item != nil {
			one.item = im.reader.read(item)
			if !one.described {
				one.schema = &schema{types: tArray, items: one.item}
			}
		}
		spec.media = append(spec.media, one)
	}
	if len(spec.media) == 0 {
		spec.media = []mediaSpec{im.bodyWithoutContent(n)}
	}
	return spec
}

// bodyWithoutContent is JSON; some documents put the schema where the content belongs.
func (im *importer) bodyWithoutContent(n *node) mediaSpec {
	m := mediaSpec{contentType: "application/json", schema: anything()}
	s := n.get("schema")
	for _, key := range [...]string{"type", "properties", "allOf", "oneOf", "anyOf"} {
		if s == nil && n.get(key) != nil {
			s = n
		}
	}
	if s != nil {
		im.warn.add(n, "repaired: the request body is a schema; read as JSON")
		m.schema, m.described = im.reader.read(s), true
	}
	return m
}

func encodings(m *openapi3.MediaType) map[string]encodingSpec {
	if m == nil || len(m.Encoding) == 0 {
		return nil
	}
	out := make(map[string]encodingSpec, len(m.Encoding))
	for name, e := range m.Encoding {
		first, _, _ := strings.Cut(e.ContentType, ",")
		first, _ = cleanType(first) // it becomes a header of a part: nothing but a media type may pass
		out[name] = encodingSpec{contentType: first, style: e.Style, explode: e.Explode, reserved: e.AllowReserved}
	}
	return out
}

// collectionEncoding is how a list stands in a form of 2.0.
func collectionEncoding(format string) encodingSpec {
	explode := format == "multi"
	e := encodingSpec{style: "form", explode: &explode, between: ","}
	switch format {
	case "multi":
		e.between = ""
	case "ssv":
		e.style, e.between = "spaceDelimited", " "
	case "pipes":
		e.style, e.between = "pipeDelimited", "|"
	case "tsv":
		e.between = "\t"
	}
	return e
}

func defaultStyle(in string) (string, bool) {
	if in == "path" || in == "header" {
		return "simple", false
	}
	return "form", true
}

func styleFits(in, style string) bool {
	switch in {
	case "path":
		return style == "simple" || style == "label" || style == "matrix"
	case "header":
		return style == "simple"
	case "cookie":
		return style == "form" || style == "cookie"
	}
	return style == "form" || style == "spaceDelimited" || style == "pipeDelimited" || style == "deepObject"
}
