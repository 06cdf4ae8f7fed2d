package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestChallengesAreRead(t *testing.T) { // RFC 9728 §5.1, RFC 6750 §3
	for _, c := range []struct {
		name   string
		status int
		header string
		want   *AuthRequired
	}{
		{"first contact", 401, `Bearer resource_metadata="https://gw/.well-known/x", scope="mcp:orders"`,
			&AuthRequired{401, "https://gw/.well-known/x", "mcp:orders", ""}},
		{"bad token", 401, `bearer error="invalid_token",error_description="a \"quoted\", text" , scope="a b"`, &AuthRequired{401, "", "a b", "invalid_token"}},
		{"scope lacking", 403, `Bearer error="insufficient_scope", scope="orders.delete"`, &AuthRequired{403, "", "orders.delete", "insufficient_scope"}},
		{"unquoted", 401, `Bearer error=invalid_token, scope=x`, &AuthRequired{401, "", "x", "invalid_token"}},
		{"another scheme", 401, `Basic realm="x"`, &AuthRequired{Status: 401}},
		{"no header", 401, "", &AuthRequired{Status: 401}},
		{"role lacking", 403, "", nil},
		{"fine", 200, "", nil},
		{"cut short", 401, `Bearer scope="x`, &AuthRequired{Status: 401, Scope: "x"}},
	} {
		resp := &http.Response{StatusCode: c.status, Header: http.Header{}}
		if c.header != "" {
			resp.Header.Set("WWW-Authenticate", c.header)
		}
		got := challenge(resp)
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Bearer resource_metadata="https://gw/x", scope="a"`)
	f.Add(`Bearer a="\`)
	f.Fuzz(func(t *testing.T, header string) { bearerParams(header) })
}

func TestStreamsAreReadToTheAnswer(t *testing.T) {
	for _, c := range []struct{ name, stream, want string }{
		{"ping and progress before it", ": ping\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n" +
			"event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":1}}\n\n", `{"a":1}`},
		{"carriage returns", "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\r\n\r\n", `{}`},
		{"data in two lines", "data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":7,\"result\":{}}\n\n", `{}`},
		{"another id first", "data: {\"id\":6,\"result\":{}}\n\ndata: {\"id\":7,\"result\":{\"b\":1}}\n\n", `{"b":1}`},
		{"no answer", "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n", ""},
		{"cut short", "data: {\"jsonrpc\":\"2.0\",\"id\":7,", ""},
	} {
		got, err := fromStream(strings.NewReader(c.stream), 200, 7)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %s, %v", c.name, got, err)
		}
	}
}

func TestNamesSurviveAsHeaders(t *testing.T) { // SEP-2243
	for name, want := range map[string]string{
		"get_order": "get_order", "ä": "=?base64?w6Q=?=", " x": "=?base64?IHg=?=", "=?base64?x?=": "=?base64?PT9iYXNlNjQ/eD89?=", "a\nb": "=?base64?YQpi?=",
	} {
		if got := headerForm(name); got != want {
			t.Errorf("headerForm(%q) = %s, want %s", name, got, want)
		}
	}
}

func TestSomethingElseThanAServerIsNamed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>secret host</html>")
	}))
	defer s.Close()
	_, err := Connect(t.Context(), Config{URL: s.URL, HTTP: s.Client()})
	var rpc *RPCError
	if !errors.As(err, &rpc) || rpc.Status != http.StatusBadGateway || strings.Contains(err.Error(), "secret") {
		t.Errorf("Connect = %v", err)
	}
}
