package entra

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

var aadsts = regexp.MustCompile(`AADSTS(\d{4,9})`)

// trouble sorts what Entra refuses with (oauth.md §10.2).
type trouble int

const (
	other trouble = iota
	cancelled
	notAssigned
	needsConsent
	notSetUp
	personGone
	ourCredential
	ourScopes
	passing
)

// troubles gives the meaning of AADSTS numbers. The text around them is never shown and never parsed for more.
func troubleOf(number, code string) trouble {
	switch number {
	case "65004":
		return cancelled
	case "50105":
		return notAssigned
	case "65001", "90094":
		return needsConsent
	case "50020", "90072", "700016", "90002":
		return notSetUp
	case "50057", "50034", "50173", "50133", "700082", "70008", "700084", "53003", "50078", "50076", "50079", "50074":
		return personGone
	case "7000215", "7000222", "700027", "7000112":
		return ourCredential
	case "9010010", "70011", "28000":
		return ourScopes
	case "90033", "90055", "50196":
		return passing
	}
	switch code {
	case "access_denied":
		return cancelled
	case "invalid_client", "unauthorized_client":
		return ourCredential
	case "invalid_scope", "invalid_resource":
		return ourScopes
	case "temporarily_unavailable", "server_error":
		return passing
	}
	return other
}

// refusal is a "no" of the provider; it goes to the log with code and ids, never with text.
type refusal struct{ code, number, suberror, correlation, trace string }

func (r *refusal) Error() string {
	s := "provider refused: " + r.code
	if r.number != "" {
		s += " AADSTS" + r.number
	}
	if r.correlation != "" {
		s += " correlation " + r.correlation
	}
	if r.trace != "" {
		s += " trace " + r.trace
	}
	return s
}

var wordPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// word keeps a short identifier and drops anything else, so that no text of the provider slips into logs or pages.
func word(s string) string {
	if wordPattern.MatchString(s) {
		return s
	}
	return ""
}

func newRefusal(code, description string) *refusal {
	r := &refusal{code: word(code)}
	if m := aadsts.FindStringSubmatch(description[:min(len(description), 4096)]); m != nil {
		r.number = m[1]
	}
	return r
}

func (a *tokenAnswer) refusal() *refusal {
	r := newRefusal(a.Error, a.Description)
	r.suberror, r.correlation, r.trace = word(a.Suberror), word(a.CorrelationID), word(a.TraceID)
	return r
}

// signInError is what the client is told when signing in failed.
func (r *refusal) signInError(tenant string) *oauth.Error {
	e := &oauth.Error{Code: oauth.AccessDenied, Err: r}
	switch troubleOf(r.number, r.code) {
	case cancelled:
		e.Description = "sign-in was cancelled"
	case notAssigned:
		e.Description = "you are not assigned to this application"
	case needsConsent:
		e.Description = "an administrator of " + tenant + " must approve Drawbridge first"
	case notSetUp:
		e.Description = "your organization is not set up here"
	case ourCredential, ourScopes:
		e.Code, e.Description = oauth.ServerError, "internal error"
	case passing:
		e.Code, e.Description = oauth.TemporarilyUnavailable, "the identity provider cannot be reached"
	default:
		code := r.number
		if code == "" {
			code = knownCode(r.code)
		}
		e.Description = fmt.Sprintf("sign-in failed (%s)", code)
	}
	return e
}

// knownCode keeps the error parameter from being a channel for somebody's text.
func knownCode(code string) string {
	known := []string{"invalid_request", "invalid_grant", "interaction_required", "login_required", "consent_required",
		"account_selection_required", "unsupported_response_type"}
	if slices.Contains(known, code) {
		return code
	}
	return "unknown"
}

// refreshError tells the token endpoint whether the person is gone or nobody can say. Only a word about the person ends
// a grant; trouble with our own registration must not sign everybody out.
func (r *refusal) refreshError() *oauth.Error {
	switch troubleOf(r.number, r.code) {
	case ourCredential, ourScopes, passing, needsConsent:
		return unavailable(r)
	}
	return &oauth.Error{Code: oauth.InvalidGrant, Description: "sign in again", Err: r}
}

// oursToMend reports whether an administrator must look at the application's registration.
func oursToMend(err error) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	t := troubleOf(r.number, r.code)
	return t == ourCredential || t == ourScopes
}
