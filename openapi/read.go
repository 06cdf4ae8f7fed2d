package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
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
	depth   int // of parts inside of parts
}

func (r *answerReader) read() (*Result, error) {
	status := r.resp.StatusCode
	switch {
	case status >= 400:
		return r.failure()
	case status >= 300:
		return r.redirect(), nil
	}
	res, err := r.good()
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	r.leaveOutBlanks(res)
	r.fillStructured(res)
	return res, nil
}

// good maps an answer that is neither an error nor a redirect.
func (r *answerReader) good() (*Result, error) {
	contentType := r.mediaType()
	switch {
	case r.unknownCoding() != "":
		return r.compressed(), nil
	case contentType == "text/event-stream":
		return r.events(), nil
	case isLinesType(contentType):
		res, err := r.lines()
		if err == nil {
			r.extras(res)
		}
		return res, err
	}
	binary := contentType != "" && !isTextType(contentType)
	data, cut, err := r.body(binary)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || !binary && len(bytes.TrimSpace(data)) == 0 {
		return r.empty(), nil
	}
	res := r.content(data, cut)
	r.extras(res)
	return res, nil
}

// leaveOutBlanks keeps no block without text, which the APIs of models refuse, but says at least how it went.
func (r *answerReader) leaveOutBlanks(res *Result) {
	res.Content = slices.DeleteFunc(res.Content, func(c Content) bool {
		return c.Type == TextContent && strings.TrimSpace(c.Text) == ""
	})
	if len(res.Content) == 0 {
		res.Content = []Content{{Type: TextContent, Text: r.statusLine()}}
	}
}

// length is how long the API said that the body is; -1: it did not say.
func (r *answerReader) length() int64 {
	if r.resp.ContentLength >= 0 || r.header("Content-Encoding") != "" {
		return r.resp.ContentLength
	}
	n, err := strconv.ParseInt(r.header("Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
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
	room := int64(bytes.MinRead)
	if n := r.length(); n >= 0 && body == r.resp.Body {
		room = min(n, maxExpected) + 1 // and the end is seen without making more
	}
	data, err = readUpTo(body, room, limit)
	if int64(len(data)) > limit {
		return data[:limit], true, nil
	}
	return data, false, err // with an error, what came before it
}

// maxExpected is how much room an answer gets ahead of its bytes, on its word alone.
const maxExpected = 64 << 10

// readUpTo reads what there is, or one byte more than the limit. room is about how much that will be.
func readUpTo(body io.Reader, room, limit int64) ([]byte, error) {
	data := make([]byte, 0, max(1, min(room, limit+1)))
	for int64(len(data)) <= limit {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := body.Read(data[len(data):min(int64(cap(data)), limit+1)])
		data = data[:len(data)+n]
		if err == io.EOF { //nolint:errorlint // readers return io.EOF itself
			return data, nil
		}
		if err != nil {
			return data, err
		}
	}
	return data, nil
}

// content maps a good body by its type.
func (r *answerReader) content(data []byte, cut bool) *Result {
	contentType := r.trueType(r.mediaType(), data)
	header := r.header("Content-Type")
	switch {
	case isLinesType(contentType): // as a part
		if res := r.linesOf(data); res != nil {
			return res
		}
		return r.text(strings.ToValidUTF8(string(data), "\ufffd"), cut)
	case isJSONType(contentType):
		if text, ok := jsonText(data, header); ok {
			return r.json(text, cut)
		}
		contentType = fileType(data)
	case strings.HasPrefix(contentType, "multipart/"):
		return r.parts(data, cut)
	case isTextType(contentType):
		if text, ok := decodeText(data, header, contentType); ok {
			return r.text(strings.TrimPrefix(text, "\ufeff"), cut)
		}
		contentType = fileType(data)
	}
	return r.binary(data, contentType, cut)
}

// json maps a JSON answer: the text as received, and structured content.
func (r *answerReader) json(data []byte, cut bool) *Result {
	text := string(data) // the value's texts are parts of it
	if !cut && len(data) <= r.limit {
		if content, ok := r.unchanged(text, data); ok {
			return oneText(text, content)
		}
	}
	if cut {
		text = string(wholeJSON(data))
	}
	value, odd, err := decodeAnswer(text)
	switch {
	case err != nil:
		if lines := r.linesOf(data); lines != nil && !cut && errors.Is(err, errAfterJSON) {
			return lines
		}
		res := r.text(strings.ToValidUTF8(string(data), "\ufffd"), cut)
		if !cut {
			res.Content = append(res.Content, Content{Type: TextContent, Text: "(the API said that this is JSON; it is not)"})
		}
		return res
	case cut || len(data) > r.limit:
		return r.shortJSON(value, len(data), cut, odd)
	}
	return oneText(text, r.structured(value, data, odd))
}

// oneText is a result with one block of text; both are made in one piece.
func oneText(text string, structured json.RawMessage) *Result {
	made := &struct {
		result Result
		block  [1]Content
	}{block: [1]Content{{Type: TextContent, Text: text}}}
	made.result.Content, made.result.Structured = made.block[:], structured
	return &made.result
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
	return res
}

func (r *answerReader) binary(data []byte, contentType string, cut bool) *Result {
	res := &Result{}
	name := r.filename(contentType)
	if cut || int64(len(data)) > r.options.MaxBinaryBytes {
		told := r.length()
		size := max(told, int64(len(data)))
		text := contentType + ", " + sizeWords(size, told < 0) + ": too large to return"
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
	lines := append([]string{r.statusLine()}, r.headerLines("location", "etag")...)
	res := &Result{Content: []Content{{Type: TextContent, Text: strings.Join(lines, "\n")}}}
	r.more(res)
	return res
}

func (r *answerReader) statusLine() string {
	text := http.StatusText(r.resp.StatusCode)
	return strings.TrimSpace(strconv.Itoa(r.resp.StatusCode) + " " + text)
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
