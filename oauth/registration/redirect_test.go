package registration_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
)

func TestRedirectURIsThatMayBeRegistered(t *testing.T) {
	for _, uri := range []string{
		"https://claude.ai/api/mcp/auth_callback", "https://app.example/cb?x=1", "https://app.example:8443/cb", "https://app.example",
		"http://127.0.0.1/", "http://127.0.0.1:33418/", "http://localhost/callback", "http://localhost:8787/callback", "http://[::1]:1/cb",
		"http://127.0.0.1", "cursor://anysphere.cursor-mcp/oauth/callback", "com.example.app:/cb", "com.example.app:cb", "vscode://x/y",
	} {
		if !registration.ValidRedirect(uri) {
			t.Errorf("%q is refused", uri)
		}
	}
}

func TestRedirectURIsThatMayNotBeRegistered_79(t *testing.T) {
	for _, uri := range []string{
		"", "/relative", "claude.ai/cb", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "\tjavascript:alert(1)", " https://a.example/cb",
		"https://a.example/cb ", "https://a.example/c b", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://a.example/x",
		"about:blank", "view-source:https://a.example", "filesystem:https://a.example/x", "ftp://a.example/x", "ws://a.example/x",
		"wss://a.example/x", "mailto:a@b.example", "tel:1", "sms:1", "intent://x", "content://x", "chrome://settings", "chrome-extension://x/y",
		"moz-extension://x/y", "ms-appx://x", "resource://x", "jar:file:x", "http://evil.test/cb", "http://127.0.0.1.evil.test/cb",
		"http://localhost.evil.test/cb", "http://0x7f000001/cb", "http://2130706433/cb", "http://127.1/cb", "http://[::ffff:127.0.0.1]/cb",
		"http://0.0.0.0/cb", "http://127.0.0.2/cb", "https://a.example/cb#f", "https://a.example/cb#", "https://u:p@a.example/cb",
		"https://u@a.example/cb", "https://*.example/cb", "https:///cb", "https:a.example/cb", "https://", "https://:443/cb",
		"https://a.example\\@evil.test/cb", "https://a.example/\u00e9", "https://b\u00fccher.example/cb", "https://a.example/\x00", "https://a.example/\r\nx",
		"https://a.example:0/cb", "https://a.example:99999/cb", "https://a.example:/cb", "http://localhost:x/cb", "app:/cb", "app:cb",
		"app:", "com.example.app:", "HTTPS://a.example/cb", "Cursor://x/y", "c_d://x", "https://" + strings.Repeat("a", 2048) + ".example/",
		"http://127.0.0.1@evil.test/cb", "http://localhost\x09/cb", "https://a.example;x/cb", "https://a,b.example/cb", "https://a.example/<x>",
		"https://a.example/\"x", "https://a.example/{x}", "https://[::1%25eth0]/cb", "https://a'b.example/cb",
	} {
		if registration.ValidRedirect(uri) {
			t.Errorf("%q is accepted", uri)
		}
	}
}

func TestMatchRedirect_3_to_10(t *testing.T) {
	web := "https://claude.ai/api/mcp/auth_callback"
	for _, tc := range []struct {
		row, registered, asked string
		want                   bool
	}{
		{"equal", web, web, true},
		{"3 suffix", web, web + "/x", false},
		{"3 dots", "https://a.example/callback", "https://a.example/callback/../x", false},
		{"3 encoded dots", "https://a.example/callback", "https://a.example/callback/%2e%2e/x", false},
		{"3 path parameter", web, web + ";x", false},
		{"3 case of path", web, "https://claude.ai/api/mcp/AUTH_callback", false},
		{"3 encoded letter", "https://a.example/cb", "https://a.example/%63b", false},
		{"4 query", web, web + "?x=1", false},
		{"4 empty query", web, web + "?", false},
		{"4 fragment", web, web + "#x", false},
		{"4 userinfo", web, "https://u@claude.ai/api/mcp/auth_callback", false},
		{"4 registered query", "https://a.example/cb?t=1", "https://a.example/cb?t=1", true},
		{"5 evil suffix", web, "https://claude.ai.evil.test/api/mcp/auth_callback", false},
		{"5 trailing dot", web, "https://claude.ai./api/mcp/auth_callback", false},
		{"5 default port", web, "https://claude.ai:443/api/mcp/auth_callback", false},
		{"5 homoglyph", web, "https://cl\u0430ude.ai/api/mcp/auth_callback", false},
		{"5 upper case", web, "https://CLAUDE.ai/api/mcp/auth_callback", false},
		{"6 http", web, "http://claude.ai/api/mcp/auth_callback", false},
		{"7 any port", "http://127.0.0.1/callback", "http://127.0.0.1:51234/callback", true},
		{"7 no port asked", "http://127.0.0.1:33418/callback", "http://127.0.0.1/callback", true},
		{"7 other port", "http://127.0.0.1:33418/", "http://127.0.0.1:40000/", true},
		{"7 empty path is slash", "http://127.0.0.1/", "http://127.0.0.1:1", true},
		{"7 slash is empty path", "http://127.0.0.1:33418", "http://127.0.0.1:1/", true},
		{"7 other path", "http://127.0.0.1/callback", "http://127.0.0.1:51234/other", false},
		{"7 other query", "http://127.0.0.1/callback", "http://127.0.0.1:51234/callback?x", false},
		{"7 query without path", "http://127.0.0.1/?x", "http://127.0.0.1:1?x", true},
		{"7 port 0", "http://127.0.0.1/callback", "http://127.0.0.1:0/callback", false},
		{"7 port 65536", "http://127.0.0.1/callback", "http://127.0.0.1:65536/callback", false},
		{"7 port 65535", "http://127.0.0.1/callback", "http://127.0.0.1:65535/callback", true},
		{"7 port +1", "http://127.0.0.1/callback", "http://127.0.0.1:+1/callback", false},
		{"7 port 01", "http://127.0.0.1/callback", "http://127.0.0.1:01/callback", false},
		{"7 empty port", "http://127.0.0.1/callback", "http://127.0.0.1:/callback", false},
		{"7 https has no exception", "https://127.0.0.1/callback", "https://127.0.0.1:51234/callback", false},
		{"8 localhost", "http://localhost/callback", "http://localhost:51234/callback", true},
		{"8 IPv6", "http://[::1]/callback", "http://[::1]:51234/callback", true},
		{"9 evil suffix", "http://127.0.0.1/callback", "http://127.0.0.1.evil.test/callback", false},
		{"9 evil localhost", "http://localhost/callback", "http://localhost.evil.test/callback", false},
		{"9 hex", "http://127.0.0.1/callback", "http://0x7f000001/callback", false},
		{"9 number", "http://127.0.0.1/callback", "http://2130706433/callback", false},
		{"9 short", "http://127.0.0.1/callback", "http://127.1/callback", false},
		{"9 mapped", "http://127.0.0.1/callback", "http://[::ffff:7f00:1]/callback", false},
		{"9 any", "http://127.0.0.1/callback", "http://0.0.0.0/callback", false},
		{"9 userinfo", "http://127.0.0.1/callback", "http://127.0.0.1:1@evil.test/callback", false},
		{"10 other spelling", "http://127.0.0.1/callback", "http://localhost/callback", false},
		{"10 upper case", "http://localhost/callback", "http://LOCALHOST:1/callback", false},
		{"custom", "cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp/oauth/callback", true},
		{"custom other", "cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp/oauth/callback2", false},
		{"registered long ago, forbidden now", "javascript:alert(1)", "javascript:alert(1)", false},
		{"empty", web, "", false},
	} {
		t.Run(tc.row, func(t *testing.T) {
			if got := registration.MatchRedirect([]string{"https://other.example/", tc.registered}, tc.asked); got != tc.want {
				t.Errorf("MatchRedirect(%q, %q) = %v, want %v", tc.registered, tc.asked, got, tc.want)
			}
		})
	}
}

func TestRedirectURIsOfTheConfigurationAreChecked(t *testing.T) {
	err := registration.ValidateClients([]oauth.ClientConfig{{RedirectURIs: []string{"https://a.example/cb"}}, {RedirectURIs: []string{"http://localhost/", "http://a.example/"}}})
	if err == nil || !strings.HasPrefix(err.Error(), "clients[1].redirect_uris[1]: must be https") || strings.Contains(err.Error(), "\n") {
		t.Errorf("ValidateClients = %v", err)
	}
}

// FuzzRedirect holds what must be true of every address a code may go to, and of every match.
func FuzzRedirect(f *testing.F) {
	for _, s := range []string{
		"https://claude.ai/cb", "http://127.0.0.1:1/cb", "http://[::1]/", "cursor://x/y", "com.example:/cb", "javascript:x", "http://localhost:65535",
		"https://a@b/c", "http://127.0.0.1%2eevil/",
	} {
		f.Add(s, "http://127.0.0.1/cb")
	}
	f.Fuzz(func(t *testing.T, asked, registered string) {
		valid, match := registration.ValidRedirect(asked), registration.MatchRedirect([]string{registered}, asked)
		if match && !valid {
			t.Fatalf("%q matches and is not valid", asked)
		}
		if match && asked != registered && (!registration.IsLoopback(asked) || !registration.IsLoopback(registered)) {
			t.Fatalf("%q matches %q", asked, registered)
		}
		if !valid {
			return
		}
		u, err := url.Parse(asked)
		if err != nil || u.User != nil || u.Fragment != "" || strings.ContainsAny(asked, "\r\n\t \\#<>\"\x00") ||
			u.Scheme == "https" && strings.ContainsAny(u.Host, ";,*'") {
			t.Fatalf("%q is valid", asked)
		}
		if u.Scheme == "http" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" && u.Hostname() != "localhost" {
			t.Fatalf("%q is valid", asked)
		}
	})
}
