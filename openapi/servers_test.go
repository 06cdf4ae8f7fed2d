package openapi

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestWhereRequestsGo(t *testing.T) { // §8.1
	doc := func(root, operation string) string {
		return fmt.Sprintf(`{"openapi":"3.0.3","info":{},%s"paths":{"/x":{"get":{"operationId":"op"%s}}}}`, root, operation)
	}
	backend, _ := url.Parse("https://internal.example/v9")
	for _, c := range []struct {
		name, doc, location string
		o                   Options
		want, relative      string
	}{
		{"B2 root", doc(`"servers":[{"url":"https://a.example/v1"},{"url":"https://b.example"}],`, ""), "", Options{}, "https://a.example/v1", ""},
		{"B2 operation first", doc(`"servers":[{"url":"https://a.example"}],`, `,"servers":[{"url":"https://o.example"}]`), "", Options{}, "https://o.example", ""},
		{"B2 variables", doc(`"servers":[{"url":"https://{r}.example/{v}","variables":{"r":{"default":"eu"},"v":{"enum":["v1"]}}}],`, ""), "", Options{}, "https://eu.example/v1", ""},
		{"B2 configured variables", doc(`"servers":[{"url":"https://{r}.example","variables":{"r":{"default":"eu"}}}],`, ""), "", Options{ServerVariables: map[string]string{"r": "us"}}, "https://us.example", ""},
		{"B1 backend", doc(`"servers":[{"url":"https://a.example"}],`, `,"servers":[{"url":"ftp://o.example"}]`), "", Options{Backend: backend}, "", ""},
		{"B3 of a URL", doc(`"servers":[{"url":"/v1"}],`, ""), "https://docs.example/api/openapi.json", Options{}, "https://docs.example/v1", ""},
		{"B3 of a file", doc(`"servers":[{"url":"/v1"}],`, ""), "", Options{}, "", "/v1"},
		{"B4 none", doc("", ""), "", Options{}, "", "/"},
		{"a placeholder", doc(`"servers":[{"url":"https://{your-host}","variables":{"your-host":{"default":"{your-host}"}}}],`, ""), "", Options{}, "", ""},
		{"a variable of Postman", doc(`"servers":[{"url":"{{baseUrl}}/v1"}],`, ""), "", Options{}, "", ""},
	} {
		d, err := Import(t.Context(), Source{Location: c.location, Data: []byte(c.doc)}, c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := ""
		if u := d.Tools[0].BaseURL; u != nil {
			got = u.String()
		}
		if got != c.want || d.RelativeServer != c.relative {
			t.Errorf("%s: base %q, relative %q; want %q, %q", c.name, got, d.RelativeServer, c.want, c.relative)
		}
		if _, err := d.Tools[0].BuildRequest(t.Context(), nil, nil); (err == nil) != (c.want != "") {
			t.Errorf("%s: without a backend: %v", c.name, err)
		}
		if c.o.Backend != nil && !strings.Contains(fmt.Sprint(d.Warnings), "the configured backend is") {
			t.Errorf("%s: warnings %v", c.name, d.Warnings)
		}
	}
}
