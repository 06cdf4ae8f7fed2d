package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

const (
	grantPlace   = "grants/sealed/"
	refreshPlace = "refresh_tokens/sealed/"
	maxGrants    = 10_000 // listed for one person
	unreadable   = "unreadable"
)

// grantSealed is the part of a grant that only this installation can read.
type grantSealed struct {
	Upstream *oauth.Upstream
	Claims   map[string]any
}

// grantColumns parts a grant into what may be read in a dump and what may not.
func (s *sqlite) grantColumns(g oauth.Grant) (record, sealed string, err error) {
	hidden := grantSealed{g.Upstream, g.Identity.Claims}
	g.Upstream, g.Identity.Claims = nil, nil
	text, err := json.Marshal(g)
	if err != nil {
		return "", "", fmt.Errorf("encode grant: %w", err)
	}
	sealed, err = s.seal(grantPlace+g.ID, hidden)
	return string(text), sealed, err
}

func (s *sqlite) putGrant(ctx context.Context, tx execer, g oauth.Grant) error {
	record, sealed, err := s.grantColumns(g)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `INSERT INTO grants (id, subject, client_id, created, expires, revoked, reason, record, sealed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		g.ID, g.Identity.Subject, g.ClientID, ms(g.Created), ms(g.Expires), ms(g.Revoked), g.Reason, record, sealed)
	if err != nil {
		return fmt.Errorf("put grant: %w", err)
	}
	return nil
}

const grantSelect = `SELECT id, created, expires, revoked, reason, record, sealed FROM grants `

func (s *sqlite) Grant(ctx context.Context, id string) (oauth.Grant, error) {
	g, err := s.readGrant(ctx, s.reader.QueryRowContext(ctx, grantSelect+`WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return oauth.Grant{}, oauth.ErrNotFound
	}
	return g, err
}

type scanner interface{ Scan(dest ...any) error }

// readGrant returns a grant whose sealed part does not open as a revoked one.
func (s *sqlite) readGrant(ctx context.Context, row scanner) (g oauth.Grant, err error) {
	var id, reason, record, sealed string
	var created, expires, revoked int64
	if err := row.Scan(&id, &created, &expires, &revoked, &reason, &record, &sealed); err != nil {
		return g, fmt.Errorf("read grant: %w", err)
	}
	if err := json.Unmarshal([]byte(record), &g); err != nil {
		return oauth.Grant{}, fmt.Errorf("decode grant: %w", err)
	}
	g.ID, g.Created, g.Expires, g.Revoked, g.Reason = id, fromMS(created), fromMS(expires), fromMS(revoked), reason
	if sealed == "" { // of a revoked grant
		return g, nil
	}
	var hidden grantSealed
	if err := s.open(grantPlace+id, sealed, &hidden); err != nil {
		g.Revoked, g.Reason = g.Created, unreadable
		s.quarantine(ctx, "grants", id, err,
			`UPDATE grants SET revoked = ?, reason = ?, sealed = '' WHERE id = ? AND revoked = 0`, mark(g.Revoked), unreadable, id)
		return g, nil
	}
	g.Upstream, g.Identity.Claims = hidden.Upstream, hidden.Claims
	return g, nil
}

// RevokeGrant forgets the provider's tokens at once: nothing may use them any more.
func (s *sqlite) RevokeGrant(ctx context.Context, id, reason string, at time.Time) error {
	const revoke = `UPDATE grants SET revoked = ?, reason = ?, sealed = '' WHERE id = ? AND revoked = 0`
	if _, err := exec(ctx, s.writer, revoke, mark(at), reason, id); err != nil {
		return fmt.Errorf("revoke grant: %w", err)
	}
	return nil
}

func (s *sqlite) UpdateGrant(ctx context.Context, g oauth.Grant) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		var record string
		err := tx.QueryRowContext(ctx, `SELECT record FROM grants WHERE id = ? AND revoked = 0`, g.ID).Scan(&record)
		if errors.Is(err, sql.ErrNoRows) {
			return oauth.ErrConflict
		}
		var old oauth.Grant
		if err == nil {
			err = json.Unmarshal([]byte(record), &old)
		}
		if err != nil {
			return fmt.Errorf("update grant: %w", err)
		}
		g.Identity.Subject = old.Identity.Subject // a grant never changes its person
		old.Identity, old.Upstream = g.Identity, g.Upstream
		record, sealed, err := s.grantColumns(old)
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `UPDATE grants SET record = ?, sealed = ? WHERE id = ?`, record, sealed, g.ID); err != nil {
			return fmt.Errorf("update grant: %w", err)
		}
		return nil
	})
}

func (s *sqlite) GrantsOf(ctx context.Context, subject string, now time.Time) ([]oauth.Grant, error) {
	rows, err := s.reader.QueryContext(ctx, grantSelect+`WHERE subject = ? AND revoked = 0 AND expires > ?
		ORDER BY created DESC, id LIMIT ?`, subject, ms(now), maxGrants)
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	defer rows.Close()
	var list []oauth.Grant
	for rows.Next() {
		g, err := s.readGrant(ctx, rows)
		if err != nil {
			return nil, err
		}
		if g.Revoked.IsZero() {
			list = append(list, g)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	return list, nil
}

func (s *sqlite) PutRefresh(ctx context.Context, r oauth.RefreshToken) error {
	return s.putRefresh(ctx, s.writer, r)
}

func (s *sqlite) putRefresh(ctx context.Context, db execer, r oauth.RefreshToken) error {
	sealed, err := s.sealSuccessor(r.ID, r.Successor)
	if err != nil {
		return err
	}
	_, err = exec(ctx, db, `INSERT INTO refresh_tokens
		(id, secret_hash, grant_id, client_id, resource, generation, used, sealed, created, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.SecretHash, r.GrantID, r.ClientID, r.Resource, r.Generation, ms(r.UsedAt), sealed, ms(r.Created), ms(r.Expires))
	if err != nil {
		return fmt.Errorf("put refresh token: %w", err)
	}
	return nil
}

func (s *sqlite) sealSuccessor(id, successor string) (string, error) {
	if successor == "" {
		return "", nil
	}
	return s.seal(refreshPlace+id, successor)
}

func (s *sqlite) Refresh(ctx context.Context, id string) (r oauth.RefreshToken, err error) {
	var sealed string
	var used, created, expires int64
	err = s.reader.QueryRowContext(ctx, `SELECT id, secret_hash, grant_id, client_id, resource, generation, used, sealed, created, expires
		FROM refresh_tokens WHERE id = ?`, id).
		Scan(&r.ID, &r.SecretHash, &r.GrantID, &r.ClientID, &r.Resource, &r.Generation, &used, &sealed, &created, &expires)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return oauth.RefreshToken{}, oauth.ErrNotFound
	case err != nil:
		return oauth.RefreshToken{}, fmt.Errorf("read refresh token: %w", err)
	}
	r.UsedAt, r.Created, r.Expires = fromMS(used), fromMS(created), fromMS(expires)
	if sealed == "" {
		return r, nil
	}
	if err := s.open(refreshPlace+id, sealed, &r.Successor); err != nil { // no successor to give again: the token is spent
		s.quarantine(ctx, "refresh_tokens", id, err, `UPDATE refresh_tokens SET sealed = '' WHERE id = ?`, id)
		r.Successor = ""
	}
	return r, nil
}

func (s *sqlite) Rotate(ctx context.Context, id string, at time.Time, successor string, next oauth.RefreshToken) error {
	sealed, err := s.sealSuccessor(id, successor)
	if err != nil {
		return err
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `UPDATE refresh_tokens SET used = ?, sealed = ? WHERE id = ? AND used = 0
			AND EXISTS (SELECT 1 FROM grants WHERE grants.id = refresh_tokens.grant_id AND grants.revoked = 0)`, mark(at), sealed, id)
		if err != nil {
			return fmt.Errorf("rotate refresh token: %w", err)
		}
		if n == 0 {
			return oauth.ErrConflict
		}
		return s.putRefresh(ctx, tx, next)
	})
}
