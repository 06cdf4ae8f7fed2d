package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// LoadKeys reads the keys file, or makes it on a first start. It makes none while the database holds what only other keys
// open: the file is then missing, not new (operations.md K6).
func LoadKeys(ctx context.Context, databaseURL, path string, now time.Time) (ring *secret.Keyring, created bool, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		needed, err := keysNeeded(ctx, databaseURL)
		if err != nil {
			return nil, false, err
		}
		if len(needed) > 0 {
			return nil, false, needKeys(needed)
		}
	}
	return secret.LoadKeyring(path, now)
}

// keysNeeded names the keys that a database was written with, without changing it. A database that is not there needs none.
func keysNeeded(ctx context.Context, databaseURL string) ([]string, error) {
	path, ok := strings.CutPrefix(databaseURL, "sqlite:")
	if !ok {
		return nil, nil
	}
	path, err := sqlitePath(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil, nil // opening it says what is wrong, if anything is
	}
	db, err := sql.Open("sqlite", sqliteDSN(path, "deferred", "query_only(1)"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	exists, err := hasTable(ctx, db, "known_keys")
	if err != nil {
		return nil, fmt.Errorf("read key names of %s: %w", path, err)
	}
	if !exists {
		return nil, nil
	}
	known, err := knownKeys(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("read key names of %s: %w", path, err)
	}
	return known, nil
}

func needKeys(ids []string) error {
	return fmt.Errorf("the database needs keys %s; restore storage.keys from backup", strings.Join(ids, ", "))
}

// knownKeys lists the names of keys recorded in the database, in the order they came.
func knownKeys(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT id FROM known_keys ORDER BY seen, kind, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// recordKeys refuses a ring that lacks a key the database was written with, and records those that are new.
func (s *sqlite) recordKeys(ctx context.Context, now time.Time) error {
	known, err := knownKeys(ctx, s.writer)
	if err != nil {
		return fmt.Errorf("read key names: %w", err)
	}
	encryption, mac := s.keys.EncryptionIDs(), s.keys.MACID()
	have := append(slices.Clone(encryption), mac)
	missing := slices.DeleteFunc(slices.Clone(known), func(id string) bool { return slices.Contains(have, id) })
	if len(missing) > 0 {
		return needKeys(missing)
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, id := range have {
			kind := "encryption"
			if id == mac {
				kind = "mac"
			}
			const add = `INSERT INTO known_keys (id, kind, seen) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
			if _, err := exec(ctx, tx, add, id, kind, ms(now)); err != nil {
				return fmt.Errorf("record key names: %w", err)
			}
		}
		return nil
	})
}

// seal encrypts v for one place, table/column/primary key; moved elsewhere it does not open (operations.md K3).
func (s *sqlite) seal(place string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", place, err)
	}
	return s.keys.Seal(secret.Row, place, text)
}

func (s *sqlite) open(place, sealed string, v any) error {
	text, err := s.keys.Open(secret.Row, place, sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// quarantine marks a row whose sealed column does not open as unusable: the person signs in again, the process goes on
// (oauth.md §16).
func (s *sqlite) quarantine(ctx context.Context, table, id string, cause error, statement string, args ...any) {
	id = id[:min(len(id), 8)] // enough to find it, not enough to be it
	s.log.ErrorContext(ctx, "sealed column does not open", "table", table, "id", id, "err", cause)
	if _, err := exec(ctx, s.writer, statement, args...); err != nil {
		s.log.ErrorContext(ctx, "mark row as unusable", "table", table, "id", id, "err", err)
	}
}
