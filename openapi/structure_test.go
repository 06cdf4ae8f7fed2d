package openapi

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestReservedCharactersStayWhereTheyChangeNothing(t *testing.T) { // B7, B8, Q1, Q4, Q9
	base, seen := echoServer(t)
	path := func(param string) string {
		return in32("get", "/x/{id}/y", `"parameters":[{"name":"id","in":"path","required":true,"allowReserved":true,`+param+`"schema":{}}]`)
	}
	query := func(param string) string {
		return in32("get", "/x", `"parameters":[{"name":"id","in":"query","allowReserved":true,`+param+`"schema":{}}]`)
	}
	const list = `{"id":["a:b","c,d;e.f=g"]}`
	for _, c := range []struct{ row, doc, args, want string }{
		{"path of 3.2", path(""), `{"id":"a:b[c]@d!e$f&g'h(i)j*k+l,m;n=o"}`, "GET /x/a:b[c]@d!e$f&g'h(i)j*k+l,m;n=o/y"},
		{"what ends a path or a segment", path(""), `{"id":"a/b?c#d%2Fe%zz"}`, "GET /x/a%2Fb%3Fc%23d%252Fe%25zz/y"},
		{"path of 3.1", strings.Replace(path(""), "3.2.0", "3.1.0", 1), `{"id":"a:b"}`, "GET /x/a%3Ab/y"},
		{"simple list", path(""), list, "GET /x/a:b,c%2Cd;e.f=g/y"},
		{"label list", path(`"style":"label","explode":true,`), list, "GET /x/.a:b.c,d;e%2Ef=g/y"},
		{"matrix list", path(`"style":"matrix","explode":true,`), list, "GET /x/;id=a:b;id=c,d%3Be.f=g/y"},
		{"exploded object", path(`"explode":true,`), `{"id":{"k:":"a=b,c"}}`, "GET /x/k:=a%3Db%2Cc/y"},
		{"joined list of a query", query(`"explode":false,`), list, "GET /x?id=a:b,c%2Cd;e.f%3Dg"},
		{"list of a query", query(""), list, "GET /x?id=a:b&id=c,d;e.f%3Dg"},
	} {
		e, err := send(t, importText(t, c.doc, Options{}).Tools[0], base, seen, c.args)
		if err != nil || sentAs(e) != c.want {
			t.Errorf("%s: sent %v, %v, want %s", c.row, e, err, c.want)
		}
	}
	tool := importText(t, path(""), Options{}).Tools[0]
	for _, bad := range []string{"..", "%2e%2e", "..;x", "a/../b"} {
		args, _ := json.Marshal(map[string]string{"id": bad})
		_, err := tool.BuildRequest(t.Context(), base, args)
		if text := problem(t, err); !strings.Contains(text, "path steps") {
			t.Errorf("%s: %s", bad, text)
		}
	}
}

func TestMembersOfAnObjectSetNobodyElsesQuery(t *testing.T) { // Q11, §9: the same query keys, plus only its own
	doc := in32("get", "/x?fixed=1&a%20b=2", `"parameters":[{"name":"o","in":"query","schema":{"type":"object"}},{"name":"deep","in":"query","style":"deepObject","schema":{"type":"object"}},
		{"name":"filter[x]","in":"query","schema":{"type":"string"}}]`)
	base, seen := echoServer(t)
	base = base.JoinPath("/")
	base.RawQuery = "api-version=1&flag"
	tool := importText(t, doc, Options{Credential: CredentialPlace{Query: "key"}}).Tools[0]
	for _, name := range []string{"api-version", "flag", "fixed", "a b", "deep", "deep[a]", "deep[a][b]", "filter[x]", "key", "fixed[0]"} {
		args, _ := json.Marshal(map[string]any{"o": map[string]string{name: "v"}})
		_, err := tool.BuildRequest(t.Context(), base, args)
		if text := problem(t, err); !strings.Contains(text, `argument "o": must not have a member`) {
			t.Errorf("%s: %s", name, text)
		}
	}
	e, err := send(t, tool, base, seen, `{"o":{"o":"1","o[a]":"2","filter":"3","filter[y]":"4"},"deep":{"a":1}}`)
	if want := "GET /x?api-version=1&flag&fixed=1&a%20b=2&filter=3&filter%5By%5D=4&o=1&o%5Ba%5D=2&deep[a]=1"; err != nil || sentAs(e) != want {
		t.Errorf("sent %v, %v, want %s", e, err, want)
	}
}

func TestEncodingObjectsOfForms(t *testing.T) { // §8.3, OAS 3.1 Encoding Object
	base, seen := echoServer(t)
	form := func(media string) string {
		return `{"openapi":"3.2.0","info":{},"paths":{"/x":{"post":{"operationId":"op","requestBody":{"content":{"application/x-www-form-urlencoded":` + media + `}}}}},
			"components":{"mediaTypes":{"F":{"schema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}},"o":{"type":"object"}}},"encoding":{"a":{"explode":false}}}}}}`
	}
	const schema = `"schema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}},"o":{"type":"object"}}}`
	for _, c := range []struct{ row, media, want string }{
		{"of a media type under components", `{"$ref":"#/components/mediaTypes/F"}`, "a=x+y,z&o%5Bk%5D=v"},
		{"type alone", `{` + schema + `,"encoding":{"o":{"contentType":"application/json"}}}`, "a=x+y&a=z&o=%7B%22k%22%3A%22v%22%7D"},
		{"style beats type", `{` + schema + `,"encoding":{"o":{"contentType":"application/json","style":"deepObject"}}}`, "a=x+y&a=z&o[k]=v"},
	} {
		e, err := send(t, importText(t, form(c.media), Options{}).Tools[0], base, seen, `{"a":["x y","z"],"o":{"k":"v"}}`)
		if err != nil || string(e.Body) != c.want {
			t.Errorf("%s: sent %v, %v, want %s", c.row, e, err, c.want)
		}
	}
	part := `{"openapi":"3.1.0","info":{},"paths":{"/x":{"post":{"operationId":"op","requestBody":{"content":{"multipart/form-data":{"schema":{"type":"object","properties":{"n":{"type":"number"}}},"encoding":{"n":{"contentType":"text/*"}}}}}}}}}`
	if e, err := send(t, importText(t, part, Options{}).Tools[0], base, seen, `{"n":1}`); err != nil || strings.Contains(string(e.Body), "Content-Type") {
		t.Errorf("a range is sent as a type: %v, %v", e, err)
	}
}

func TestEmptyHeadersAreLeftOut(t *testing.T) { // B10, B9
	base, seen := echoServer(t)
	for args, want := range map[string]string{`{"X-L":[],"X-O":{}}`: "", `{"X-J":[]}`: "[]", `{"X-J":{}}`: "{}"} {
		tool := importText(t, in32("get", "/x", `"parameters":[{"name":"X-L","in":"header","schema":{"type":"array","items":{}}},{"name":"X-O","in":"header","schema":{"type":"object"}},
			{"name":"X-J","in":"header","content":{"application/json":{"schema":{}}}}]`), Options{}).Tools[0]
		e, err := send(t, tool, base, seen, args)
		if err != nil || e.Header.Get("X-J") != want || len(e.Header.Values("X-L"))+len(e.Header.Values("X-O")) != 0 {
			t.Errorf("%s: sent %v, %v", args, e, err)
		}
	}
}

func TestXDrawbridgeOfArguments(t *testing.T) { // §4.3, A6
	base := mustURL(t)
	d := importText(t, in32("get", "/x", `"parameters":[{"name":"a","in":"query","x-drawbridge":{"name":"b"},"schema":{"type":"string"}},{"name":"b","in":"query","schema":{"type":"string"}},
		{"name":"c","in":"query","x-drawbridge":{"fixed":5},"schema":{"type":"string"}},{"name":"d","in":"query","x-drawbridge":{"fixed":"z"},"schema":{"type":"string","enum":["x"]}}]`), Options{})
	req, err := d.Tools[0].BuildRequest(t.Context(), base, json.RawMessage(`{"a":"1","b":"2"}`))
	if err != nil || req.URL.RawQuery != "a=1&b=2&c=5" {
		t.Errorf("sent %v, %v", req, err)
	}
	var texts []string
	for _, w := range d.Warnings {
		texts = append(texts, w.Message)
	}
	for _, want := range []string{"x-drawbridge.name b is another argument's name", `x-drawbridge.fixed must be one of "x", got "z"`} {
		if !strings.Contains(strings.Join(texts, "\n"), want) {
			t.Errorf("no warning %q in %q", want, texts)
		}
	}
}

func TestUnknownKeysOfXDrawbridgeAreWarnings(t *testing.T) { // §4.3
	d := importText(t, `{"openapi":"3.1.0","info":{},"servers":[{"url":"https://api.example"}],"x-drawbridge":{"retries":true},"paths":{"/x":{"x-drawbridge":{"retry":true},"get":{"x-drawbridge":{"nam":"y","description":"D."},
		"parameters":[{"name":"q","in":"query","x-drawbridge":{"hiden":true},"schema":{"type":"string"}}]},"put":{}}}}`, Options{})
	var got []string
	for _, w := range d.Warnings {
		got = append(got, w.Message)
	}
	want := `lint: x-drawbridge.retries is not known|lint: x-drawbridge.nam is not known; did you mean "name"?|lint: x-drawbridge.hiden is not known; did you mean "hidden"?`
	if strings.Join(got, "|") != want {
		t.Errorf("warnings %s", strings.Join(got, "|"))
	}
}

func TestAllFaultsOfConfigurationAreToldAtOnce(t *testing.T) { // §3.1, A6, STYLE 3
	lit := func(s string) Literal { return Literal{Raw: json.RawMessage(s)} }
	doc := `{"openapi":"3.1.0","info":{},"paths":{"/a":{"get":{"operationId":"getA","parameters":[{"name":"limit","in":"query","schema":{"type":"integer","maximum":9}},{"name":"q","in":"query","required":true,"schema":{"type":"string"}}]}},
		"/b":{"get":{"operationId":"getB"}},"/c":{"get":{"operationId":"same","parameters":[{"name":"x","in":"query","schema":{"type":"string"}}]}},"/d":{"get":{"operationId":"same"}}}}`
	d, err := Import(t.Context(), Source{Data: []byte(doc)}, Options{Tools: map[string]ToolConfig{
		"getX": {}, "getBB": {}, "same": {Arguments: map[string]ArgumentConfig{"x": {Description: "An x."}}},
		"getA": {Arguments: map[string]ArgumentConfig{"limt": {}, "limit": {Fixed: lit("10")}, "q": {Hidden: true}}}}})
	if err == nil {
		t.Fatalf("no error, %d tools", len(d.Tools))
	}
	want := `tools.getA.arguments.limit: must be at most 9, got 10
tools.getA.arguments.limt: no such argument; did you mean "limit"?
tools.getA.arguments.q: it is required and cannot be hidden; give it a fixed value
tools.getBB: no such operation; did you mean "getB"?
tools.getX: no such operation; did you mean "getA"?`
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
	_, err = Import(t.Context(), Source{Data: []byte(doc)}, Options{Tools: map[string]ToolConfig{"getA": {Name: "a b"}, "getB": {Name: "one"}, "same": {Name: "ONE"}}})
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("names: %v", err)
	}
}
