package main

import (
	"context"
	"errors"
	"time"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/console"
	"github.com/drawbridge-mcp/drawbridge/cmd/internal/store"
	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// endingStore tells everybody who holds something for a grant that it ended: verdicts about its tokens are dropped, and
// its MCP sessions and streams end (oauth.md §8.2 row 5, mcp.md S10).
type endingStore struct {
	*store.Store
	ended func(grant string)
}

func (s endingStore) RevokeGrant(ctx context.Context, id, reason string, at time.Time) error {
	if err := s.Store.RevokeGrant(ctx, id, reason, at); err != nil {
		return err
	}
	s.ended(id)
	return nil
}

func (g *gateway) ended(grant string) {
	g.verifier.Drop(grant)
	g.edge.EndGrant(grant)
}

// applications lists what a person has allowed, for the portal.
func (g *gateway) applications(ctx context.Context, subject string) ([]console.Application, error) {
	grants, err := g.store.GrantsOf(ctx, subject, time.Now())
	if err != nil {
		return nil, err
	}
	var list []console.Application
	for _, gr := range grants {
		app := console.Application{Grant: gr.ID, Name: oauth.DisplayName(gr.Client, 60), Resource: gr.Resource, Since: gr.Created, Until: gr.Expires}
		if res, ok := g.snapshot().Resource(gr.Resource); ok {
			app.Resource = res.Title
		}
		list = append(list, app)
	}
	return list, nil
}

// disconnect ends a grant of this very person.
func (g *gateway) disconnect(ctx context.Context, subject, grant string) error {
	gr, err := g.store.Grant(ctx, grant)
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return console.ErrNotYours
	case err != nil:
		return err
	case gr.Identity.Subject != subject:
		return console.ErrNotYours
	}
	if err := (endingStore{g.store, g.ended}).RevokeGrant(ctx, grant, "disconnected", time.Now()); err != nil {
		return err
	}
	g.audit.Record(ctx, oauth.Event{Name: "consent.revoked", Subject: subject, ClientID: gr.ClientID, Outcome: oauth.OutcomeOK, Reason: "disconnected", GrantID: grant})
	return nil
}
