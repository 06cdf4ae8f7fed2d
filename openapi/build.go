package openapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// BuildRequest checks the arguments of a call and makes the request. base is the backend; nil means the document's own
// server. An *ArgumentError is for the caller's model; any other error is ours. Nothing that an argument holds changes
// where the request goes, or how many segments, query keys or headers it has (§9).
func (t *Tool) BuildRequest(ctx context.Context, base *url.URL, args json.RawMessage) (*http.Request, error) {
	base, err := t.base(base)
	if err != nil {
		return nil, err
	}
	values, err := t.plan.values(args)
	if err != nil {
		return nil, err
	}
	r := &requestBuilder{plan: t.plan, values: values, base: strings.TrimRight(base.EscapedPath(), "/"), header: make(http.Header, 4), size: len(args)}
	u, err := r.url(base)
	if err != nil {
		return nil, err
	}
	if err := r.headers(); err != nil {
		return nil, err
	}
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	req := (&http.Request{Method: t.plan.method, URL: u, Host: u.Host, Header: r.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	body.attach(req)
	return req, t.plan.verify(base, r.base, req)
}

// Repeatable says whether a call may be sent again after bytes of it have left (T2): by its method, by x-drawbridge.retry,
// or because it carries an idempotency key.
func (t *Tool) Repeatable(args json.RawMessage) bool {
	if t.Retry != nil {
		return *t.Retry
	}
	if isRead(t.Method) {
		return true
	}
	if t.plan == nil {
		return false // made by hand
	}
	for _, a := range t.plan.args {
		if a.in == "header" && strings.EqualFold(a.orig, "Idempotency-Key") {
			if values, err := decodeJSON(args); err == nil {
				m, _ := values.(map[string]any)
				return m[a.name] != nil
			}
		}
	}
	return false
}

// argumentError makes the error of one argument.
func argumentError(name string, err error) error {
	return &ArgumentError{Problems: []string{fmt.Sprintf("argument %q: %s", name, err)}}
}

func (a *arg) missing() string {
	text := fmt.Sprintf("argument %q is required", a.name)
	if names := a.kinds &^ tNull; names != 0 && a.file == noFile {
		text += " (" + strings.Join(names.names(), " or ") + ")"
	}
	desc := a.desc
	if desc == "" && a.spec != nil {
		desc = a.spec.desc
	}
	if desc == "" {
		desc = a.schema.desc
	}
	if desc, _ = plainText(desc); desc != "" {
		text += ": " + strings.ReplaceAll(cutText(desc, 100), "\n", " ")
	}
	return text
}

func (p *plan) unknown(name string) string {
	known := make([]string, 0, len(p.args))
	for _, a := range p.args {
		known = append(known, a.name)
	}
	known = sortedNames(known)
	shown, _ := visible(shorten(name, 60))
	text := fmt.Sprintf("unknown argument %q", shown)
	if near := nearest(name, known); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	} else {
		text += "."
	}
	if len(known) == 0 {
		return text + " The tool takes no arguments."
	}
	more := ""
	if len(known) > 20 {
		known, more = known[:20], ", …"
	}
	return text + " Known: " + strings.Join(known, ", ") + more
}

// requestBuilder writes one request.
type requestBuilder struct {
	plan   *plan
	values callValues
	base   string // path of the base without its last slash
	header http.Header
	size   int // of the arguments, and so about that of a body
}

// given visits the arguments of a place that have a value, in the document's order.
func (r *requestBuilder) given(in string, use func(a *arg, v any) error) error {
	for _, list := range [...][]*arg{r.plan.args, r.plan.fixed} {
		for _, a := range list {
			if a.in != in {
				continue
			}
			v, ok := r.values.of(a)
			if !ok {
				continue
			}
			if in != "body" && containsNUL(v) {
				if in == "path" {
					return argumentError(a.name, faultControl)
				}
				return argumentError(a.name, faultNUL)
			}
			if a.spec != nil && a.renamed {
				v = renameBack(a.schema, v, 0)
			}
			if err := use(a, v); err != nil {
				return argumentError(a.name, err)
			}
		}
	}
	return nil
}

func (r *requestBuilder) url(base *url.URL) (*url.URL, error) {
	path, err := r.path()
	if err != nil {
		return nil, err
	}
	decoded := path
	if strings.IndexByte(path, '%') >= 0 {
		if decoded, err = url.PathUnescape(path); err != nil {
			return nil, fmt.Errorf("build path: %w", err)
		}
	}
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: decoded, RawPath: path}
	u.RawQuery, err = r.query(base)
	return u, err
}

// path joins base path and template with exactly one slash (B5).
func (r *requestBuilder) path() (string, error) {
	b := append(make([]byte, 0, 128), r.base...)
	for _, part := range r.plan.template.parts {
		if part.param == "" {
			b = append(b, part.literal...)
			continue
		}
		a := r.pathArg(part.param)
		if a == nil {
			return "", fmt.Errorf("build path: parameter %q has no argument", part.param)
		}
		v, ok := r.values.of(a)
		if !ok {
			return "", &ArgumentError{Problems: []string{a.missing()}}
		}
		if containsNUL(v) {
			return "", argumentError(a.name, faultControl)
		}
		var err error
		if b, err = appendPath(b, a, v); err != nil {
			return "", argumentError(a.name, err)
		}
	}
	return string(b), nil
}

func (r *requestBuilder) pathArg(orig string) *arg {
	for _, list := range [...][]*arg{r.plan.args, r.plan.fixed} {
		for _, a := range list {
			if a.in == "path" && a.orig == orig {
				return a
			}
		}
	}
	return nil
}

func (r *requestBuilder) query(base *url.URL) (string, error) {
	q := &query{used: r.plan.queries}
	if base.RawQuery != "" {
		q.b = append(q.b, base.RawQuery...)
	}
	if fixed := r.plan.template.query; fixed != "" {
		if len(q.b) > 0 {
			q.b = append(q.b, '&')
		}
		q.b = append(q.b, fixed...)
	}
	q.fixed = string(q.b)
	err := r.given("query", func(a *arg, v any) error {
		if m, ok := v.(map[string]any); ok && a.spec.explode && a.spec.style == "form" {
			if _, taken := m[r.plan.place.Query]; taken && r.plan.place.Query != "" {
				return fault(fmt.Sprintf("must not have a member %q", r.plan.place.Query))
			}
		}
		return q.parameter(a.spec, v)
	})
	if err != nil {
		return "", err
	}
	err = r.given("querystring", func(a *arg, v any) error { return q.whole(a.spec, v, r.plan.place.Query) })
	return string(q.b), err
}

func (r *requestBuilder) headers() error {
	r.header["Accept"] = r.plan.accept
	err := r.given("header", func(a *arg, v any) error {
		if a.spec.contentType == "" && isEmptyValue(v) {
			return nil
		}
		text, err := headerText(a.spec, v)
		if err == nil {
			r.header[http.CanonicalHeaderKey(a.orig)] = []string{text}
		}
		return err
	})
	if err != nil {
		return err
	}
	var cookies []string
	refused := func(name string) bool {
		return r.plan.place.Cookie != "" && name == r.plan.place.Cookie || r.cookieDeclared(name)
	}
	err = r.given("cookie", func(a *arg, v any) error {
		pairs, err := cookiePairs(a.spec, v, refused)
		cookies = append(cookies, pairs...)
		return err
	})
	if len(cookies) > 0 {
		r.header["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	return err
}

func (r *requestBuilder) cookieDeclared(name string) bool {
	for _, a := range r.plan.args {
		if a.in == "cookie" && a.orig == name && !(a.spec.explode && a.kinds.has(tObject)) {
			return true
		}
	}
	return false
}

// verify compares the finished request with the shape of the operation: the second of the two checks of §9.
func (p *plan) verify(base *url.URL, prefix string, req *http.Request) error {
	if req.URL.Scheme != base.Scheme || req.URL.Host != base.Host || req.Host != base.Host {
		return fmt.Errorf("build %s: the request would leave its host", p.path)
	}
	path := req.URL.EscapedPath()
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok || strings.IndexByte(path, '?') >= 0 || strings.IndexByte(path, '#') >= 0 || strings.IndexByte(path, '\\') >= 0 {
		return fmt.Errorf("build %s: the request would leave its path", p.path)
	}
	if segments := strings.Count(rest, "/") + 1; !p.template.slashes && segments != len(p.template.segments) {
		return fmt.Errorf("build %s: the request would have %d path segments", p.path, segments)
	}
	for i, more := 0, true; more; i++ {
		var s string
		s, rest, more = strings.Cut(rest, "/")
		if i >= len(p.template.segments) || p.template.slashes {
			if step := decodeOnce(s); step == "." || step == ".." {
				return &ArgumentError{Problems: []string{"the path must not contain path steps (\"..\")"}}
			}
			continue
		}
		if want := p.template.segments[i]; want != "" && want != s && !(want == "\x00" && s == "") {
			return fmt.Errorf("build %s: segment %d of the request is not the template's", p.path, i)
		}
		if step := decodeOnce(s); p.template.segments[i] == "" && (step == "." || step == ".." || step == "") {
			return &ArgumentError{Problems: []string{"the path must not contain path steps (\"..\")"}}
		}
	}
	return nil
}
