package openapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ReadResult turns the answer of an API into a Result (§12). The body is read under caps and closed. An API's mistake
// never fails the call: the error is for a body that could not be read at all.
func (t *Tool) ReadResult(resp *http.Response, o ReadOptions) (*Result, error) {
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	defer resp.Body.Close()
	o.ResponsesConfig = o.ResponsesConfig.orDefaults()
	r := &answerReader{tool: t, plan: &t.plan.answers, resp: resp, options: o, limit: int(min(o.MaxBytes, 4*int64(o.MaxTokens)))}
	return r.read()
}

// answerReader reads one answer.
type answerReader struct {
	tool    *Tool
	plan    *answerPlan
	resp    *http.Response
	options ReadOptions
	limit   int // bytes of text or JSON
}

func (r *answerReader) read() (*Result, error) {
	status := r.resp.StatusCode
	switch {
	case status >= 400:
		return r.failure()
	case status >= 300:
		return r.redirect(), nil
	case r.mediaType() == "text/event-stream":
		return r.events()
	}
	contentType := r.mediaType()
	binary := contentType != "" && !isTextType(contentType)
	data, cut, err := r.body(binary)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if len(data) == 0 {
		return r.empty(), nil
	}
	res, err := r.content(data, cut)
	if err != nil {
		return nil, err
	}
	r.extras(res)
	return res, nil
}

// mediaType is the type of the answer: its own, else the one that is declared.
func (r *answerReader) mediaType() string {
	header := r.resp.Header.Get("Content-Type")
	if t := essence(header); header != "" && strings.Contains(t, "/") {
		return t
	}
	if len(r.plan.types) == 1 && !strings.Contains(r.plan.types[0], "*") {
		return essence(r.plan.types[0])
	}
	return ""
}

// body reads under a cap; a compressed body is counted after decoding and gets no room beyond the answer's own limit, so
// that a bomb costs no more than an honest answer.
func (r *answerReader) body(binary bool) (data []byte, cut bool, err error) {
	limit := max(8*r.options.MaxBytes, 4<<20)
	if binary {
		limit = r.options.MaxBinaryBytes
	}
	var body io.Reader = r.resp.Body
	if strings.EqualFold(r.resp.Header.Get("Content-Encoding"), "gzip") {
		gz, err := gzip.NewReader(r.resp.Body)
		if err != nil {
			return nil, false, errors.New("the answer is not valid gzip")
		}
		defer gz.Close()
		body = gz
		if !binary {
			limit = r.options.MaxBytes
		}
	}
	data, err = io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(data)) > limit {
		return data[:limit], true, nil
	}
	if err != nil && len(data) > 0 {
		return data, true, nil // what came is shown, and that it was cut
	}
	return data, false, err
}

// content maps a good body by its type.
func (r *answerReader) content(data []byte, cut bool) (*Result, error) {
	contentType := r.mediaType()
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if contentType == "" {
		contentType = sniff(data)
	}
	if contentType == "text/plain" && len(r.plan.types) == 1 && !isTextType(r.plan.types[0]) && !strings.Contains(r.plan.types[0], "*") && !utf8.Valid(data) {
		contentType = essence(r.plan.types[0])
	}
	switch {
	case isLinesType(contentType):
		return r.lines(data, cut), nil
	case isJSONType(contentType):
		return r.json(data, cut), nil
	case strings.HasPrefix(contentType, "multipart/"):
		return r.parts(data, cut), nil
	case isTextType(contentType):
		text, ok := decodeText(data, r.resp.Header.Get("Content-Type"), contentType)
		if ok {
			return r.text(text, cut), nil
		}
		contentType = "application/octet-stream"
	}
	return r.binary(data, contentType, cut), nil
}

func sniff(data []byte) string {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(data) {
		return "application/json"
	}
	return essence(http.DetectContentType(data))
}

// json maps a JSON answer: the text as received, and structured content.
func (r *answerReader) json(data []byte, cut bool) *Result {
	value, err := decodeJSON(data)
	if err != nil || cut {
		res := r.text(strings.ToValidUTF8(string(data), "\ufffd"), cut)
		if !cut {
			res.Content = append(res.Content, Content{Type: TextContent, Text: "(the API said that this is JSON; it is not)"})
		}
		return res
	}
	res := &Result{}
	text, changed := data, false
	if len(data) > r.limit {
		var note string
		value, note = cutValue(value, r.limit)
		text, changed = appendValue(nil, value), true
		defer func() {
			res.Content = append(res.Content, Content{Type: TextContent, Text: note + r.askForLess()})
			if more := r.next(value); more != "" {
				res.Content = append(res.Content, Content{Type: TextContent, Text: more})
			}
			res.truncated(len(data))
		}()
	}
	res.Content = []Content{{Type: TextContent, Text: string(text)}}
	res.Structured = r.structured(value, text, changed)
	return res
}

func (res *Result) truncated(size int) {
	res.Meta = map[string]any{"drawbridge/truncated": true, "drawbridge/bytes": size}
}

// text maps characters; they are cut at a line.
func (r *answerReader) text(text string, cut bool) *Result {
	res := &Result{}
	size := len(text)
	if size > r.limit {
		text, cut = cutLines(text, r.limit), true
	}
	res.Content = []Content{{Type: TextContent, Text: text}}
	if cut {
		res.Content = append(res.Content, Content{Type: TextContent, Text: "Shortened: the first " + thousands(len(text)) + " bytes are shown." + r.askForLess()})
		res.truncated(size)
	}
	r.fillStructured(res)
	return res
}

func (r *answerReader) binary(data []byte, contentType string, cut bool) *Result {
	res := &Result{}
	defer r.fillStructured(res)
	name := r.filename(contentType)
	if cut || int64(len(data)) > r.options.MaxBinaryBytes {
		size := max(r.resp.ContentLength, int64(len(data)))
		text := contentType + ", " + sizeWords(size, r.resp.ContentLength < 0) + ": too large to return"
		res.Content = []Content{{Type: TextContent, Text: text + r.askForLess()}}
		res.truncated(int(size))
		return res
	}
	switch {
	case contentType == "image/png", contentType == "image/jpeg", contentType == "image/gif", contentType == "image/webp":
		res.Content = []Content{{Type: ImageContent, Data: data, MIMEType: contentType}}
	case strings.HasPrefix(contentType, "audio/"):
		res.Content = []Content{{Type: AudioContent, Data: data, MIMEType: contentType}}
	default:
		id := r.options.RequestID
		if id == "" {
			id = "answer"
		}
		res.Content = []Content{
			{Type: ResourceContent, Data: data, MIMEType: contentType, Name: name, URI: "drawbridge:response/" + url.PathEscape(id) + "/" + url.PathEscape(name)},
			{Type: TextContent, Text: fmt.Sprintf("%s, %s, %d bytes", name, contentType, len(data))},
		}
	}
	return res
}

// filename is the base name that Content-Disposition gives, else one by the type (RFC 6266).
func (r *answerReader) filename(contentType string) string {
	if _, params, err := mime.ParseMediaType(r.resp.Header.Get("Content-Disposition")); err == nil {
		name, _ := visible(params["filename"])
		name = path.Base(strings.ReplaceAll(name, "\\", "/"))
		if name != "" && name != "." && name != ".." && name != "/" && len(name) <= 255 {
			return strings.Map(func(r rune) rune {
				if r < 0x20 {
					return -1
				}
				return r
			}, name)
		}
	}
	return "file" + extension(contentType)
}

func sizeWords(n int64, atLeast bool) string {
	text := thousands(int(n)) + " bytes"
	if n >= 1<<20 {
		text = strconv.FormatInt(n>>20, 10) + " MB"
	}
	if atLeast {
		return "more than " + text
	}
	return text
}

// empty is an answer without a body.
func (r *answerReader) empty() *Result {
	res := &Result{}
	lines := []string{r.statusLine()}
	if l := r.location(); l != "" {
		lines = append(lines, "location: "+l)
	}
	if e := headerLine(r.resp.Header.Get("Etag")); e != "" {
		lines = append(lines, "etag: "+e)
	}
	res.Content = []Content{{Type: TextContent, Text: strings.Join(lines, "\n")}}
	r.fillStructured(res)
	return res
}

func (r *answerReader) statusLine() string {
	text := http.StatusText(r.resp.StatusCode)
	return strings.TrimSpace(strconv.Itoa(r.resp.StatusCode) + " " + text)
}

// location is where the API points: the path alone when it is on the same host.
func (r *answerReader) location() string {
	text := headerLine(r.resp.Header.Get("Location"))
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	u.User = nil
	if r.resp.Request != nil && r.resp.Request.URL != nil && strings.EqualFold(u.Host, r.resp.Request.URL.Host) {
		u.Scheme, u.Host = "", ""
	}
	return u.String()
}

// headerLine is a header's value, made safe for a line of text.
func headerLine(s string) string {
	s, _ = visible(strings.ToValidUTF8(s, "\ufffd"))
	return shorten(strings.Join(strings.Fields(s), " "), 1000)
}

func (r *answerReader) redirect() *Result {
	res := &Result{}
	text := r.statusLine()
	if l := r.location(); l != "" {
		text += "; location: " + l
		if u, err := url.Parse(l); err == nil && u.Host != "" {
			text += " (not followed: another host)"
		} else {
			text += " (not followed)"
		}
	}
	res.Content = []Content{{Type: TextContent, Text: text}}
	r.fillStructured(res)
	return res
}

// extras adds what the headers say, as far as the document declares them.
func (r *answerReader) extras(res *Result) {
	var lines []string
	if l := r.location(); l != "" && (r.resp.StatusCode == 201 || r.resp.StatusCode == 202) {
		lines = append(lines, "location: "+l)
	}
	names := map[string]bool{}
	for name := range r.plan.headers {
		names[name] = true
	}
	for _, name := range sortedKeys(names) {
		if v := headerLine(r.resp.Header.Get(name)); v != "" && (name != "location" || len(lines) == 0) {
			lines = append(lines, name+": "+v)
		}
	}
	if len(lines) > 0 {
		res.Content = append(res.Content, Content{Type: TextContent, Text: strings.Join(lines, "\n")})
	}
	if more := r.nextLink(); more != "" && (res.Meta == nil || !strings.Contains(res.lastText(), "More: ")) {
		res.Content = append(res.Content, Content{Type: TextContent, Text: more})
	}
}

func (res *Result) lastText() string {
	if len(res.Content) == 0 {
		return ""
	}
	return res.Content[len(res.Content)-1].Text
}
