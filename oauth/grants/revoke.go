package grants

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
)

// Revoke is the revocation endpoint (RFC 7009; oauth.md §9.6). Unknown tokens and those of other clients get the same
// 200: the endpoint tells nobody which tokens exist.
func (h *Handler) Revoke(w http.ResponseWriter, r *http.Request) {
	oauth.AllowAnyOrigin(w)
	if r.Method == http.MethodOptions {
		oauth.Preflight(w, http.MethodPost)
		return
	}
	req, err := h.authenticated(w, r)
	if err == nil {
		err = h.revokeToken(r.Context(), req)
	}
	if err != nil {
		h.refuse(w, r, "token.refused", req, err)
		return
	}
	oauth.NoStore(w)
	w.WriteHeader(http.StatusOK)
}

// authenticated is what revocation and introspection begin with.
func (h *Handler) authenticated(w http.ResponseWriter, r *http.Request) (*request, error) {
	req, err := parseRequest(w, r)
	if err != nil {
		return req, err
	}
	if err := h.authenticate(r, req); err != nil {
		return req, err
	}
	if req.get("token") == "" {
		return req, refuse(oauth.InvalidRequest, "token is missing")
	}
	return req, nil
}

// revokeToken looks at what the token is, whatever the hint says. Either kind ends the grant.
func (h *Handler) revokeToken(ctx context.Context, req *request) error {
	grantID, err := h.grantOfToken(ctx, req)
	if err != nil || grantID == "" {
		return err
	}
	if err := h.revoke(ctx, grantID, ReasonClient); err != nil {
		return err
	}
	h.Audit.Record(ctx, oauth.Event{Name: "token.revoked", ClientID: req.client.ID, Outcome: oauth.OutcomeOK, GrantID: grantID})
	return nil
}

// grantOfToken returns the grant of a good token of this client, or "".
func (h *Handler) grantOfToken(ctx context.Context, req *request) (string, error) {
	if shown, ok := tokens.ParseRefresh(req.get("token")); ok {
		row, err := h.Store.Refresh(ctx, shown.ID)
		switch {
		case errors.Is(err, oauth.ErrNotFound):
			return "", nil
		case err != nil:
			return "", fmt.Errorf("read refresh token: %w", err)
		case !shown.Matches(row.SecretHash) || row.ClientID != req.client.ID:
			return "", nil
		}
		return row.GrantID, nil
	}
	t, err := h.Verifier.Inspect(ctx, req.get("token"))
	var e *oauth.Error
	switch {
	case errors.As(err, &e) && e.Code == oauth.TemporarilyUnavailable:
		return "", err
	case err != nil || t.ClientID != req.client.ID:
		return "", nil
	}
	return t.GrantID, nil
}

// introspection is what a resource server learns (RFC 7662 §2.2); the zero value says that the token is not active.
type introspection struct {
	Active    bool   `json:"active"`
	Issuer    string `json:"iss,omitempty"`
	Subject   string `json:"sub,omitempty"`
	Audience  string `json:"aud,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Scope     string `json:"scope,omitempty"`
	Expires   int64  `json:"exp,omitempty"`
	IssuedAt  int64  `json:"iat,omitempty"`
	NotBefore int64  `json:"nbf,omitempty"`
	ID        string `json:"jti,omitempty"`
	Type      string `json:"token_type,omitempty"`
}

// Introspect is the introspection endpoint (RFC 7662; oauth.md §9.7): for confidential clients, about access tokens for
// their own servers. There is no CORS: no page of anybody has a secret to call it with.
func (h *Handler) Introspect(w http.ResponseWriter, r *http.Request) {
	req, err := h.authenticated(w, r)
	switch {
	case err == nil && req.client.Public():
		err = invalidClient("public clients may not introspect")
	case err == nil && req.client.Status != oauth.Approved:
		err = refuse(oauth.UnauthorizedClient, "the client is not approved")
	}
	if err != nil {
		h.refuse(w, r, "token.refused", req, err)
		return
	}
	told, err := h.introspect(r.Context(), req)
	if err != nil {
		h.refuse(w, r, "token.refused", req, err)
		return
	}
	oauth.WriteJSON(w, http.StatusOK, told)
}

func (h *Handler) introspect(ctx context.Context, req *request) (introspection, error) {
	t, err := h.Verifier.Inspect(ctx, req.get("token"))
	if err != nil {
		var e *oauth.Error
		if errors.As(err, &e) && e.Code == oauth.TemporarilyUnavailable {
			return introspection{}, err
		}
		return introspection{}, nil
	}
	res, ok := h.Catalogue.Resource(t.Audience)
	if !ok || !serves(&req.client, &res) {
		return introspection{}, nil
	}
	return introspection{
		Active: true, Issuer: t.Issuer, Subject: t.Subject, Audience: t.Audience, ClientID: t.ClientID,
		Scope: strings.Join(t.Scopes, " "), Expires: t.Expires.Unix(), IssuedAt: t.IssuedAt.Unix(), NotBefore: t.NotBefore.Unix(),
		ID: t.ID, Type: "Bearer",
	}, nil
}
