package authflow

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const maxCallbackParam = 8 << 10

// handleCallback takes what the provider sends back (oauth.md §4.2).
func (h *Handler) handleCallback(c echo.Context) error {
	ctx, r := c.Request().Context(), c.Request()
	h.pageHeaders(c, nil)
	q, err := readCallback(r.URL.RawQuery)
	if err != nil {
		return badRequest("malformed", "The answer of the identity provider could not be read.")
	}
	t, b, err := h.arrive(ctx, r, q.Get("state"))
	if err != nil {
		return err
	}
	if err := h.identify(ctx, &t, q); err != nil {
		h.kill(ctx, &t, oauth.Consenting)
		return err
	}
	h.Record.Record(ctx, oauth.Event{Name: "signin.ok", Subject: t.Identity.Subject, ClientID: t.Client.ID, Server: h.serverName(&t), Outcome: "ok"})
	identity.RequestFrom(ctx).Note(noteCaller(t.Identity.Subject)...)
	if t.Portal {
		return h.enterPortal(c, &t)
	}
	return h.askConsent(c, &t, b)
}

// readCallback takes the query apart: every parameter at most once and of bounded size.
func readCallback(raw string) (url.Values, error) {
	if len(raw) > 4*maxCallbackParam {
		return nil, errors.New("query is too long")
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, err
	}
	for _, list := range q {
		if len(list) != 1 || len(list[0]) > maxCallbackParam {
			return nil, errors.New("a parameter came twice or is too long")
		}
	}
	return q, nil
}

// arrive finds the transaction, makes sure that it began in this browser and takes it: of two callbacks with one state
// only the first goes on. A taken transaction is consenting without an identity, which no page and no form accepts.
func (h *Handler) arrive(ctx context.Context, r *http.Request, state string) (oauth.Transaction, browser, error) {
	if state == "" {
		return oauth.Transaction{}, browser{}, badRequest("unknown_state", "This sign-in is not known here.")
	}
	t, err := h.Store.TransactionByState(ctx, state)
	if err := h.usable(&t, oauth.AtProvider, err); err != nil {
		return t, browser{}, err
	}
	b, ok := h.browserOf(r)
	if !ok || !h.owns(b, starting, &t) {
		h.kill(ctx, &t, oauth.AtProvider)
		return t, b, otherBrowser()
	}
	t.Status = oauth.Consenting
	switch err := h.Store.SwapTransaction(ctx, oauth.AtProvider, t); {
	case errors.Is(err, oauth.ErrConflict):
		return t, b, alreadyUsed()
	case err != nil:
		return t, b, storeDown(err)
	}
	return t, b, nil
}

// usable checks what a look-up gave: there, in the state it must be in, in time.
func (h *Handler) usable(t *oauth.Transaction, want oauth.TransactionStatus, err error) error {
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return badRequest("unknown_transaction", "This sign-in is not known here.")
	case err != nil:
		return storeDown(err)
	case t.Status != want:
		return alreadyUsed()
	case h.Now().After(t.Expires):
		return tookTooLong()
	}
	return nil
}

// kill ends a transaction. That it failed to be written is logged and no more: the record expires by itself.
func (h *Handler) kill(ctx context.Context, t *oauth.Transaction, from oauth.TransactionStatus) {
	dead := *t
	dead.Status, dead.Upstream, dead.Identity = oauth.Failed, nil, nil
	if err := h.Store.SwapTransaction(context.WithoutCancel(ctx), from, dead); err != nil && !errors.Is(err, oauth.ErrConflict) {
		h.Log.WarnContext(ctx, "transaction could not be ended", "error", err.Error())
	}
}

// identify asks the provider who signed in (steps 3 to 9) and puts it into the transaction.
func (h *Handler) identify(ctx context.Context, t *oauth.Transaction, q url.Values) error {
	if q.Has("iss") && q.Get("iss") != h.Provider.Issuer(t) { // RFC 9207: an answer of another provider (mix-up)
		return badRequest("issuer", "The answer came from another identity provider.")
	}
	if q.Has("error") {
		return h.refuse(t, h.Provider.MapError(q.Get("error"), q.Get("error_description")))
	}
	if q.Get("code") == "" {
		return badRequest("no_code", "The answer of the identity provider could not be read.")
	}
	id, upstream, err := h.Provider.Exchange(ctx, t, q.Get("code"))
	var refused *oauth.Error
	if errors.As(err, &refused) && refused.Code == oauth.InvalidToken {
		return &pageError{status: http.StatusBadRequest, reason: "id_token", clientID: t.Client.ID,
			cause: "The answer of the identity provider could not be verified.", advice: backToApplication, err: refused.Err}
	}
	if err != nil {
		return h.refuse(t, err)
	}
	t.Identity, t.Upstream = &id, &upstream
	if t.Portal {
		return nil
	}
	_, err = h.entitle(t)
	return err
}

// entitlement is what a person may have of what was asked.
type entitlement struct {
	res    oauth.Resource
	caller *identity.Caller
	scopes []string
}

// entitle checks that the person may use the resource and narrows the scopes to what their roles allow (oauth.md §7.3
// step 4, §13). It runs at the callback, for the page and when they approve: a page may be open for minutes. The
// transaction keeps what was asked, since another account may be allowed more.
func (h *Handler) entitle(t *oauth.Transaction) (entitlement, error) {
	res, ok := h.Catalogue.Resource(t.Resource)
	if !ok {
		return entitlement{}, h.refuse(t, &oauth.Error{Code: oauth.InvalidTarget, Description: "the server is gone"})
	}
	caller := t.Identity.Caller(t.Client.ID)
	need, usable := "", true
	if res.Usable != nil {
		usable, need = res.Usable(caller)
	}
	scopes := oauth.GrantedScopes(&res, caller, t.Scopes)
	if !usable || !contains(scopes, res.Scope) {
		return entitlement{}, h.notEntitled(t, &res, need)
	}
	return entitlement{res: res, caller: caller, scopes: scopes}, nil
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// notEntitled names the server and what is missing, with a way back for the client to learn of it.
func (h *Handler) notEntitled(t *oauth.Transaction, res *oauth.Resource, need string) *pageError {
	cause := "You are not allowed to use " + title(res) + "."
	if need != "" {
		cause += " You need " + oauth.DisplayName(need, 200) + "."
	}
	denied := &oauth.Error{Code: oauth.AccessDenied, Description: "you are not allowed to use this server"}
	return &pageError{status: http.StatusForbidden, reason: "not_entitled", clientID: t.Client.ID, cause: cause,
		advice: "Ask your administrator for access.",
		back:   &backLink{Client: oauth.DisplayName(t.Client.Name, 0), URL: h.errorURL(destinationOf(t), denied)}}
}

func title(res *oauth.Resource) string {
	if s := oauth.DisplayName(res.Title, 0); s != "" {
		return s
	}
	return oauth.DisplayName(res.Name, 0)
}

// askConsent stores who signed in, renews the binding (fixation) and shows the consent page.
func (h *Handler) askConsent(c echo.Context, t *oauth.Transaction, b browser) error {
	ctx := c.Request().Context()
	b = h.renew(b, t.Identity.Subject)
	t.BindingHash = h.bind(b, signedIn, t.ID)
	if err := h.Store.SwapTransaction(ctx, oauth.Consenting, *t); err != nil {
		return h.refuse(t, oauth.Unavailable(err))
	}
	h.setBinding(c.Response(), b)
	return redirectHere(c, "/oauth/consent?"+url.Values{"transaction": {t.ID}}.Encode())
}

// redirectHere goes to a path of ours.
func redirectHere(c echo.Context, path string) error {
	c.Response().Header().Set("Location", path)
	c.Response().WriteHeader(http.StatusSeeOther)
	return nil
}
