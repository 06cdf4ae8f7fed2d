package openapi

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
)

// FuzzBodies holds §9 for what FuzzBuildRequest does not write: styles of paths, a query as a whole, forms and files.
// Whatever the values, path, keys and parts are the operation's own, or nothing is sent.
func FuzzBodies(f *testing.F) {
	for _, s := range []string{"a", "..", "a.b;c", "x&key=1", "a\r\nb", `"; filename="x`, "\u2028", "--drawbridge-", "data:text/plain,%00", "aGk=", "=", "[", "%2e%2e"} {
		f.Add(s, s)
	}
	object := `"schema":{"type":"object"}`
	doc := `{"openapi":"3.2.0","info":{},"paths":{
		"/l/{id}/m/{mx}/end":{"get":{"operationId":"styles","parameters":[
			{"name":"id","in":"path","required":true,"style":"label","explode":true,` + object + `},{"name":"mx","in":"path","required":true,"style":"matrix","explode":true,` + object + `},
			{"name":"q","in":"querystring","content":{"application/x-www-form-urlencoded":{` + object + `}}},{"name":"c","in":"cookie","style":"cookie","schema":{"type":"string"}}]}},
		"/form":{"post":{"operationId":"form","requestBody":{"content":{"application/x-www-form-urlencoded":{"schema":{"type":"object","properties":{"a":{"type":"string"},"o":{"type":"object"}}}}}}}},
		"/files":{"post":{"operationId":"files","requestBody":{"content":{"multipart/form-data":{"schema":{"type":"object","properties":{"a":{"type":"string"},"f":{"type":"string","format":"binary"}}}}}}}}}}`
	d := importText(f, doc, Options{Credential: CredentialPlace{Query: "key", Cookie: "session"}})
	base := mustURL(f)
	f.Fuzz(func(t *testing.T, key, value string) {
		calls := map[string]map[string]any{
			"styles": {"id": map[string]any{key: value}, "mx": map[string]any{key: value}, "q": map[string]any{key: value, "in": map[string]any{key: value}}, "c": value},
			"form":   {"a": value, "o": map[string]any{key: value}},
			"files":  {"a": value, "f": map[string]any{"data": value, "filename": key}},
		}
		for name, args := range calls {
			raw, err := json.Marshal(args)
			if err != nil {
				t.Skip()
			}
			req, err := d.Tool(name).BuildRequest(t.Context(), base, raw)
			if err != nil {
				problem(t, err)
				continue
			}
			again, err := url.Parse(req.URL.String())
			if err != nil || again.Host != base.Host || again.Fragment != "" {
				t.Fatalf("%s: %s: %v", name, req.URL, err)
			}
			body, err := io.ReadAll(req.Body)
			if err != nil || int64(len(body)) != req.ContentLength {
				t.Fatalf("%s: %d bytes, said %d: %v", name, len(body), req.ContentLength, err)
			}
			switch name {
			case "styles":
				checkStyles(t, again, req.Header.Get("Cookie"))
			case "form":
				checkForm(t, body)
			case "files":
				checkParts(t, req.Header.Get("Content-Type"), body)
			}
		}
	})
}

func checkStyles(t *testing.T, u *url.URL, cookie string) {
	segments := strings.Split(u.EscapedPath(), "/")
	if len(segments) != 6 || segments[1] != "l" || segments[3] != "m" || segments[5] != "end" || segments[2][0] != '.' || segments[4][0] != ';' {
		t.Fatalf("path %s", u.EscapedPath())
	}
	if strings.Count(segments[4], ";") != 1 || strings.Count(segments[4], "=") != 1 || strings.Count(segments[2], ".") != 1 {
		t.Fatalf("a value ended its style: %s", u.EscapedPath())
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(query) > 2 || query.Has("key") {
		t.Fatalf("query %s: %v", u.RawQuery, err)
	}
	if strings.ContainsAny(cookie, "; ,\"\\\r\n") {
		t.Fatalf("cookie %q", cookie)
	}
}

func checkForm(t *testing.T, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatalf("form %s: %v", body, err)
	}
	for name := range form {
		if name != "a" && !strings.HasPrefix(name, "o[") {
			t.Fatalf("form %s has a key %q", body, name)
		}
	}
}

func checkParts(t *testing.T, contentType string, body []byte) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var names []string
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil || len(p.Header) > 2 {
			t.Fatalf("parts of %q: %v %v", body, p, err)
		}
		names = append(names, p.FormName())
	}
	if got := strings.Join(names, " "); got != "a f" {
		t.Fatalf("parts %q of %q", got, body)
	}
}

// FuzzAnswers holds that no answer, whatever its type, breaks what is promised of results: valid JSON under the cap.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{"{\"a\":1}\n{\"b\":2}\n", "\x1e1\n\x1e[2]\n", "data: {\"a\":1}\n\ndata: [DONE]\n\n", "event: x\r\ndata: y\r\rdata:z", "[1,2,", "--b\r\n\r\nx\r\n--b--", "\xff\xfe{\x00", "\"\\ud800\""} {
		f.Add(s)
	}
	d := importText(f, answersDoc, Options{})
	types := []string{"application/json", "application/x-ndjson", "application/json-seq", "text/event-stream", "multipart/mixed; boundary=b", "text/plain; charset=utf-16", ""}
	f.Fuzz(func(t *testing.T, body string) {
		for _, contentType := range types {
			for _, tool := range []string{"typed", "list", "free"} {
				for _, status := range []int{200, 404} {
					r, err := d.Tool(tool).ReadResult(answer(status, body, "Content-Type: "+contentType), ReadOptions{ResponsesConfig: ResponsesConfig{MaxBytes: 200}})
					if err != nil {
						continue
					}
					if r.Structured != nil && (!json.Valid(r.Structured) || bytes.TrimSpace(r.Structured)[0] != '{') {
						t.Fatalf("%s %s: structured content %q", contentType, tool, r.Structured)
					}
					if status == 200 && tool != "free" && r.Structured == nil {
						t.Fatalf("%s %s: no structured content (O4)", contentType, tool)
					}
					if len(r.Content) == 0 {
						t.Fatalf("%s %s: no content", contentType, tool)
					}
				}
			}
		}
	})
}
