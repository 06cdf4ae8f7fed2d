package authflow

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Clients finds clients of all kinds: configured, registered, and documents, which may be fetched for it.
type Clients interface {
	// Client returns the client with this id, whatever its status; oauth.ErrNotFound when nobody knows it,
	// *registration.DocumentError when its document cannot be used.
	Client(ctx context.Context, id string) (oauth.Client, error)
}

// Picker is what a provider without a page of its own offers (the dev provider): people to pick from.
type Picker interface {
	People() []oauth.Identity
	// Issue makes a one-time code for a person, good for the transaction with this upstream state only.
	Issue(upstreamState, subject string) (string, error)
}

// SignOuter is a provider that can end its own session in the browser.
type SignOuter interface {
	// SignOutURL returns where to go for it; afterwards the provider sends the browser to after. "" when it cannot.
	SignOutURL(tenant, after string) string
}

// Options are what the flow needs.
type Options struct {
	PublicURL     string // origin; also the issuer
	Store         oauth.Store
	Catalogue     oauth.Catalogue
	Clients       Clients
	MatchRedirect func(registered []string, asked string) bool // oauth.md §6.6; nil means registration.MatchRedirect
	Provider      oauth.Provider
	ProviderName  string // on the sign-in button; "" means "your organization account"
	Keyring       *secret.Keyring
	Config        oauth.Config   // CodeTTL, TransactionTTL, RefreshTokenTTL and Consent are read
	Record        oauth.Recorder // audit events; nil drops them
	Log           *slog.Logger   // nil: discarded
	Now           func() time.Time
}

// maxOpen is how many transactions may be open at once (oauth.md §17).
const maxOpen = 10_000

// Handler serves the pages of signing in and consenting.
type Handler struct {
	Options
	Sessions *Sessions // who is signed in to portal and console

	pages  *pages
	open   openOnes
	picker Picker // nil: the provider has pages of its own
	secure bool   // public_url is https: cookies are Secure and named __Host-
}

// New checks the options and prepares the pages.
func New(o Options) (*Handler, error) {
	if err := oauth.CheckPublicURL(o.PublicURL); err != nil {
		return nil, errors.New("public_url: " + err.Error())
	}
	if o.Store == nil || o.Catalogue == nil || o.Clients == nil || o.Provider == nil || o.Keyring == nil {
		return nil, errors.New("authflow: an option is missing")
	}
	if o.Config.Consent == "remember" {
		return nil, errors.New("oauth.consent: remember is not built yet; use always")
	}
	if o.MatchRedirect == nil {
		o.MatchRedirect = registration.MatchRedirect
	}
	if o.Config.CodeTTL <= 0 {
		o.Config.CodeTTL = time.Minute
	}
	if o.Config.TransactionTTL <= 0 {
		o.Config.TransactionTTL = 10 * time.Minute
	}
	if o.Config.RefreshTokenTTL <= 0 {
		o.Config.RefreshTokenTTL = 720 * time.Hour
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ProviderName == "" {
		o.ProviderName = "your organization account"
	}
	p, err := newPages()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(o.PublicURL)
	if err != nil {
		return nil, err
	}
	picker, _ := o.Provider.(Picker)
	return &Handler{Options: o, pages: p, picker: picker, secure: u.Scheme == "https",
		Sessions: &Sessions{Store: o.Store, Keyring: o.Keyring, PublicURL: o.PublicURL, Log: o.Log, Now: o.Now}}, nil
}

// Mount adds the routes to the root group.
func (h *Handler) Mount(g *echo.Group) {
	authorize := h.route("authorize.refused", h.handleAuthorize)
	g.GET("/oauth/authorize", authorize)
	g.POST("/oauth/authorize", authorize)
	g.POST("/oauth/organization", h.route("signin.failed", h.handleOrganization))
	g.GET("/oauth/callback", h.route("signin.failed", h.handleCallback))
	g.GET("/oauth/consent", h.route("consent.denied", h.showConsent))
	g.POST("/oauth/consent", h.route("consent.denied", h.handleConsent))
	g.POST("/oauth/consent/account", h.route("consent.denied", h.handleOtherAccount))
	g.GET("/sign-in", h.route("signin.failed", h.showSignIn))
	g.POST("/sign-in", h.route("signin.failed", h.handleSignIn))
	g.POST("/sign-out", h.route("signin.failed", h.handleSignOut))
	if h.picker != nil {
		g.GET("/oauth/dev/sign-in", h.route("signin.failed", h.showPeople))
		g.POST("/oauth/dev/sign-in", h.route("signin.failed", h.handlePerson))
	}
	g.GET(h.pages.stylePath, h.serveStyle)
}

// route answers the errors of a handler in one place: a page, or a redirect to a validated redirect URI, and the audit
// event of that name.
func (h *Handler) route(event string, handle echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := handle(c); err != nil {
			return h.fail(c, event, err)
		}
		return nil
	}
}
