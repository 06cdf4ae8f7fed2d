package openapi

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

const ordersDoc = `
openapi: 3.0.3
info: {title: Orders, version: "1"}
paths:
  /orders/{id}:
    post:
      operationId: updateOrder
      parameters:
        - {name: id, in: path, required: true, description: order number, schema: {type: string}}
        - {name: limit, in: query, schema: {type: integer, maximum: 100}}
        - {name: status, in: query, schema: {type: string, enum: [open, closed]}}
        - {name: since, in: query, schema: {type: string, format: date-time}}
        - {name: code, in: query, schema: {type: string, pattern: "^[a-z]+$"}}
        - {name: tags, in: query, schema: {type: array, items: {type: integer}}}
        - {name: "filter[x]", in: query, schema: {type: boolean}}
        - {name: pin, in: query, schema: {type: string, format: password, maxLength: 4}}
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [items, secret]
              properties:
                items: {type: array, items: {type: object, required: [sku], properties: {sku: {type: string, minLength: 2}, "@type": {type: string}}}}
                note: {type: string, nullable: true}
                secret: {type: string}
                id: {type: string}
                created: {type: string, readOnly: true}
                source:
                  oneOf:
                    - {title: card, type: object, required: [number], properties: {number: {type: string}}}
                    - {title: bank, type: object, required: [iban], properties: {iban: {type: string}}}
      responses: {}
`

func orderTool(t testing.TB, o Options) *Tool {
	t.Helper()
	return importText(t, ordersDoc, o).Tools[0]
}

func TestFaultyArgumentsAreNamedWithTheirRule(t *testing.T) { // §10
	tool := orderTool(t, Options{})
	base, _ := url.Parse("http://localhost")
	for _, c := range []struct{ args, want string }{
		{`{}`, `argument "id" is required (string): order number`},
		{`{"id":"1","limt":5}`, `unknown argument "limt"; did you mean "limit"? Known: code, filter_x, id, id_body, items, limit, note, pin, secret, since, source, status, tags`},
		{`{"id":"1","limit":"many"}`, `argument "limit": must be an integer, got "many"`},
		{`{"id":"1","status":"opn"}`, `argument "status": must be one of "open", "closed", got "opn"`},
		{`{"id":"1","limit":500}`, `argument "limit": must be at most 100, got 500`},
		{`{"id":"1","code":"A1"}`, `argument "code": must match ^[a-z]+$, got "A1"`},
		{`{"id":"1","since":"yesterday"}`, `argument "since": must be a date-time like 2026-01-31T09:00:00Z`},
		{`{"id":"1","pin":"12345"}`, `argument "pin": must have at most 4 characters, got 5`},
		{`{"id":"1","secret":"s","items":[{"sku":"ab"},{"sku":"abc"},{"sku":"a"}]}`, `argument "items[2].sku": must have at least 2 characters, got 1`},
		{`{"id":"1","secret":"s","items":[{}]}`, `argument "items[0]": is missing sku`},
		{`{"id":"1","secret":"s","items":[],"source":{"x":1}}`, `argument "source": fits none of the variants: card (needs number), bank (needs iban)`},
		{`{"id":"1","note":"n"}`, `argument "items" is required (array)`}, // A5: an optional body, once begun, must be whole
		{`{"id":null}`, `argument "id": must be a string, got null`},
		{`[1]`, `the arguments are not a JSON object`},
		{`{"id":"1"} x`, `the arguments are not a JSON object`},
		{`{"id":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, `the arguments are nested deeper than 64 levels`}, // Q18
	} {
		_, err := tool.BuildRequest(t.Context(), base, json.RawMessage(c.args))
		text := problem(t, err)
		if !strings.Contains(text, c.want) || !strings.HasSuffix(text, "Correct the arguments and call again.") {
			t.Errorf("%s:\n got %s\nwant %s", c.args, text, c.want)
		}
		if strings.Contains(text, "12345") {
			t.Errorf("a password is shown: %s", text)
		}
	}
}

func TestArgumentsAreCoercedWhereThereIsNoDoubt(t *testing.T) { // §10, A3, A4, A9
	base, seen := echoServer(t)
	tool := orderTool(t, Options{})
	e, err := send(t, tool, base, seen, `{"id":5,"limit":"7","filter_x":"true","tags":"3","status":null,"secret":12,"items":"[{\"sku\":\"ab\",\"type\":\"t\"}]","note":null,"id_body":"b"}`)
	if err != nil {
		t.Fatal(err)
	}
	if e.URI != "/orders/5?limit=7&tags=3&filter%5Bx%5D=true" {
		t.Errorf("URI %s", e.URI)
	}
	if got, want := string(e.Body), `{"id":"b","items":[{"@type":"t","sku":"ab"}],"note":null,"secret":"12"}`; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	if got := e.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	e, err = send(t, tool, base, seen, `{"id":"1"}`)
	if err != nil || len(e.Body) != 0 || e.Header.Get("Content-Type") != "" {
		t.Errorf("an optional body that nobody gave is sent: %v %v", e, err)
	}
}

func TestReadOnlyPropertiesAreNoArguments(t *testing.T) { // A8
	if tool := orderTool(t, Options{}); strings.Contains(string(tool.InputSchema), "created") {
		t.Error("created is read-only, and advertised")
	}
}

func TestConfigurationShapesArguments(t *testing.T) { // A6
	base, seen := echoServer(t)
	lit := func(s string) Literal { return Literal{Raw: json.RawMessage(s)} }
	o := Options{Tools: map[string]ToolConfig{"updateOrder": {Name: "change", Description: "Changes.", Arguments: map[string]ArgumentConfig{
		"limit": {Fixed: lit(`"9"`)}, "code": {Hidden: true}, "status": {Default: lit(`"open"`)}, "query:filter[x]": {Name: "only", Description: "Only x."}, "id": {Slashes: true}}}}}
	tool := orderTool(t, o)
	if tool.Name != "change" || tool.Description != "Changes." {
		t.Errorf("name %q, description %q", tool.Name, tool.Description)
	}
	for _, gone := range []string{`"limit"`, `"code"`} {
		if strings.Contains(string(tool.InputSchema), gone) {
			t.Errorf("%s is advertised", gone)
		}
	}
	if !strings.Contains(string(tool.InputSchema), `"only":{"description":"Only x. Sent as \"filter[x]\".","type":"boolean"}`) {
		t.Errorf("schema %s", tool.InputSchema)
	}
	e, err := send(t, tool, base, seen, `{"id":"a/b","only":true}`)
	if err != nil || e.URI != "/orders/a/b?status=open&filter%5Bx%5D=true&limit=9" {
		t.Errorf("sent %v, %v", e, err)
	}
	for _, bad := range []map[string]ArgumentConfig{
		{"nope": {Hidden: true}}, {"limit": {Fixed: lit("500")}}, {"limit": {Default: lit(`"x"`)}}, {"id": {Hidden: true}}, {"id": {Name: "a b"}},
	} {
		d, err := Import(t.Context(), Source{Data: []byte(ordersDoc)}, Options{Tools: map[string]ToolConfig{"updateOrder": {Arguments: bad}}})
		if err == nil {
			t.Errorf("%v: no error, %d tools", bad, len(d.Tools))
		}
	}
	if _, err := Import(t.Context(), Source{Data: []byte(ordersDoc)}, Options{Tools: map[string]ToolConfig{"updateOrdr": {}}}); err == nil || !strings.Contains(err.Error(), `did you mean "updateOrder"?`) {
		t.Errorf("unknown tool: %v", err)
	}
}

func TestArgumentsOfTheSameNameAreToldApart(t *testing.T) { // A4
	doc := `{"openapi":"3.1.0","info":{},"paths":{"/x/{id}":{"put":{"operationId":"op","parameters":[
		{"name":"id","in":"path","required":true,"schema":{"type":"string"}},{"name":"id","in":"query","schema":{"type":"string"}},{"name":"id","in":"header","schema":{"type":"string"}},
		{"name":"id","in":"cookie","schema":{"type":"string"}},{"name":"a b","in":"query","schema":{"type":"string"}},{"name":"a_b","in":"query","schema":{"type":"string"}},
		{"name":"$expand","in":"query","schema":{"type":"string"}},{"name":"+name","in":"query","schema":{"type":"string"}},{"name":"ä","in":"query","schema":{"type":"string"}}],
		"requestBody":{"content":{"application/json":{"schema":{"type":"object","properties":{"id":{"type":"string"},"id_body":{"type":"string"}}}}}}}}}}`
	base, seen := echoServer(t)
	tool := importText(t, doc, Options{}).Tools[0]
	for _, name := range []string{"id", "id_query", "id_header", "id_cookie", "id_body", "a_b", "a_b_" + shortHash("query:a b", 6), "expand", "name", "arg_" + shortHash("ä", 8)} {
		if tool.plan.byName[name] == nil {
			t.Errorf("no argument %q in %s", name, tool.InputSchema)
		}
	}
	e, err := send(t, tool, base, seen, `{"id":"p","id_query":"q","id_header":"h","id_cookie":"c","id_body":"b"}`)
	if err != nil {
		t.Fatal(err)
	}
	if e.URI != "/x/p?id=q" || e.Header.Get("Id") != "h" || e.Header.Get("Cookie") != "id=c" || string(e.Body) != `{"id":"b"}` {
		t.Errorf("sent %+v %s", e, e.Body)
	}
}

func TestUnionsAtTheRootOfABodyBecomeArguments(t *testing.T) { // S4
	doc := `{"openapi":"3.0.3","info":{},"paths":{"/x":{"post":{"operationId":"op","requestBody":{"required":true,"content":{"application/json":{"schema":{
		"oneOf":[{"$ref":"#/components/schemas/Card"},{"$ref":"#/components/schemas/Bank"}],"discriminator":{"propertyName":"kind","mapping":{"card":"Card","bank":"Bank"}}}}}}}}},
		"components":{"schemas":{"Card":{"type":"object","required":["kind","number"],"properties":{"kind":{"type":"string"},"number":{"type":"string"}}},
		"Bank":{"type":"object","required":["kind","iban"],"properties":{"kind":{"type":"string"},"iban":{"type":"string"}}}}}}`
	base, seen := echoServer(t)
	tool := importText(t, doc, Options{}).Tools[0]
	want := `{"additionalProperties":false,"properties":{"iban":{"type":"string"},"kind":{"enum":["bank","card"],"type":"string"},"number":{"type":"string"}},"required":["kind"],"type":"object"}`
	if string(tool.InputSchema) != want {
		t.Errorf("schema %s", tool.InputSchema)
	}
	if !strings.Contains(tool.Description, "Variants: Card (needs kind, number); Bank (needs iban, kind).") {
		t.Errorf("description %q", tool.Description)
	}
	if e, err := send(t, tool, base, seen, `{"kind":"bank","iban":"X"}`); err != nil || string(e.Body) != `{"iban":"X","kind":"bank"}` {
		t.Errorf("sent %v, %v", e, err)
	}
	_, err := tool.BuildRequest(t.Context(), base, json.RawMessage(`{"kind":"bank"}`))
	if text := problem(t, err); !strings.Contains(text, "needs number") {
		t.Error(text)
	}
}

func TestSelection(t *testing.T) { // §3.1
	doc := `{"openapi":"3.0.3","info":{},"paths":{"/orders":{"get":{"operationId":"listOrders","tags":["orders"]},"post":{"operationId":"createOrder","tags":["orders"]}},
		"/orders/{id}":{"get":{"operationId":"getOrder","deprecated":true},"delete":{"operationId":"deleteOrder"}},"/orders/{id}/items/{n}":{"get":{}}}}`
	for _, c := range []struct {
		include, exclude []string
		want             string
	}{
		{nil, nil, "listOrders createOrder getOrder deleteOrder get_orders_id_items_n"},
		{[]string{"get*"}, nil, "getOrder"},
		{[]string{"getorder"}, nil, ""},
		{[]string{"GET /orders/*"}, nil, "getOrder"},
		{[]string{"GET /orders/{id}"}, nil, "getOrder"},
		{[]string{"get,delete /orders/*"}, nil, "getOrder deleteOrder"},
		{[]string{"/orders/**"}, nil, "listOrders createOrder getOrder deleteOrder get_orders_id_items_n"},
		{[]string{"tag:ord*"}, []string{"is:write"}, "listOrders"},
		{[]string{"is:read"}, []string{"is:deprecated", "* /orders/*/items/*"}, "listOrders"},
	} {
		d, err := Import(t.Context(), Source{Data: []byte(doc)}, Options{Selection: Selection{Include: c.include, Exclude: c.exclude}})
		if d == nil {
			t.Fatal(err)
		}
		var names []string
		for _, tool := range d.Tools {
			names = append(names, tool.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%v − %v: %s, want %s", c.include, c.exclude, got, c.want)
		}
		if (err == nil) != (c.want != "") {
			t.Errorf("%v: error %v", c.include, err)
		}
		for _, s := range d.Skipped {
			if s.Reason != "not selected" {
				t.Errorf("skipped %v", s)
			}
		}
	}
	d := importText(t, doc, Options{Selection: Selection{Include: []string{"listOrders", "getOrdr"}}})
	found := false
	for _, w := range d.Warnings {
		found = found || w.Message == `operations.include[1]: "getOrdr" matches no operation; did you mean "getOrder"?`
	}
	if !found {
		t.Errorf("warnings %v", d.Warnings)
	}
}

func TestWhatADocumentMayNotDoIsSkipped(t *testing.T) {
	doc := `{"openapi":"3.2.0","info":{},"paths":{"/ok":{"get":{"operationId":"same"}},"/ok2":{"get":{"operationId":"same"}},"/a/../../admin":{"get":{}},"/a/%2e%2e/b":{"get":{}},
		"/m":{"additionalOperations":{"CO PY":{},"COPY":{"operationId":"copy"},"CONNECT":{}}}}}`
	d := importText(t, doc, Options{Tools: map[string]ToolConfig{"same": {Name: "one"}}})
	var got []string
	for _, s := range d.Skipped {
		got = append(got, s.Method+" "+s.Path+": "+s.Reason)
	}
	want := []string{
		`GET /a/../../admin: server URL: the path of the document leaves its base ("..")`, `GET /a/%2e%2e/b: server URL: the path of the document leaves its base ("..")`,
		"CO PY /m: the method is not a token of RFC 9110", "CONNECT /m: CONNECT is not offered", `GET /ok2: name "one" is configured for several operations`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("skipped\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(d.Tools) != 2 || d.Operations != 7 {
		t.Errorf("%d tools of %d operations", len(d.Tools), d.Operations)
	}
}
