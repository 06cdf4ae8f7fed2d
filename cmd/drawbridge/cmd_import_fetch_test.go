package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestRedirectsStayWithTheirOrigin(t *testing.T) { // openapi.md R5
	for _, c := range []struct {
		from, to string
		good     bool
	}{
		{"https://a.example/x", "https://a.example/y", true},
		{"http://a.example/x", "https://a.example/x", true},
		{"https://a.example/x", "http://a.example/x", false},
		{"https://a.example/x", "https://b.example/x", false},
		{"https://a.example/x", "https://a.example:8443/x", false},
		{"https://a.example/x", "https://user@a.example/x", false},
	} {
		from, _ := url.Parse(c.from)
		to, _ := url.Parse(c.to)
		err := sameOrigin(&http.Request{URL: to}, []*http.Request{{URL: from}})
		if (err == nil) != c.good {
			t.Errorf("%s → %s: %v", c.from, c.to, err)
		}
	}
}

func TestDocumentsAreFetchedWithinBounds(t *testing.T) { // openapi.md R3, R5, R6
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			for range maxDocument/(1<<20) + 1 {
				_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
			}
		case "/headers":
			if r.Header.Get("Cookie")+r.Header.Get("Authorization") != "" || !strings.HasPrefix(r.Header.Get("Accept"), "application/json") {
				w.WriteHeader(http.StatusBadRequest)
			}
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	fetch := fetchDocument(true)(0)
	for path, want := range map[string]string{
		"/headers": "", "/broken": "cannot be fetched: the server answered 500 Internal Server Error", "/large": "document is larger than 64MiB",
	} {
		_, err := fetch(t.Context(), server.URL+path)
		if got := errorText(err); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	for address, want := range map[string]string{
		"ftp://x/y": "not an http or https URL", "https://u:p@x/y": "a URL with credentials is not fetched",
		"http://example.com/x": "http is allowed for loopback only",
	} {
		_, err := fetchDocument(false)(0)(t.Context(), address)
		if got := errorText(err); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestReferencesToOtherHostsPassTheGuard(t *testing.T) { // openapi.md R7b, R7d
	called := 0
	direct := func(context.Context, string) ([]byte, error) { called++; return []byte("{}"), nil }
	fetch := referenceFetcher("https://api.internal/openapi.json", direct, EgressConfig{})
	if _, err := fetch(t.Context(), "https://api.internal/schemas/order.json"); err != nil || called != 1 {
		t.Errorf("own origin: %v", err)
	}
	for _, address := range []string{"https://127.0.0.1/x", "https://169.254.169.254/latest", "http://localhost/x", "https://api.internal:8443/x", "file:///etc/passwd"} {
		if _, err := fetch(t.Context(), address); err == nil || called != 1 {
			t.Errorf("%s was fetched", address)
		}
	}
	fromDisk := referenceFetcher("", direct, EgressConfig{})
	if _, err := fromDisk(t.Context(), "https://10.0.0.1/x"); err == nil || called != 1 {
		t.Error("a document on disk reached a private address")
	}
}

// What is read of a document behind a URL is bounded by import.limits, above the default as well as below it (R6).
func TestTheLimitOfADocumentBehindAURLIsTheConfigurations(t *testing.T) {
	const size = maxDocument + 1
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) }))
	defer server.Close()
	for most, want := range map[int64]string{0: "document is larger than 64MiB", 1 << 20: "document is larger than 1MiB", 1000: "document is larger than 1000 bytes", size: ""} {
		data, err := fetchDocument(true)(most)(t.Context(), server.URL)
		if want == "" && (err != nil || len(data) != size) || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("at most %d: %d bytes, %v, want %q", most, len(data), err, want)
		}
	}
}
