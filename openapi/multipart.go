package openapi

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// multipart writes multipart bodies: parts in the schema's order, files with name and type (§8.3).
func (r *requestBuilder) multipart(members []member) (*builtBody, error) {
	base := essence(r.plan.body.contentType)
	w := &partWriter{form: base == "multipart/form-data" || base == "multipart/*"}
	if base == "multipart/*" {
		base = "multipart/form-data"
	}
	for _, m := range members {
		if err := w.member(m, r.plan.body.encoding[m.name], r.plan.fileMax); err != nil {
			return nil, argumentError(m.arg.name, err)
		}
	}
	boundary := w.boundary()
	return &builtBody{base + "; boundary=" + boundary, w.bytes(boundary)}, nil
}

type partWriter struct {
	form  bool
	parts []bodyPart
}

type bodyPart struct {
	name, filename, contentType string
	data                        []byte
	file                        bool
}

func (w *partWriter) member(m member, e encodingSpec, limit int64) error {
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
		for _, item := range list {
			w.parts = append(w.parts, bodyPart{name: m.name, contentType: e.contentType, data: []byte(scalarText(item))})
		}
		return nil
	}
	p := bodyPart{name: m.name, contentType: e.contentType, data: []byte(scalarText(m.value))}
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
	p := bodyPart{name: name, filename: f.filename, contentType: f.contentType, data: f.data, file: true}
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

func (w *partWriter) bytes(boundary string) []byte {
	var b bytes.Buffer
	for _, p := range w.parts {
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
		b.WriteString("\r\n")
		b.Write(p.data)
		b.WriteString("\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return b.Bytes()
}

// quoteName encodes what would end a quoted name, as WHATWG does (Q17).
func quoteName(s string) string {
	return strings.NewReplacer("\"", "%22", "\r", "%0D", "\n", "%0A").Replace(s)
}
