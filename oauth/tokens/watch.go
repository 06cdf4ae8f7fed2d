package tokens

import (
	"context"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// Watch returns store with every revocation told to v, whoever makes it: the token endpoint, the portal or an
// administrator. On this replica tokens of the grant die at once; on others within 5 s.
func Watch(store oauth.Store, v *Verifier) oauth.Store { return watched{store, v} }

type watched struct {
	oauth.Store
	verifier *Verifier
}

func (w watched) RevokeGrant(ctx context.Context, id, reason string, at time.Time) error {
	if err := w.Store.RevokeGrant(ctx, id, reason, at); err != nil {
		return err
	}
	w.verifier.Drop(id)
	return nil
}
