package edge

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzHeaderValue(f *testing.F) { // H6
	for _, s := range []string{"a", " a\t", "=?base64?YQ==?=", "=?base64?YQ?=", "=?base64??=", "=?base64?=", "=?BASE64?YQ==?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		value, ok := HeaderValue(raw)
		if !ok {
			return
		}
		if strings.HasPrefix(strings.Trim(raw, " \t"), base64Head) && strings.HasSuffix(strings.Trim(raw, " \t"), base64Tail) &&
			len(strings.Trim(raw, " \t")) >= len(base64Head)+len(base64Tail) {
			if !utf8.ValidString(value) || base64Head+base64.StdEncoding.EncodeToString([]byte(value))+base64Tail != strings.Trim(raw, " \t") {
				t.Errorf("HeaderValue(%q) = %q: the coded form is not the only one", raw, value)
			}
		}
	})
}

func FuzzSessionID(f *testing.F) { // S1, S2: nothing but what we signed opens anything
	h := newHandler(&testing.T{}, &server{}, nil)
	h.init()
	f.Add("d1.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, id string) {
		r := httptest.NewRequest(http.MethodPost, "/mcp/s", nil)
		caller, _ := h.Authenticate(nil, r, "s")
		x := &exchange{h: h, state: &h.edge, r: r, name: "s", caller: caller}
		if x.signed(id) {
			t.Errorf("%q is taken for ours", id)
		}
	})
}

func TestLoopbackOriginsMayCallALocalGateway(t *testing.T) { // mcp.md §1 allowed_origins
	for origin, want := range map[string]bool{
		"http://localhost:3000": true, "http://127.0.0.1": true, "http://[::1]:6274": true, "http://127.0.0.2:1": false,
		"https://localhost": false, "http://localhost.evil.example": false, "http://localhost/": false, "http://a@localhost": false,
		"http://evil.example": false, "http://127.0.0.1.evil.example": false, "null": false, "": false, "http://LOCALHOST:1": false,
	} {
		s := newSettings("http://127.0.0.1:8080", nil, Limits{})
		if got := s.allowed(origin); got != want {
			t.Errorf("origin %q: %t, want %t", origin, got, want)
		}
	}
	s := newSettings("http://127.0.0.1:8080", []string{"https://app.example"}, Limits{})
	if s.allowed("http://localhost:3000") || !s.allowed("https://app.example") {
		t.Error("configured origins must be the only ones")
	}
}
