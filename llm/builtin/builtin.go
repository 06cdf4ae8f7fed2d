// Package builtin is the model of `drawbridge try`: it speaks OpenAI's wire shape without a network, and answers the same
// question always the same way, so that limits, caches and pools can be tried offline. It is no language model. Its
// embeddings put texts that share words near each other; they are for demonstration only.
//
//	*http.Request ─ Model.RoundTrip ─▶ chat/completions (JSON or events) · embeddings · models
//
// Hand it to the pipeline as the transport of a backend.
package builtin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Name is what the model calls itself where a request names none.
const Name = "drawbridge-builtin"

// maxBody is more than the gateway lets through.
const maxBody = 64 << 20

// Model answers requests. The zero value is ready; safe for concurrent use.
type Model struct {
	Now  func() time.Time // nil: time.Now
	Pace time.Duration    // between the chunks of a stream; 0: none
}

// RoundTrip answers a request as a provider would. It fails only when the body cannot be read.
func (m *Model) RoundTrip(r *http.Request) (*http.Response, error) {
	var data []byte
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // read to its end
		var err error
		if data, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
			return nil, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/models") && r.Method == http.MethodGet:
		return respond(r, http.StatusOK, map[string]any{"object": "list", "data": []any{
			map[string]any{"id": Name, "object": "model", "created": 0, "owned_by": "drawbridge"}}}), nil
	case r.Method != http.MethodPost:
		return refuse(r, http.StatusMethodNotAllowed, "", "method_not_allowed", "Send a POST."), nil
	case strings.HasSuffix(path, "/chat/completions"):
		return m.chat(r, data), nil
	case strings.HasSuffix(path, "/embeddings"):
		return m.embed(r, data), nil
	}
	return refuse(r, http.StatusNotFound, "", "not_found", "The built-in model serves chat/completions, embeddings and models."), nil
}

// ServeHTTP answers over HTTP what RoundTrip answers.
func (m *Model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp, err := m.RoundTrip(r)
	if err != nil {
		return // the caller has gone
	}
	defer resp.Body.Close() //nolint:errcheck // in memory
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	buf, rc := make([]byte, 8<<10), http.NewResponseController(w)
	for {
		n, err := resp.Body.Read(buf)
		if _, gone := w.Write(buf[:n]); err != nil || gone != nil {
			return
		}
		_ = rc.Flush() // where nothing can be flushed, nothing is held back
	}
}

func (m *Model) now() time.Time {
	if m.Now != nil {
		return m.Now()
	}
	return time.Now()
}

func respond(r *http.Request, status int, v any) *http.Response {
	text, err := json.Marshal(v)
	if err != nil { // a caller's own JSON, repeated back, always has a form
		status, text = http.StatusInternalServerError, []byte(`{}`)
	}
	return response(r, status, "application/json", io.NopCloser(bytes.NewReader(text)), int64(len(text)))
}

func response(r *http.Request, status int, contentType string, body io.ReadCloser, length int64) *http.Response {
	header := http.Header{"Content-Type": {contentType}}
	if length >= 0 {
		header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	return &http.Response{Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: body, ContentLength: length, Request: r}
}

// refuse answers with an error of OpenAI's shape.
func refuse(r *http.Request, status int, param, code, msg string) *http.Response {
	e := map[string]any{"message": msg, "type": "invalid_request_error", "param": nil, "code": code}
	if param != "" {
		e["param"] = param
	}
	return respond(r, status, map[string]any{"error": e})
}

// idOf is the same for the same request.
func idOf(prefix string, data []byte) string {
	sum := sha256.Sum256(data)
	return prefix + hex.EncodeToString(sum[:12])
}
