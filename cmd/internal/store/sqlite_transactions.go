package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// A transaction is sealed whole: it holds the verifier, nonce and state of a sign-in under way, and later the provider's
// tokens. What finds it is hashed.
const transactionPlace = "transactions/sealed/"

func hashed(text string) string {
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (s *sqlite) PutTransaction(ctx context.Context, t oauth.Transaction, limit int) error {
	id := hashed(t.ID)
	sealed, err := s.seal(transactionPlace+id, t)
	if err != nil {
		return err
	}
	n, err := exec(ctx, s.writer, `INSERT INTO transactions (id, state, status, expires, sealed) SELECT ?, ?, ?, ?, ?
		WHERE (SELECT count(*) FROM transactions WHERE status IN ('at_provider', 'consenting') AND expires > ?) < ?
		ON CONFLICT DO NOTHING`,
		id, hashed(t.UpstreamState), t.Status, ms(t.Expires), sealed, ms(t.Created), limit)
	if err != nil {
		return fmt.Errorf("put transaction: %w", err)
	}
	if n == 0 {
		return oauth.ErrConflict
	}
	return nil
}

func (s *sqlite) Transaction(ctx context.Context, id string) (oauth.Transaction, error) {
	return s.transaction(ctx, `SELECT id, status, sealed FROM transactions WHERE id = ?`, hashed(id))
}

func (s *sqlite) TransactionByState(ctx context.Context, upstreamState string) (oauth.Transaction, error) {
	return s.transaction(ctx, `SELECT id, status, sealed FROM transactions WHERE state = ? AND state <> ''`, hashed(upstreamState))
}

func (s *sqlite) transaction(ctx context.Context, query, key string) (t oauth.Transaction, err error) {
	var id, status, sealed string
	err = s.reader.QueryRowContext(ctx, query, key).Scan(&id, &status, &sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return t, oauth.ErrNotFound
	case err != nil:
		return t, fmt.Errorf("read transaction: %w", err)
	}
	if err := s.open(transactionPlace+id, sealed, &t); err != nil {
		s.quarantine(ctx, "transactions", id, err, `DELETE FROM transactions WHERE id = ?`, id)
		return oauth.Transaction{}, oauth.ErrNotFound
	}
	t.Status = oauth.TransactionStatus(status)
	return t, nil
}

func (s *sqlite) SwapTransaction(ctx context.Context, from oauth.TransactionStatus, t oauth.Transaction) error {
	return s.swap(ctx, s.writer, from, t)
}

// swap leaves the column state as it was: it is how the callback finds the transaction, in whatever status it is.
func (s *sqlite) swap(ctx context.Context, db execer, from oauth.TransactionStatus, t oauth.Transaction) error {
	id := hashed(t.ID)
	sealed, err := s.seal(transactionPlace+id, t)
	if err != nil {
		return err
	}
	n, err := exec(ctx, db, `UPDATE transactions SET status = ?, expires = ?, sealed = ? WHERE id = ? AND status = ?`,
		t.Status, ms(t.Expires), sealed, id, from)
	if err != nil {
		return fmt.Errorf("swap transaction: %w", err)
	}
	if n == 0 {
		return oauth.ErrConflict
	}
	return nil
}

func (s *sqlite) Finish(ctx context.Context, t oauth.Transaction, g oauth.Grant, c oauth.Code) error {
	t.Status = oauth.Done
	return s.change(ctx, func(tx *sql.Tx) error {
		if err := s.swap(ctx, tx, oauth.Consenting, t); err != nil {
			return err
		}
		if err := s.putGrant(ctx, tx, g); err != nil {
			return err
		}
		return putCode(ctx, tx, c)
	})
}

func putCode(ctx context.Context, tx execer, c oauth.Code) error {
	record, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode code: %w", err)
	}
	_, err = exec(ctx, tx, `INSERT INTO codes (hash, grant_id, expires, spent, record) VALUES (?, ?, ?, ?, ?)`,
		c.Hash, c.GrantID, ms(c.Expires), ms(c.SpentAt), string(record))
	if err != nil {
		return fmt.Errorf("put code: %w", err)
	}
	return nil
}

// SpendCode marks and reads in one statement; the second statement runs only for a code that was not marked by it.
func (s *sqlite) SpendCode(ctx context.Context, hash string, at time.Time) (before oauth.Code, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		const spend = `UPDATE codes SET spent = ? WHERE hash = ? AND spent = 0 RETURNING record, 0`
		var err error
		before, err = readCode(tx.QueryRowContext(ctx, spend, mark(at), hash))
		if !errors.Is(err, oauth.ErrNotFound) {
			return err
		}
		before, err = readCode(tx.QueryRowContext(ctx, `SELECT record, spent FROM codes WHERE hash = ?`, hash))
		if err != nil {
			return err
		}
		return oauth.ErrConflict
	})
	return before, err
}

func readCode(row *sql.Row) (c oauth.Code, err error) {
	var record string
	var spent int64
	switch err := row.Scan(&record, &spent); {
	case errors.Is(err, sql.ErrNoRows):
		return c, oauth.ErrNotFound
	case err != nil:
		return c, fmt.Errorf("spend code: %w", err)
	}
	if err := json.Unmarshal([]byte(record), &c); err != nil {
		return oauth.Code{}, fmt.Errorf("decode code: %w", err)
	}
	c.SpentAt = fromMS(spent)
	return c, nil
}
