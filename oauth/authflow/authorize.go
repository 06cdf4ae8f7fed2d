package authflow

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
)

// handleAuthorize begins a sign-in for a client (oauth.md §4.1). Until the redirect URI is validated every refusal is a
// page; afterwards it is a redirect.
func (h *Handler) handleAuthorize(c echo.Context) error {
	ctx, r := c.Request().Context(), c.Request()
	p, err := readParams(c.Response(), r)
	if err != nil {
		return &pageError{status: http.StatusBadRequest, reason: "malformed", cause: "The request of your application could not be read.",
			advice: "Update the application, or tell its makers.", err: err}
	}
	client, err := h.findClient(ctx, p.get("client_id"))
	if err != nil {
		return err
	}
	to, err := h.destination(&client, p)
	if err != nil {
		return err
	}
	t, refused := h.newTransaction(p, client, to)
	if refused != nil {
		return &redirectError{to: to, clientID: client.ID, err: refused}
	}
	return h.depart(c, &t, departure{hint: p.get("login_hint")})
}

// findClient resolves the client (step 2). Kinds are never mixed: that is the Clients' business.
func (h *Handler) findClient(ctx context.Context, id string) (oauth.Client, error) {
	if id == "" {
		return oauth.Client{}, &pageError{status: http.StatusBadRequest, reason: "no_client", cause: "Your application did not say who it is.",
			advice: "Update the application, or tell its makers."}
	}
	client, err := h.Clients.Client(ctx, id)
	var refused *registration.DocumentError
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return client, &pageError{status: http.StatusBadRequest, reason: "unknown_client", cause: "This application is not known here.",
			advice: "Remove the server from your application and add it again."}
	case errors.As(err, &refused):
		return client, clientRefused(refused)
	case err != nil:
		return client, storeDown(err)
	}
	name := oauth.DisplayName(client.Name, 0)
	switch client.Status {
	case oauth.Blocked:
		return client, &pageError{status: http.StatusForbidden, reason: "blocked", clientID: client.ID, cause: name + " was blocked by an administrator.",
			advice: "Ask your administrator if you need it."}
	case oauth.Pending:
		return client, &pageError{status: http.StatusForbidden, reason: "pending", clientID: client.ID, cause: name + " is waiting for an administrator.",
			advice: "Ask your administrator to approve it, then connect again."}
	}
	return client, nil
}

// clientRefused shows why a client document cannot be used: texts of a closed set, so that nobody learns about our
// network from them.
func clientRefused(e *registration.DocumentError) *pageError {
	page := &pageError{status: e.Status, reason: "document", retry: e.RetryAfter, err: e.Err,
		cause:  "The description of the application at " + oauth.DisplayName(e.Host, 100) + " could not be used: " + e.Text + ".",
		advice: "Try again in a minute, or tell the makers of the application."}
	if e.Status == http.StatusForbidden || e.Host == "" {
		page.cause, page.advice = sentence(e.Text), "Ask your administrator."
	}
	return page
}

// destination validates where answers go (steps 3 and 4).
func (h *Handler) destination(client *oauth.Client, p params) (destination, error) {
	asked := p.get("redirect_uri")
	if !p.has("redirect_uri") && len(client.RedirectURIs) == 1 && !loopback(client.RedirectURIs[0]) {
		asked = client.RedirectURIs[0]
	}
	if asked == "" || !h.MatchRedirect(client.RedirectURIs, asked) || !redirectable(asked) {
		return destination{}, &pageError{status: http.StatusBadRequest, reason: "redirect_uri", clientID: client.ID,
			cause:  "The address this application wants to return to is not one it registered.",
			advice: "Remove the server from your application and add it again."}
	}
	return destination{uri: asked, state: p.get("state"), hasState: p.has("state")}, nil
}

// redirectable is a second look at what registration validated long ago: nothing that a browser would run.
func redirectable(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Fragment != "" {
		return false
	}
	return !slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about", "view-source"}, strings.ToLower(u.Scheme))
}

func loopback(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && oauth.IsLoopbackHost(u.Hostname())
}

// newTransaction checks the rest of the request (steps 5 to 10) and makes the record, not yet bound to a browser.
func (h *Handler) newTransaction(p params, client oauth.Client, to destination) (oauth.Transaction, *oauth.Error) {
	if refused := p.checkProtocol(); refused != nil {
		return oauth.Transaction{}, refused
	}
	if !client.Grants(oauth.GrantAuthorizationCode) {
		return oauth.Transaction{}, &oauth.Error{Code: oauth.UnauthorizedClient, Description: "this client may not use authorization_code"}
	}
	res, scopes, refused := h.target(p, &client)
	if refused != nil {
		return oauth.Transaction{}, refused
	}
	if slices.Contains(strings.Fields(p.get("prompt")), "none") {
		return oauth.Transaction{}, &oauth.Error{Code: oauth.LoginRequired, Description: "signing in needs a page"}
	}
	t := h.freshTransaction()
	t.Client, t.RedirectURI, t.ClientState, t.HasState = client, to.uri, to.state, to.hasState
	t.CodeChallenge, t.Scopes, t.Resource = p.get("code_challenge"), scopes, res.URI
	return t, nil
}

// freshTransaction makes a record with its random values. The state towards the provider is our own: the client's state
// is data, and two clients may choose the same.
func (h *Handler) freshTransaction() oauth.Transaction {
	now := h.Now().UTC()
	return oauth.Transaction{ID: randomToken(), Status: oauth.AtProvider, UpstreamState: randomToken(), Nonce: randomToken(),
		Verifier: randomToken(), Created: now, Expires: now.Add(h.Config.TransactionTTL)}
}

// departure is how a transaction leaves for the provider.
type departure struct {
	hint          string // the client's login_hint: only its domain is looked at, and it goes no further
	selectAccount bool
}

// depart binds the transaction to this browser, stores it (step 11) and sends the browser to the provider, or to the
// choice of an organization where there are several.
func (h *Handler) depart(c echo.Context, t *oauth.Transaction, d departure) error {
	ctx := c.Request().Context()
	b, ok := h.browserOf(c.Request())
	if !ok {
		b = browser{start: randomToken()}
	}
	t.BindingHash = h.bind(b, starting, t.ID)
	tenants := h.Provider.Tenants()
	if t.Tenant == "" && len(tenants) == 1 {
		t.Tenant = tenants[0].ID
	}
	if t.Tenant == "" {
		t.Tenant = tenantOfHint(tenants, d.hint)
	}
	choose := t.Tenant == "" && len(tenants) > 1
	upstream := ""
	if !choose {
		var err error
		if upstream, err = h.Provider.AuthURL(ctx, t, oauth.AuthOptions{SelectAccount: d.selectAccount}); err != nil {
			return h.refuse(t, err)
		}
	}
	if err := h.Store.PutTransaction(ctx, *t, maxOpen); err != nil {
		return h.refuse(t, oauth.Unavailable(err))
	}
	if old := h.open.add(b.start, t, h.Now()); old != "" {
		h.evict(ctx, old)
	}
	h.setBinding(c.Response(), b)
	if choose {
		return h.showOrganizations(c, t, b, tenants)
	}
	return h.leave(c, upstream)
}

// leave redirects to the provider.
func (h *Handler) leave(c echo.Context, to string) error {
	head := c.Response().Header()
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-store")
	status := http.StatusFound
	if c.Request().Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	head.Set("Location", to)
	c.Response().WriteHeader(status)
	return nil
}

func tenantOfHint(tenants []oauth.Tenant, hint string) string {
	_, domain, ok := strings.Cut(strings.ToLower(hint), "@")
	if !ok || domain == "" {
		return ""
	}
	for _, t := range tenants {
		for _, d := range t.Domains {
			if strings.ToLower(d) == domain {
				return t.ID
			}
		}
	}
	return ""
}

// refuse makes the error of a transaction: at the client where there is one, else a page.
func (h *Handler) refuse(t *oauth.Transaction, err error) error {
	var e *oauth.Error
	if !errors.As(err, &e) {
		e = &oauth.Error{Code: oauth.ServerError, Description: "internal error", Err: err}
	}
	if !t.Portal {
		return &redirectError{to: destinationOf(t), clientID: t.Client.ID, server: h.serverName(t), subject: subjectOf(t), err: e}
	}
	page := &pageError{status: e.HTTPStatus(), reason: e.Code, cause: sentence(e.Body().Description), advice: "Try to sign in again.", retry: e.Retry(), err: e.Err}
	if e.Code == oauth.AccessDenied {
		page.status, page.advice = http.StatusForbidden, "Sign in with another account, or ask your administrator."
	}
	return page
}

func (h *Handler) serverName(t *oauth.Transaction) string {
	res, ok := h.Catalogue.Resource(t.Resource)
	if !ok {
		return ""
	}
	return res.Name
}

func subjectOf(t *oauth.Transaction) string {
	if t.Identity == nil {
		return ""
	}
	return t.Identity.Subject
}

// sentence makes an error description one.
func sentence(s string) string {
	if s == "" {
		return "Signing in did not work."
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
