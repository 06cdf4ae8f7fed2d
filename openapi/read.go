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
	if err != nil && !(isLinesType(contentType) && len(data) > 0) { // whole lines are whole values, as in a stream
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if len(data) == 0 {
		return r.empty(), nil
	}
	if err != nil {
		return r.brokenLines(data), nil
	}
	res := r.content(data, cut)
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
	body, err := r.decoded()
	if err != nil {
		return nil, false, err
	}
	if body != r.resp.Body && !binary {
		limit = r.options.MaxBytes
	}
	data, err = io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(data)) > limit {
		return data[:limit], true, nil
	}
	return data, false, err // with an error, what came before it
}

// decoded is the body without its content coding; x-gzip is gzip (RFC 9110 §8.4.1.3).
func (r *answerReader) decoded() (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(r.resp.Header.Get("Content-Encoding"))) {
	case "gzip", "x-gzip":
	default:
		return r.resp.Body, nil
	}
	gz, err := gzip.NewReader(r.resp.Body)
	if errors.Is(err, gzip.ErrHeader) {
		return nil, errors.New("the answer is not valid gzip")
	}
	return gz, err
}

// content maps a good body by its type.
func (r *answerReader) content(data []byte, cut bool) *Result {
	contentType := r.trueType(r.mediaType(), data)
	header := r.resp.Header.Get("Content-Type")
	switch {
	case isLinesType(contentType):
		return r.lines(data, cut)
	case isJSONType(contentType):
		return r.json(jsonText(data, header), cut)
	case strings.HasPrefix(contentType, "multipart/"):
		return r.parts(data, cut)
	case isTextType(contentType):
		if text, ok := decodeText(data, header, contentType); ok {
			return r.text(strings.TrimPrefix(text, "\ufeff"), cut)
		}
		contentType = "application/octet-stream"
	case contentType == "image/jpg": // the name that is not registered
		contentType = "image/jpeg"
	}
	return r.binary(data, contentType, cut)
}

// trueType corrects what many servers say of everything, by what the operation declares: text of an answer that is JSON,
// text/plain or octets of any other.
func (r *answerReader) trueType(contentType string, data []byte) string {
	if contentType == "" {
		return sniff(data)
	}
	declared := ""
	if len(r.plan.types) == 1 && !strings.Contains(r.plan.types[0], "*") {
		declared = essence(r.plan.types[0])
	}
	octets := contentType == "application/octet-stream" || contentType == "binary/octet-stream"
	switch {
	case declared == "" || declared == contentType:
	case isLinesType(declared):
	case isJSONType(declared):
		if (octets || strings.HasPrefix(contentType, "text/")) && !isJSONType(contentType) && sniff(data) == "application/json" {
			return declared
		}
	case isTextType(declared): // text/plain is true of these, too
	case octets || contentType == "text/plain" && !utf8.Valid(data):
		return declared
	}
	return contentType
}

// jsonText is JSON in UTF-8 without byte order mark, whatever it came in.
func jsonText(data []byte, header string) []byte {
	if utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 {
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	}
	text, ok := decodeText(data, header, "application/json")
	if !ok {
		return bytes.ToValidUTF8(data, []byte("\ufffd"))
	}
	return []byte(strings.TrimPrefix(text, "\ufeff"))
}

func sniff(data []byte) string {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(data) {
		return "application/json"
	}
	return essence(http.DetectContentType(data))
}

// json maps a JSON answer: the text as received, and structured content.
func (r *answerReader) json(data []byte, cut bool) *Result {
	whole := data
	if cut {
		whole = wholeJSON(data)
	}
	value, odd, err := decodeAnswer(whole)
	switch {
	case err != nil:
		res := r.text(strings.ToValidUTF8(string(data), "\ufffd"), cut)
		if !cut {
			res.Content = append(res.Content, Content{Type: TextContent, Text: "(the API said that this is JSON; it is not)"})
		}
		return res
	case cut || len(data) > r.limit:
		return r.shortJSON(value, len(data), cut, odd)
	}
	res := &Result{Content: []Content{{Type: TextContent, Text: string(data)}}, Structured: r.structured(value, data, odd)}
	r.fillStructured(res)
	return res
}

// shortJSON maps a JSON answer that is too large; cut says that not all of it was read.
func (r *answerReader) shortJSON(value any, size int, cut, odd bool) *Result {
	value, note := cutValue(value, r.limit)
	switch {
	case cut && note == "":
		note = "Shortened: the beginning of the answer is shown."
	case cut:
		note += " The answer goes on after what was counted."
	}
	text := appendValue(nil, value)
	res := &Result{Content: []Content{{Type: TextContent, Text: string(text)}}}
	res.Content = append(res.Content, Content{Type: TextContent, Text: note + r.askForLess()})
	if more := r.next(value); more != "" {
		res.Content = append(res.Content, Content{Type: TextContent, Text: more})
	}
	res.Structured = r.structured(value, text, odd)
	r.fillStructured(res)
	res.truncated(size)
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
