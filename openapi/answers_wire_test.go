package openapi

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"io"
	"strings"
	"testing"
)

type wireCase struct {
	name, tool string
	status     int
	body       string
	headers    []string
	want       string
}

func checkWire(t *testing.T, doc string, cases []wireCase) {
	t.Helper()
	d := importText(t, doc, Options{})
	for _, c := range cases {
		r, err := d.Tool(c.tool).ReadResult(answer(c.status, c.body, c.headers...), ReadOptions{RequestID: "r1"})
		if err != nil || describe(r) != c.want {
			t.Errorf("%s: %v\n got %v\nwant %s", c.name, err, describe(r), c.want)
		}
	}
}

func packed(t *testing.T, body string, open func(io.Writer) io.WriteCloser) string {
	t.Helper()
	var b bytes.Buffer
	w := open(&b)
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.String()
}

func TestContentCodingsOfAnswers(t *testing.T) { // §12: an API's mistake never fails the call
	const js, obj = "Content-Type: application/json", `{"a":1}`
	const want = `text({"a":1}) structured({"a":1})`
	zipped1 := zipped(t, obj)
	zlibbed := packed(t, obj, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	deflated := packed(t, obj, func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 9); return f })
	checkWire(t, answersDoc, []wireCase{
		{"no body, though it is called compressed", "free", 200, "", []string{js, "Content-Encoding: gzip"}, "text(200 OK)"},
		{"204", "typed", 204, "", []string{"Content-Encoding: gzip"}, "text(204 No Content) structured({})"},
		{"decoded on the way, and still called compressed", "free", 200, obj, []string{js, "Content-Encoding: gzip"}, want},
		{"twice", "free", 200, zipped(t, zipped1), []string{js, "Content-Encoding: gzip, gzip"}, want},
		{"deflate", "free", 200, zlibbed, []string{js, "Content-Encoding: deflate"}, want},
		{"deflate without its wrapping", "free", 200, deflated, []string{js, "Content-Encoding: deflate"}, want},
		{"a charset in the wrong place", "free", 200, obj, []string{js, "Content-Encoding: UTF-8"}, want},
		{"identity", "free", 200, zipped1, []string{js, "Content-Encoding: identity, gzip"}, want},
		{"one that nobody asked for", "typed", 200, "\x8b\x05\x80\xff", []string{js, "Content-Encoding: br"}, "text(200 OK; the answer is compressed with br, which is not read here) structured({})"},
		{"an error of such", "free", 500, "\x8b\x05\x80\xff", []string{js, "Content-Encoding: br"}, "text(500 Internal Server Error from GET /free\nthe API failed; try again later) error"},
	})
}

func TestNoBlockOfAnAnswerIsBlank(t *testing.T) { // §12; models' APIs refuse blank texts
	checkWire(t, answersDoc, []wireCase{
		{"white space", "free", 200, " \r\n", []string{"Content-Type: text/plain"}, "text(200 OK)"},
		{"white space for JSON", "typed", 201, "\n", []string{"Content-Type: application/json", "Location: /x/1"}, "text(201 Created\nlocation: /x/1) structured({})"},
		{"an empty stream", "typed", 200, ": ping\n\n", []string{"Content-Type: text/event-stream"}, "text(200 OK) structured({})"},
		{"lines without a value", "free", 200, "\n\n", []string{"Content-Type: application/x-ndjson"}, "text(200 OK)"},
		{"an empty part", "free", 200, "--b\r\n\r\n\r\n--b\r\n\r\nx\r\n--b--", []string{"Content-Type: multipart/mixed; boundary=b"}, "text(x)"},
		{"a file of white space", "free", 200, " \n", []string{"Content-Type: application/octet-stream"}, "resource(application/octet-stream file.bin drawbridge:response/r1/file.bin 2) text(file.bin, application/octet-stream, 2 bytes)"},
	})
}

const typesDoc = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{
	"/several":{"get":{"operationId":"several","responses":{"200":{"content":{"text/plain":{"schema":{"type":"object","properties":{"a":{"type":"integer"}}}},"application/json":{"schema":{"type":"object","properties":{"a":{"type":"integer"}}}}}}}}},
	"/csv":{"get":{"operationId":"csv","responses":{"200":{"content":{"text/csv":{}}}}}},
	"/json":{"get":{"operationId":"json","responses":{"200":{"content":{"application/json":{}}}}}},
	"/free":{"get":{"operationId":"free","responses":{"200":{"description":"x"}}}}}}`

func TestWrongTypesAreSetRightByTheBytes(t *testing.T) { // §12: missing or wrong type
	const png, jpeg = "\x89PNG\r\n\x1a\n", "\xff\xd8\xff\xe0"
	file := func(contentType, name, size string) string {
		return "resource(" + contentType + " " + name + " drawbridge:response/r1/" + name + " " + size + ") text(" + name + ", " + contentType + ", " + size + " bytes)"
	}
	checkWire(t, typesDoc, []wireCase{
		{"JSON that is called text, of several types", "several", 200, `{"a":1}`, []string{"Content-Type: text/plain"}, `text({"a":1}) structured({"a":1})`},
		{"text stays text", "several", 200, `a`, []string{"Content-Type: text/plain"}, `text(a) structured({})`},
		{"CSV that is called octets", "csv", 200, "a,b\n", []string{"Content-Type: application/octet-stream"}, "text(a,b\n)"},
		{"octets that are no CSV", "csv", 200, "a\x00", []string{"Content-Type: application/octet-stream"}, file("application/octet-stream", "file.bin", "2")},
		{"a PDF that is called JSON", "json", 200, "%PDF-1\x00\xff", []string{"Content-Type: application/json"}, file("application/pdf", "file.pdf", "8")},
		{"an image where JSON is declared, without a type", "json", 200, png, nil, "image(image/png   8)"},
		{"an image that is called text", "free", 200, png, []string{"Content-Type: text/plain"}, "image(image/png   8)"},
		{"a JPEG that is called PNG", "free", 200, jpeg, []string{"Content-Type: image/png"}, "image(image/jpeg   4)"},
		{"JSON that is called an image", "free", 200, `{"a":1}`, []string{"Content-Type: image/png"}, `text({"a":1}) structured({"a":1})`},
		{"a page that is called an image", "free", 200, `<html>x`, []string{"Content-Type: image/jpeg"}, `text(<html>x)`},
		{"a type that is none", "free", 200, "\x00\x01", []string{"Content-Type: foo/<b>do this</b>"}, file("application/octet-stream", "file.bin", "2")},
		{"a type with bytes that are no text", "free", 200, "\x00\x01", []string{"Content-Type: a/\xff"}, file("application/octet-stream", "file.bin", "2")},
		{"a type without end", "free", 200, "a", []string{"Content-Type: a/" + strings.Repeat("b", 500)}, "text(a)"},
		{"a header given twice", "free", 200, "{}", []string{"Content-Type: application/json, application/json"}, "text({}) structured({})"},
		{"UTF-16 without a mark, by its zeros", "free", 200, "{\x00}\x00", []string{"Content-Type: application/json"}, "text({}) structured({})"},
		{"big-endian", "free", 200, "\x00{\x00}", []string{"Content-Type: application/json"}, "text({}) structured({})"},
		{"little-endian text that says UTF-16 alone", "free", 200, "a\x00\n\x00", []string{"Content-Type: text/csv; charset=utf-16"}, "text(a\n)"},
		{"a name that needs quotes", "free", 200, "PK\x03\x04", []string{"Content-Type: application/zip", "Content-Disposition: attachment; filename=my report.zip"}, "resource(application/zip my report.zip drawbridge:response/r1/my%20report.zip 4) text(my report.zip, application/zip, 4 bytes)"},
	})
}

func TestHeadersThatAreDeclaredAreShownWithoutABodyToo(t *testing.T) { // §12
	const doc = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/x":{"head":{"operationId":"op","parameters":[{"name":"page","in":"query","schema":{"type":"integer"}}],
		"responses":{"200":{"headers":{"X-Total-Count":{},"Location":{},"X-Total-count":{},"X-Other":{}}}}}}}}`
	checkWire(t, doc, []wireCase{
		{"no body", "op", 200, "", []string{"X-Total-Count: 7", "X-Other: 1", "ETag: e", "Set-Cookie: s=1"}, "text(200 OK\netag: e\nx-total-count: 7)"},
		{"the place without its credential", "op", 200, "hi", []string{"Content-Type: text/plain", "Location: https://u:p@other.example/x"}, "text(hi) text(location: https://other.example/x)"},
		{"no body, and more", "op", 200, "", []string{`Link: </x?page=2>; rel=next`}, "text(200 OK) text(More: call again with page=\"2\")"},
	})
	links := []wireCase{}
	for _, link := range []string{
		`<https://api.example.com/x?fields=a,b&page=3>; rel="next", <https://api.example.com/x?page=9>; rel="last"`,
		`<https://api.example.com/x?page=1>; title="a, b"; rel=prev,<https://api.example.com/x?page=3>; title="c; d"; REL="last Next"`,
	} {
		links = append(links, wireCase{link, "op", 200, "hi", []string{"Content-Type: text/plain", "Link: <https://api.example.com/x?page=1>; rel=\"first\"", "Link: " + link}, `text(hi) text(More: call again with page="3")`})
	}
	links = append(links, wireCase{"no next", "op", 200, "hi", []string{"Content-Type: text/plain", `Link: <x?page=1>; rel="nextish", <`, "Link: ,;>"}, "text(hi)"})
	checkWire(t, doc, links)
}

func TestAFileThatIsTooLargeSaysItsSize(t *testing.T) { // §12: also where only the header knows it
	resp := answer(200, strings.Repeat("x", 2000), "Content-Type: application/zip", "Content-Length: 95420416")
	resp.ContentLength = -1
	r, err := importText(t, answersDoc, Options{}).Tool("free").ReadResult(resp, ReadOptions{ResponsesConfig: ResponsesConfig{MaxBinaryBytes: 1000}})
	if want := "text(application/zip, 91 MB: too large to return)"; err != nil || describe(r) != want {
		t.Errorf("%v, %v, want %s", describe(r), err, want)
	}
}
