package openapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"strings"
	"testing"
)

// sentAs is a request as one text: method, address, the headers that arguments make, body.
func sentAs(e *echo) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Method, e.URI)
	for _, name := range []string{"Accept", "Cookie", "Content-Type", "Content-Length", "Transfer-Encoding", "X-A"} {
		if v := e.Header.Values(name); len(v) > 0 && name != "Accept" {
			fmt.Fprintf(&b, "\n%s: %s", name, strings.Join(v, " | "))
		}
	}
	if len(e.Body) > 0 {
		b.WriteString("\n\n" + string(e.Body))
	}
	return b.String()
}

func in32(method, path, members string) string {
	return strings.Replace(oneOperation(method, path, members), `"3.0.3"`, `"3.2.0"`, 1)
}

func TestEveryRowOfTheParameterRules(t *testing.T) { // §8.2 B5–B14
	base, seen := echoServer(t)
	query := func(param string) string {
		return oneOperation("get", "/x", `"parameters":[{"name":"id","in":"query",`+param+`}]`)
	}
	path := func(param string) string {
		return oneOperation("get", "/x/{id}", `"parameters":[{"name":"id","in":"path","required":true,`+param+`}]`)
	}
	const texts = `"schema":{"type":"array","items":{"type":"string"}}`
	for _, c := range []struct{ row, doc, args, want string }{
		{"B6 $self is no base of requests", strings.Replace(query(`"schema":{"type":"string"}`), `"openapi"`, `"$self":"https://elsewhere.example/doc.json","openapi"`, 1), `{"id":"1"}`, "GET /x?id=1"},
		{"B7 space inside of spaceDelimited", query(`"style":"spaceDelimited","explode":false,` + texts), `{"id":["a b","c"]}`, "GET /x?id=a%20b%20c"},
		{"B7 bar inside of pipeDelimited", query(`"style":"pipeDelimited","explode":false,` + texts), `{"id":["a|b","c"]}`, "GET /x?id=a%7Cb%7Cc"},
		{"B7 comma inside of simple", path(texts), `{"id":["a,b","c"]}`, "GET /x/a%2Cb,c"},
		{"B7 dot inside of label", path(`"style":"label","explode":true,` + texts), `{"id":["a.b","c"]}`, "GET /x/.a%2Eb.c"},
		{"B7 semicolon inside of matrix", path(`"style":"matrix","explode":true,` + texts), `{"id":["a;b","c"]}`, "GET /x/;id=a%3Bb;id=c"},
		{"B7 name and value of matrix", path(`"style":"matrix","explode":true,"schema":{"type":"object"}`), `{"id":{"k=":"v;"}}`, "GET /x/;k%3D=v%3B"},
		{"B8 without allowReserved", query(`"schema":{"type":"string"}`), `{"id":"a:/?[]@!$'()*,;"}`, "GET /x?id=a%3A%2F%3F%5B%5D%40%21%24%27%28%29%2A%2C%3B"},
		{"B8 allowReserved", query(`"allowReserved":true,"schema":{"type":"string"}`), `{"id":"a:/?[]@!$'()*,;&+=#%zz%41"}`, "GET /x?id=a:/?[]@!$'()*,;%26%2B%3D%23%25zz%41"},
		{"B9 text content", query(`"content":{"text/plain":{"schema":{"type":"string"}}}`), `{"id":"a b"}`, "GET /x?id=a%20b"},
		{"B9 JSON content in a path", path(`"content":{"application/json":{"schema":{"type":"object"}}}`), `{"id":{"b":[1.0],"a":true}}`, "GET /x/%7B%22a%22%3Atrue%2C%22b%22%3A%5B1.0%5D%7D"},
		{"B10 allowEmptyValue with an empty text", query(`"allowEmptyValue":true,"schema":{"type":"string"}`), `{"id":""}`, "GET /x?id="},
		{"B11 1e21", query(`"schema":{"type":"number"}`), `{"id":1e21}`, "GET /x?id=1e21"},
		{"B11 long integers", query(`"schema":{"type":"number"}`), `{"id":1000000000000000000000}`, "GET /x?id=1000000000000000000000"},
		{"B11 trailing zero", query(`"schema":{"type":"number"}`), `{"id":1.0}`, "GET /x?id=1.0"},
		{"B11 false", query(`"schema":{"type":"boolean"}`), `{"id":false}`, "GET /x?id=false"},
		{"B12 path level before operation level", `{"openapi":"3.0.3","info":{},"paths":{"/x":{"parameters":[{"name":"z","in":"query","schema":{"type":"string"}},{"name":"y","in":"query","schema":{"type":"string"}}],
			"get":{"operationId":"op","parameters":[{"name":"b","in":"query","schema":{"type":"string"}},{"name":"a","in":"query","schema":{"type":"object"}}]}}}}`,
			`{"a":{"n":1,"m":2},"b":"3","y":"4","z":"5"}`, "GET /x?z=5&y=4&b=3&m=2&n=1"},
		{"B13 matrix in a query", query(`"style":"matrix",` + texts), `{"id":["a","b"]}`, "GET /x?id=a&id=b"},
		{"B13 form in a header", oneOperation("get", "/x", `"parameters":[{"name":"X-A","in":"header","style":"form",`+texts+`}]`), `{"X-A":["a","b"]}`, "GET /x\nX-A: a,b"},
		{"B13 querystring form", in32("get", "/x?v=1", `"parameters":[{"name":"q","in":"querystring","content":{"application/x-www-form-urlencoded":{"schema":{"type":"object"}}}}]`),
			`{"q":{"b":"x y&z","a":[1,2],"c":{"d":"e"}}}`, "GET /x?v=1&a=1&a=2&b=x+y%26z&c%5Bd%5D=e"},
		{"B13 querystring JSON", in32("get", "/x", `"parameters":[{"name":"q","in":"querystring","content":{"application/json":{"schema":{"type":"object"}}}}]`),
			`{"q":{"b":1.0,"a":"é"}}`, "GET /x?%7B%22a%22%3A%22%C3%A9%22%2C%22b%22%3A1.0%7D"},
		{"B13 querystring text", in32("get", "/x", `"parameters":[{"name":"q","in":"querystring","content":{"text/plain":{"schema":{"type":"string"}}}}]`),
			`{"q":"a=1&b#"}`, "GET /x?a%3D1%26b%23"},
		{"B13 querystring empty", in32("get", "/x", `"parameters":[{"name":"q","in":"querystring","content":{"application/x-www-form-urlencoded":{"schema":{"type":"object"}}}}]`), `{"q":{}}`, "GET /x"},
		{"B13 style cookie", in32("get", "/x", `"parameters":[{"name":"c","in":"cookie","style":"cookie","schema":{"type":"string"}}]`), `{"c":"a/b=%41+c;d, e"}`, "GET /x\nCookie: c=a/b=%41+c%3Bd%2C%20e"},
		{"B13 style cookie, list", in32("get", "/x", `"parameters":[{"name":"c","in":"cookie","style":"cookie","schema":{"type":"array","items":{"type":"string"}}}]`), `{"c":["a","b"]}`, "GET /x\nCookie: c=a; c=b"},
		{"B13 style form of cookies", oneOperation("get", "/x", `"parameters":[{"name":"c","in":"cookie","schema":{"type":"string"}}]`), `{"c":"a/b=%41"}`, "GET /x\nCookie: c=a%2Fb%3D%2541"},
		{"B14 headers are not percent-encoded", oneOperation("get", "/x", `"parameters":[{"name":"X-A","in":"header","schema":{"type":"string"}}]`), `{"X-A":"a b%/é"}`, "GET /x\nX-A: a b%/é"},
		{"§8.2 two cookies", oneOperation("get", "/x", `"parameters":[{"name":"b","in":"cookie","schema":{"type":"string"}},{"name":"a","in":"cookie","schema":{"type":"string"}}]`), `{"a":"1","b":"2"}`, "GET /x\nCookie: b=2; a=1"},
		{"Q8 slashes of a {+name}", oneOperation("get", "/v1/{+id}:run", `"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}]`), `{"id":"projects/a b/x?"}`, "GET /v1/projects/a%20b/x%3F:run"},
		{"Q10 NUL text stays text", query(`"schema":{"type":"string"}`), `{"id":"x%00"}`, "GET /x?id=x%2500"},
		{"Q11 keys of an exploded object", query(`"schema":{"type":"object"}`), `{"id":{"a&b":"1","c=d":"2","__proto__":"3"}}`, "GET /x?__proto__=3&a%26b=1&c%3Dd=2"},
		{"Q11 keys of a deep object", query(`"style":"deepObject","schema":{"type":"object"}`), `{"id":{"a]&b":"1","__proto__":"3"}}`, "GET /x?id[__proto__]=3&id[a%5D%26b]=1"},
		{"Q14 what ends a cookie", oneOperation("get", "/x", `"parameters":[{"name":"c","in":"cookie","schema":{"type":"string"}}]`), `{"c":"\u0001\";,\\ \r\n\u007fé"}`, "GET /x\nCookie: c=%01%22%3B%2C%5C%20%0D%0A%7F%C3%A9"},
	} {
		t.Run(c.row, func(t *testing.T) {
			e, err := send(t, importText(t, c.doc, Options{}).Tools[0], base, seen, c.args)
			if err != nil {
				t.Fatal(err)
			}
			if got := sentAs(e); got != c.want {
				t.Errorf("sent\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestEveryRefusalSendsNothing(t *testing.T) { // §9
	base, seen := echoServer(t)
	param := func(in, more string) string {
		return oneOperation("get", "/x", `"parameters":[{"name":"a","in":"`+in+`",`+more+`},{"name":"other","in":"query","schema":{"type":"string"}}]`)
	}
	for _, c := range []struct{ row, doc, args, want string }{
		{"B10 empty list in a path", oneOperation("get", "/x/{id}", `"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"array","items":{"type":"string"}}}]`), `{"id":[]}`, `argument "id": must not be empty`},
		{"Q2 a step inside of a list", oneOperation("get", "/x/{id}", `"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"array","items":{"type":"string"}}}]`), `{"id":["a",".."]}`, `argument "id": must not contain path steps ("..")`},
		{"Q2 a step as a key", oneOperation("get", "/x/{id}", `"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"object"}}]`), `{"id":{"..":"a"}}`, `argument "id": must not contain path steps ("..")`},
		{"Q6 NUL in a query", param("query", `"schema":{"type":"string"}`), `{"a":"x\u0000"}`, "NUL"},
		{"Q6 NUL in a header", param("header", `"schema":{"type":"string"}`), `{"a":"x\u0000"}`, "NUL"},
		{"Q6 NUL in a body", bodyOperation("application/json", `{"type":"object","properties":{"a":{"type":"string"}}}`, ""), `{"a":"x\u0000"}`, "NUL"},
		{"Q11 another parameter's name", param("query", `"schema":{"type":"object"}`), `{"a":{"other":"1"}}`, `must not have a member "other"`},
		{"Q11 the credential's name", param("query", `"schema":{"type":"object"}`), `{"a":{"key":"1"}}`, `must not have a member "key"`},
		{"Q11 querystring, another parameter", in32("get", "/x", `"parameters":[{"name":"q","in":"querystring","content":{"application/x-www-form-urlencoded":{"schema":{"type":"object"}}}},{"name":"other","in":"query","schema":{"type":"string"}}]`), `{"q":{"other":"1"}}`, `must not have a member "other"`},
		{"Q11 querystring, the credential", in32("get", "/x", `"parameters":[{"name":"q","in":"querystring","content":{"application/x-www-form-urlencoded":{"schema":{"type":"object"}}}}]`), `{"q":{"key":"1"}}`, `must not have a member "key"`},
		{"Q12 CR", param("header", `"schema":{"type":"string"}`), `{"a":"x\rInjected: 1"}`, `argument "a": must not contain line breaks`},
		{"Q12 LF in a list", param("header", `"schema":{"type":"array","items":{"type":"string"}}`), `{"a":["x","\nInjected: 1"]}`, `argument "a": must not contain line breaks`},
		{"Q13 9 KiB", param("header", `"schema":{"type":"string"}`), `{"a":"` + strings.Repeat("x", 9<<10) + `"}`, `argument "a": must not be longer than 8 KiB`},
		{"Q15 a cookie that is no token", param("cookie", `"schema":{"type":"object"}`), `{"a":{"x y":"1"}}`, `must not have a member "x y"`},
		{"Q15 the credential's cookie", param("cookie", `"schema":{"type":"object"}`), `{"a":{"session":"1"}}`, `must not have a member "session"`},
		{"Q17 a media type with a line break", bodyOperation("multipart/form-data", `{"type":"object","properties":{"f":{"type":"string","format":"binary"}}}`, ""), `{"f":{"data":"aGk=","content_type":"text/plain\r\nX: y"}}`, `argument "f": content_type is not a media type`},
		{"Q18 65 levels", bodyOperation("application/json", `{}`, ""), `{"body":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, "nested deeper than 64 levels"},
		{"A10 no base64", bodyOperation("application/octet-stream", `{"type":"string","format":"binary"}`, ""), `{"body":"a*b"}`, `argument "body": data is not base64`},
	} {
		t.Run(c.row, func(t *testing.T) {
			tool := importText(t, c.doc, Options{Credential: CredentialPlace{Query: "key", Cookie: "session"}}).Tools[0]
			_, err := tool.BuildRequest(t.Context(), base, json.RawMessage(c.args))
			text := problem(t, err)
			if !strings.Contains(text, c.want) || strings.Contains(text, "Injected") {
				t.Errorf("%s, want %s", text, c.want)
			}
			if seen() != nil {
				t.Error("something was sent")
			}
		})
	}
}

func TestServerVariablesAreNeverArguments(t *testing.T) { // Q20, B2
	doc := strings.Replace(oneOperation("get", "/x", `"parameters":[{"name":"region","in":"query","schema":{"type":"string"}}]`), `"paths"`,
		`"servers":[{"url":"https://{region}.example.com/{v}","variables":{"region":{"default":"eu"},"v":{"enum":["v1","v2"],"default":"v2"}}}],"paths"`, 1)
	for want, vars := range map[string]map[string]string{"https://eu.example.com/v2/x?region=evil": nil, "https://us.example.com/v2/x?region=evil": {"region": "us"}} {
		tool := importText(t, doc, Options{ServerVariables: vars}).Tools[0]
		req, err := tool.BuildRequest(t.Context(), nil, json.RawMessage(`{"region":"evil"}`))
		if err != nil || req.URL.String() != want {
			t.Errorf("%v: %v, %v", vars, req, err)
		}
	}
}

func TestAcceptNamesWhatIsDeclared(t *testing.T) { // B14
	for content, want := range map[string]string{
		``:                      "application/json, */*;q=0.1",
		`"application/json":{}`: "application/json, */*;q=0.1",
		`"text/csv":{},"application/json":{},"application/hal+json":{}`: "application/json, application/hal+json;q=0.9, text/csv;q=0.8, */*;q=0.1",
		`"application/pdf":{}`: "application/pdf, */*;q=0.1",
	} {
		doc := fmt.Sprintf(`{"openapi":"3.0.3","info":{},"paths":{"/x":{"get":{"operationId":"op","responses":{"200":{"description":"","content":{%s}}}}}}}`, content)
		req, err := importText(t, doc, Options{}).Tools[0].BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{}`))
		if err != nil || req.Header.Get("Accept") != want {
			t.Errorf("%s: %q, %v; want %q", content, req.Header.Get("Accept"), err, want)
		}
	}
}

func TestEveryRowOfTheBodyTable(t *testing.T) { // §8.3
	base, seen := echoServer(t)
	const object = `{"type":"object","properties":{"a":{"type":"string"},"l":{"type":"array","items":{"type":"string"}},"o":{"type":"array","items":{"type":"object"}}}}`
	const binary = `{"type":"string","format":"binary"}`
	post := func(contentType, schema, more string) string { return bodyOperation(contentType, schema, more) }
	optional := func(doc string) string { return strings.Replace(doc, `"required":true,`, "", 1) }
	as := func(method, doc string) string { return strings.Replace(doc, `"post"`, `"`+method+`"`, 1) }
	for _, c := range []struct{ row, doc, args, want string }{
		{"JSON, nothing given, required", post("application/json", object, ""), `{}`, "POST /x\nContent-Type: application/json\nContent-Length: 2\n\n{}"},
		{"JSON, nothing given, optional", optional(post("application/json", object, "")), `{}`, "POST /x\nContent-Length: 0"},
		{"JSON with parameters of the type", post("application/json; charset=utf-8", object, ""), `{"a":"x"}`, "POST /x\nContent-Type: application/json; charset=utf-8\nContent-Length: 9\n\n{\"a\":\"x\"}"},
		{"JSON scalar", post("application/json", `{"type":"string"}`, ""), `{"body":"x"}`, "POST /x\nContent-Type: application/json\nContent-Length: 3\n\n\"x\""},
		{"JSON null", post("application/json", `{"type":"string","nullable":true}`, ""), `{"body":null}`, "POST /x\nContent-Type: application/json\nContent-Length: 4\n\nnull"},
		{"JSON Patch", as("patch", post("application/json-patch+json", `{}`, "")), `{"body":[{"op":"add","path":"/a","value":1.0}]}`,
			"PATCH /x\nContent-Type: application/json-patch+json\nContent-Length: 39\n\n" + `[{"op":"add","path":"/a","value":1.0}]`},
		{"JSON merge patch", as("patch", post("application/merge-patch+json", object, "")), `{"a":null}`, "PATCH /x\nContent-Type: application/merge-patch+json\nContent-Length: 10\n\n{\"a\":null}"},
		{"form, default", post("application/x-www-form-urlencoded", object, ""), `{"a":"x y*~é","l":["1","2"],"o":[{"b":1},{"c":2}]}`,
			"POST /x\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 75\n\na=x+y*%7E%C3%A9&l=1&l=2&o=%7B%22b%22%3A1%7D&o=%7B%22c%22%3A2%7D"},
		{"form, allowReserved", post("application/x-www-form-urlencoded", object, `,"encoding":{"a":{"allowReserved":true}}`), `{"a":"x y:/&="}`,
			"POST /x\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 13\n\na=x+y:/%26%3D"},
		{"form, style and contentType", post("application/x-www-form-urlencoded", object, `,"encoding":{"l":{"style":"pipeDelimited"},"o":{"contentType":"application/json"}}`), `{"l":["1","2"],"o":[{"b":1}]}`,
			"POST /x\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 37\n\nl=1%7C2&o=%5B%7B%22b%22%3A1%7D%5D"},
		{"octet-stream", post("application/octet-stream", binary, ""), `{"body":{"data":"data:application/zip;base64,aGk"}}`, "POST /x\nContent-Type: application/zip\nContent-Length: 2\n\nhi"},
		{"octet-stream, empty", post("application/octet-stream", binary, ""), `{"body":""}`, "POST /x\nContent-Type: application/octet-stream\nContent-Length: 0"},
		{"image", as("put", post("image/png", binary, "")), `{"body":"aGk="}`, "PUT /x\nContent-Type: image/png\nContent-Length: 2\n\nhi"},
		{"audio", post("audio/mpeg", binary, ""), `{"body":"aGk="}`, "POST /x\nContent-Type: audio/mpeg\nContent-Length: 2\n\nhi"},
		{"video", post("video/mp4", binary, ""), `{"body":"aGk="}`, "POST /x\nContent-Type: video/mp4\nContent-Length: 2\n\nhi"},
		{"pdf", post("application/pdf", binary, ""), `{"body":"aGk="}`, "POST /x\nContent-Type: application/pdf\nContent-Length: 2\n\nhi"},
		{"wildcard, type given", post("image/*", binary, ""), `{"body":{"data":"aGk=","content_type":"image/webp"}}`, "POST /x\nContent-Type: image/webp\nContent-Length: 2\n\nhi"},
		{"text", post("text/plain; charset=utf-8", `{"type":"string"}`, ""), `{"body":"hé"}`, "POST /x\nContent-Type: text/plain; charset=utf-8\nContent-Length: 3\n\nhé"},
		{"XML", post("application/soap+xml", object, ""), `{"body":"<a b='1'/>"}`, "POST /x\nContent-Type: application/soap+xml\nContent-Length: 10\n\n<a b='1'/>"},
		{"YAML", post("application/yaml", object, ""), `{"body":"a: 1\n"}`, "POST /x\nContent-Type: application/yaml\nContent-Length: 5\n\na: 1\n"},
		{"CSV", post("text/csv", `{"type":"string"}`, ""), `{"body":"a,b\r\n"}`, "POST /x\nContent-Type: text/csv\nContent-Length: 5\n\na,b\r\n"},
		{"javascript", post("application/javascript", `{"type":"string"}`, ""), `{"body":"f()"}`, "POST /x\nContent-Type: application/javascript\nContent-Length: 3\n\nf()"},
		{"SDP", post("application/sdp", `{"type":"string"}`, ""), `{"body":"v=0"}`, "POST /x\nContent-Type: application/sdp\nContent-Length: 3\n\nv=0"},
		{"ndjson list", post("application/x-ndjson", `{}`, ""), `{"body":[{"b":1,"a":2},3]}`, "POST /x\nContent-Type: application/x-ndjson\nContent-Length: 16\n\n{\"a\":2,\"b\":1}\n3\n"},
		{"json-seq list", post("application/json-seq", `{}`, ""), `{"body":[{"a":2},3]}`, "POST /x\nContent-Type: application/json-seq\nContent-Length: 12\n\n\x1e{\"a\":2}\n\x1e3\n"},
		{"geo+json-seq list", post("application/geo+json-seq", `{}`, ""), `{"body":[3]}`, "POST /x\nContent-Type: application/geo+json-seq\nContent-Length: 3\n\n\x1e3\n"},
		{"ndjson text", post("application/x-ndjson", `{"type":"string"}`, ""), `{"body":"{}\n"}`, "POST /x\nContent-Type: application/x-ndjson\nContent-Length: 3\n\n{}\n"},
		{"GET with a body", as("get", post("application/json", object, "")), `{"a":"x"}`, "GET /x\nContent-Type: application/json\nContent-Length: 9\n\n{\"a\":\"x\"}"},
		{"DELETE with a body", as("delete", post("application/json", object, "")), `{"a":"x"}`, "DELETE /x\nContent-Type: application/json\nContent-Length: 9\n\n{\"a\":\"x\"}"},
	} {
		t.Run(c.row, func(t *testing.T) {
			tool := importText(t, c.doc, Options{}).Tools[0]
			e, err := send(t, tool, base, seen, c.args)
			if err != nil {
				t.Fatalf("%v\n%s", err, tool.InputSchema)
			}
			got := sentAs(e)
			if _, wrong, _ := strings.Cut(c.want, "Content-Length: "); wrong != "" { // the length is the body's, whatever the row says
				head, body, _ := strings.Cut(c.want, "\n\n")
				head = head[:strings.Index(head, "Content-Length: ")] + fmt.Sprintf("Content-Length: %d", len(body))
				if c.want = head; body != "" {
					c.want += "\n\n" + body
				}
			}
			if got != c.want {
				t.Errorf("sent\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestPartsOfMultipartBodies(t *testing.T) { // §8.3
	base, seen := echoServer(t)
	const schema = `{"type":"object","properties":{"meta":{"type":"object"},"file":{"type":"string","format":"binary"},"note":{"type":"string"},"rows":{"type":"array","items":{"type":"object"}}}}`
	const encoding = `,"encoding":{"meta":{"contentType":"application/vnd.meta+json, text/plain","headers":{"X-Kind":{"schema":{"type":"string","enum":["m"]}},"X-Free":{"schema":{"type":"string"}},"Content-Type":{"schema":{"const":"x/y"}}}},
		"file":{"contentType":"image/*","headers":{"X-Order":{"schema":{"type":"integer","default":7}}}}}`
	args := `{"meta":{"a":1},"file":{"data":"aGk=","filename":"a.png"},"note":"n","rows":[{"b":2}]}`
	for _, c := range []struct{ contentType, want, wantType string }{
		{"multipart/form-data", "--B\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/vnd.meta+json\r\nX-Kind: m\r\n\r\n{\"a\":1}\r\n" +
			"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: text/plain; charset=utf-8\r\nX-Order: 7\r\n\r\nhi\r\n" +
			"--B\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nn\r\n" +
			"--B\r\nContent-Disposition: form-data; name=\"rows\"\r\nContent-Type: application/json\r\n\r\n[{\"b\":2}]\r\n--B--\r\n", "multipart/form-data; boundary=B"},
		{"multipart/mixed", "--B\r\nContent-Type: application/vnd.meta+json\r\nX-Kind: m\r\n\r\n{\"a\":1}\r\n--B\r\nContent-Type: text/plain; charset=utf-8\r\nX-Order: 7\r\n\r\nhi\r\n" +
			"--B\r\n\r\nn\r\n--B\r\nContent-Type: application/json\r\n\r\n[{\"b\":2}]\r\n--B--\r\n", "multipart/mixed; boundary=B"},
		{`multipart/related; type="application/json"`, "", `multipart/related; type="application/json"; boundary=B`},
	} {
		doc := strings.Replace(bodyOperation(c.contentType, schema, encoding), `"3.0.3"`, `"3.1.0"`, 1)
		d := importText(t, doc, Options{})
		e, err := send(t, d.Tools[0], base, seen, args)
		if err != nil {
			t.Errorf("%s: %v", c.contentType, err)
			continue
		}
		_, params, err := mime.ParseMediaType(e.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		plain := func(s string) string { return strings.ReplaceAll(s, params["boundary"], "B") }
		if got := plain(e.Header.Get("Content-Type")); got != c.wantType {
			t.Errorf("%s: sent as %s", c.contentType, got)
		}
		if got := plain(string(e.Body)); c.want != "" && got != c.want {
			t.Errorf("%s: sent\n%q\nwant\n%q", c.contentType, got, c.want)
		}
		if e.Header.Get("Content-Length") != fmt.Sprint(len(e.Body)) {
			t.Errorf("%s: Content-Length %s for %d bytes", c.contentType, e.Header.Get("Content-Length"), len(e.Body))
		}
		found := false
		for _, w := range d.Warnings {
			found = found || strings.Contains(w.Message, "part header X-Free has no fixed value")
		}
		if !found {
			t.Errorf("%s: no warning about X-Free: %v", c.contentType, d.Warnings)
		}
	}
}

func TestNamesOfFilesCannotEndTheirHeader(t *testing.T) { // Q17
	tool := importText(t, bodyOperation("multipart/form-data", `{"type":"object","properties":{"f\u0001\"":{"type":"string","format":"binary"}}}`, ""), Options{}).Tools[0]
	req, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{"f":{"data":"","filename":"a\u007f\t\r\n\"é"}}`))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if want := `name="f%01%22"; filename="a%7F%09%0D%0A%22é"`; err != nil || !strings.Contains(string(body), want) {
		t.Errorf("sent %q, want %s", body, want)
	}
}

func TestBodiesOfFilesAreReadAgainForARetry(t *testing.T) { // §8.3, T2
	data := bytes.Repeat([]byte{0, 1, 2, 3}, 1<<18)
	tool := importText(t, bodyOperation("multipart/form-data", `{"type":"object","properties":{"f":{"type":"string","format":"binary"},"g":{"type":"array","items":{"type":"string","format":"binary"}}}}`, ""), Options{}).Tools[0]
	text := base64.StdEncoding.EncodeToString(data)
	req, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{"f":"`+text+`","g":["`+text+`"]}`))
	if err != nil {
		t.Fatal(err)
	}
	first, err := io.ReadAll(req.Body)
	if err != nil || int64(len(first)) != req.ContentLength || !bytes.Contains(first, data) {
		t.Fatalf("%d bytes of %d, %v", len(first), req.ContentLength, err)
	}
	for range 2 {
		again, err := req.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		if second, err := io.ReadAll(again); err != nil || !bytes.Equal(first, second) {
			t.Fatal("a retry sends other bytes")
		}
	}
}
