package openapi

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

// multipart writes multipart bodies: parts in the schema's order, files with name and type (§8.3).
func (r *requestBuilder) multipart(members []member) (*builtBody, error) {
	base, kind := r.plan.body.contentType, essence(r.plan.body.contentType)
	w := &partWriter{form: r.multipartForm()}
	switch {
	case kind == "multipart/*":
		base = "multipart/form-data"
	case strings.Contains(strings.ToLower(base), "boundary"): // ours is the one that counts
		base = kind
	}
	for _, m := range members {
		if err := w.member(m, r.plan.body.encoding[m.name], r.plan.fileMax); err != nil {
			return nil, argumentError(m.arg.name, err)
		}
	}
	boundary := w.boundary()
	return &builtBody{base + "; boundary=" + boundary, w.pieces(boundary)}, nil
}

type partWriter struct {
	form  bool
	parts []bodyPart
}

type bodyPart struct {
	name, filename, contentType string
	data                        []byte
	file                        bool
	headers                     [][2]string
}

func (w *partWriter) member(m member, e encodingSpec, limit int64) error {
	if strings.Contains(e.contentType, "*") && m.arg.file == noFile {
		e.contentType = "" // a range is no type
	}
	switch m.arg.file {
	case oneFile:
		return w.file(m.name, m.value, e, limit)
	case listOfFiles:
		list, _ := m.value.([]any)
		for _, item := range list {
			if err := w.file(m.name, item, e, limit); err != nil {
				return err
			}
		}
		return nil
	}
	if list, ok := m.value.([]any); ok && !isJSONType(e.contentType) && allScalars(list) {
		if e.between != "" {
			list = []any{joinScalars(list, e.between)}
		}
		for _, item := range list {
			w.parts = append(w.parts, bodyPart{name: m.name, contentType: e.contentType, data: []byte(scalarText(item)), headers: e.headers})
		}
		return nil
	}
	p := bodyPart{name: m.name, contentType: e.contentType, data: []byte(scalarText(m.value)), headers: e.headers}
	switch m.value.(type) {
	case []any, map[string]any:
		if p.contentType == "" {
			p.contentType = "application/json"
		}
	}
	if isJSONType(p.contentType) {
		p.data = appendValue(nil, m.value)
	}
	w.parts = append(w.parts, p)
	return nil
}

func joinScalars(list []any, between string) string {
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = scalarText(item)
	}
	return strings.Join(texts, between)
}

func allScalars(list []any) bool {
	for _, item := range list {
		switch item.(type) {
		case []any, map[string]any:
			return false
		}
	}
	return true
}

func (w *partWriter) file(name string, v any, e encodingSpec, limit int64) error {
	f, err := readFile(v, limit)
	if err != nil {
		return err
	}
	p := bodyPart{name: name, filename: f.filename, contentType: f.contentType, data: f.data, file: true, headers: e.headers}
	if p.contentType == "" && e.contentType != "" && !strings.Contains(e.contentType, "*") {
		p.contentType = e.contentType
	}
	if p.contentType == "" {
		p.contentType = f.typeOrSniffed()
	}
	if p.filename == "" {
		p.filename = "file" + extension(p.contentType)
	}
	w.parts = append(w.parts, p)
	return nil
}

// boundary is random and occurs in no part.
func (w *partWriter) boundary() string {
	for {
		var random [16]byte
		_, _ = rand.Read(random[:]) // never fails (crypto/rand)
		boundary := "drawbridge-" + hex.EncodeToString(random[:])
		found := false
		for _, p := range w.parts {
			found = found || bytes.Contains(p.data, []byte(boundary))
		}
		if !found {
			return boundary
		}
	}
}

// pieces are the body in order: heads of parts, and their bytes as they are, which are not copied again.
func (w *partWriter) pieces(boundary string) [][]byte {
	list := make([][]byte, 0, 2*len(w.parts)+1)
	for i, p := range w.parts {
		var b bytes.Buffer
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString("--" + boundary + "\r\n")
		if w.form {
			b.WriteString(`Content-Disposition: form-data; name="` + quoteName(p.name) + `"`)
			if p.file {
				b.WriteString(`; filename="` + quoteName(p.filename) + `"`)
			}
			b.WriteString("\r\n")
		}
		if p.contentType != "" {
			b.WriteString("Content-Type: " + p.contentType + "\r\n")
		}
		for _, h := range p.headers {
			b.WriteString(h[0] + ": " + h[1] + "\r\n")
		}
		b.WriteString("\r\n")
		list = append(list, b.Bytes(), p.data)
	}
	end := "--" + boundary + "--\r\n"
	if len(w.parts) > 0 {
		end = "\r\n" + end
	}
	return append(list, []byte(end))
}

// partMedia is what a schema says of its bytes: contentMediaType, of a list that of its items.
func (im *importer) partMedia(s *schema) string {
	if s.media == "" && s.items != nil {
		s = im.merge.flat(s.items)
	}
	if s.encoding != "" || isJSONType(s.media) || essence(s.media) == "application/octet-stream" { // the latter says no more than binary
		return ""
	}
	return s.media
}

// typePart gives a part the type of its schema where the encoding has none (OAS 3.1, Encoding Object).
func (b *bodyPlan) typePart(name, media string) {
	e := b.encoding[name]
	if media == "" || e.contentType != "" {
		return
	}
	if b.encoding == nil {
		b.encoding = map[string]encodingSpec{}
	}
	e.contentType = media
	b.encoding[name] = e
}

// partHeaders reads the headers that a document gives the parts of a multipart body. Only the document can fill them, so
// only those with one value are sent: const, an enum of one, or a default. They may not say what the part's own say.
func (im *importer) partHeaders(media *node, encoding map[string]encodingSpec) {
	for _, e := range media.get("encoding").fields() {
		spec, known := encoding[e.key]
		if !known {
			continue
		}
		for _, f := range e.value.get("headers").fields() {
			name := http.CanonicalHeaderKey(f.key)
			header, err := im.lib.follow(f.value)
			if err != nil || !isToken(f.key) || name == "Content-Type" || name == "Content-Disposition" || name == "Content-Transfer-Encoding" {
				continue
			}
			value, ok := onlyValue(im.merge.flat(im.reader.read(header.get("schema"))))
			if !ok {
				im.warn.add(f.value, "lint: part header "+shorten(f.key, 60)+" has no fixed value; not sent")
				continue
			}
			text, err := headerText(&paramSpec{style: "simple"}, value)
			if err != nil {
				im.warn.add(f.value, "lint: part header "+shorten(f.key, 60)+" "+err.Error()+"; not sent")
				continue
			}
			spec.headers = append(spec.headers, [2]string{name, text})
		}
		slices.SortFunc(spec.headers, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
		encoding[e.key] = spec
	}
}

// onlyValue is the one value that a schema names.
func onlyValue(s *schema) (any, bool) {
	text := s.def
	if len(s.enum) == 1 { // a const is one, too
		text = s.enum[0]
	}
	if text == "" || text == "null" {
		return nil, false
	}
	v, err := decodeJSON([]byte(text))
	return v, err == nil
}

// quoteName encodes what would end a quoted name, as WHATWG does, and the other control characters, for which servers
// refuse the whole body, and the backslash, which half of the servers take for an escape of the quote after it (Q17).
func quoteName(s string) string {
	if strings.IndexFunc(s, endsName) < 0 {
		return s
	}
	b := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); i++ {
		if c := s[i]; endsName(rune(c)) {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

func endsName(r rune) bool { return r == '"' || r == '\\' || r < 0x20 || r == 0x7f }
