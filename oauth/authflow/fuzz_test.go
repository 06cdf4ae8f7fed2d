package authflow

import (
	"net/url"
	"strings"
	"testing"
)

func FuzzParseParams(f *testing.F) {
	f.Add("client_id=a&redirect_uri=https%3A%2F%2Fx%2Fy&state=%00&resource=a&resource=b")
	f.Add("state=" + strings.Repeat("s", 3000))
	f.Add("a;b=c&%zz=1")
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := parseParams(raw)
		if err != nil {
			return
		}
		for name, list := range p {
			if len(list) > 1 && name != "resource" {
				t.Errorf("%q came %d times", name, len(list))
			}
			for _, v := range list {
				if len(v) > maxParam {
					t.Errorf("%q has %d bytes", name, len(v))
				}
			}
		}
		_ = p.checkProtocol()
	})
}

func FuzzReturnPath(f *testing.F) {
	for _, s := range []string{"/", "//x", `/\x`, "/a?b=c#d", "https://x", "/%2f/x", "/..//x", "/\u2028/x"} {
		f.Add(s)
	}
	own, err := url.Parse("https://gw.example/")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := returnPath(raw)
		u, err := own.Parse(got)
		if err != nil || u.Host != "gw.example" || u.Scheme != "https" || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t") {
			t.Errorf("returnPath(%q) = %q", raw, got)
		}
	})
}

// A source of a Content-Security-Policy never ends its directive.
func FuzzSource(f *testing.F) {
	for _, s := range []string{"https://a.example/x", "http://127.0.0.1:1/", "cursor://x/y", "https://a;script-src *", "com.x.y:/cb", "http://[::1]:8/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if got := source(raw); strings.ContainsAny(got, " ;,'\"*\r\n\t") || got == "http:" {
			t.Errorf("source(%q) = %q", raw, got)
		}
	})
}

// The answer to a client has each parameter once, whatever was registered.
func FuzzDestination(f *testing.F) {
	f.Add("https://a.example/cb?code=x&iss=y&keep=%20", "s&code=1", true)
	f.Add("cursor://x/y", "\r\n", true)
	f.Fuzz(func(t *testing.T, uri, state string, has bool) {
		base, err := url.Parse(uri)
		if err != nil || base.Fragment != "" || base.Scheme == "" {
			return
		}
		got := destination{uri: uri, state: state, hasState: has}.with("https://gw.example", [][2]string{{"code", "dbc_x"}})
		u, err := url.Parse(got)
		if err != nil {
			t.Fatalf("with(%q) = %q: %v", uri, got, err)
		}
		q, _ := url.ParseQuery(u.RawQuery)
		if len(q["code"]) != 1 || q.Get("code") != "dbc_x" || len(q["iss"]) != 1 || has && (len(q["state"]) != 1 || q.Get("state") != state) {
			t.Errorf("with(%q) = %q", uri, got)
		}
		if strings.ContainsAny(got, "\r\n") {
			t.Errorf("line end in %q", got)
		}
	})
}
