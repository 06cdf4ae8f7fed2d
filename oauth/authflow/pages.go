package authflow

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

//go:embed pages/*.html pages/style.css
var files embed.FS

// pages are the parsed templates and the style sheet, at an address that changes with its content.
type pages struct {
	byName    map[string]*template.Template
	style     []byte
	stylePath string
}

func newPages() (*pages, error) {
	style, err := files.ReadFile("pages/style.css")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(style)
	p := &pages{byName: map[string]*template.Template{}, style: style, stylePath: "/assets/sign-in." + hex.EncodeToString(sum[:6]) + ".css"}
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		return nil, err
	}
	for _, file := range names {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "pages/"), ".html")
		if name == "layout" {
			continue
		}
		t, err := template.ParseFS(files, "pages/layout.html", file)
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		p.byName[name] = t
	}
	return p, nil
}

// base is what every page has.
type base struct {
	Title   string
	Style   string
	Gateway string // host of this gateway
	Public  string // its origin
}

func (h *Handler) base(title string) base {
	host := h.PublicURL
	if u, err := url.Parse(h.PublicURL); err == nil {
		host = u.Host
	}
	return base{Title: title, Style: h.pages.stylePath, Gateway: host, Public: h.PublicURL}
}

// render answers with a page. formTargets, when not nil, says that it has a form and where that may lead beside
// ourselves.
func (h *Handler) render(c echo.Context, status int, name string, view any, formTargets []string) error {
	var out bytes.Buffer // whole, so that a fault of a template is not half a page
	if err := h.pages.byName[name].ExecuteTemplate(&out, "layout", view); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	h.pageHeaders(c, formTargets)
	head := c.Response().Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Response().WriteHeader(status)
	_, _ = c.Response().Write(out.Bytes()) // the caller has gone
	return nil
}

// pageHeaders sets the headers of every page (oauth.md §5.4). A page with a form says Referrer-Policy: same-origin,
// because under no-referrer browsers send "Origin: null" with the post, which we refuse; nil formTargets mean no form.
func (h *Handler) pageHeaders(c echo.Context, formTargets []string) {
	head := c.Response().Header()
	action := "form-action 'self'"
	for _, t := range formTargets {
		action += " " + t
	}
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; "+action)
	head.Set("X-Frame-Options", "DENY")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "no-store")
	head.Set("Referrer-Policy", "no-referrer")
	if formTargets != nil {
		head.Set("Referrer-Policy", "same-origin")
	}
	if h.secure {
		head.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// errorView is the page of a refusal.
type errorView struct {
	base
	Cause, Advice, RequestID string
	Client                   string
	Back                     template.URL
}

func (h *Handler) showError(c echo.Context, e *pageError) error {
	view := errorView{base: h.base("Sign-in stopped"), Cause: e.cause, Advice: e.advice, RequestID: identity.RequestID(c.Request().Context())}
	if e.status >= 500 {
		view.Title = "Sign-in is not possible right now"
	}
	if e.back != nil {
		view.Client = e.back.Client
		view.Back = template.URL(e.back.URL) // a validated redirect URI, cursor: and the like among them; never javascript: (redirectable)
	}
	return h.render(c, e.status, "error", view, nil)
}

// serveStyle serves the style sheet for good: its address has its hash.
func (h *Handler) serveStyle(c echo.Context) error {
	head := c.Response().Header()
	head.Set("Content-Type", "text/css; charset=utf-8")
	head.Set("Cache-Control", "public, max-age=31536000, immutable")
	head.Set("X-Content-Type-Options", "nosniff")
	c.Response().WriteHeader(http.StatusOK)
	_, _ = c.Response().Write(h.pages.style)
	return nil
}
