package grants

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/singleflight"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Clients finds clients without fetching anything; *registration.Resolver is one.
type Clients interface {
	// TokenClient returns the client, oauth.ErrNotFound, or an error of the store.
	TokenClient(ctx context.Context, id string) (oauth.Client, error)
}

// Store is what the endpoints keep and read; every oauth.Store is one.
type Store interface {
	oauth.CodeStore
	oauth.GrantStore
	oauth.RefreshStore
	TouchClient(ctx context.Context, id string, at time.Time) error
}

// Handler serves /oauth/token, /oauth/revoke and /oauth/introspect. It lives as long as the process.
type Handler struct {
	PublicURL string
	Config    func() *oauth.Config // of the current snapshot
	Clients   Clients
	Store     Store
	Catalogue oauth.Catalogue
	Provider  func() oauth.Provider // of the current snapshot; asked whether a person is still good
	Issuer    *tokens.Issuer
	Verifier  *tokens.Verifier
	Audit     oauth.Recorder   // nil: none
	Log       *slog.Logger     // nil means slog.Default()
	Now       func() time.Time // nil means time.Now
	// Recheck: a refresh within this time of the last check of the same grant does not ask the provider again; 0 means 10s.
	Recheck time.Duration

	checks   singleflight.Group
	failures failures
}

// Mount mounts the endpoints on the group of /oauth.
func (h *Handler) Mount(g *echo.Group) {
	g.Any("/token", echo.WrapHandler(http.HandlerFunc(h.Token)))
	g.Any("/revoke", echo.WrapHandler(http.HandlerFunc(h.Revoke)))
	g.Any("/introspect", echo.WrapHandler(http.HandlerFunc(h.Introspect)))
}

// grant is one grant type. Another one (an identity assertion, a token exchange) is one more row of grants.
type grant struct {
	run func(context.Context, *request) (*answer, error)
	// blocked is what a client that waits for approval or was blocked is told.
	blocked string
}

func (h *Handler) grant(name string) (g grant, ok bool) {
	switch name {
	case oauth.GrantAuthorizationCode:
		return grant{run: h.redeemCode, blocked: oauth.UnauthorizedClient}, true
	case oauth.GrantRefreshToken:
		return grant{run: h.refresh, blocked: oauth.InvalidGrant}, true
	case oauth.GrantClientCredentials:
		return grant{run: h.clientCredentials, blocked: oauth.UnauthorizedClient}, true
	}
	return grant{}, false
}

// answer is a successful token response (RFC 6749 §5.1).
type answer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// Token is the token endpoint.
func (h *Handler) Token(w http.ResponseWriter, r *http.Request) {
	oauth.AllowAnyOrigin(w)
	if r.Method == http.MethodOptions {
		oauth.Preflight(w, http.MethodPost)
		return
	}
	issued, req, err := h.token(w, r)
	if err != nil {
		h.refuse(w, r, "token.refused", req, err)
		return
	}
	oauth.WriteJSON(w, http.StatusOK, issued)
}

// token is the order of oauth.md §9.1.
func (h *Handler) token(w http.ResponseWriter, r *http.Request) (*answer, *request, error) {
	req, err := parseRequest(w, r) // 1
	if err != nil {
		return nil, req, err
	}
	name := req.get("grant_type") // 2
	if name == "" {
		return nil, req, refuse(oauth.InvalidRequest, "grant_type is missing")
	}
	g, ok := h.grant(name)
	if !ok {
		return nil, req, refuse(oauth.UnsupportedGrantType, "this grant type is not supported")
	}
	if err := h.authenticate(r, req); err != nil { // 3
		return nil, req, err
	}
	switch { // 4
	case req.client.Status != oauth.Approved:
		return nil, req, refuse(g.blocked, "the client is not approved")
	case !req.client.Grants(name):
		return nil, req, refuse(oauth.UnauthorizedClient, "the client may not use this grant type")
	}
	issued, err := g.run(r.Context(), req) // 5
	return issued, req, err
}

func refuse(code, description string) *oauth.Error {
	return &oauth.Error{Code: code, Description: description}
}

// invalidGrant has one public text; reason is for the log.
func invalidGrant(reason string) *oauth.Error {
	return &oauth.Error{Code: oauth.InvalidGrant, Description: "the grant is not valid", Err: errors.New(reason)}
}

// refuse is the one place where errors of these endpoints are noted, audited and answered.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, event string, req *request, err error) {
	var e *oauth.Error
	if !errors.As(err, &e) {
		e = oauth.Unavailable(err)
	}
	clientID := ""
	if req != nil {
		clientID = req.client.ID
		if req.basic && e.Code == oauth.InvalidClient {
			w.Header().Set("WWW-Authenticate", `Basic realm="drawbridge"`)
		}
	}
	identity.RequestFrom(r.Context()).Note(
		slog.String("client_id", clientID), slog.String("decision", e.Code), slog.String("error", e.Error()))
	h.Audit.Record(r.Context(), oauth.Event{Name: event, ClientID: clientID, Outcome: oauth.OutcomeRefused, Reason: e.Code})
	oauth.WriteError(w, e)
}

func (h *Handler) now() time.Time {
	if h.Now == nil {
		return time.Now().UTC()
	}
	return h.Now().UTC()
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.Default()
	}
	return h.Log
}
