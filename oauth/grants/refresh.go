package grants

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
)

// refresh is the refresh_token grant (oauth.md §9.3): find the row → its status → is the person still good? → swap.
func (h *Handler) refresh(ctx context.Context, req *request) (*answer, error) {
	if req.get("refresh_token") == "" {
		return nil, refuse(oauth.InvalidRequest, "refresh_token is missing")
	}
	shown, ok := tokens.ParseRefresh(req.get("refresh_token"))
	if !ok {
		return nil, invalidGrant("not a refresh token")
	}
	row, g, err := h.findRefresh(ctx, req, shown)
	if err != nil {
		return nil, err
	}
	if !row.UsedAt.IsZero() {
		return h.usedBefore(ctx, req, row, g)
	}
	scopes, err := h.narrowed(req, g)
	if err != nil {
		return nil, err
	}
	if g, err = h.recheck(ctx, g); err != nil {
		return nil, err
	}
	p, err := h.permit(g, scopes) // before the swap: a refusal leaves the row as it is
	if err != nil {
		return nil, err
	}
	next := tokens.NewRefresh()
	now := h.now()
	err = h.Store.Rotate(ctx, row.ID, now, next.Token, oauth.RefreshToken{
		ID: next.ID, SecretHash: next.SecretHash, GrantID: g.ID, ClientID: g.ClientID, Resource: g.Resource,
		Generation: row.Generation + 1, Created: now, Expires: g.Expires,
	})
	switch {
	case errors.Is(err, oauth.ErrConflict): // another request with the same token was faster
		return h.lostRace(ctx, req, shown)
	case err != nil:
		return nil, fmt.Errorf("rotate refresh token: %w", err)
	}
	issued, err := h.issue(ctx, p)
	if err != nil {
		return nil, err
	}
	issued.RefreshToken = next.Token
	h.Audit.Record(ctx, oauth.Event{
		Name: "token.refreshed", Subject: g.Identity.Subject, ClientID: g.ClientID, Outcome: oauth.OutcomeOK, GrantID: g.ID,
	})
	return issued, nil
}

// findRefresh finds the row of a presented token with its grant, both good and of this client.
func (h *Handler) findRefresh(ctx context.Context, req *request, shown tokens.Refresh) (oauth.RefreshToken, *oauth.Grant, error) {
	row, err := h.Store.Refresh(ctx, shown.ID)
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return row, nil, invalidGrant("unknown refresh token")
	case err != nil:
		return row, nil, fmt.Errorf("read refresh token: %w", err)
	case !shown.Matches(row.SecretHash):
		return row, nil, invalidGrant("wrong secret of refresh token")
	case row.ClientID != req.client.ID:
		return row, nil, invalidGrant("refresh token of another client") // the family is not to blame
	}
	g, err := h.Store.Grant(ctx, row.GrantID)
	now := h.now()
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return row, nil, invalidGrant("grant is gone")
	case err != nil:
		return row, nil, fmt.Errorf("read grant: %w", err)
	case !g.Revoked.IsZero():
		return row, nil, invalidGrant("grant was revoked")
	case !now.Before(row.Expires), !now.Before(g.Expires):
		return row, nil, invalidGrant("refresh token expired")
	}
	return row, &g, nil
}

// narrowed returns the scopes of the access token: those of the grant, or fewer when the request asks for fewer.
func (h *Handler) narrowed(req *request, g *oauth.Grant) ([]string, error) {
	if err := h.checkResource(req, g.Resource); err != nil {
		return nil, err
	}
	if req.get("scope") == "" {
		return g.Scopes, nil
	}
	res, ok := h.Catalogue.Resource(g.Resource)
	if !ok {
		return nil, invalidGrant("resource is gone")
	}
	asked, fault := oauth.ParseScope(req.get("scope"))
	if fault != nil {
		return nil, fault
	}
	for _, s := range asked {
		if !slices.Contains(g.Scopes, s) {
			return nil, refuse(oauth.InvalidScope, "the scope is wider than what was granted")
		}
	}
	if len(asked) == 0 {
		return g.Scopes, nil
	}
	if !slices.Contains(asked, res.Scope) {
		asked = append(asked, res.Scope)
	}
	return asked, nil
}

// usedBefore answers a token that has a successor already. Within the grace time the answer with the successor got lost,
// or two processes share one token: they get the same successor. Later somebody has a copy, and nobody knows who.
func (h *Handler) usedBefore(ctx context.Context, req *request, row oauth.RefreshToken, g *oauth.Grant) (*answer, error) {
	current, err := h.inGrace(ctx, &row)
	if err != nil {
		return nil, err
	}
	if !current {
		return nil, h.refreshReused(ctx, req, g)
	}
	scopes, err := h.narrowed(req, g)
	if err != nil {
		return nil, err
	}
	p, err := h.permit(g, scopes)
	if err != nil {
		return nil, err
	}
	issued, err := h.issue(ctx, p)
	if err != nil {
		return nil, err
	}
	issued.RefreshToken = row.Successor
	h.Audit.Record(ctx, oauth.Event{
		Name: "token.graced", Subject: g.Identity.Subject, ClientID: g.ClientID, Outcome: oauth.OutcomeOK, GrantID: g.ID,
	})
	return issued, nil
}

// inGrace reports whether a used row may still give its successor: in time, and the successor itself unused.
func (h *Handler) inGrace(ctx context.Context, row *oauth.RefreshToken) (bool, error) {
	grace := h.Config().RefreshGrace
	if grace <= 0 || h.now().Sub(row.UsedAt) > grace { // a replica whose clock is behind sees a negative age: in time
		return false, nil
	}
	successor, ok := tokens.ParseRefresh(row.Successor)
	if !ok {
		return false, nil
	}
	next, err := h.Store.Refresh(ctx, successor.ID)
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read successor: %w", err)
	}
	return next.UsedAt.IsZero(), nil
}

func (h *Handler) refreshReused(ctx context.Context, req *request, g *oauth.Grant) error {
	if err := h.revoke(ctx, g.ID, ReasonRefreshReused); err != nil {
		return err
	}
	h.Audit.Record(ctx, oauth.Event{
		Name: "token.reuse_detected", Subject: g.Identity.Subject, ClientID: req.client.ID, Outcome: oauth.OutcomeRefused,
		Reason: ReasonRefreshReused, GrantID: g.ID,
	})
	return invalidGrant("refresh token was used before")
}

// lostRace answers as if the request had come a moment later.
func (h *Handler) lostRace(ctx context.Context, req *request, shown tokens.Refresh) (*answer, error) {
	row, g, err := h.findRefresh(ctx, req, shown)
	if err != nil {
		return nil, err
	}
	if row.UsedAt.IsZero() {
		return nil, invalidGrant("refresh token could not be rotated")
	}
	return h.usedBefore(ctx, req, row, g)
}

// revoke ends a grant in the store and, at once, on this replica.
func (h *Handler) revoke(ctx context.Context, grantID, reason string) error {
	if err := h.Store.RevokeGrant(ctx, grantID, reason, h.now()); err != nil {
		return fmt.Errorf("revoke grant: %w", err)
	}
	h.Verifier.Drop(grantID)
	h.Audit.Record(ctx, oauth.Event{Name: "family.revoked", Outcome: oauth.OutcomeOK, Reason: reason, GrantID: grantID})
	return nil
}
