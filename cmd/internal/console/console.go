package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

//go:embed pages/console.css
var stylesheet []byte

//go:embed pages/portal.html
var portalText string

//go:embed pages/admin.html
var adminText string

//go:embed pages/frame.html
var frameText string

// Server is one MCP server as the portal shows it.
type Server struct {
	Name, Title, Description, Version, Owner string
	Public                                   bool
	// Allowed reports whether the caller may use it.
	Allowed func(c *identity.Caller) bool
	// Tools lists what the caller would get.
	Tools func(c *identity.Caller) []Tool
	URL   string
	// Connect are ready-made ways to connect, by client.
	Connect []Snippet
}

// Tool is one tool on a server's card.
type Tool struct{ Name, Description, Risk string }

// Snippet is one way to connect.
type Snippet struct {
	Client string // VS Code, Claude Code, …
	Text   string // command or steps, shown as they are
	Link   string // an address that installs by itself; ""
}

// Status is what the console's home shows.
type Status struct {
	Version, Instance, Config string
	Started                   time.Time
	Models                    []Model
	Backends                  []string
	Checks                    []Check
	Skipped                   []Skipped
	Strays                    []StrayRule
}

// Model is one model on the console.
type Model struct{ Name, Target, Provider string }

// Check is one line of the health table.
type Check struct{ Name, State string }

// StrayRule is an entry of access.tools that names no tool an upstream was seen to have; Near is the tool that may be meant.
type StrayRule struct{ Server, Tool, Near string }

// Skipped is an operation of a document that did not become a tool.
type Skipped struct{ API, Method, Path, Reason string }

// Handler serves portal and console.
type Handler struct {
	PublicURL string
	Name      string // ui.name; "" means Drawbridge
	Support   string // ui.support: a mailto: or https: link; ""
	// Caller returns who is signed in at this browser, or nil.
	Caller func(r *http.Request) *identity.Caller
	// Admin reports whether a caller is an administrator.
	Admin func(c *identity.Caller) bool
	// SignOutToken returns the form token that POST /sign-out wants from this browser.
	SignOutToken func(r *http.Request) string
	// FormAction is where the sign-out form may lead besides here: the provider's own sign-out, as a CSP source; "" nowhere.
	FormAction string
	// CheckForm reports why a form post of a signed-in person must not be believed.
	CheckForm func(w http.ResponseWriter, r *http.Request) error
	Servers   func() []Server
	Status    func(ctx context.Context) Status
	// Applications lists what a person has allowed.
	Applications func(ctx context.Context, subject string) ([]Application, error)
	// Disconnect ends one of a person's own grants and everything issued under it; ErrNotYours for anybody else's.
	Disconnect func(ctx context.Context, subject, grant string) error
	// Held lists tools of upstreams that changed and are held back; nil: there are none.
	Held func(ctx context.Context) ([]HeldTool, error)
	// Odd lists tools of upstreams whose texts look wrong, apart from those that are held; nil: there are none.
	Odd func(ctx context.Context) ([]OddTool, error)
	// Release shows a held tool again, if it is still what hash names.
	Release func(ctx context.Context, server, tool, hash string, by *identity.Caller) error
}

// HeldTool is a tool of an upstream that is not what was approved (mcp.md §15). The texts are for people: hidden characters
// are written out.
type HeldTool struct {
	Server, Name, Hash string
	Label              string // the name, for people
	Approved, Now      string // Approved is "" for a tool that is new
	Since              time.Time
	Findings           []string // what looks wrong in Now
}

// OddTool is a tool of an upstream that is shown to people although something in its texts looks wrong.
type OddTool struct {
	Server, Label string
	Findings      []string
}

// Application is one application that a person has allowed to use something.
type Application struct {
	Grant, Name, Resource string
	Since, Until          time.Time
}

// ErrNotYours is the answer to a grant that does not exist or is another person's: nobody learns which.
var ErrNotYours = errors.New("there is no such application among yours")

// Mount adds the pages' routes.
func (h *Handler) Mount(g *echo.Group) {
	for path, page := range map[string]echo.HandlerFunc{"/": h.portal, "/admin": h.admin} {
		g.Match([]string{http.MethodGet, http.MethodHead}, path, page) // HEAD as web servers answer it, for probes
	}
	g.POST("/applications/disconnect", h.disconnect)
	g.POST("/admin/tools/release", h.release)
	g.GET(stylePath, h.style)
	g.GET("/connect/:file", h.connect)
}

var stylePath = "/assets/console-" + digest(stylesheet) + ".css"

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

var (
	portalPage = page(portalText)
	adminPage  = page(adminText)
)

func page(text string) *template.Template {
	return template.Must(template.Must(template.New("frame").Parse(frameText)).New("page").Parse(text))
}

// view is what every page knows.
type view struct {
	Title, Product, Style, Support string
	Caller                         *identity.Caller
	Admin                          bool
	SignOut                        string
	Servers                        []card
	Status                         Status
	Here                           string
	Applications                   []Application
	Held                           []HeldTool
	Odd                            []OddTool
}

type card struct {
	Server
	Usable bool
	Tools  []Tool
}

func (h *Handler) view(r *http.Request, title string) view {
	c := h.Caller(r)
	v := view{Title: title, Product: h.Name, Style: stylePath, Caller: c, Here: r.URL.Path}
	if v.Product == "" {
		v.Product = "Drawbridge"
	}
	if u, err := url.Parse(h.Support); err == nil && (u.Scheme == "mailto" || u.Scheme == "https") {
		v.Support = h.Support
	}
	if c != nil {
		v.Admin, v.SignOut = h.Admin(c), h.SignOutToken(r)
	}
	return v
}

// portal shows public servers to everybody and to a person what they may use; others do not exist for them.
func (h *Handler) portal(c echo.Context) error {
	r := c.Request()
	v := h.view(r, "Servers")
	anonymous := &identity.Caller{Kind: identity.Anonymous}
	for _, s := range h.Servers() {
		usable := v.Caller != nil && s.Allowed(v.Caller)
		if !s.Public && !usable {
			continue
		}
		one := card{Server: s, Usable: usable}
		if usable {
			one.Tools = s.Tools(v.Caller)
		} else if s.Public && s.Allowed(anonymous) {
			one.Tools = s.Tools(anonymous)
		}
		v.Servers = append(v.Servers, one)
	}
	if v.Caller != nil {
		apps, err := h.Applications(r.Context(), v.Caller.Subject)
		if err != nil {
			return fmt.Errorf("list applications: %w", err)
		}
		v.Applications = apps
	}
	return h.render(c, portalPage, http.StatusOK, v)
}

// disconnect ends an application's access at the press of a button on the portal.
func (h *Handler) disconnect(c echo.Context) error {
	r := c.Request()
	caller := h.Caller(r)
	if caller == nil {
		return c.Redirect(http.StatusSeeOther, "/sign-in?return="+url.QueryEscape("/"))
	}
	if err := h.CheckForm(c.Response(), r); err != nil {
		return echo.NewHTTPError(http.StatusForbidden, "this form was not sent from the portal; open the portal and press the button again")
	}
	err := h.Disconnect(r.Context(), caller.Subject, r.PostFormValue("grant"))
	if errors.Is(err, ErrNotYours) {
		return echo.NewHTTPError(http.StatusNotFound, ErrNotYours.Error())
	}
	if err != nil {
		return fmt.Errorf("disconnect: %w", err)
	}
	return c.Redirect(http.StatusSeeOther, "/#applications")
}

// admin is for administrators: a stranger signs in first, others learn which role they lack.
func (h *Handler) admin(c echo.Context) error {
	v := h.view(c.Request(), "Console")
	switch {
	case v.Caller == nil:
		return c.Redirect(http.StatusSeeOther, "/sign-in?return="+url.QueryEscape("/admin"))
	case !v.Admin:
		v.Title = "Not for you"
		return h.render(c, adminPage, http.StatusForbidden, v)
	}
	for _, s := range h.Servers() {
		v.Servers = append(v.Servers, card{Server: s, Usable: s.Allowed(v.Caller), Tools: s.Tools(v.Caller)})
	}
	v.Status = h.Status(c.Request().Context())
	if h.Held != nil {
		held, err := h.Held(c.Request().Context())
		if err != nil {
			return fmt.Errorf("list held tools: %w", err)
		}
		v.Held = held
	}
	if h.Odd != nil {
		odd, err := h.Odd(c.Request().Context())
		if err != nil {
			return fmt.Errorf("list odd tools: %w", err)
		}
		v.Odd = odd
	}
	return h.render(c, adminPage, http.StatusOK, v)
}

// release shows a held tool again at the press of a button on the console.
func (h *Handler) release(c echo.Context) error {
	r := c.Request()
	caller := h.Caller(r)
	if caller == nil {
		return c.Redirect(http.StatusSeeOther, "/sign-in?return="+url.QueryEscape("/admin"))
	}
	if err := h.CheckForm(c.Response(), r); err != nil {
		return echo.NewHTTPError(http.StatusForbidden, "this form was not sent from the console; open the console and press the button again")
	}
	if !h.Admin(caller) || h.Release == nil {
		return echo.NewHTTPError(http.StatusForbidden, "only administrators release tools")
	}
	err := h.Release(r.Context(), r.PostFormValue("server"), r.PostFormValue("tool"), r.PostFormValue("hash"), caller)
	if err != nil {
		return echo.NewHTTPError(http.StatusConflict, "the tool is not what it was when this page was made; open the console and look at it again").SetInternal(err)
	}
	return c.Redirect(http.StatusSeeOther, "/admin#held")
}

// connect answers /connect/{server}.json for servers the caller may see.
func (h *Handler) connect(c echo.Context) error {
	name, ok := strings.CutSuffix(c.Param("file"), ".json")
	caller := h.Caller(c.Request())
	for _, s := range h.Servers() {
		if !ok || s.Name != name || !s.Public && (caller == nil || !s.Allowed(caller)) {
			continue
		}
		for _, snippet := range s.Connect {
			if snippet.Client == "json" {
				c.Response().Header().Set("Cache-Control", "no-store")
				return c.Blob(http.StatusOK, "application/json", []byte(snippet.Text))
			}
		}
	}
	return echo.NewHTTPError(http.StatusNotFound, "there is no such server")
}

func (h *Handler) style(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	return c.Blob(http.StatusOK, "text/css; charset=utf-8", stylesheet)
}

// render writes a page with the headers of operations.md §9.2 G1 and G3.
func (h *Handler) render(c echo.Context, t *template.Template, status int, v view) error {
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return err
	}
	head := c.Response().Header()
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action "+strings.TrimSpace("'self' "+h.FormAction)+"; frame-ancestors 'none'; base-uri 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Referrer-Policy", "same-origin") // pages hold the sign-out form
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cache-Control", "no-store")
	if strings.HasPrefix(h.PublicURL, "https:") {
		head.Set("Strict-Transport-Security", "max-age=31536000")
	}
	return c.HTMLBlob(status, b.Bytes())
}
