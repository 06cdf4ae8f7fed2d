package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the schema up to date, each step in an exclusive transaction (operations.md M1). A database that a newer
// program made unreadable for this one is refused before anything is touched (M3).
func migrate(ctx context.Context, path string, cfg Config) error {
	steps, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", sqliteDSN(path, "exclusive"))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	return migrateWith(ctx, db, steps, cfg)
}

func migrateWith(ctx context.Context, db *sql.DB, steps fs.FS, cfg Config) error {
	goOn, err := goose.NewProvider(goose.DialectSQLite3, db, steps, goose.WithDisableGlobalRegistry(true), goose.WithSlog(cfg.Log))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	known := goOn.ListSources()
	if err := checkVersion(ctx, db, known[len(known)-1].Version); err != nil {
		return err
	}
	if err := checkSums(ctx, db, steps, known); err != nil {
		return err
	}
	if cfg.NoMigrate {
		return refuseDue(ctx, goOn)
	}
	if _, err := goOn.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return recordSums(ctx, db, steps, known)
}

// checkVersion compares with what the database itself says about who may read it.
func checkVersion(ctx context.Context, db *sql.DB, newest int64) error {
	if exists, err := hasTable(ctx, db, "schema_version"); err != nil || !exists {
		return err
	}
	var current, oldest int64
	var release string
	err := db.QueryRowContext(ctx, `SELECT current, oldest_reader, release FROM schema_version`).Scan(&current, &oldest, &release)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if newest < oldest {
		return fmt.Errorf("the database was upgraded to %d; this binary reads up to %d; run %s or newer", current, newest, release)
	}
	return nil
}

func hasTable(ctx context.Context, db *sql.DB, name string) (exists bool, err error) {
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)`, name).Scan(&exists)
	return exists, err
}

// checkSums refuses when a migration that was applied reads differently now: the schema would not be what either text
// says.
func checkSums(ctx context.Context, db *sql.DB, steps fs.FS, known []*goose.Source) error {
	if exists, err := hasTable(ctx, db, "schema_checksums"); err != nil || !exists {
		return err
	}
	for _, step := range known {
		var applied string
		err := db.QueryRowContext(ctx, `SELECT checksum FROM schema_checksums WHERE version = ?`, step.Version).Scan(&applied)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read checksums: %w", err)
		}
		now, err := checksum(steps, step.Path)
		if err != nil {
			return err
		}
		if now != applied {
			return fmt.Errorf("migration %s was changed after it was applied to this database", step.Path)
		}
	}
	return nil
}

// recordSums fills in what is missing, so that a crash after a migration does no harm.
func recordSums(ctx context.Context, db *sql.DB, steps fs.FS, known []*goose.Source) error {
	for _, step := range known {
		sum, err := checksum(steps, step.Path)
		if err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, `INSERT INTO schema_checksums (version, checksum) VALUES (?, ?) ON CONFLICT DO NOTHING`, step.Version, sum)
		if err != nil {
			return fmt.Errorf("record checksum: %w", err)
		}
	}
	return nil
}

func checksum(steps fs.FS, name string) (string, error) {
	text, err := fs.ReadFile(steps, name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func refuseDue(ctx context.Context, goOn *goose.Provider) error {
	states, err := goOn.Status(ctx)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	var due []string
	for _, s := range states {
		if s.State == goose.StatePending {
			due = append(due, s.Source.Path)
		}
	}
	if len(due) > 0 {
		return fmt.Errorf("the database needs migrations: %s", strings.Join(due, ", "))
	}
	return nil
}
