package authflow

import (
	"crypto/hmac"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// peopleView is the development sign-in: a button for each person.
type peopleView struct {
	base
	State, Token string
	Client       string
	People       []pickable
}

type pickable struct {
	ID, Subject, Name string
	Roles             []string
}

// atPicker finds a transaction at the provider by its upstream state, in the browser that began it. The dev page stands
// where the provider's own page would, so it looks the transaction up as the callback does.
func (h *Handler) atPicker(r *http.Request, state string) (oauth.Transaction, browser, error) {
	if state == "" {
		return oauth.Transaction{}, browser{}, badRequest("unknown_state", "This sign-in is not known here.")
	}
	t, err := h.Store.TransactionByState(r.Context(), state)
	if err := h.usable(&t, oauth.AtProvider, err); err != nil {
		return t, browser{}, err
	}
	b, ok := h.browserOf(r)
	if !ok || !h.owns(b, starting, &t) {
		return t, b, otherBrowser()
	}
	return t, b, nil
}

func (h *Handler) showPeople(c echo.Context) error {
	t, b, err := h.atPicker(c.Request(), c.QueryParam("state"))
	if err != nil {
		return err
	}
	view := peopleView{base: h.base("Development sign-in"), State: t.UpstreamState, Token: h.formToken(b, starting, &t), Client: oauth.DisplayName(t.Client.Name, 0)}
	for i, id := range h.picker.People() {
		view.People = append(view.People, pickable{ID: "person-" + strconv.Itoa(i), Subject: id.Subject, Name: id.Name, Roles: id.Roles})
	}
	return h.render(c, http.StatusOK, "people", view, h.formTargets(&t))
}

// handlePerson issues a code for the person and goes to the callback, as a provider would.
func (h *Handler) handlePerson(c echo.Context) error {
	form, err := h.guardForm(c.Response(), c.Request())
	if err != nil {
		return err
	}
	t, b, err := h.atPicker(c.Request(), form.Get("state"))
	if err != nil {
		return err
	}
	if !hmac.Equal([]byte(form.Get("token")), []byte(h.formToken(b, starting, &t))) {
		return forgedForm(errors.New("token is missing or another one"))
	}
	code, err := h.picker.Issue(t.UpstreamState, form.Get("person"))
	if errors.Is(err, oauth.ErrNotFound) {
		return badRequest("unknown_person", "This person is not known here.")
	}
	if err != nil {
		return h.refuse(&t, err)
	}
	h.pageHeaders(c, nil)
	return redirectHere(c, "/oauth/callback?"+url.Values{"code": {code}, "state": {t.UpstreamState}}.Encode())
}
