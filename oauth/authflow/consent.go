package authflow

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// showConsent shows the page. It changes nothing: browsers and extensions fetch it more than once.
func (h *Handler) showConsent(c echo.Context) error {
	t, b, err := h.consenting(c.Request(), c.QueryParam("transaction"), true)
	if err != nil {
		return err
	}
	e, err := h.entitle(&t)
	if err != nil {
		h.kill(c.Request().Context(), &t, oauth.Consenting)
		return err
	}
	view := h.consentView(&t, e)
	view.Token = h.formToken(b, signedIn, &t)
	return h.render(c, http.StatusOK, "consent", view, h.formTargets(&t))
}

// consenting finds a transaction that waits for this browser's decision. A browser that may not see a transaction kills
// it on GET (it is where the provider's redirect ends); a form that may not be sent changes nothing (oauth.md §5.3).
func (h *Handler) consenting(r *http.Request, id string, kill bool) (oauth.Transaction, browser, error) {
	ctx := r.Context()
	if len(id) != 43 {
		return oauth.Transaction{}, browser{}, badRequest("unknown_transaction", "This sign-in is not known here.")
	}
	t, err := h.Store.Transaction(ctx, id)
	if err := h.usable(&t, oauth.Consenting, err); err != nil {
		return t, browser{}, err
	}
	if t.Identity == nil || t.Portal { // still at the provider's answer
		return t, browser{}, alreadyUsed()
	}
	b, ok := h.browserOf(r)
	if !ok || !h.owns(b, signedIn, &t) {
		if kill {
			h.kill(ctx, &t, oauth.Consenting)
		}
		return t, b, otherBrowser()
	}
	return t, b, nil
}

// decided is consenting for a form: every check of oauth.md §5.3 in its order.
func (h *Handler) decided(c echo.Context) (oauth.Transaction, string, error) {
	form, err := h.guardForm(c.Response(), c.Request())
	if err != nil {
		return oauth.Transaction{}, "", err
	}
	t, b, err := h.consenting(c.Request(), form.Get("transaction"), false)
	if err != nil {
		return t, "", err
	}
	if !hmac.Equal([]byte(form.Get("token")), []byte(h.formToken(b, signedIn, &t))) {
		return t, "", forgedForm(errors.New("token is missing or another one"))
	}
	return t, form.Get("decision"), nil
}

// handleConsent takes Allow or Deny.
func (h *Handler) handleConsent(c echo.Context) error {
	t, decision, err := h.decided(c)
	if err != nil {
		return err
	}
	switch decision {
	case "approve":
		return h.approve(c, &t)
	case "deny":
		return h.deny(c, &t)
	}
	return forgedForm(errors.New("neither allow nor deny"))
}

// deny ends the transaction. Nothing about it is kept: the next attempt asks again.
func (h *Handler) deny(c echo.Context, t *oauth.Transaction) error {
	if err := h.end(c.Request().Context(), t); err != nil {
		return err
	}
	return h.refuse(t, &oauth.Error{Code: oauth.AccessDenied, Description: "the person said no"})
}

// end moves a consenting transaction to failed; exactly one of several forms gets through.
func (h *Handler) end(ctx context.Context, t *oauth.Transaction) error {
	dead := *t
	dead.Status, dead.Upstream = oauth.Failed, nil
	switch err := h.Store.SwapTransaction(ctx, oauth.Consenting, dead); {
	case errors.Is(err, oauth.ErrConflict):
		return alreadyUsed()
	case err != nil:
		return storeDown(err)
	}
	return nil
}

// approve writes grant and code together with the end of the transaction, then sends the code to the client.
func (h *Handler) approve(c echo.Context, t *oauth.Transaction) error {
	ctx := c.Request().Context()
	e, err := h.entitle(t)
	if err != nil { // the configuration may have changed while the page was open
		h.kill(ctx, t, oauth.Consenting)
		return err
	}
	now := h.Now().UTC()
	code := "dbc_" + randomToken()
	grant := oauth.Grant{ID: randomGrantID(), ClientID: t.Client.ID, Client: oauth.DisplayName(t.Client.Name, 0), Identity: *t.Identity,
		Resource: t.Resource, Scopes: e.scopes, Upstream: t.Upstream, Created: now, Expires: now.Add(h.Config.RefreshTokenTTL)}
	sum := sha256.Sum256([]byte(code))
	record := oauth.Code{Hash: hex.EncodeToString(sum[:]), GrantID: grant.ID, ClientID: t.Client.ID, RedirectURI: t.RedirectURI,
		CodeChallenge: t.CodeChallenge, Resource: t.Resource, Scopes: e.scopes, Expires: now.Add(h.Config.CodeTTL)}
	done := *t
	done.Status, done.Upstream = oauth.Done, nil // the grant has it now
	switch err := h.Store.Finish(ctx, done, grant, record); {
	case errors.Is(err, oauth.ErrConflict):
		return alreadyUsed()
	case err != nil:
		return storeDown(err)
	}
	if err := h.Store.TouchClient(context.WithoutCancel(ctx), t.Client.ID, now); err != nil {
		h.Log.WarnContext(ctx, "use of a client could not be noted", "error", err.Error())
	}
	event := oauth.Event{Subject: t.Identity.Subject, ClientID: t.Client.ID, Server: h.serverName(t), Outcome: "ok", GrantID: grant.ID}
	for _, event.Name = range []string{"consent.granted", "code.issued"} {
		h.Record.Record(ctx, event)
	}
	return h.sendBack(c, destinationOf(t).with(h.PublicURL, [][2]string{{"code", code}}))
}

func randomGrantID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// handleOtherAccount starts again with a choice of accounts at the provider: a new transaction for the same request,
// because whatever the old one's page still does must not count.
func (h *Handler) handleOtherAccount(c echo.Context) error {
	t, _, err := h.decided(c)
	if err != nil {
		return err
	}
	if err := h.end(c.Request().Context(), &t); err != nil {
		return err
	}
	next := h.freshTransaction()
	next.Client, next.RedirectURI, next.ClientState, next.HasState = t.Client, t.RedirectURI, t.ClientState, t.HasState
	next.CodeChallenge, next.Resource, next.Scopes = t.CodeChallenge, t.Resource, t.Scopes
	return h.depart(c, &next, departure{selectAccount: true})
}

// noteCaller is what the request's log line says of the person: the subject, never a name or mail address.
func noteCaller(subject string) []slog.Attr { return []slog.Attr{slog.String("caller", subject)} }
