package authflow

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// pageError is answered as a page of ours: a cause, what to do about it, the request id, and nothing of the request
// (oauth.md §5.6). It is what happens whenever there is no validated redirect URI to send an error to.
type pageError struct {
	status   int
	reason   string // word for the audit event
	cause    string
	advice   string
	back     *backLink
	clientID string
	retry    time.Duration
	err      error // for the log
}

func (e *pageError) Error() string {
	if e.err != nil {
		return fmt.Sprintf("%s: %v", e.reason, e.err)
	}
	return e.reason
}

func (e *pageError) Unwrap() error { return e.err }

// backLink leads to the validated redirect URI of a known client.
type backLink struct{ Client, URL string }

// redirectError is answered at the client: error, error_description, state and iss on the validated redirect URI.
type redirectError struct {
	to       destination
	clientID string
	server   string
	subject  string
	err      *oauth.Error
}

func (e *redirectError) Error() string { return e.err.Error() }
func (e *redirectError) Unwrap() error { return e.err }

const backToApplication = "Go back to your application and connect again."

func badRequest(reason, cause string) *pageError {
	return &pageError{status: http.StatusBadRequest, reason: reason, cause: cause, advice: backToApplication}
}

func otherBrowser() *pageError {
	return &pageError{status: http.StatusForbidden, reason: "other_browser", cause: "This sign-in was started in another browser.",
		advice: "Open the link in your normal browser, with cookies allowed, and connect again from your application. Windows inside other applications often drop cookies."}
}

func alreadyUsed() *pageError {
	return badRequest("already_used", "This sign-in was already used.")
}

func tookTooLong() *pageError {
	return &pageError{status: http.StatusBadRequest, reason: "expired", cause: "This sign-in took too long.", advice: backToApplication}
}

func forgedForm(err error) *pageError {
	return &pageError{status: http.StatusForbidden, reason: "form", cause: "This form was not sent from its own page.",
		advice: "Go back, reload the page and try again.", err: err}
}

func storeDown(err error) *pageError {
	return &pageError{status: http.StatusServiceUnavailable, reason: "store", cause: "Drawbridge cannot reach its storage right now.",
		advice: "Nothing is lost. Try again in a moment.", retry: 5 * time.Second, err: err}
}

// fail answers err and records it, once.
func (h *Handler) fail(c echo.Context, event string, err error) error {
	var redirect *redirectError
	var page *pageError
	switch {
	case errors.As(err, &redirect):
		return h.failAtClient(c, event, redirect)
	case errors.As(err, &page):
	default:
		page = &pageError{status: http.StatusInternalServerError, reason: "internal", cause: "Something went wrong here.",
			advice: "Try again. If it happens again, tell your administrator the request id.", err: err}
	}
	ctx := c.Request().Context()
	h.note(c, page.status, page.reason, page.err)
	h.Record.Record(ctx, oauth.Event{Name: event, ClientID: page.clientID, Outcome: "refused", Reason: page.reason})
	if page.retry > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(page.retry.Seconds()))))
	}
	if wantsJSON(c.Request()) {
		oauth.WriteJSON(c.Response(), page.status, oauth.Body{Error: page.code(), Description: asciiText(page.cause + " " + page.advice)})
		return nil
	}
	return h.showError(c, page)
}

// failAtClient redirects with the error. The status is 303 after a POST, so that no browser repeats the form there.
func (h *Handler) failAtClient(c echo.Context, event string, e *redirectError) error {
	h.note(c, 0, e.err.Code, e.err)
	h.Record.Record(c.Request().Context(), oauth.Event{Name: event, ClientID: e.clientID, Server: e.server, Subject: e.subject, Outcome: "refused", Reason: e.err.Code})
	return h.sendBack(c, h.errorURL(e.to, e.err))
}

// errorURL adds an error to the redirect URI.
func (h *Handler) errorURL(to destination, e *oauth.Error) string {
	body := e.Body()
	return to.with(h.PublicURL, [][2]string{{"error", body.Error}, {"error_description", body.Description}})
}

func (h *Handler) note(c echo.Context, status int, reason string, err error) {
	ctx := c.Request().Context()
	request := identity.RequestFrom(ctx)
	request.Note(slog.String("decision", reason))
	if err != nil {
		request.Note(slog.String("error", err.Error()))
	}
	if err != nil && (status >= 500 || reason == oauth.ServerError || reason == oauth.TemporarilyUnavailable) {
		h.Log.WarnContext(ctx, "sign-in could not go on", "reason", reason, "error", err.Error(), "request_id", identity.RequestID(ctx))
	}
}

// code is the RFC 6749 word for those who asked for JSON.
func (e *pageError) code() string {
	switch {
	case e.status == http.StatusServiceUnavailable || e.status == http.StatusTooManyRequests:
		return oauth.TemporarilyUnavailable
	case e.status >= 500:
		return oauth.ServerError
	case e.status == http.StatusForbidden:
		return oauth.AccessDenied
	}
	return oauth.InvalidRequest
}

// wantsJSON reports whether the caller is a program that prefers JSON over a page.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// asciiText keeps error_description within RFC 6749 §4.1.2.1.
func asciiText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}
