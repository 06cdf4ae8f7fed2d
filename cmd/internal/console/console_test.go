package console

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// house is a portal with a public and a private server, and one person's application.
func house(caller *identity.Caller) (*Handler, *string) {
	ended := ""
	server := func(name string, public bool, role string) Server {
		return Server{
			Name: name, Title: "<b>" + name + "</b>", Version: "1", Public: public, URL: "http://gw/mcp/" + name,
			Allowed: func(c *identity.Caller) bool { return role == "" || c.HasRole(role) },
			Tools:   func(*identity.Caller) []Tool { return []Tool{{Name: name + "Tool", Risk: "read"}} },
			Connect: []Snippet{{Client: "json", Text: `{"name":"` + name + `"}`}, {Client: "VS Code", Text: "code …", Link: "https://insiders.vscode.dev/redirect?url=x"}},
		}
	}
	return &Handler{
		PublicURL:    "http://gw",
		Caller:       func(*http.Request) *identity.Caller { return caller },
		Admin:        func(c *identity.Caller) bool { return c.HasRole("Admin") },
		SignOutToken: func(*http.Request) string { return "form-token" },
		CheckForm: func(_ http.ResponseWriter, r *http.Request) error {
			if r.PostFormValue("token") != "form-token" {
				return errors.New("no")
			}
			return nil
		},
		Servers: func() []Server { return []Server{server("open", true, ""), server("secret", false, "Admin")} },
		Status: func(context.Context) Status {
			return Status{Started: time.Unix(0, 0), Checks: []Check{{"Database", "good"}}}
		},
		Applications: func(_ context.Context, subject string) ([]Application, error) {
			return []Application{{Grant: "g1", Name: subject + "'s editor", Resource: "open"}}, nil
		},
		Disconnect: func(_ context.Context, _, grant string) error {
			if grant != "g1" {
				return ErrNotYours
			}
			ended = grant
			return nil
		},
	}, &ended
}

func ask(t *testing.T, h *Handler, method, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	e := echo.New()
	h.Mount(e.Group(""))
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

var (
	admin = &identity.Caller{Kind: identity.Person, Subject: "dev/alice", Name: "alice", Roles: []string{"Admin"}}
	user  = &identity.Caller{Kind: identity.Person, Subject: "dev/bob", Name: "bob"}
)

func TestThePortalShowsOnlyWhatOneMaySee(t *testing.T) {
	for _, c := range []struct {
		name       string
		caller     *identity.Caller
		has, lacks []string
	}{
		{"a stranger", nil, []string{"openTool", "/sign-in?return=%2f"}, []string{"secret", "editor", "Console"}},
		{"a user", user, []string{"openTool", "bob", "dev/bob&#39;s editor"}, []string{"secret", "Console"}},
		{"an administrator", admin, []string{"openTool", "secretTool", "Console"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, _ := house(c.caller)
			body := ask(t, h, "GET", "/", nil).Body.String()
			for _, want := range c.has {
				if !strings.Contains(body, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			for _, bad := range append(c.lacks, "<b>open", "<script", "style=") {
				if strings.Contains(body, bad) {
					t.Errorf("the page shows %q", bad)
				}
			}
		})
	}
}

func TestPagesCarryTheirProtection(t *testing.T) { // operations.md G1, G3
	h, _ := house(user)
	head := ask(t, h, "GET", "/", nil).Header()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		"X-Frame-Options":         "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
	} {
		if head.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, head.Get(name), want)
		}
	}
}

// oauth.md §5.4: HTML pages keep browsers on https, once the gateway is there.
func TestPagesOfAnHTTPSGatewayKeepBrowsersOnIt(t *testing.T) {
	for public, want := range map[string]string{"https://gw.example.com": "max-age=31536000", "http://127.0.0.1:8080": ""} {
		h, _ := house(user)
		h.PublicURL = public
		if got := ask(t, h, "GET", "/", nil).Header().Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: %q, want %q", public, got, want)
		}
	}
}

func TestTheConsoleIsForAdministrators(t *testing.T) {
	for _, c := range []struct {
		caller *identity.Caller
		want   int
	}{{nil, 303}, {user, 403}, {admin, 200}} {
		h, _ := house(c.caller)
		if got := ask(t, h, "GET", "/admin", nil); got.Code != c.want || c.want != 200 && strings.Contains(got.Body.String(), "secret") {
			t.Errorf("console for %v = %d, want %d without anything of it", c.caller, got.Code, c.want)
		}
	}
}

// A number of tools says how many there are; where there is none to count, why.
func TestPagesCountWhatThereIs(t *testing.T) {
	h, _ := house(admin)
	h.Servers = func() []Server {
		of := func(name string, allowed bool, tools ...Tool) Server {
			return Server{Name: name, Title: name, Allowed: func(*identity.Caller) bool { return allowed }, Tools: func(*identity.Caller) []Tool { return tools }}
		}
		return []Server{of("one", true, Tool{Name: "a"}), of("two", true, Tool{Name: "a"}, Tool{Name: "b"}), of("silent", true), of("theirs", false)}
	}
	portal, console := ask(t, h, "GET", "/", nil).Body.String(), ask(t, h, "GET", "/admin", nil).Body.String()
	for _, want := range []string{"<summary>1 tool</summary>", "<summary>2 tools</summary>", "<code>silent</code></p>"} {
		if !strings.Contains(portal, want) {
			t.Errorf("the portal lacks %q", want)
		}
	}
	for _, want := range []string{"<td>two</td><td></td><td>2</td>", "<td>silent</td><td></td><td>none seen</td>", "<td>theirs</td><td></td><td>not for you</td>"} {
		if !strings.Contains(console, want) {
			t.Errorf("the console lacks %q:\n%s", want, console)
		}
	}
}

func TestConnectTellsNothingOfServersOneMayNotSee(t *testing.T) {
	h, _ := house(user)
	if got := ask(t, h, "GET", "/connect/open.json", nil); got.Code != 200 || got.Body.String() != `{"name":"open"}` {
		t.Errorf("open = %d %s", got.Code, got.Body)
	}
	secret, nothing := ask(t, h, "GET", "/connect/secret.json", nil), ask(t, h, "GET", "/connect/nothing.json", nil)
	if secret.Code != 404 || secret.Body.String() != nothing.Body.String() {
		t.Errorf("secret = %d %s, nothing = %s; want the same 404", secret.Code, secret.Body, nothing.Body)
	}
}

func TestDisconnectEndsOnesOwnGrantAndNeedsTheForm(t *testing.T) {
	for _, c := range []struct {
		name         string
		caller       *identity.Caller
		token, grant string
		want         int
		ended        string
	}{
		{"own", user, "form-token", "g1", 303, "g1"},
		{"somebody else's", user, "form-token", "g2", 404, ""},
		{"sent from elsewhere", user, "guess", "g1", 403, ""},
		{"a stranger", nil, "form-token", "g1", 303, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, ended := house(c.caller)
			got := ask(t, h, "POST", "/applications/disconnect", url.Values{"token": {c.token}, "grant": {c.grant}})
			if got.Code != c.want || *ended != c.ended {
				t.Errorf("= %d, ended %q; want %d, %q", got.Code, *ended, c.want, c.ended)
			}
		})
	}
}
