package authflow

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// signInView is the sign-in page of portal and console.
type signInView struct {
	base
	Return        string
	Provider      string
	Organizations []organization // empty: one button without a choice
}

// showSignIn shows the provider's buttons. With the dev provider it goes straight to the people, who are a page of
// buttons themselves.
func (h *Handler) showSignIn(c echo.Context) error {
	back := returnPath(c.QueryParam("return"))
	if _, ok := h.Sessions.Caller(c.Request()); ok {
		h.pageHeaders(c, nil)
		return redirectHere(c, back)
	}
	if h.picker != nil {
		return h.startPortal(c, back, "")
	}
	view := signInView{base: h.base("Sign in"), Return: back, Provider: h.ProviderName}
	if tenants := h.Provider.Tenants(); len(tenants) > 1 {
		view.Organizations = h.organizations(c.Request(), tenants)
	}
	return h.render(c, http.StatusOK, "signin", view, h.formTargets(&oauth.Transaction{Portal: true}))
}

func (h *Handler) firstTenant() string {
	if t := h.Provider.Tenants(); len(t) > 0 {
		return t[0].ID
	}
	return ""
}

func (h *Handler) handleSignIn(c echo.Context) error {
	form, err := h.guardForm(c.Response(), c.Request())
	if err != nil {
		return err
	}
	tenant := form.Get("organization")
	if tenant != "" && !h.hasTenant(tenant) {
		return forgedForm(nil)
	}
	return h.startPortal(c, returnPath(form.Get("return")), tenant)
}

// startPortal begins a transaction without a client: it ends in a session instead of a code.
func (h *Handler) startPortal(c echo.Context, back, tenant string) error {
	t := h.freshTransaction()
	t.Portal, t.ReturnTo, t.Tenant = true, back, tenant
	return h.depart(c, &t, departure{})
}

// enterPortal ends a portal transaction: a fresh session, whatever cookie the browser came with (fixation).
func (h *Handler) enterPortal(c echo.Context, t *oauth.Transaction) error {
	ctx := c.Request().Context()
	done := *t
	done.Status, done.Upstream = oauth.Done, nil
	if err := h.Store.SwapTransaction(ctx, oauth.Consenting, done); err != nil {
		return storeDown(err)
	}
	h.Sessions.End(c.Response(), c.Request())
	if err := h.Sessions.Start(ctx, c.Response(), *t.Identity); err != nil {
		return storeDown(err)
	}
	return redirectHere(c, returnPath(t.ReturnTo))
}

// handleSignOut ends the session of portal and console; it revokes no client's grant (oauth.md §11.11).
func (h *Handler) handleSignOut(c echo.Context) error {
	r := c.Request()
	if err := h.Sessions.CheckForm(c.Response(), r); err != nil {
		return forgedForm(err)
	}
	s, _ := h.Sessions.Caller(r)
	h.Sessions.End(c.Response(), r)
	h.pageHeaders(c, nil)
	to := "/"
	if out, ok := h.Provider.(SignOuter); ok && s != nil {
		if u := out.SignOutURL(s.Identity.Tenant, h.PublicURL+"/"); u != "" {
			to = u // parameters of the request have no say in where this goes
		}
	}
	return redirectHere(c, to)
}

// SignOutSource returns where a sign-out form may lead beside this gateway, as a source for the form-action of pages that
// have one; "" when it stays here. Without it Chromium blocks the redirect to the provider without a word.
func (h *Handler) SignOutSource() string {
	out, ok := h.Provider.(SignOuter)
	if !ok {
		return ""
	}
	return source(out.SignOutURL(h.firstTenant(), h.PublicURL+"/"))
}

// returnPath accepts a path of this gateway and nothing else. Browsers read "//host" and "/\host" as another host, and
// drop tabs and line ends inside.
func returnPath(raw string) string {
	if len(raw) > 2048 || !strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "//") || strings.ContainsAny(raw, "\\\r\n\t\x00") {
		return "/"
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	for _, own := range []string{"/sign-in", "/sign-out", "/oauth/"} { // no loops
		if strings.HasPrefix(u.Path, own) {
			return "/"
		}
	}
	return u.String()
}
