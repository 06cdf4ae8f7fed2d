package llm

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// firstBody is how much is allocated for a body on the word of its content-length alone.
const firstBody = 512 << 10

// readBody reads a JSON request body whole: retries need it, and a server must have read it before it answers.
func (x *exchange) readBody() ([]byte, error) {
	r, limit := x.r, x.limits.Body
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, invalid(http.StatusUnsupportedMediaType, "unsupported_media_type", "", "Send the body as content-type application/json.")
	}
	if r.ContentLength > limit {
		return nil, x.tooLarge()
	}
	src := io.Reader(http.MaxBytesReader(x.w, r.Body, limit))
	size := r.ContentLength
	switch encoding := r.Header.Get("Content-Encoding"); strings.ToLower(encoding) {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, notRead(err)
		}
		src, size = z, -1
	default:
		return nil, invalid(http.StatusUnsupportedMediaType, "unsupported_media_type", "", "Send the body with content-encoding gzip or none.")
	}
	data, err := readAll(src, size, limit)
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over), int64(len(data)) > limit:
		return nil, x.tooLarge()
	case err != nil:
		return nil, notRead(err)
	}
	return data, nil
}

func notRead(err error) error {
	f := invalid(http.StatusBadRequest, "invalid_body", "", "The request body could not be read. Send it again.")
	f.err = err
	return f
}

// tooLarge is ER-6. The rest of the body stays unread, so the connection cannot be used again.
func (x *exchange) tooLarge() error {
	f := invalid(http.StatusRequestEntityTooLarge, "request_too_large", "",
		"The request body is larger than "+sizeText(x.limits.Body)+". Send less.")
	f.header = http.Header{"Connection": {"close"}}
	return f
}

// sizeText writes a size as configurations do.
func sizeText(n int64) string {
	switch {
	case n > 0 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	case n > 0 && n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + " KiB"
	default:
		return strconv.FormatInt(n, 10) + " bytes"
	}
}

// isJSON reports whether a content type is JSON in UTF-8 (WF-5).
func isJSON(contentType string) bool {
	kind, params, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return false
	}
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(name, "charset") && !strings.EqualFold(strings.Trim(value, `"`), "utf-8") {
			return false
		}
	}
	return true
}

// readAll reads src to its end, or one byte beyond limit. size is a hint; −1 for none.
func readAll(src io.Reader, size, limit int64) ([]byte, error) {
	if size < 0 {
		size = 4 << 10
	}
	buf := make([]byte, 0, min(size, firstBody, limit)+1)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := src.Read(buf[len(buf):min(int64(cap(buf)), limit+1)])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		case int64(len(buf)) > limit:
			return buf, nil
		}
	}
}
