package openapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const answersDoc = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{
	"/typed/{id}":{"get":{"operationId":"typed","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}},{"name":"limit","in":"query","schema":{"type":"integer"}},{"name":"cursor","in":"query","schema":{"type":"string"}}],
		"responses":{"200":{"headers":{"ETag":{},"X-Secret":{},"Set-Cookie":{}},"content":{"application/json":{"schema":{"type":"object","properties":{"id":{"type":"integer"},"price":{"type":"number"},"tags":{"type":"array","items":{"type":"string"}},"next_cursor":{"type":"string"}}}}}}}}},
	"/list":{"get":{"operationId":"list","responses":{"200":{"content":{"application/json":{"schema":{"type":"array","items":{"type":"integer"}}}}}}}},
	"/free":{"get":{"operationId":"free","responses":{"200":{"description":"x"}}}},
	"/pdf":{"get":{"operationId":"pdf","responses":{"200":{"content":{"application/pdf":{}}}}}}}}`

// answer makes a response as a client would receive it.
func answer(status int, body string, headers ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		Request: &http.Request{URL: &url.URL{Scheme: "https", Host: "api.example.com", Path: "/x"}}}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		resp.Header.Add(name, value)
	}
	return resp
}

func describe(r *Result) string {
	var b strings.Builder
	for _, c := range r.Content {
		switch c.Type {
		case TextContent:
			fmt.Fprintf(&b, "text(%s) ", c.Text)
		default:
			fmt.Fprintf(&b, "%s(%s %s %s %d) ", c.Type, c.MIMEType, c.Name, c.URI, len(c.Data))
		}
	}
	if r.Structured != nil {
		fmt.Fprintf(&b, "structured(%s) ", r.Structured)
	}
	if r.IsError {
		b.WriteString("error ")
	}
	return strings.TrimSpace(b.String())
}

func TestAnswersAreMappedByStatusAndType(t *testing.T) { // §12, §7
	d := importText(t, answersDoc, Options{})
	const js = "Content-Type: application/json"
	for _, c := range []struct {
		name, tool string
		resp       *http.Response
		want       string
	}{
		{"O6 digits", "typed", answer(200, `{"id":12345678901234567890,"price":1.10}`, js), `text({"id":12345678901234567890,"price":1.10}) structured({"id":12345678901234567890,"price":1.10})`},
		{"O4 misfits leave", "typed", answer(200, `{"id":"x","tags":["a",1],"more":1,"price":null}`, js), `text({"id":"x","tags":["a",1],"more":1,"price":null}) structured({"more":1,"price":null,"tags":["a"]})`},
		{"O4 not an object", "typed", answer(200, `[1]`, js), `text([1]) structured({})`},
		{"O2 wrapped", "list", answer(200, `[1,2]`, js), `text([1,2]) structured({"result":[1,2]})`},
		{"O2 wrapped misfit", "list", answer(200, `{"a":1}`, js), `text({"a":1}) structured({})`},
		{"O5 object", "free", answer(200, `{"a":1}`, js), `text({"a":1}) structured({"a":1})`},
		{"O5 scalar", "free", answer(200, `7`, js), `text(7) structured({"result":7})`},
		{"BOM", "free", answer(200, "\xef\xbb\xbf{}", js), `text({}) structured({})`},
		{"+json", "free", answer(200, `{"a":1}`, "Content-Type: application/hal+json; charset=utf-8"), `text({"a":1}) structured({"a":1})`},
		{"missing type", "free", answer(200, `{"a":1}`), `text({"a":1}) structured({"a":1})`},
		{"invalid JSON", "free", answer(200, `{a`, js), `text({a) text((the API said that this is JSON; it is not))`},
		{"text", "typed", answer(200, "hello", "Content-Type: text/plain"), `text(hello) structured({})`},
		{"latin1", "free", answer(200, "caf\xe9", "Content-Type: text/plain; charset=ISO-8859-1"), `text(café)`},
		{"xml charset", "free", answer(200, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>", "Content-Type: application/xml"), "text(<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>é</a>)"},
		{"utf-16", "free", answer(200, "\xff\xfea\x00", "Content-Type: text/csv"), `text(a)`},
		{"unknown charset", "free", answer(200, "a\xff", "Content-Type: text/plain; charset=klingon"), "text(a\ufffd)"},
		{"png", "free", answer(200, "\x89PNG\r\n\x1a\n", "Content-Type: image/png"), `image(image/png   8)`},
		{"audio", "free", answer(200, "ID3", "Content-Type: audio/mpeg"), `audio(audio/mpeg   3)`},
		{"svg", "free", answer(200, "<svg/>", "Content-Type: image/svg+xml"), `text(<svg/>)`},
		{"pdf", "typed", answer(200, "%PDF-1", "Content-Type: application/pdf", `Content-Disposition: attachment; filename="../../re port.pdf"`),
			`resource(application/pdf re port.pdf drawbridge:response/r1/re%20port.pdf 6) text(re port.pdf, application/pdf, 6 bytes) structured({})`},
		{"declared type", "pdf", answer(200, "%PDF-1"), `resource(application/pdf file.pdf drawbridge:response/r1/file.pdf 6) text(file.pdf, application/pdf, 6 bytes)`},
		{"text that is none", "pdf", answer(200, "%PDF\xff\xfe\xfd\x00", "Content-Type: text/plain"), `resource(application/pdf file.pdf drawbridge:response/r1/file.pdf 8) text(file.pdf, application/pdf, 8 bytes)`},
		{"204", "typed", answer(204, ""), `text(204 No Content) structured({})`},
		{"201 empty", "free", answer(201, "", "Location: https://api.example.com/x/7", "Etag: \"a\""), "text(201 Created\nlocation: /x/7\netag: \"a\")"},
		{"201", "free", answer(201, `{}`, js, "Location: https://other.example/x"), `text({}) text(location: https://other.example/x) structured({})`},
		{"declared headers", "typed", answer(200, `{}`, js, "ETag: e1", "X-Secret: s", "Set-Cookie: c=1"), `text({}) text(etag: e1) structured({})`},
		{"Link next", "typed", answer(200, `{}`, js, `Link: <https://api.example.com/x?cursor=ab&key=1>; rel="next"`), `text({}) text(More: call again with cursor="ab") structured({})`},
		{"302", "free", answer(302, "", "Location: https://evil.test/x"), `text(302 Found; location: https://evil.test/x (not followed: another host))`},
		{"ndjson", "free", answer(200, "{\"a\":1}\n{\"a\":2}\n", "Content-Type: application/x-ndjson"), "text({\"a\":1}\n{\"a\":2}) structured({\"result\":[{\"a\":1},{\"a\":2}]})"},
		{"multipart", "free", answer(200, "--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\r\n--b--\r\n", "Content-Type: multipart/mixed; boundary=b"), `text(hi) image(image/png   8)`},
		{"SSE", "free", answer(200, "data: {\"a\":1}\n\nevent: x\ndata: {\"a\":2}\n\ndata: [DONE]\n\n", "Content-Type: text/event-stream"), "text({\"a\":1}\nevent: x {\"a\":2}) structured({\"result\":[{\"a\":1},{\"a\":2}]})"},
		{"404", "free", answer(404, `{"message":"no such order"}`, js), "text(404 Not Found from GET /free\nno such order) structured({\"message\":\"no such order\"}) error"},
		{"error of a typed tool", "typed", answer(400, `{"error":{"message":"bad id","code":7}}`, js), "text(400 Bad Request from GET /typed/{id}\nbad id\ncode: 7\ncheck the arguments) error"},
		{"problem", "typed", answer(409, `{"type":"about:blank","title":"Conflict","detail":"version 3","status":409,"at":1}`, "Content-Type: application/problem+json"), "text(409 Conflict from GET /typed/{id}\nConflict: version 3\n{\"at\":1}\nfetch the current state first) error"},
		{"401", "free", answer(401, ""), "text(401 Unauthorized from GET /free\nthe gateway's credential for this API was refused; this is not about your sign-in) error"},
		{"429", "free", answer(429, "slow down", "Content-Type: text/plain", "Retry-After: 12"), "text(429 Too Many Requests from GET /free\nslow down\nretry after 12 s) error"},
		{"html error", "free", answer(502, "<!DOCTYPE html><html><head><title>Bad gateway</title><style>x{}</style></head><body><h1>Oops</h1><script>alert(1)</script></body></html>", "Content-Type: text/html"), "text(502 Bad Gateway from GET /free\nBad gateway\nOops\nthe API failed; try again later) error"},
		{"text/json", "free", answer(200, `{"a":1}`, "Content-Type: text/json"), `text({"a":1}) structured({"a":1})`},
		{"JSON as received", "free", answer(200, "{ \"b\" : 1 ,\n\"a\" : [ ] }", js), "text({ \"b\" : 1 ,\n\"a\" : [ ] }) structured({ \"b\" : 1 ,\n\"a\" : [ ] })"},
		{"windows-1252", "free", answer(200, "\x80 5", "Content-Type: text/plain; charset=windows-1252"), "text(€ 5)"},
		{"US-ASCII", "free", answer(200, "abc", "Content-Type: text/plain; charset=us-ascii"), "text(abc)"},
		{"BOM beats the header", "free", answer(200, "\xfe\xff\x00a", "Content-Type: text/plain; charset=iso-8859-1"), "text(a)"},
		{"html", "free", answer(200, "<p>x</p>", "Content-Type: text/html"), "text(<p>x</p>)"},
		{"+xml", "free", answer(200, "<a/>", "Content-Type: application/atom+xml"), "text(<a/>)"},
		{"yaml", "free", answer(200, "a: 1", "Content-Type: application/yaml"), "text(a: 1)"},
		{"javascript", "free", answer(200, "f()", "Content-Type: application/javascript"), "text(f())"},
		{"form", "free", answer(200, "a=1&b=2", "Content-Type: application/x-www-form-urlencoded"), "text(a=1&b=2)"},
		{"jpeg", "free", answer(200, "\xff\xd8\xff", "Content-Type: image/jpeg"), "image(image/jpeg   3)"},
		{"gif", "free", answer(200, "GIF89a", "Content-Type: image/gif"), "image(image/gif   6)"},
		{"webp", "free", answer(200, "RIFF\x00\x00\x00\x00WEBPVP8", "Content-Type: image/webp"), "image(image/webp   15)"},
		{"other image", "free", answer(200, "II*\x00", "Content-Type: image/tiff"), "resource(image/tiff file.bin drawbridge:response/r1/file.bin 4) text(file.bin, image/tiff, 4 bytes)"},
		{"video", "free", answer(200, "\x00\x01", "Content-Type: video/mp4"), "resource(video/mp4 file.mp4 drawbridge:response/r1/file.mp4 2) text(file.mp4, video/mp4, 2 bytes)"},
		{"zip with an encoded name", "free", answer(200, "PK\x03", "Content-Type: application/zip", "Content-Disposition: attachment; filename*=UTF-8''b%C3%A9.zip"), "resource(application/zip bé.zip drawbridge:response/r1/b%C3%A9.zip 3) text(bé.zip, application/zip, 3 bytes)"},
		{"name of a Windows path", "free", answer(200, "PK", "Content-Type: application/zip", `Content-Disposition: attachment; filename="..\\..\\evil.zip"`), "resource(application/zip evil.zip drawbridge:response/r1/evil.zip 2) text(evil.zip, application/zip, 2 bytes)"},
		{"missing type, sniffed", "free", answer(200, "\x89PNG\r\n\x1a\n"), "image(image/png   8)"},
		{"missing type, list", "free", answer(200, `[1]`), `text([1]) structured({"result":[1]})`},
		{"205", "free", answer(205, ""), "text(205 Reset Content)"},
		{"200 empty", "free", answer(200, "", js), "text(200 OK)"},
		{"202 with a body", "free", answer(202, `{"job":1}`, js, "Location: /jobs/1"), `text({"job":1}) text(location: /jobs/1) structured({"job":1})`},
		{"304", "free", answer(304, ""), "text(304 Not Modified)"},
		{"303 of the same host", "free", answer(303, "", "Location: /y"), "text(303 See Other; location: /y (not followed))"},
		{"307 without a place", "free", answer(307, ""), "text(307 Temporary Redirect)"},
		{"302 of a typed tool", "typed", answer(302, "", "Location: https://u:p@other.example/y"), "text(302 Found; location: https://other.example/y (not followed: another host)) structured({})"},
		{"json-seq", "free", answer(200, "\x1e{\"a\":1}\n\x1e{\"a\":2}\n", "Content-Type: application/json-seq"), "text({\"a\":1}\n{\"a\":2}) structured({\"result\":[{\"a\":1},{\"a\":2}]})"},
		{"SSE that is no JSON", "free", answer(200, ": hello\nid: 1\nretry: 5\ndata: a\ndata: b\n\nevent: message\ndata: c\n\ndata: cut off", "Content-Type: text/event-stream"), "text(a\nb\nc)"},
		{"multipart with JSON", "typed", answer(200, "--b\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n--b\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--b--\r\n", "Content-Type: multipart/mixed; boundary=b"), `text({"a":1}) resource(application/pdf file.pdf drawbridge:response/r1/file.pdf 4) text(file.pdf, application/pdf, 4 bytes) structured({})`},
		{"400 errors", "free", answer(400, `{"errors":[{"field":"x","reason":"bad"}]}`, js), "text(400 Bad Request from GET /free\n{\"errors\":[{\"field\":\"x\",\"reason\":\"bad\"}]}\ncheck the arguments) structured({\"errors\":[{\"field\":\"x\",\"reason\":\"bad\"}]}) error"},
		{"400 error_description", "free", answer(400, `{"error":"invalid_grant","error_description":"expired"}`, js), "text(400 Bad Request from GET /free\nexpired\ncheck the arguments) structured({\"error\":\"invalid_grant\",\"error_description\":\"expired\"}) error"},
		{"422 detail list", "free", answer(422, `{"detail":[{"loc":["q"],"msg":"missing"}]}`, js), "text(422 Unprocessable Entity from GET /free\n{\"detail\":[{\"loc\":[\"q\"],\"msg\":\"missing\"}]}\ncheck the arguments) structured({\"detail\":[{\"loc\":[\"q\"],\"msg\":\"missing\"}]}) error"},
		{"403", "typed", answer(403, `{"detail":"no"}`, js), "text(403 Forbidden from GET /typed/{id}\nno\nthe gateway's credential for this API was refused; this is not about your sign-in) error"},
		{"404 without a body", "free", answer(404, ""), "text(404 Not Found from GET /free) error"},
		{"412", "free", answer(412, ""), "text(412 Precondition Failed from GET /free\nfetch the current state first) error"},
		{"429 by RateLimit-Reset", "free", answer(429, "", "RateLimit-Reset: 30"), "text(429 Too Many Requests from GET /free\nretry after 30 s) error"},
		{"503", "free", answer(503, "", "Retry-After: 5"), "text(503 Service Unavailable from GET /free\nthe API failed; try again later) error"},
		{"500 binary", "free", answer(500, "\x00\x01", "Content-Type: application/octet-stream"), "text(500 Internal Server Error from GET /free\nthe API failed; try again later) error"},
		{"429 by date", "free", answer(429, "", "Retry-After: Sat, 21 Nov 2026 07:30:30 GMT", "Date: Sat, 21 Nov 2026 07:30:00 GMT"), "text(429 Too Many Requests from GET /free\nretry after 30 s) error"},
		{"400 messages of a list", "typed", answer(400, `{"errors":[{"message":"bad id","code":7},"and more"]}`, js), "text(400 Bad Request from GET /typed/{id}\nbad id\ncode: 7\nand more\ncheck the arguments) error"},
		{"JSON in UTF-16", "typed", answer(200, "\xff\xfe{\x00}\x00", js), `text({}) structured({})`},
		{"JSON of a wrong charset", "free", answer(200, "{\"a\":\"\xe9\"}", js+"; charset=iso-8859-1"), `text({"a":"é"}) structured({"a":"é"})`},
		{"JSON that is no UTF-8", "free", answer(200, "{\"a\":\"\xe9\"}", js), "text({\"a\":\"\ufffd\"}) structured({\"a\":\"\ufffd\"})"},
		{"JSON that is called text", "typed", answer(200, `{"id":1}`, "Content-Type: text/html; charset=utf-8"), `text({"id":1}) structured({"id":1})`},
		{"JSON that is called octets", "typed", answer(200, "\xef\xbb\xbf{\"id\":1}", "Content-Type: application/octet-stream"), `text({"id":1}) structured({"id":1})`},
		{"text where JSON is declared", "typed", answer(200, `{oops`, "Content-Type: text/plain"), `text({oops) structured({})`},
		{"a file that is called octets", "pdf", answer(200, "%PDF-1", "Content-Type: application/octet-stream"), `resource(application/pdf file.pdf drawbridge:response/r1/file.pdf 6) text(file.pdf, application/pdf, 6 bytes)`},
		{"an unregistered name", "free", answer(200, "\xff\xd8\xff", "Content-Type: image/jpg"), "image(image/jpeg   3)"},
		{"octets keep their mark", "free", answer(200, "\xef\xbb\xbfa", "Content-Type: application/octet-stream"), "resource(application/octet-stream file.bin drawbridge:response/r1/file.bin 4) text(file.bin, application/octet-stream, 4 bytes)"},
		{"hidden characters", "free", answer(500, "a\u202eb\x1b[0m", "Content-Type: text/plain"), "text(500 Internal Server Error from GET /free\nab[0m\nthe API failed; try again later) error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := d.Tool(c.tool).ReadResult(c.resp, ReadOptions{RequestID: "r1"})
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(r); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestLongJSONIsCutAndStaysJSON(t *testing.T) {
	tool := importText(t, answersDoc, Options{}).Tool("typed")
	var items []string
	for i := range 2340 {
		items = append(items, fmt.Sprintf(`"item number %d"`, i))
	}
	body := `{"id":1,"tags":[` + strings.Join(items, ",") + `],"next_cursor":"c2"}`
	r, err := tool.ReadResult(answer(200, body, "Content-Type: application/json"), ReadOptions{ResponsesConfig: ResponsesConfig{MaxBytes: 2000}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Content) != 3 || len(r.Content[0].Text) > 2000 || !json.Valid([]byte(r.Content[0].Text)) || string(r.Structured) != r.Content[0].Text {
		t.Fatalf("%s", describe(r))
	}
	if note := r.Content[1].Text; !strings.Contains(note, " of 2,340 shown. Ask for less: limit, cursor.") {
		t.Error(note)
	}
	if more := r.Content[2].Text; more != `More: call again with cursor="c2"` {
		t.Error(more)
	}
	if r.Meta["drawbridge/truncated"] != true || r.Meta["drawbridge/bytes"] != len(body) || r.IsError {
		t.Errorf("meta %v", r.Meta)
	}
	var lists strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&lists, `"list %d":[1,2,3,4,5,6,7,8,9],`, i)
	}
	for _, body := range []string{
		`{` + lists.String() + `"z":1}`, strings.Repeat("[[1,2],", 9000) + "1" + strings.Repeat("]", 9000),
		`"` + strings.Repeat("x", 5000) + `"`, strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500), `[` + strings.Repeat(`"`+strings.Repeat("y", 900)+`",`, 20) + `1]`,
		`{"k":"` + strings.Repeat("x", 999) + `","l":"` + strings.Repeat("y", 999) + `","m":"` + strings.Repeat("z", 999) + `"}`,
	} {
		r, err := tool.ReadResult(answer(200, body, "Content-Type: application/json"), ReadOptions{ResponsesConfig: ResponsesConfig{MaxBytes: 2000}})
		if err != nil || !json.Valid([]byte(r.Content[0].Text)) || len(r.Content[0].Text) > 2000 {
			t.Errorf("%.40s…: %d bytes, %v", body, len(r.Content[0].Text), err)
		}
	}
}

func TestLargeAnswersAreCappedWhileReading(t *testing.T) {
	tool := importText(t, answersDoc, Options{}).Tool("free")
	small := ReadOptions{ResponsesConfig: ResponsesConfig{MaxBytes: 1000, MaxBinaryBytes: 1000}}
	endless := func(header string) *http.Response {
		r := answer(200, "", header)
		r.Body, r.ContentLength = io.NopCloser(neverEnding('a')), -1
		return r
	}
	r, err := tool.ReadResult(endless("Content-Type: application/zip"), small)
	if err != nil || r.IsError || r.Content[0].Text != "application/zip, more than 1,000 bytes: too large to return" {
		t.Errorf("%s, %v", describe(r), err)
	}
	if r, err = tool.ReadResult(endless("Content-Type: text/plain"), small); err != nil || len(r.Content[0].Text) > 1000 {
		t.Errorf("%v", err)
	}
	var bomb bytes.Buffer
	gz := gzip.NewWriter(&bomb)
	_, _ = gz.Write(bytes.Repeat([]byte("a"), 10<<20))
	gz.Close()
	r, err = tool.ReadResult(answer(200, bomb.String(), "Content-Type: text/plain", "Content-Encoding: gzip"), small)
	if err != nil || len(r.Content[0].Text) > 1000 || r.Meta["drawbridge/bytes"] != 1000 {
		t.Errorf("bomb: %v %v", r.Meta, err)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

func TestAStreamIsReadForItsTime(t *testing.T) {
	tool := importText(t, answersDoc, Options{}).Tool("free")
	synctest.Test(t, func(t *testing.T) {
		pr, pw := io.Pipe()
		go func() {
			for i := 0; ; i++ {
				if _, err := fmt.Fprintf(pw, "data: {\"n\":%d}\n\n", i); err != nil {
					return
				}
				time.Sleep(3 * time.Second)
			}
		}()
		resp := answer(200, "", "Content-Type: text/event-stream")
		resp.Body = pr
		events := 0
		r, err := tool.ReadResult(resp, ReadOptions{Event: func(n int) { events = n }})
		if err != nil {
			t.Fatal(err)
		}
		if want := "text({\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n(stream cut after 10s, 4 events)) structured({\"result\":[{\"n\":0},{\"n\":1},{\"n\":2},{\"n\":3}]})"; describe(r) != want || events != 4 {
			t.Errorf("%d events: %s", events, describe(r))
		}
		time.Sleep(5 * time.Second) // the bubble's own time: the writer meets the closed pipe
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("data: a\n\nevent: b\r\ndata: c\rdata\n\n: x\nid: 1\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = readEvents(bytes.NewReader(data), func(e event) bool {
			if strings.ContainsAny(e.name, "\r\n") || strings.Contains(e.data, "\r") {
				t.Errorf("a line end in %q", e)
			}
			return true
		})
	})
}
