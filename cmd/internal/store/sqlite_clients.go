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

func (s *sqlite) PutClient(ctx context.Context, c oauth.Client) error {
	record, err := json.Marshal(c) // holds a hash of the secret, no secret
	if err != nil {
		return fmt.Errorf("encode client: %w", err)
	}
	_, err = exec(ctx, s.writer, `INSERT INTO clients (id, kind, fingerprint, created, last_used, record) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, fingerprint = excluded.fingerprint, created = excluded.created,
			last_used = excluded.last_used, record = excluded.record`,
		c.ID, c.Kind, c.Fingerprint, ms(c.Created), ms(c.LastUsed), string(record))
	if err != nil {
		return fmt.Errorf("put client: %w", err)
	}
	return nil
}

func (s *sqlite) Client(ctx context.Context, id string) (oauth.Client, error) {
	return readClient(s.reader.QueryRowContext(ctx, `SELECT record, created, last_used FROM clients WHERE id = ?`, id))
}

func (s *sqlite) ClientByFingerprint(ctx context.Context, fingerprint string) (oauth.Client, error) {
	return readClient(s.reader.QueryRowContext(ctx, `SELECT record, created, last_used FROM clients
		WHERE fingerprint = ? AND fingerprint <> '' AND kind = ? ORDER BY created LIMIT 1`, fingerprint, oauth.Registered))
}

func readClient(row *sql.Row) (c oauth.Client, err error) {
	var record string
	var created, lastUsed int64
	switch err := row.Scan(&record, &created, &lastUsed); {
	case errors.Is(err, sql.ErrNoRows):
		return c, oauth.ErrNotFound
	case err != nil:
		return c, fmt.Errorf("read client: %w", err)
	}
	if err := json.Unmarshal([]byte(record), &c); err != nil {
		return oauth.Client{}, fmt.Errorf("decode client: %w", err)
	}
	c.Created, c.LastUsed = fromMS(created), fromMS(lastUsed)
	return c, nil
}

func (s *sqlite) TouchClient(ctx context.Context, id string, at time.Time) error {
	if _, err := exec(ctx, s.writer, `UPDATE clients SET last_used = ? WHERE id = ?`, mark(at), id); err != nil {
		return fmt.Errorf("touch client: %w", err)
	}
	return nil
}

func (s *sqlite) EvictUnused(ctx context.Context, limit int, before time.Time) (room bool, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		const unused = `SELECT count(*) FROM clients WHERE kind = 'registered' AND last_used = 0`
		var n int64
		if err := tx.QueryRowContext(ctx, unused).Scan(&n); err != nil {
			return fmt.Errorf("count unused clients: %w", err)
		}
		if n >= int64(limit) {
			gone, err := exec(ctx, tx, `DELETE FROM clients WHERE id = (SELECT id FROM clients
				WHERE kind = 'registered' AND last_used = 0 AND created < ? ORDER BY created LIMIT 1)`, ms(before))
			if err != nil {
				return fmt.Errorf("evict client: %w", err)
			}
			n -= gone
		}
		room = n < int64(limit)
		return nil
	})
	return room && err == nil, err
}

const sessionPlace = "sessions/sealed/"

func (s *sqlite) PutSession(ctx context.Context, v oauth.Session) error {
	sealed, err := s.seal(sessionPlace+v.Hash, v)
	if err != nil {
		return err
	}
	_, err = exec(ctx, s.writer, `INSERT INTO sessions (hash, subject, expires, sealed) VALUES (?, ?, ?, ?)
		ON CONFLICT (hash) DO UPDATE SET subject = excluded.subject, expires = excluded.expires, sealed = excluded.sealed`,
		v.Hash, v.Identity.Subject, ms(v.Expires), sealed)
	if err != nil {
		return fmt.Errorf("put session: %w", err)
	}
	return nil
}

func (s *sqlite) Session(ctx context.Context, hash string) (v oauth.Session, err error) {
	var sealed string
	err = s.reader.QueryRowContext(ctx, `SELECT sealed FROM sessions WHERE hash = ?`, hash).Scan(&sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return v, oauth.ErrNotFound
	case err != nil:
		return v, fmt.Errorf("read session: %w", err)
	}
	if err := s.open(sessionPlace+hash, sealed, &v); err != nil {
		s.quarantine(ctx, "sessions", hash, err, `DELETE FROM sessions WHERE hash = ?`, hash)
		return oauth.Session{}, oauth.ErrNotFound
	}
	return v, nil
}

func (s *sqlite) DeleteSession(ctx context.Context, hash string) error {
	if _, err := exec(ctx, s.writer, `DELETE FROM sessions WHERE hash = ?`, hash); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}
