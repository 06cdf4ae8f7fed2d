package openapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
)

func bodyOperation(contentType, schema, more string) string {
	return oneOperation("post", "/x", fmt.Sprintf(`"requestBody":{"required":true,"content":{%q:{"schema":%s%s}}}`, contentType, schema, more))
}

func TestBodiesAreWrittenByTheirType(t *testing.T) { // §8.3
	base, seen := echoServer(t)
	object := `{"type":"object","properties":{"a":{"type":"string"},"n":{"type":"number"},"l":{"type":"array","items":{"type":"integer"}},"o":{"type":"object","properties":{"x":{"type":"object","properties":{"y":{"type":"integer"}}}}}}}`
	for _, c := range []struct{ contentType, schema, more, args, want, wantType string }{
		{"application/json", object, "", `{"a":"x","n":1.10,"l":[1],"o":{"x":{"y":2}}}`, `{"a":"x","l":[1],"n":1.10,"o":{"x":{"y":2}}}`, "application/json"},
		{"application/json", object, "", `{}`, `{}`, "application/json"},
		{"application/vnd.x+json; version=2", object, "", `{"a":"<&>"}`, `{"a":"<&>"}`, "application/vnd.x+json; version=2"},
		{"*/*", object, "", `{"a":"x"}`, `{"a":"x"}`, "application/json"},
		{"application/json", `{"type":"array","items":{"type":"integer"}}`, "", `{"body":[9007199254740993]}`, `[9007199254740993]`, "application/json"},
		{"application/json", `{"type":"object","additionalProperties":{"type":"integer"}}`, "", `{"body":{"__proto__":1}}`, `{"__proto__":1}`, "application/json"},                                                                                                                        // Q18
		{"application/json", `{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":true}`, "", `{"a":"x","additional_properties":{"a":"y","b":2}}`, `{"a":"x","b":2}`, "application/json"},                                                                        // A12
		{"application/json", `{"type":"object","properties":{"additional_properties":{"type":"string"}},"additionalProperties":{"type":"integer"}}`, "", `{"additional_properties":"x","additional_properties_body":{"b":2}}`, `{"additional_properties":"x","b":2}`, "application/json"}, // A4, A12
		{"application/octet-stream", object, "", `{"a":"x"}`, `{"a":"x"}`, "application/json"},
		{"application/x-www-form-urlencoded", `{"type":"string"}`, "", `{"body":"a=b&c=d"}`, "a=b&c=d", "application/x-www-form-urlencoded"},
		{"application/merge-patch+json", object, "", `{"a":null}`, `{"a":null}`, "application/merge-patch+json"},
		{"application/json-patch+json", `{}`, "", `{"body":[{"op":"remove","path":"/a"}]}`, `[{"op":"remove","path":"/a"}]`, "application/json-patch+json"},
		{"application/x-www-form-urlencoded", object, "", `{"a":"x y&b=1\r\n","n":5,"l":[1,2],"o":{"x":{"y":1}}}`, `a=x+y%26b%3D1%0D%0A&n=5&l=1&l=2&o%5Bx%5D%5By%5D=1`, "application/x-www-form-urlencoded"}, // Q16
		{"application/x-www-form-urlencoded", object, `,"encoding":{"l":{"explode":false},"o":{"contentType":"application/json"}}`, `{"l":[1,2],"o":{"x":{"y":1}}}`, `l=1,2&o=%7B%22x%22%3A%7B%22y%22%3A1%7D%7D`, "application/x-www-form-urlencoded"},
		{"application/x-www-form-urlencoded", object, `,"encoding":{"o":{"style":"deepObject"}}`, `{"o":{"x":{"y":1}}}`, `o[x][y]=1`, "application/x-www-form-urlencoded"},
		{"text/plain", `{"type":"string"}`, "", `{"body":"hé"}`, "hé", "text/plain"},
		{"application/xml", object, "", `{"body":"<a/>"}`, "<a/>", "application/xml"}, // Q19
		{"application/x-ndjson", `{}`, "", `{"body":[{"a":1},{"a":2}]}`, "{\"a\":1}\n{\"a\":2}\n", "application/x-ndjson"},
		{"application/octet-stream", `{"type":"string","format":"binary"}`, "", `{"body":"aGk="}`, "hi", "application/octet-stream"},
		{"image/*", `{"type":"string","format":"binary"}`, "", `{"body":{"data":"data:image/png;base64,aGk"}}`, "hi", "image/png"},
		{"application/octet-stream", `{"type":"string","format":"binary"}`, "", `{"body":{"data":"a-_ \n","content_type":"x/y"}}`, "k\xef", "x/y"},
	} {
		tool := importText(t, bodyOperation(c.contentType, c.schema, c.more), Options{}).Tools[0]
		e, err := send(t, tool, base, seen, c.args)
		if err != nil {
			t.Errorf("%s %s: %v\n%s", c.contentType, c.args, err, tool.InputSchema)
			continue
		}
		if string(e.Body) != c.want || e.Header.Get("Content-Type") != c.wantType {
			t.Errorf("%s %s: sent %q as %q, want %q as %q", c.contentType, c.args, e.Body, e.Header.Get("Content-Type"), c.want, c.wantType)
		}
	}
}

func TestTheMediaTypeIsChosenByRank(t *testing.T) { // §8.3
	doc := oneOperation("post", "/x", `"requestBody":{"content":{"text/plain":{},"application/xml":{},"application/x-www-form-urlencoded":{"schema":{"type":"object","properties":{"a":{}}}},"application/vnd.b+json":{"schema":{"type":"object","properties":{"a":{}}}}}}`)
	tool := importText(t, doc, Options{}).Tools[0]
	if got := tool.plan.body.contentType; got != "application/vnd.b+json" {
		t.Errorf("sent as %s", got)
	}
	tool = importText(t, doc, Options{Tools: map[string]ToolConfig{"op": {ContentType: "application/xml"}}}).Tools[0]
	if got := tool.plan.body.contentType; got != "application/xml" {
		t.Errorf("configured, but sent as %s", got)
	}
}

func TestMultipartBodies(t *testing.T) { // §8.3, A10, Q17
	base, seen := echoServer(t)
	schema := `{"type":"object","required":["file"],"properties":{"file":{"type":"string","format":"binary"},"files":{"type":"array","items":{"type":"string","format":"binary"}},
		"meta":{"type":"object","properties":{"a":{"type":"integer"}}},"tags":{"type":"array","items":{"type":"string"}},"n":{"type":"integer"},"csv":{"type":"string"}}}`
	tool := importText(t, bodyOperation("multipart/form-data", schema, `,"encoding":{"csv":{"contentType":"text/csv\r\nX: y, text/plain"}}`), Options{}).Tools[0]
	hi := base64.StdEncoding.EncodeToString([]byte("hi"))
	e, err := send(t, tool, base, seen, `{"file":{"data":"`+hi+`","filename":"a\"; filename=\"x\r\ny","content_type":"text/markdown"},"files":["`+hi+`","data:image/png;base64,`+hi+`"],"meta":{"a":1},"tags":["x","y"],"n":3,"csv":"1,2"}`)
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(e.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(strings.NewReader(string(e.Body)), params["boundary"])
	var got []string
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(p)
		got = append(got, fmt.Sprintf("%s|%s|%s", p.Header.Get("Content-Disposition"), p.Header.Get("Content-Type"), data))
	}
	want := []string{
		`form-data; name="file"; filename="a%22; filename=%22x%0D%0Ay"|text/markdown|hi`,
		`form-data; name="files"; filename="file.txt"|text/plain; charset=utf-8|hi`,
		`form-data; name="files"; filename="file.png"|image/png|hi`,
		`form-data; name="meta"|application/json|{"a":1}`, `form-data; name="tags"||x`, `form-data; name="tags"||y`, `form-data; name="n"||3`, `form-data; name="csv"||1,2`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for args, want := range map[string]string{
		`{"file":"***"}`: `argument "file": data is not base64`,
		`{"file":{"data":"aGk=","content_type":"a\r\nb"}}`:          `argument "file": content_type is not a media type`,
		`{"file":{"data":"aGk=","content_type":"no media type;;"}}`: `argument "file": content_type is not a media type`,
		`{"file":{}}`: `argument "file": is missing data`,
	} {
		_, err := tool.BuildRequest(t.Context(), base, json.RawMessage(args))
		if text := problem(t, err); !strings.Contains(text, want) {
			t.Errorf("%s: %s", args, text)
		}
	}
	small := importText(t, bodyOperation("multipart/form-data", schema, ""), Options{Requests: RequestsConfig{MaxBytes: 4}}).Tools[0]
	_, err = small.BuildRequest(t.Context(), base, json.RawMessage(`{"file":"aGVsbG8gd29ybGQ="}`))
	if text := problem(t, err); !strings.Contains(text, "is larger than 4 bytes") {
		t.Error(text)
	}
}

func TestSwaggerForms(t *testing.T) {
	base, seen := echoServer(t)
	doc := `{"swagger":"2.0","info":{"title":"t","version":"1"},"host":"api.example.com","basePath":"/v2","schemes":["http","https"],"consumes":["application/json"],"paths":{"/f/{id}":{
		"parameters":[{"name":"id","in":"path","required":true,"type":"string"}],
		"post":{"operationId":"form","parameters":[{"name":"b","in":"formData","type":"string","required":true},{"name":"a","in":"formData","type":"array","items":{"type":"string"},"collectionFormat":"multi"}],"responses":{}},
		"put":{"operationId":"upload","parameters":[{"name":"f","in":"formData","type":"file"}],"responses":{}},
		"patch":{"operationId":"json","consumes":["application/x-www-form-urlencoded"],"parameters":[{"name":"x","in":"body","required":true,"schema":{"$ref":"#/definitions/X"}}],"responses":{}}}},
		"definitions":{"X":{"type":"object","properties":{"k":{"type":"string"}}}}}`
	d := importText(t, doc, Options{})
	if got := d.Tools[0].BaseURL.String(); got != "https://api.example.com/v2" { // B2
		t.Errorf("base %s", got)
	}
	e, err := send(t, d.Tool("form"), base, seen, `{"id":"1","b":"x","a":["1","2"]}`)
	if err != nil || string(e.Body) != "b=x&a=1&a=2" {
		t.Errorf("form: %v %v", e, err)
	}
	e, err = send(t, d.Tool("json"), base, seen, `{"id":"1","k":"v"}`)
	if err != nil || string(e.Body) != `{"k":"v"}` || e.Header.Get("Content-Type") != "application/json" {
		t.Errorf("json: %v %v", e, err)
	}
	e, err = send(t, d.Tool("upload"), base, seen, `{"id":"1","f":"aGk="}`)
	if err != nil || !strings.Contains(string(e.Body), `name="f"; filename="file.txt"`) {
		t.Errorf("upload: %v %v", e, err)
	}
	for _, c := range []struct{ format, form, part string }{
		{``, "a=1,2%2C3", "1,2,3"}, {`,"collectionFormat":"csv"`, "a=1,2%2C3", "1,2,3"}, {`,"collectionFormat":"tsv"`, "a=1%092%2C3", "1\t2,3"},
		{`,"collectionFormat":"pipes"`, "a=1%7C2%2C3", "1|2,3"}, {`,"collectionFormat":"multi"`, "a=1&a=2%2C3", "1\r\n--"},
	} {
		list := `{"name":"a","in":"formData","type":"array","items":{"type":"string"}` + c.format + `}`
		d := importText(t, `{"swagger":"2.0","info":{},"paths":{"/x":{"post":{"operationId":"form","parameters":[`+list+`]},"put":{"operationId":"parts","consumes":["multipart/form-data"],"parameters":[`+list+`]}}}}`, Options{})
		e, err := send(t, d.Tool("form"), base, seen, `{"a":["1","2,3"]}`)
		if err != nil || string(e.Body) != c.form {
			t.Errorf("form%s: %v %s, want %s", c.format, err, e.Body, c.form)
		}
		e, err = send(t, d.Tool("parts"), base, seen, `{"a":["1","2,3"]}`)
		if err != nil || !strings.Contains(string(e.Body), "name=\"a\"\r\n\r\n"+c.part) {
			t.Errorf("parts%s: %v %s, want %q", c.format, err, e.Body, c.part)
		}
	}
	if got := d.Tool("form").plan.template.segments; len(got) != 3 {
		t.Errorf("segments %q", got)
	}
}

// FuzzBuildRequest holds the principle of §9: whatever the value, the request goes to the same host, has the same number
// of segments, the same query keys and the same headers, or is refused.
func FuzzBuildRequest(f *testing.F) {
	for _, s := range []string{"a/b", "..", "%2e%2e", "x&admin=1", "a\r\nb", "//evil.test", "．．", "\x00", "a;b", "\u2028", "?", "#", "%", "\\"} {
		f.Add(s)
	}
	doc := oneOperation("post", "/items/{id}/notes", `"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}},{"name":"q","in":"query","schema":{"type":"string"}},
		{"name":"l","in":"query","explode":false,"schema":{"type":"array","items":{"type":"string"}}},{"name":"X-H","in":"header","schema":{"type":"string"}},{"name":"c","in":"cookie","schema":{"type":"string"}},
		{"name":"d","in":"query","style":"deepObject","schema":{"type":"object"}}],"requestBody":{"content":{"application/json":{"schema":{"type":"object","properties":{"b":{"type":"string"}}}}}}`)
	tool := importText(f, doc, Options{}).Tools[0]
	base, _ := url.Parse("https://api.example.com/v1")
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []string{"id", "q", "l", "X-H", "c", "b", "d"} {
			args := map[string]any{"id": "1", name: value}
			switch name {
			case "l":
				args[name] = []string{value, value}
			case "d":
				args[name] = map[string]any{value: value}
			}
			raw, err := json.Marshal(args)
			if err != nil {
				t.Skip()
			}
			req, err := tool.BuildRequest(t.Context(), base, raw)
			if err != nil {
				problem(t, err)
				continue
			}
			if req.URL.Host != "api.example.com" || req.URL.Scheme != "https" || req.Method != "POST" {
				t.Fatalf("%q: goes to %s", value, req.URL)
			}
			again, err := url.Parse(req.URL.String())
			if err != nil {
				t.Fatalf("%q: %s is no URL: %v", value, req.URL, err)
			}
			segments := strings.Split(again.EscapedPath(), "/")
			if len(segments) != 5 || segments[2] != "items" || segments[4] != "notes" || segments[3] == "." || segments[3] == ".." || again.Fragment != "" {
				t.Fatalf("%q: path %s", value, again.EscapedPath())
			}
			query, err := url.ParseQuery(again.RawQuery)
			if err != nil || len(query) > 1 {
				t.Fatalf("%q: query %s: %v", value, again.RawQuery, err)
			}
			for h, values := range req.Header {
				if h != "Accept" && h != "Content-Type" && h != "X-H" && h != "Cookie" || len(values) != 1 || strings.ContainsAny(values[0], "\r\n\x00") {
					t.Fatalf("%q: header %s: %q", value, h, values)
				}
			}
			if cookie := req.Header.Get("Cookie"); strings.ContainsAny(cookie, "; ,\"") {
				t.Fatalf("%q: cookie %s", value, cookie)
			}
		}
	})
}

// A multipart body need not be an object: a document may give the one file alone, or the parts as a list.
func TestMultipartBodiesThatAreNoObjects(t *testing.T) { // §8.3
	base, seen := echoServer(t)
	for _, c := range []struct{ contentType, schema, args, want string }{
		{"multipart/form-data", `{"type":"string","format":"binary"}`, `{"body":{"data":"aGk=","filename":"a.txt"}}`, "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhi"},
		{"multipart/mixed", `{"type":"array","items":{"type":"object"}}`, `{"body":[{"a":1},{"b":2}]}`, "Content-Type: application/json\r\n\r\n{\"a\":1}|Content-Type: application/json\r\n\r\n{\"b\":2}"},
		{"multipart/form-data", `{"type":"array","items":{"type":"string","format":"binary"}}`, `{"body":["aGk="]}`, "Content-Disposition: form-data; name=\"file\"; filename=\"file.txt\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhi"},
	} {
		tool := importText(t, bodyOperation(c.contentType, c.schema, ""), Options{}).Tools[0]
		e, err := send(t, tool, base, seen, c.args)
		if err != nil {
			t.Errorf("%s: %v\n%s", c.contentType, err, tool.InputSchema)
			continue
		}
		_, params, err := mime.ParseMediaType(e.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		b := params["boundary"]
		got := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(string(e.Body), "--"+b+"\r\n"), "\r\n--"+b+"--\r\n"), "\r\n--"+b+"\r\n", "|")
		if got != c.want {
			t.Errorf("%s %s: sent %q, want %q", c.contentType, c.schema, got, c.want)
		}
	}
}
