package openapi

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// builtBody is a finished body; nil means none.
type builtBody struct {
	contentType string
	pieces      [][]byte // in order; a file is one of them, as it was decoded
}

// attach puts the body on a request so that it can be sent again (T2).
func (b *builtBody) attach(req *http.Request) {
	if b == nil {
		req.Body = http.NoBody
		return
	}
	if b.contentType != "" {
		req.Header["Content-Type"] = []string{b.contentType}
	}
	for _, p := range b.pieces {
		req.ContentLength += int64(len(p))
	}
	if req.ContentLength == 0 { // else net/http takes the length for unknown
		req.Body = http.NoBody
		req.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
		return
	}
	req.GetBody = func() (io.ReadCloser, error) { return b.reader(), nil }
	req.Body = b.reader()
}

// reader reads the body from its beginning, so that a retry sends the same bytes without keeping a joined copy.
func (b *builtBody) reader() io.ReadCloser {
	if len(b.pieces) == 1 {
		return io.NopCloser(bytes.NewReader(b.pieces[0]))
	}
	readers := make([]io.Reader, len(b.pieces))
	for i, p := range b.pieces {
		readers[i] = bytes.NewReader(p)
	}
	return io.NopCloser(io.MultiReader(readers...))
}

// body makes the body of the operation's media type (§8.3).
func (r *requestBuilder) body() (*builtBody, error) {
	plan := r.plan.body
	if plan.kind == noBody {
		return nil, nil
	}
	if !plan.flat {
		return r.wholeBody()
	}
	members, err := r.members()
	if err != nil {
		return nil, err
	}
	if len(members) == 0 && !plan.required {
		return nil, nil
	}
	switch plan.kind {
	case formBody:
		return &builtBody{plan.contentType, [][]byte{r.form(members)}}, nil
	case multipartBody:
		return r.multipart(members)
	}
	object := make(map[string]any, len(members))
	for _, m := range members {
		object[m.name] = m.value
	}
	return &builtBody{plan.contentType, [][]byte{appendValue(make([]byte, 0, r.size), object)}}, nil
}

// member is one property of a body, under the backend's name.
type member struct {
	name  string
	value any
	arg   *arg
}

// members joins the arguments of a flat body, declared ones before additional ones (A12).
func (r *requestBuilder) members() ([]member, error) {
	var list []member
	taken := map[string]bool{}
	checked := map[string]any{}
	for _, args := range [...][]*arg{r.plan.args, r.plan.fixed} {
		for _, a := range args {
			v, ok := r.values.of(a)
			if !ok || a.in != "body" || a.rest {
				continue
			}
			if containsNUL(v) {
				return nil, argumentError(a.name, faultNUL)
			}
			checked[argName(a.orig)] = v
			if a.renamed {
				v = renameBack(a.schema, v, 0)
			}
			taken[a.orig] = true
			list = append(list, member{a.orig, v, a})
		}
	}
	if rest := r.plan.rest(); rest != nil {
		value, _ := r.values.of(rest)
		more, _ := value.(map[string]any)
		if containsNUL(any(more)) {
			return nil, argumentError(rest.name, faultNUL)
		}
		if rest.renamed {
			more, _ = renameBack(rest.schema, more, 0).(map[string]any)
		}
		for _, k := range sortedKeys(more) {
			if !taken[k] && r.plan.byOrig(k) == nil {
				checked[k] = more[k]
				list = append(list, member{k, more[k], rest})
			}
		}
	}
	if r.plan.body.check && r.plan.body.kind == jsonBody && (len(list) > 0 || r.plan.body.required) {
		if problems := r.plan.check.joined(checked); len(problems) > 0 {
			return nil, &ArgumentError{Problems: problems}
		}
	}
	return list, nil
}

// rest is the argument for members that the document does not name (A12); its own name may be taken by one that it does.
func (p *plan) rest() *arg {
	for _, a := range p.args {
		if a.rest {
			return a
		}
	}
	return nil
}

func (p *plan) byOrig(name string) *arg {
	for _, a := range p.args {
		if a.in == "body" && !a.rest && a.orig == name {
			return a
		}
	}
	return nil
}

// wholeBody makes a body of the one argument `body`.
func (r *requestBuilder) wholeBody() (*builtBody, error) {
	plan := r.plan.body
	var a *arg
	for _, list := range [...][]*arg{r.plan.args, r.plan.fixed} {
		for _, candidate := range list {
			if candidate.in == "body" {
				a = candidate
			}
		}
	}
	if a == nil {
		return nil, nil
	}
	v, given := r.values.of(a)
	if !given {
		return nil, nil
	}
	if a.file == noFile && containsNUL(v) {
		return nil, argumentError(a.name, faultNUL)
	}
	if a.renamed {
		v = renameBack(a.schema, v, 0)
	}
	switch plan.kind {
	case jsonBody:
		return &builtBody{plan.contentType, [][]byte{appendValue(nil, v)}}, nil
	case formBody, multipartBody:
		return r.looseForm(a, v)
	case linesBody:
		return &builtBody{plan.contentType, [][]byte{lines(v, strings.HasSuffix(essence(plan.contentType), "json-seq"))}}, nil
	case binaryBody:
		f, err := readFile(v, r.plan.fileMax)
		if err != nil {
			return nil, argumentError(a.name, err)
		}
		contentType := plan.contentType
		if plan.wildcard || essence(contentType) == "application/octet-stream" && f.contentType != "" {
			contentType = f.typeOrSniffed()
		}
		return &builtBody{contentType, [][]byte{f.data}}, nil
	}
	contentType := plan.contentType
	if plan.wildcard {
		contentType = "text/plain"
	}
	return &builtBody{contentType, [][]byte{[]byte(scalarText(v))}}, nil
}

// listPart is the name of the parts of a list; it is only sent where parts need one.
const listPart = "body"

// multipartForm says whether the parts of the body have names.
func (r *requestBuilder) multipartForm() bool {
	kind := essence(r.plan.body.contentType)
	return kind == "multipart/form-data" || kind == "multipart/*"
}

// looseForm sends an object without declared properties as a form.
func (r *requestBuilder) looseForm(a *arg, v any) (*builtBody, error) {
	var members []member
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			members = append(members, member{k, v[k], &arg{}})
		}
	case []any: // parts by their order; in a form they need a name
		for _, item := range v {
			members = append(members, member{listPart, item, a})
		}
	case string:
		if r.plan.body.kind == formBody {
			return &builtBody{r.plan.body.contentType, [][]byte{[]byte(v)}}, nil
		}
		members = []member{{"file", v, a}}
	default:
		return nil, argumentError(a.name, fault("must be an object"))
	}
	if a.file != noFile {
		name := "file"
		if a.file == listOfFiles && !r.multipartForm() {
			name = listPart
		}
		members = []member{{name, v, a}}
	}
	if r.plan.body.kind == multipartBody {
		return r.multipart(members)
	}
	return &builtBody{r.plan.body.contentType, [][]byte{r.form(members)}}, nil
}

// lines writes one compact JSON value per line, in a sequence of RFC 7464 each after a record separator; a string is sent as
// it is.
func lines(v any, sequence bool) []byte {
	list, ok := v.([]any)
	if !ok {
		return []byte(scalarText(v))
	}
	var b []byte
	for _, item := range list {
		if sequence {
			b = append(b, 0x1e)
		}
		b = append(appendValue(b, item), '\n')
	}
	return b
}

// form writes application/x-www-form-urlencoded.
func (r *requestBuilder) form(members []member) []byte {
	q := &query{form: true}
	for _, m := range members {
		e := r.plan.body.encoding[m.name]
		if isJSONType(e.contentType) && e.style == "" && e.explode == nil { // style beats type (OAS 3.1, Encoding Object)
			q.reserved = e.reserved
			q.pair(m.name, string(appendValue(nil, m.value)))
			q.reserved = false
			continue
		}
		p := &paramSpec{name: m.name, style: e.style, explode: true, reserved: e.reserved, tabs: e.between == "\t"}
		if p.style == "" {
			p.style = "form"
		}
		if e.explode != nil {
			p.explode = *e.explode
		} else if p.style == "spaceDelimited" || p.style == "pipeDelimited" {
			p.explode = false
		}
		switch v := m.value.(type) {
		case map[string]any:
			if e.style == "" {
				q.nested(m.name, v)
			} else {
				_ = q.object(p, v) // names cannot meet: every member was declared or is refused before
			}
		default:
			_ = q.parameter(p, v)
		}
	}
	return q.b
}

// nested writes a[b]=c; lists repeat the key. Without a name the members are names of their own.
func (q *query) nested(name string, object map[string]any) {
	for _, k := range sortedKeys(object) {
		inner := k
		if name != "" {
			inner = name + "[" + k + "]"
		}
		switch v := object[k].(type) {
		case map[string]any:
			q.nested(inner, v)
		case []any:
			for _, item := range v {
				q.pair(inner, scalarText(item))
			}
		default:
			q.pair(inner, scalarText(v))
		}
	}
}
