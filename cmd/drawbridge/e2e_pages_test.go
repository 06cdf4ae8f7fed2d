package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// pagesReport is what testdata/clients/pages.mjs saw in Chromium.
type pagesReport struct {
	Outside, Failures []string
	Pages             []struct {
		Name, Title, Lang     string
		Headings              []string
		Main, Scripts, Inline int
		Width                 float64
		Wide                  *float64
	}
	SignIn, Consent struct {
		Stops []string
		Size  struct{ Width, Height float64 }
	}
	Ended, Denied string
	Arrived       []string
}

// TestPagesWorkInABrowserByKeyboardWithoutScripts drives sign-in and consent in headless Chromium (oauth.md row 74,
// operations.md G5–G9): JavaScript off, Tab and Enter only, light, dark and 320 px, nothing loaded from elsewhere, and the
// code arrives at a loopback redirect in spite of the form-action trap.
func TestPagesWorkInABrowserByKeyboardWithoutScripts(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("Chromium is not installed; `task setup` installs it")
	}
	t.Setenv("CHROMIUM", chromium)
	g := try(t)
	redirect := "http://127.0.0.1:33421/callback"
	verifier := random()
	sum := sha256.Sum256([]byte(verifier))
	s := &signIn{base: g.ready.URL, client: http.DefaultClient}
	id, err := s.register(t.Context(), &serverMetadata{Registration: g.ready.URL + "/oauth/register"}, redirect)
	if err != nil {
		t.Fatal(err)
	}
	address := g.ready.URL + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirect}, "state": {"from-the-app"}, "resource": {g.ready.MCPURL},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	out := os.Getenv("DRAWBRIDGE_SCREENSHOTS") // a folder to look at the pages afterwards
	if out == "" {
		out = t.TempDir()
	}
	var r pagesReport
	node(t, &r, "pages.mjs", address, out)
	if len(r.Outside) > 0 || len(r.Failures) > 0 {
		t.Errorf("loaded from elsewhere: %v; complaints: %v", r.Outside, r.Failures)
	}
	if len(r.Pages) != 6 {
		t.Fatalf("saw %d pages, want 6", len(r.Pages))
	}
	for _, p := range r.Pages {
		if p.Lang == "" || len(p.Headings) != 1 || p.Main != 1 || p.Scripts != 0 || p.Inline != 0 || p.Title == "" {
			t.Errorf("%s: lang %q, headings %q, main %d, scripts %d, style attributes %d, title %q", p.Name, p.Lang, p.Headings, p.Main, p.Scripts, p.Inline, p.Title)
		}
		if strings.HasSuffix(p.Name, "narrow") && (p.Width > 320 || p.Wide != nil && *p.Wide > 320) {
			t.Errorf("%s: %v px wide, scrolls to %v at 320 px", p.Name, p.Width, *p.Wide)
		}
	}
	if r.Consent.Size.Height < 44 || r.SignIn.Size.Height < 44 {
		t.Errorf("buttons are %v and %v px high, want 44 at least", r.SignIn.Size.Height, r.Consent.Size.Height)
	}
	deny, allow := -1, -1
	for i, s := range r.Consent.Stops {
		if regexp.MustCompile(`(?i)^deny`).MatchString(s) && deny < 0 {
			deny = i
		}
		if regexp.MustCompile(`(?i)^allow`).MatchString(s) {
			allow = i
		}
	}
	if deny < 0 || allow < deny {
		t.Errorf("Tab stops %q: Deny must be reachable before Allow (oauth.md §5.2)", r.Consent.Stops)
	}
	for name, address := range map[string]string{"allowed": r.Ended, "denied": r.Denied} {
		u, err := url.Parse(address)
		if err != nil || !strings.HasPrefix(address, redirect) || u.Query().Get("state") != "from-the-app" || u.Query().Get("iss") != g.ready.URL {
			t.Errorf("%s: the browser ended at %s", name, address)
			continue
		}
		if code := u.Query().Get("code"); (name == "allowed") != strings.HasPrefix(code, "dbc_") || (name == "denied") != (u.Query().Get("error") == "access_denied") {
			t.Errorf("%s: %s", name, address)
		}
	}
	ended, _ := url.Parse(r.Ended)
	token, err := s.redeem(context.WithoutCancel(t.Context()), &serverMetadata{Token: g.ready.URL + "/oauth/token"}, url.Values{
		"grant_type": {"authorization_code"}, "code": {ended.Query().Get("code")}, "redirect_uri": {redirect}, "client_id": {id}, "code_verifier": {verifier},
	})
	if err != nil || strings.Count(token, ".") != 2 {
		t.Errorf("the code that arrived in the browser gave %q, %v", fmt.Sprintf("%.10s…", token), err)
	}
}
