package resource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Authenticator says who is calling, for every face. It lives as long as the process.
type Authenticator struct {
	PublicURL string
	Verifier  *tokens.Verifier
	Catalogue oauth.Catalogue
	Keys      func() *Keys     // the keys of the current snapshot; nil: there are none
	Now       func() time.Time // nil means time.Now

	wrongKeys wrongKeys
}

// Options are what a face decides about its resource.
type Options struct {
	SubscriptionKeys bool // keys are taken besides tokens: /llm, and servers with access.subscription_keys
	// LeaveRoles: the face itself refuses callers whose roles do not let them use the resource, in its own words (an MCP
	// server answers JSON-RPC −32003).
	LeaveRoles bool
}

// Authenticate says who r comes from, at the resource with this URI; {server}/sse, the address of the old transport, is
// the server. Exactly one of the results is nil.
func (a *Authenticator) Authenticate(r *http.Request, resource string, o Options) (*identity.Caller, *Refusal) {
	caller, refusal := a.identify(r, resource, o)
	if refusal != nil { // whom it let in the face notes, beside what it was called for
		identity.RequestFrom(r.Context()).Note(slog.String("decision", refusal.Code), slog.String("error", refusal.Error()))
	}
	return caller, refusal
}

func (a *Authenticator) identify(r *http.Request, resource string, o Options) (*identity.Caller, *Refusal) {
	res, ok := a.Catalogue.Resource(resource)
	if !ok {
		res, ok = a.Catalogue.Resource(strings.TrimSuffix(resource, "/sse"))
	}
	if !ok {
		return nil, &Refusal{Status: http.StatusNotFound, Code: "not_found", Description: "there is no such resource"}
	}
	at := place{a: a, res: &res, uri: resource}
	cred, err := read(r.Header, o.SubscriptionKeys)
	switch {
	case errors.Is(err, errTwoHeaders):
		return nil, malformed("more than one Authorization header was sent")
	case errors.Is(err, errDisagree):
		return nil, malformed("more than one credential was presented") // operations.md P6
	case err != nil:
		return nil, at.badToken(err)
	case cred.none():
		return nil, at.noCredential()
	case cred.key != "":
		return a.byKey(r, at, cred)
	}
	caller, refusal := a.byToken(r.Context(), at, cred.token)
	if refusal == nil && !o.LeaveRoles && res.Usable != nil {
		if ok, need := res.Usable(caller); !ok {
			return nil, forbidden(need)
		}
	}
	return caller, refusal
}

// byToken accepts an access token for exactly this resource (oauth.md §8.2 rows 2 to 6).
func (a *Authenticator) byToken(ctx context.Context, at place, token string) (*identity.Caller, *Refusal) {
	caller, err := a.Verifier.Verify(ctx, token, at.res.URI)
	if err != nil {
		var e *oauth.Error
		if errors.As(err, &e) && e.Code == oauth.TemporarilyUnavailable {
			return nil, &Refusal{Status: e.HTTPStatus(), Code: e.Code, Description: e.Description, RetryAfter: e.Retry(), Err: err}
		}
		return nil, at.badToken(err)
	}
	if !caller.HasScope(at.res.Scope) {
		return nil, a.InsufficientScope(at.uri, caller, at.res.Scope)
	}
	return caller, nil
}

// byKey accepts a subscription key (llm.md §2, operations.md §7).
func (a *Authenticator) byKey(r *http.Request, at place, cred credential) (*identity.Caller, *Refusal) {
	var keys *Keys
	if a.Keys != nil {
		keys = a.Keys()
	}
	now := a.now()
	s, ok := keys.find(cred.key)
	state := ""
	if ok {
		state = s.state(now)
	}
	switch state {
	case StateActive:
	case StateSuspended:
		return nil, notActive("subscription is suspended")
	case StateRequested:
		return nil, notActive("subscription is waiting for approval")
	default: // unknown, rejected, cancelled, expired: one answer
		a.wrongKeys.delay(r.Context(), addressOf(r), now)
		if at.res.Server && cred.bearer {
			return nil, at.badToken(errNoKey) // who sends a bearer token here speaks OAuth, and is told in its words
		}
		return nil, at.badKey()
	}
	if at.res.Server && !s.MayUseServer(at.res.Name) {
		return nil, forbidden("the subscription's product does not include this server") // operations.md P4
	}
	return s.caller(), nil
}

func (a *Authenticator) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}

// InsufficientScope is the refusal of a call that needs scopes the token lacks (oauth.md §8.3): one challenge with the
// scopes held that still count and everything this call needs, so that one step-up is enough.
func (a *Authenticator) InsufficientScope(resource string, c *identity.Caller, needed ...string) *Refusal {
	scopes := slices.Clone(needed)
	if res, ok := a.Catalogue.Resource(strings.TrimSuffix(resource, "/sse")); ok {
		scopes = append(scopes, oauth.GrantedScopes(&res, c, c.Scopes)...)
	}
	slices.Sort(scopes)
	return &Refusal{
		Status: http.StatusForbidden, Code: oauth.InsufficientScope, Description: "the access token lacks a scope this needs",
		Challenge: challenge("error", oauth.InsufficientScope, "scope", strings.Join(slices.Compact(scopes), " "),
			"resource_metadata", MetadataURL(a.PublicURL, resource)),
	}
}

// SignInAgain is the refusal of a call whose backend needs a fresh sign-in of the person (oauth.md §8.3, §11.8).
func (a *Authenticator) SignInAgain(resource, scope string) *Refusal {
	return &Refusal{
		Status: http.StatusUnauthorized, Code: "insufficient_user_authentication", Description: "sign in again to continue",
		Challenge: challenge("resource_metadata", MetadataURL(a.PublicURL, resource), "scope", scope,
			"error", "insufficient_user_authentication", "error_description", "sign in again to continue"),
	}
}

// MetadataURL is the address of a resource's metadata (RFC 9728 §3.1): the well-known part goes before the path.
func MetadataURL(publicURL, resource string) string {
	return publicURL + wellKnownResource + strings.TrimPrefix(resource, publicURL)
}

// place is where a request was refused: what its challenge names.
type place struct {
	a   *Authenticator
	res *oauth.Resource
	uri string // as the client was given it
}

func (p place) challenge(more ...string) string {
	pairs := []string{"resource_metadata", MetadataURL(p.a.PublicURL, p.uri), "scope", p.res.Scope}
	if !p.res.Server && p.res.Name == "llm" {
		pairs = append([]string{"realm", "drawbridge"}, pairs...) // llm.md KEY-10
	}
	return challenge(append(pairs, more...)...)
}

// noCredential has no error code: nothing was wrong, something was absent (RFC 6750 §3.1).
func (p place) noCredential() *Refusal {
	return &Refusal{
		Status: http.StatusUnauthorized, Code: oauth.InvalidToken, Description: "a credential is required", Challenge: p.challenge(),
	}
}

func (p place) badToken(reason error) *Refusal {
	const text = "the access token is not valid"
	return &Refusal{
		Status: http.StatusUnauthorized, Code: oauth.InvalidToken, Description: text, Err: reason,
		Challenge: p.challenge("error", oauth.InvalidToken, "error_description", text),
	}
}

func (p place) badKey() *Refusal {
	return &Refusal{
		Status: http.StatusUnauthorized, Code: InvalidKey, Description: "the key is not valid", Challenge: p.challenge(),
		Err: errNoKey,
	}
}

func malformed(text string) *Refusal {
	return &Refusal{
		Status: http.StatusBadRequest, Code: oauth.InvalidRequest, Description: text,
		Challenge: challenge("error", oauth.InvalidRequest),
	}
}

func notActive(text string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Code: SubscriptionNotActive, Description: text}
}

func forbidden(need string) *Refusal {
	if need == "" {
		need = "you may not use this"
	}
	return &Refusal{Status: http.StatusForbidden, Code: Forbidden, Description: need, Err: fmt.Errorf("not usable: %s", need)}
}
