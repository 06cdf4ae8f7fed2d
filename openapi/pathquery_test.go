package openapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestPathsSayTheirParametersInManyNotations(t *testing.T) { // P20, P21
	for _, c := range []struct{ path, params, names, args, want string }{
		{"/a?kind=share&comp={comp}", `{"name":"kind","in":"query","required":true,"schema":{"enum":["share"]}},{"name":"comp","in":"query","schema":{"type":"string"}}`,
			"comp", `{"comp":"x y"}`, "/a?kind=share&comp=x%20y"},
		{"/a?x={id}", `{"name":"id","in":"path","required":true,"schema":{"type":"array","items":{"type":"integer"}}}`, "x", `{"x":[1,2]}`, "/a?x=1&x=2"},
		{"/a?x={id}", `{"name":"id","in":"query","schema":{"type":"string"}}`, "x", `{"x":"1"}`, "/a?x=1"},
		{"/a?x={x}&flag", ``, "x", `{"x":"1&y=2"}`, "/a?flag&x=1%26y%3D2"},
		{"/{proxy+}", `{"name":"proxy","in":"path","required":true,"schema":{"type":"string"}}`, "proxy", `{"proxy":"a/b c"}`, "/a/b%20c"},
		{"/{proxy+}", `{"name":"proxy+","in":"path","required":true,"schema":{"type":"string"}}`, "proxy", `{"proxy":"a/b"}`, "/a/b"},
		{"/f/{*path}", `{"name":"path","in":"path","required":true,"schema":{"type":"string"}}`, "path", `{"path":"a/b"}`, "/f/a/b"},
		{"/f/{**path}", ``, "path", `{"path":"a/b"}`, "/f/a/b"},
		{"/f/{name:path}", `{"name":"name","in":"path","required":true,"schema":{"type":"string"}}`, "name", `{"name":"a/b"}`, "/f/a/b"},
		{"/f/{id:int}/{key:guid}", `{"name":"id","in":"path","required":true,"schema":{"type":"integer"}}`, "id key", `{"id":1,"key":"k"}`, "/f/1/k"},
		{"/f/{id?}", `{"name":"id","in":"path","required":true,"schema":{"type":"integer"}}`, "id", `{"id":1}`, "/f/1"},
		{"/v1/{name=shelves/*}:move", `{"name":"name","in":"path","required":true,"schema":{"type":"string"}}`, "name", `{"name":"shelves/7"}`, "/v1/shelves/7:move"},
		{"/u/{{id}}/x", `{"name":"id","in":"path","required":true,"schema":{"type":"integer"}}`, "id", `{"id":1}`, "/u/1/x"},
		{"/s/{a|b}", `{"name":"a|b","in":"path","required":true,"schema":{"type":"string"}}`, "a_b", `{"a_b":"x/y"}`, "/s/x%2Fy"},
	} {
		d := importText(t, oneOperation("get", c.path, `"parameters":[`+c.params+`]`), Options{})
		tool := d.Tools[0]
		all := names(t, tool)
		if got := all[:slices.Index(all, "required:")]; strings.Join(got, " ") != c.names {
			t.Errorf("%s: arguments %v, want %s (%v)", c.path, got, c.names, d.Warnings)
			continue
		}
		req, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(c.args))
		if err != nil || req.URL.RequestURI() != c.want {
			t.Errorf("%s: %v, %v, want %s", c.path, req, err, c.want)
		}
		if strings.Contains(fmt.Sprint(d.Warnings), "is not in the path") {
			t.Errorf("%s: %v", c.path, d.Warnings)
		}
	}
}

func TestSlashesStayBelowTheirPath(t *testing.T) { // Q2, Q8
	tool := importText(t, oneOperation("get", "/files/{proxy+}", `"tags":[]`), Options{}).Tools[0]
	for _, value := range []string{"../x", "a/../b", "a//b", "/a", "a/%2e%2e/b", "."} {
		args, _ := json.Marshal(map[string]string{"proxy": value})
		if _, err := tool.BuildRequest(t.Context(), mustURL(t), args); err == nil {
			t.Errorf("%s is sent", value)
		}
	}
}
