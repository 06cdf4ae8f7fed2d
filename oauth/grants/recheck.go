package grants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

const (
	defaultRecheck = 10 * time.Second
	trustStored    = time.Hour // how long stored roles count while the provider is down
	checkTimeout   = 30 * time.Second
)

// recheck asks the identity provider whether the person of a grant is still good, and with which roles (oauth.md §11.7).
// Refreshes of one grant at the same time ask once.
func (h *Handler) recheck(ctx context.Context, g *oauth.Grant) (*oauth.Grant, error) {
	result := h.checks.DoChan(g.ID, func() (any, error) {
		// One client's going away must not fail the others that wait for the same answer.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
		defer cancel()
		return h.checkPerson(ctx, g.ID)
	})
	select {
	case <-ctx.Done():
		return nil, oauth.Unavailable(ctx.Err())
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		checked := r.Val.(oauth.Grant) // a copy for each
		return &checked, nil
	}
}

// checkPerson reads the grant again, since another request may have checked it in between, and asks the provider.
func (h *Handler) checkPerson(ctx context.Context, grantID string) (oauth.Grant, error) {
	g, err := h.Store.Grant(ctx, grantID)
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return g, invalidGrant("grant is gone")
	case err != nil:
		return g, fmt.Errorf("read grant: %w", err)
	case !g.Revoked.IsZero():
		return g, invalidGrant("grant was revoked")
	}
	now := h.now()
	if h.checkedJustNow(&g, now) {
		return g, nil
	}
	upstream := oauth.Upstream{}
	if g.Upstream != nil {
		upstream = *g.Upstream
	}
	person, next, err := h.Provider().Refresh(ctx, g.Identity, upstream)
	if err != nil {
		return h.checkFailed(ctx, g, now, err)
	}
	if next.RefreshToken == "" {
		next.RefreshToken = upstream.RefreshToken // none was returned: the old one stays good
	}
	next.Checked = now
	g.Identity, g.Upstream = person, &next
	err = h.Store.UpdateGrant(ctx, g)
	switch {
	case errors.Is(err, oauth.ErrConflict):
		return g, invalidGrant("grant was revoked meanwhile")
	case err != nil:
		return g, fmt.Errorf("update grant: %w", err)
	}
	return g, nil
}

// checkedJustNow: a check that came with a refresh counts for a few seconds; the sign-in itself, before the grant was
// made, does not.
func (h *Handler) checkedJustNow(g *oauth.Grant, now time.Time) bool {
	window := h.Recheck
	if window == 0 {
		window = defaultRecheck
	}
	if g.Upstream == nil || !g.Upstream.Checked.After(g.Created) {
		return false
	}
	age := now.Sub(g.Upstream.Checked)
	return age >= 0 && age < window
}

// checkFailed: a no ends the grant; trouble ends nothing. While the provider is down, what was known an hour ago counts.
func (h *Handler) checkFailed(ctx context.Context, g oauth.Grant, now time.Time, err error) (oauth.Grant, error) {
	var e *oauth.Error
	if !errors.As(err, &e) || e.Code == oauth.TemporarilyUnavailable || e.Code == oauth.ServerError {
		if errors.As(err, &e) && e.Code == oauth.ServerError || !h.knownRecently(&g, now) {
			return g, oauth.Unavailable(fmt.Errorf("check person: %w", err))
		}
		h.log().WarnContext(ctx, "identity provider is unavailable, stored roles are used", "error", err)
		return g, nil
	}
	if revokeErr := h.revoke(ctx, g.ID, ReasonProvider); revokeErr != nil {
		return g, revokeErr
	}
	return g, &oauth.Error{Code: oauth.InvalidGrant, Description: "the grant is not valid", Err: fmt.Errorf("check person: %w", err)}
}

// knownRecently reports whether the person was good within the last hour; signing in counts here.
func (h *Handler) knownRecently(g *oauth.Grant, now time.Time) bool {
	last := g.Created
	if g.Upstream != nil && g.Upstream.Checked.After(last) {
		last = g.Upstream.Checked
	}
	return now.Sub(last) < trustStored
}
