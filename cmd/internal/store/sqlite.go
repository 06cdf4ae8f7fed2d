package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// sqliteReaders read beside the one connection that writes (operations.md D4).
const sqliteReaders = 4

// sqlite is a database in one file, for one process.
type sqlite struct {
	writer *sql.DB // one connection; its transactions take the write lock when they begin
	reader *sql.DB
	keys   *secret.Keyring
	log    *slog.Logger
	lock   io.Closer // given back last
}

func openSQLite(ctx context.Context, path string, cfg Config) (_ *sqlite, err error) {
	path, err = sqlitePath(path)
	if err != nil {
		return nil, err
	}
	s := &sqlite{keys: cfg.Keyring, log: cfg.Log}
	defer func() {
		if err != nil {
			_ = s.close()
			err = fmt.Errorf("open database %s: %w", path, err)
		}
	}()
	if s.lock, err = lockDatabase(path); err != nil {
		return nil, err
	}
	if err := ownFile(path); err != nil {
		return nil, err
	}
	if err := migrate(ctx, path, cfg); err != nil {
		return nil, err
	}
	if s.writer, err = sql.Open("sqlite", sqliteDSN(path, "immediate")); err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	if s.reader, err = sql.Open("sqlite", sqliteDSN(path, "deferred", "query_only(1)")); err != nil {
		return nil, err
	}
	s.reader.SetMaxOpenConns(sqliteReaders)
	s.reader.SetMaxIdleConns(sqliteReaders)
	if err := s.recordKeys(ctx, cfg.Now()); err != nil {
		return nil, err
	}
	return s, nil
}

// sqlitePath makes the path absolute and follows links, so that two names of one file share one lock.
func sqlitePath(path string) (string, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return "", errors.New("storage.database: sqlite: needs a path, as in sqlite:drawbridge.db")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("storage.database: %w", err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("storage.database: %w", err)
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// ownFile makes the file, or takes it away from group and others. SQLite gives its side files the mode of this one.
func ownFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("is not a file")
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return f.Chmod(0o600)
}

func sqliteDSN(path, txlock string, pragmas ...string) string {
	q := url.Values{"_txlock": {txlock}, "_pragma": append([]string{
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "trusted_schema(0)",
	}, pragmas...)}
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/…
	}
	return "file:" + (&url.URL{Path: slashed}).EscapedPath() + "?" + q.Encode()
}

// Ping writes nothing but shows that a read works.
func (s *sqlite) Ping(ctx context.Context) error {
	var one int
	if err := s.reader.QueryRowContext(ctx, `SELECT only_row FROM schema_version`).Scan(&one); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

func (s *sqlite) close() error {
	var errs []error
	for _, db := range []*sql.DB{s.reader, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// change runs steps in one transaction: all of them are kept, durably, or none.
func (s *sqlite) change(ctx context.Context, steps func(tx *sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	if err := steps(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// execer is a transaction, or the connection that writes.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// exec runs one statement and returns how many rows it changed.
func exec(ctx context.Context, db execer, query string, args ...any) (int64, error) {
	result, err := db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// ms is how times are stored: UTC milliseconds, 0 for the zero time.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// mark is ms of something that has happened, so never 0.
func mark(t time.Time) int64 { return max(ms(t), 1) }

func fromMS(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}
