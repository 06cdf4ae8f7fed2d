package authflow

import (
	"crypto/hmac"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// organizationView is the page "Choose your organization".
type organizationView struct {
	base
	Transaction, Token string
	Client             string // "" for the portal
	Organizations      []organization
}

type organization struct {
	ID, Name string
	Last     bool // chosen last time in this browser
}

// lastOrganization is a cookie that remembers the choice, as a pre-selection only.
const lastOrganization = "drawbridge-organization"

// showOrganizations lets a person choose among several tenants. There is no way around it: /common would accept every
// organization on earth.
func (h *Handler) showOrganizations(c echo.Context, t *oauth.Transaction, b browser, tenants []oauth.Tenant) error {
	view := organizationView{base: h.base("Choose your organization"), Transaction: t.ID, Token: h.formToken(b, starting, t),
		Client: oauth.DisplayName(t.Client.Name, 0), Organizations: h.organizations(c.Request(), tenants)}
	return h.render(c, http.StatusOK, "organization", view, h.formTargets(t))
}

func (h *Handler) organizations(r *http.Request, tenants []oauth.Tenant) []organization {
	last := ""
	if k, err := r.Cookie(cookieName(h.secure, lastOrganization)); err == nil {
		last = k.Value
	}
	list := make([]organization, 0, len(tenants))
	for _, t := range tenants {
		o := organization{ID: t.ID, Name: oauth.DisplayName(t.Name, 0), Last: t.ID == last}
		if o.Last {
			list = append([]organization{o}, list...)
			continue
		}
		list = append(list, o)
	}
	return list
}

// handleOrganization takes the choice and sends the browser to that organization's sign-in.
func (h *Handler) handleOrganization(c echo.Context) error {
	ctx := c.Request().Context()
	form, err := h.guardForm(c.Response(), c.Request())
	if err != nil {
		return err
	}
	t, err := h.Store.Transaction(ctx, form.Get("transaction"))
	if err := h.usable(&t, oauth.AtProvider, err); err != nil {
		return err
	}
	b, ok := h.browserOf(c.Request())
	if !ok || !h.owns(b, starting, &t) {
		return otherBrowser()
	}
	if !hmac.Equal([]byte(form.Get("token")), []byte(h.formToken(b, starting, &t))) {
		return forgedForm(errors.New("token is missing or another one"))
	}
	tenant := form.Get("organization")
	if !h.hasTenant(tenant) || t.Tenant != "" && t.Tenant != tenant {
		return forgedForm(errors.New("no such organization, or another one was chosen already"))
	}
	t.Tenant = tenant
	to, err := h.Provider.AuthURL(ctx, &t, oauth.AuthOptions{})
	if err != nil {
		return h.refuse(&t, err)
	}
	if err := h.Store.SwapTransaction(ctx, oauth.AtProvider, t); err != nil {
		return h.refuse(&t, oauth.Unavailable(err))
	}
	setCookie(c.Response(), h.secure, lastOrganization, tenant, 365*24*time.Hour)
	return h.leave(c, to)
}

func (h *Handler) hasTenant(id string) bool {
	for _, t := range h.Provider.Tenants() {
		if t.ID == id {
			return true
		}
	}
	return false
}
