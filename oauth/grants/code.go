package grants

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Reasons of revocations, as grants keep them.
const (
	ReasonCodeReused    = "code_reused"
	ReasonRefreshReused = "refresh_reused"
	ReasonProvider      = "provider_refused"
	ReasonClient        = "revoked_by_client"
	ReasonTooMany       = "too_many_grants"
)

// maxGrants of one person and client (oauth.md §17): one client document serves all machines of a person, and none of
// them ever gives a grant back.
const maxGrants = 100

const rememberSpent = 24 * time.Hour

var verifierPattern = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// redeemCode is the authorization_code grant (oauth.md §9.2).
func (h *Handler) redeemCode(ctx context.Context, req *request) (*answer, error) {
	hash, ok := tokens.CodeHash(req.get("code"))
	switch {
	case req.get("code") == "":
		return nil, refuse(oauth.InvalidRequest, "code is missing")
	case req.get("code_verifier") != "" && !verifierPattern.MatchString(req.get("code_verifier")):
		return nil, refuse(oauth.InvalidRequest, "code_verifier is malformed")
	case !ok:
		return nil, invalidGrant("not a code")
	}
	now := h.now()
	code, err := h.Store.SpendCode(ctx, hash, now)
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return nil, invalidGrant("unknown code")
	case errors.Is(err, oauth.ErrConflict):
		return nil, h.codeReused(ctx, req, &code, now)
	case err != nil:
		return nil, fmt.Errorf("spend code: %w", err)
	}
	if err := h.checkCode(req, &code, now); err != nil {
		return nil, err
	}
	g, err := h.grantOfCode(ctx, &code, now)
	if err != nil {
		return nil, err
	}
	p, err := h.permit(g, g.Scopes)
	if err != nil {
		return nil, err
	}
	issued, err := h.issue(ctx, p)
	if err != nil {
		return nil, err
	}
	if req.client.Grants(oauth.GrantRefreshToken) {
		if issued.RefreshToken, err = h.firstRefresh(ctx, g, now); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(h.Store.TouchClient(ctx, req.client.ID, now), h.endOldest(ctx, g, now)); err != nil {
		h.log().WarnContext(ctx, "tidy up after a code", "error", err) // the tokens are good all the same
	}
	return issued, nil
}

// endOldest revokes the oldest grants of a person and client that are too many.
func (h *Handler) endOldest(ctx context.Context, g *oauth.Grant, now time.Time) error {
	all, err := h.Store.GrantsOf(ctx, g.Identity.Subject, now)
	if err != nil {
		return fmt.Errorf("list grants: %w", err)
	}
	kept := 0
	for _, old := range all { // newest first
		if old.ClientID != g.ClientID {
			continue
		}
		if kept++; kept <= maxGrants {
			continue
		}
		if err := h.revoke(ctx, old.ID, ReasonTooMany); err != nil {
			return err
		}
	}
	return nil
}

// checkCode compares what was presented with what the code was made for. The code is spent by now, whatever comes out.
func (h *Handler) checkCode(req *request, code *oauth.Code, now time.Time) error {
	switch {
	case !now.Before(code.Expires):
		return invalidGrant("code expired")
	case code.ClientID != req.client.ID:
		return invalidGrant("code of another client")
	case req.get("redirect_uri") != "" && req.get("redirect_uri") != code.RedirectURI:
		return invalidGrant("another redirect_uri")
	case !verifies(req.get("code_verifier"), code.CodeChallenge):
		return invalidGrant("code_verifier does not fit")
	}
	return h.checkResource(req, code.Resource)
}

// verifies checks S256 (RFC 7636 §4.6). A code without a challenge cannot exist; if it did, nothing would fit it.
func verifies(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	made := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(made), []byte(challenge)) == 1 && verifier != ""
}

// checkResource: absent, or the granted one in any of its spellings.
func (h *Handler) checkResource(req *request, granted string) error {
	raw := req.get("resource")
	if raw == "" {
		return nil
	}
	if uri, ok := oauth.CanonicalResource(h.PublicURL, raw); !ok || uri != granted {
		return refuse(oauth.InvalidTarget, "the grant is for another resource")
	}
	return nil
}

// codeReused answers a second redemption. Somebody may have stolen the code and been first, so the tokens made from it
// die (RFC 9700 §4.5.4) — but not because a stranger's client shows a code it cannot use anyway.
func (h *Handler) codeReused(ctx context.Context, req *request, code *oauth.Code, now time.Time) error {
	if code.ClientID != req.client.ID || now.Sub(code.SpentAt) > rememberSpent {
		return invalidGrant("code was spent")
	}
	if err := h.revoke(ctx, code.GrantID, ReasonCodeReused); err != nil {
		return err
	}
	h.Audit.Record(ctx, oauth.Event{
		Name: "code.reused", ClientID: req.client.ID, Outcome: oauth.OutcomeRefused, Reason: ReasonCodeReused, GrantID: code.GrantID,
	})
	return invalidGrant("code was spent")
}

func (h *Handler) grantOfCode(ctx context.Context, code *oauth.Code, now time.Time) (*oauth.Grant, error) {
	g, err := h.Store.Grant(ctx, code.GrantID)
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return nil, invalidGrant("grant is gone")
	case err != nil:
		return nil, fmt.Errorf("read grant: %w", err)
	case !now.Before(g.Expires):
		return nil, invalidGrant("grant expired")
	case !g.Revoked.IsZero() && g.Reason != ReasonCodeReused:
		return nil, invalidGrant("grant was revoked")
	}
	// Revoked as reused, although this request spent the code: another one lost the race for it just now. This one gets
	// its answer, with tokens that are dead already, so that exactly one of many succeeds.
	return &g, nil
}

// firstRefresh starts the grant's refresh family.
func (h *Handler) firstRefresh(ctx context.Context, g *oauth.Grant, now time.Time) (string, error) {
	fresh := tokens.NewRefresh()
	err := h.Store.PutRefresh(ctx, oauth.RefreshToken{
		ID: fresh.ID, SecretHash: fresh.SecretHash, GrantID: g.ID, ClientID: g.ClientID, Resource: g.Resource,
		Generation: 1, Created: now, Expires: g.Expires,
	})
	if err != nil {
		return "", fmt.Errorf("store refresh token: %w", err)
	}
	return fresh.Token, nil
}

// permit says what an access token of a grant would hold as the person stands now: resource and roles are those of the
// current configuration, not of the day of consent.
func (h *Handler) permit(g *oauth.Grant, scopes []string) (permitted, error) {
	res, ok := h.Catalogue.Resource(g.Resource)
	if !ok {
		return permitted{}, invalidGrant("resource is gone")
	}
	caller := g.Identity.Caller(g.ClientID)
	if res.Usable != nil {
		if ok, _ := res.Usable(caller); !ok {
			return permitted{}, invalidGrant("person may not use the resource any more")
		}
	}
	scopes = oauth.GrantedScopes(&res, caller, scopes)
	if !slices.Contains(scopes, res.Scope) {
		return permitted{}, invalidGrant("nothing is left of the scope")
	}
	return permitted{server: res.Name, access: tokens.Access{
		Audience: res.URI, Subject: g.Identity.Subject, ClientID: g.ClientID, GrantID: g.ID, Scopes: scopes,
		Roles: g.Identity.Roles, Tenant: g.Identity.Tenant, Name: g.Identity.Name, AuthTime: g.Identity.AuthTime, NotAfter: g.Expires,
	}}, nil
}

// permitted is an access token that may be issued.
type permitted struct {
	server string // name of the resource, for the audit log
	access tokens.Access
}

// issue signs, and says so.
func (h *Handler) issue(ctx context.Context, p permitted) (*answer, error) {
	issued, err := h.Issuer.Issue(p.access)
	if err != nil {
		return nil, &oauth.Error{Code: oauth.ServerError, Err: err}
	}
	h.Audit.Record(ctx, oauth.Event{
		Name: "token.issued", Subject: p.access.Subject, ClientID: p.access.ClientID, Server: p.server, Outcome: oauth.OutcomeOK,
		GrantID: p.access.GrantID,
	})
	identity.RequestFrom(ctx).Note(
		slog.String("caller", p.access.Subject), slog.String("client_id", p.access.ClientID), slog.String("decision", "allowed"))
	return &answer{
		AccessToken: issued.Token, TokenType: "Bearer", ExpiresIn: int64(issued.TTL / time.Second),
		Scope: strings.Join(slices.Sorted(slices.Values(p.access.Scopes)), " "),
	}, nil
}
