package authorization

import (
	"net/http"
	"testing"
)

func TestChallengesAreRead(t *testing.T) { // RFC 9728 §5.1, RFC 6750 §3
	for _, c := range []struct {
		name   string
		status int
		header string
		want   *Required
	}{
		{"first contact", 401, `Bearer resource_metadata="https://gw/.well-known/x", scope="mcp:orders"`,
			&Required{401, "https://gw/.well-known/x", "mcp:orders", ""}},
		{"bad token", 401, `bearer error="invalid_token",error_description="a \"quoted\", text" , scope="a b"`, &Required{401, "", "a b", "invalid_token"}},
		{"scope lacking", 403, `Bearer error="insufficient_scope", scope="orders.delete"`, &Required{403, "", "orders.delete", "insufficient_scope"}},
		{"unquoted", 401, `Bearer error=invalid_token, scope=x`, &Required{401, "", "x", "invalid_token"}},
		{"another scheme", 401, `Basic realm="x"`, &Required{Status: 401}},
		{"no header", 401, "", &Required{Status: 401}},
		{"role lacking", 403, "", nil},
		{"fine", 200, "", nil},
		{"behind another scheme", 401, `Basic realm="Bearer scope=x", Bearer scope="a", error="invalid_token"`, &Required{401, "", "a", "invalid_token"}},
		{"before another scheme", 401, `Bearer scope="a", DPoP scope="b", error="e"`, &Required{Status: 401, Scope: "a"}},
		{"behind a token", 401, `Negotiate abc==, Bearer scope="a"`, &Required{Status: 401, Scope: "a"}},
		{"cut short", 401, `Bearer scope="x`, &Required{Status: 401, Scope: "x"}},
	} {
		resp := &http.Response{StatusCode: c.status, Header: http.Header{}}
		if c.header != "" {
			resp.Header.Set("WWW-Authenticate", c.header)
		}
		got := ReadChallenge(resp)
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestChallengesStandInFieldsOfTheirOwn(t *testing.T) { // RFC 9110 §11.6.1
	resp := &http.Response{StatusCode: 401, Header: http.Header{"Www-Authenticate": {`Basic realm="x"`, `Bearer scope="a"`, `Bearer scope="b"`}}}
	if got := ReadChallenge(resp); got == nil || got.Scope != "a" {
		t.Errorf("%+v", got)
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Bearer resource_metadata="https://gw/x", scope="a"`)
	f.Add(`Bearer a="\`)
	f.Fuzz(func(t *testing.T, header string) { bearerParams([]string{header, header}) })
}
