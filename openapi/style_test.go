package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// echo is what a backend saw of one request.
type echo struct {
	Method, URI string
	Header      http.Header
	Body        []byte
}

// echoServer answers nothing and tells what it saw.
func echoServer(t testing.TB) (*url.URL, func() *echo) {
	t.Helper()
	var last *echo
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		last = &echo{Method: r.Method, URI: r.RequestURI, Header: r.Header, Body: body}
	}))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u, func() *echo { e := last; last = nil; return e }
}

func importText(t testing.TB, doc string, o Options) *Document {
	t.Helper()
	d, err := Import(t.Context(), Source{Data: []byte(doc)}, o)
	if err != nil {
		t.Fatalf("Import: %v", err)
	}
	for _, p := range d.Panics() {
		t.Error(p)
	}
	return d
}

// oneOperation wraps an operation (JSON members) in a 3.0 document.
func oneOperation(method, path, members string) string {
	return fmt.Sprintf(`{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{%q:{%q:{"operationId":"op",%s,"responses":{}}}}}`, path, method, members)
}

// send builds a request, sends it, and returns what the server saw.
func send(t testing.TB, tool *Tool, base *url.URL, seen func() *echo, args string) (*echo, error) {
	t.Helper()
	req, err := tool.BuildRequest(t.Context(), base, json.RawMessage(args))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("RoundTrip: %v", err)
	}
	resp.Body.Close()
	return seen(), nil
}

func TestParametersAreWrittenByTheStyleTable(t *testing.T) {
	base, seen := echoServer(t)
	rows := []struct {
		in, style, explode string
		id, list, obj      string
	}{
		{"path", "simple", "", "5", "3,4,5", "G,200,R,100"},
		{"path", "simple", "true", "5", "3,4,5", "G=200,R=100"},
		{"path", "label", "false", ".5", ".3,4,5", ".G,200,R,100"},
		{"path", "label", "true", ".5", ".3.4.5", ".G=200.R=100"},
		{"path", "matrix", "false", ";id=5", ";id=3,4,5", ";id=G,200,R,100"},
		{"path", "matrix", "true", ";id=5", ";id=3;id=4;id=5", ";G=200;R=100"},
		{"query", "", "", "id=5", "id=3&id=4&id=5", "G=200&R=100"},
		{"query", "form", "true", "id=5", "id=3&id=4&id=5", "G=200&R=100"},
		{"query", "form", "false", "id=5", "id=3,4,5", "id=G,200,R,100"},
		{"query", "spaceDelimited", "false", "id=5", "id=3%204%205", "id=G%20200%20R%20100"},
		{"query", "pipeDelimited", "false", "id=5", "id=3%7C4%7C5", "id=G%7C200%7CR%7C100"},
		{"query", "spaceDelimited", "true", "id=5", "id=3&id=4&id=5", "G=200&R=100"},
		{"query", "pipeDelimited", "true", "id=5", "id=3&id=4&id=5", "G=200&R=100"},
		{"query", "deepObject", "true", "id=5", "id[0]=3&id[1]=4&id[2]=5", "id[G]=200&id[R]=100"},
		{"query", "deepObject", "false", "id=5", "id[0]=3&id[1]=4&id[2]=5", "id[G]=200&id[R]=100"},
		{"header", "simple", "false", "5", "3,4,5", "G,200,R,100"},
		{"header", "simple", "true", "5", "3,4,5", "G=200,R=100"},
		{"cookie", "form", "true", "id=5", "id=3; id=4; id=5", "G=200; R=100"},
		{"cookie", "form", "false", "id=5", "id=3,4,5", "id=G,200,R,100"},
		{"query", "matrix", "", "id=5", "id=3&id=4&id=5", "G=200&R=100"}, // B13
	}
	values := map[string]string{"integer": "5", "array": "[3,4,5]", "object": `{"R":100,"G":200}`}
	for _, row := range rows {
		for kind, want := range map[string]string{"integer": row.id, "array": row.list, "object": row.obj} {
			t.Run(row.in+" "+row.style+" "+row.explode+" "+kind, func(t *testing.T) {
				path, prefix := "/x", ""
				if row.in == "path" {
					path, prefix = "/x/{id}", "/x/"
				}
				style := ""
				if row.style != "" {
					style += fmt.Sprintf(`,"style":%q`, row.style)
				}
				if row.explode != "" {
					style += `,"explode":` + row.explode
				}
				doc := oneOperation("get", path, fmt.Sprintf(`"parameters":[{"name":"id","in":%q,"required":true%s,"schema":{"type":%q}}]`, row.in, style, kind))
				e, err := send(t, importText(t, doc, Options{}).Tools[0], base, seen, `{"id":`+values[kind]+`}`)
				if err != nil {
					t.Fatal(err)
				}
				got := strings.TrimPrefix(e.URI, prefix)
				switch row.in {
				case "query":
					got = strings.TrimPrefix(e.URI, "/x?")
				case "header":
					got = e.Header.Get("id")
				case "cookie":
					got = e.Header.Get("Cookie")
				}
				if got != want {
					t.Errorf("sent %q, want %q", got, want)
				}
			})
		}
	}
}

func TestSwaggerCollectionFormats(t *testing.T) {
	base, seen := echoServer(t)
	for format, want := range map[string]string{"": "id=3,4,5", "csv": "id=3,4,5", "ssv": "id=3%204%205", "tsv": "id=3%094%095", "pipes": "id=3%7C4%7C5", "multi": "id=3&id=4&id=5"} {
		doc := fmt.Sprintf(`{"swagger":"2.0","info":{"title":"t","version":"1"},"paths":{"/x":{"get":{"parameters":[{"name":"id","in":"query","type":"array","items":{"type":"integer"},"collectionFormat":%q}],"responses":{}}}}}`, format)
		e, err := send(t, importText(t, doc, Options{}).Tools[0], base, seen, `{"id":[3,4,5]}`)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimPrefix(e.URI, "/x?"); got != want {
			t.Errorf("%q: sent %q, want %q", format, got, want)
		}
	}
}

func TestQueryValuesKeepDigitsAndEncoding(t *testing.T) {
	base, seen := echoServer(t)
	for _, c := range []struct{ param, args, want string }{
		{`"schema":{"type":"number"}`, `{"id":1.50}`, "id=1.50"},                                                                                       // B11
		{`"schema":{"type":"integer"}`, `{"id":9007199254740993}`, "id=9007199254740993"},                                                              // O6
		{`"schema":{"type":"boolean"}`, `{"id":true}`, "id=true"},                                                                                      // B11
		{`"schema":{"type":"string"}`, `{"id":""}`, "id="},                                                                                             // B10
		{`"schema":{"type":"boolean"},"allowEmptyValue":true`, `{"id":true}`, "id="},                                                                   // B10
		{`"schema":{"type":"array","items":{}}`, `{"id":[]}`, ""},                                                                                      // B10
		{`"schema":{"type":"string"}`, `{"id":"x&admin=1"}`, "id=x%26admin%3D1"},                                                                       // Q10
		{`"schema":{"type":"string"}`, `{"id":"x#y"}`, "id=x%23y"},                                                                                     // Q10
		{`"schema":{"type":"string"}`, `{"id":"x%00"}`, "id=x%2500"},                                                                                   // Q10
		{`"schema":{"type":"string"}`, `{"id":"a\r\nb"}`, "id=a%0D%0Ab"},                                                                               // Q10
		{`"schema":{"type":"string"},"allowReserved":true`, `{"id":"a:/?[]@!$'()*,;#&+=%41%4"}`, "id=a:/?[]@!$'()*,;%23%26%2B%3D%41%254"},              // B8
		{`"explode":false,"schema":{"type":"array","items":{"type":"string"}}`, `{"id":["a,b","c"]}`, "id=a%2Cb,c"},                                    // B7
		{`"style":"deepObject","schema":{"type":"object"}`, `{"id":{"a]":{"b":1},"c":[true,"x"]}}`, "id[a%5D][b]=1&id[c][0]=true&id[c][1]=x"},          // Q11
		{`"content":{"application/json":{"schema":{"type":"object"}}}`, `{"id":{"b":1.0,"a":"é"}}`, "id=%7B%22a%22%3A%22%C3%A9%22%2C%22b%22%3A1.0%7D"}, // B9
		{`"schema":{"type":"array","items":{"type":"object"}}`, `{"id":[{"a":1}]}`, "id=%7B%22a%22%3A1%7D"},                                            // B11
	} {
		doc := oneOperation("get", "/x", `"parameters":[{"name":"id","in":"query",`+c.param+`}]`)
		e, err := send(t, importText(t, doc, Options{}).Tools[0], base, seen, c.args)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if got := strings.TrimPrefix(strings.TrimPrefix(e.URI, "/x"), "?"); got != c.want {
			t.Errorf("%s: sent %q, want %q", c.args, got, c.want)
		}
	}
}

// problem returns the text of an argument error.
func problem(t testing.TB, err error) string {
	t.Helper()
	var a *ArgumentError
	if !errors.As(err, &a) {
		t.Errorf("error = %v, want an *ArgumentError", err)
		return ""
	}
	return a.Error()
}

func TestPathArgumentsNeverLeaveTheirSegment(t *testing.T) {
	base, seen := echoServer(t)
	doc := oneOperation("get", "/items/{id}/notes", `"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}]`)
	tool := importText(t, doc, Options{}).Tools[0]
	sent := map[string]string{
		"a/b":  "a%2Fb",                                                                                                                        // Q1
		"?x=1": "%3Fx%3D1", "#f": "%23f", "a&b": "a%26b", "a=b": "a%3Db", ";v=1": "%3Bv%3D1", "a b": "a%20b", "a+b": "a%2Bb", "100%": "100%25", // Q4
		"http://evil.test/": "http%3A%2F%2Fevil.test%2F", "//evil.test": "%2F%2Fevil.test", "@evil.test": "%40evil.test", `\\evil.test`: "%5C%5Cevil.test", // Q5
		"%2F":     "%252F", // Q9
		".hidden": ".hidden", "...": "...", "a.b": "a.b", "é": "%C3%A9",
	}
	for value, want := range sent {
		args, _ := json.Marshal(map[string]string{"id": value})
		e, err := send(t, tool, base, seen, string(args))
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if e.URI != "/items/"+want+"/notes" {
			t.Errorf("%q: sent %q, want %q", value, e.URI, "/items/"+want+"/notes")
		}
	}
	refused := map[string][]string{
		faultSteps.Error():   {"..", ".", "../x", "x/../y", `..\x`, "..%2f", "%2e%2e", "%2E%2E%2F", "%252e%252e", "..;", "..;/x", "．．", "%25252e%25252e", "a/%2e%2e/b", " ..", "‥"}, // Q2
		faultEmpty.Error():   {"", " ", "\u3000"},                                                                                                                                   // Q3
		faultControl.Error(): {"a\r\nb", "a\tb", "a\x01", "a\x7f", "a\u0085"},                                                                                                       // Q6
	}
	for want, values := range refused {
		for _, value := range values {
			args, _ := json.Marshal(map[string]string{"id": value})
			_, err := tool.BuildRequest(t.Context(), base, args)
			if text := problem(t, err); !strings.HasPrefix(text, `argument "id": `+want) || !strings.HasSuffix(text, "Correct the arguments and call again.") {
				t.Errorf("%q: %s, want %s", value, text, want)
			}
		}
	}
	for _, args := range []string{`{"id":"a\u0000"}`, `{"id":"\ud800"}`, `{"id":"\udc00x"}`, "{\"id\":\"\xff\"}"} { // Q6, Q7
		_, err := tool.BuildRequest(t.Context(), base, json.RawMessage(args))
		problem(t, err)
	}
	if e := seen(); e != nil {
		t.Errorf("something was sent: %v", e)
	}
}

func TestReservedExpansionKeepsSlashesAndNothingElse(t *testing.T) { // Q8
	base, seen := echoServer(t)
	doc := oneOperation("get", "/v1/{+name}/x", `"parameters":[{"name":"name","in":"path","required":true,"schema":{"type":"string"}}]`)
	tool := importText(t, doc, Options{}).Tools[0]
	e, err := send(t, tool, base, seen, `{"name":"projects/p?/x#"}`)
	if err != nil || e.URI != "/v1/projects/p%3F/x%23/x" {
		t.Errorf("sent %v, %v", e, err)
	}
	for _, v := range []string{"a//b", "/a", "a/", "a/../b", "a/%2e%2e/b"} {
		args, _ := json.Marshal(map[string]string{"name": v})
		_, err := tool.BuildRequest(t.Context(), base, args)
		problem(t, err)
	}
}

func TestHeadersAndCookiesHoldOneValueEach(t *testing.T) {
	base, seen := echoServer(t)
	doc := oneOperation("get", "/x", `"parameters":[{"name":"X-A","in":"header","schema":{"type":"string"}},{"name":"c","in":"cookie","schema":{"type":"string"}},
		{"name":"o","in":"cookie","schema":{"type":"object"}},{"name":"q","in":"query","schema":{"type":"object"}},{"name":"other","in":"query","schema":{"type":"string"}},
		{"name":"Authorization","in":"header","schema":{"type":"string"}},{"name":"Host","in":"header","schema":{"type":"string"}},{"name":"X-Forwarded-For","in":"header","schema":{"type":"string"}},
		{"name":"X-Key","in":"header","schema":{"type":"string"}}]`)
	tool := importText(t, doc, Options{Credential: CredentialPlace{Header: "X-Key", Query: "key", Cookie: "session"}}).Tools[0]
	for _, v := range []string{"a\r\nb", "a\nb", "a\x01b", "a\x7fb"} { // Q12
		args, _ := json.Marshal(map[string]string{"X-A": v})
		_, err := tool.BuildRequest(t.Context(), base, args)
		if text := problem(t, err); !strings.Contains(text, "must not contain line breaks") || strings.Contains(text, "a\r") {
			t.Errorf("%q: %s", v, text)
		}
	}
	e, err := send(t, tool, base, seen, `{"X-A":"  é x  ","c":"a;b, c\"\\ü"}`) // Q13, Q14
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Header.Get("X-A"); got != "é x" {
		t.Errorf("header %q", got)
	}
	if got := e.Header.Get("Cookie"); got != "c=a%3Bb%2C%20c%22%5C%C3%BC" {
		t.Errorf("cookie %q", got)
	}
	for _, args := range []string{`{"o":{"a b":1}}`, `{"o":{"session":"x"}}`, `{"o":{"c":"x"}}`, `{"q":{"other":"1"}}`, `{"q":{"key":"1"}}`} { // Q11, Q15
		_, err := tool.BuildRequest(t.Context(), base, json.RawMessage(args))
		problem(t, err)
	}
	for _, name := range []string{"Host", "Authorization", "X-Forwarded-For", "X-Key", "__proto__", "constructor"} { // A2, A11, Q21
		args, _ := json.Marshal(map[string]string{name: "x"})
		_, err := tool.BuildRequest(t.Context(), base, args)
		if text := problem(t, err); !strings.HasPrefix(text, "unknown argument") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestBaseAndTemplateAreJoinedWithOneSlash(t *testing.T) { // B5, P20
	doc := oneOperation("get", "items/{id}/?mode=a b#x", `"parameters":[{"name":"q","in":"query","schema":{"type":"string"}}]`)
	tool := importText(t, doc, Options{}).Tools[0]
	base, _ := url.Parse("https://api.example.com/v1/?api-version=3")
	req, err := tool.BuildRequest(context.Background(), base, json.RawMessage(`{"id":"7","q":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := req.URL.String(), "https://api.example.com/v1/items/7/?api-version=3&mode=a%20b&q=x"; got != want {
		t.Errorf("URL %s, want %s", got, want)
	}
}

func mustURL(t testing.TB) *url.URL {
	t.Helper()
	u, err := url.Parse("https://api.example.com")
	if err != nil {
		t.Fatal(err)
	}
	return u
}
