package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

var (
	_ oauth.Store    = (*Store)(nil)
	_ proxy.Recorder = (*Store)(nil)
)

const (
	sweepEvery   = 5 * time.Minute      // operations.md D8
	defaultKeep  = 400 * 24 * time.Hour // of ledger rows
	defaultFlush = time.Second
)

// Config says where to keep things and with what.
type Config struct {
	URL     string           // storage.database: memory:, sqlite:PATH
	Keyring *secret.Keyring  // seals columns; needed for every database but memory:
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: slog.Default

	// NoMigrate refuses a database that is behind this program instead of bringing it up to date (operations.md M5).
	NoMigrate bool
	UsageKeep time.Duration // how long ledger rows are kept; 0: 400 days
	Flush     time.Duration // how late a ledger row may be written; 0: 1 s
}

// Store is one opened database. It is safe for concurrent use.
type Store struct {
	backend
	ledger *ledger
	cfg    Config

	stop    context.CancelFunc // of the sweeper
	swept   chan struct{}      // closed when the sweeper has ended
	closing sync.Once
	closed  error
}

// backend is what every kind of database has to offer.
type backend interface {
	oauth.Store
	pins.Store
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
	// writeUsage adds a batch of records, all or nothing. One that was added before is left as it is: who was not told whether
	// a batch is there writes the same again.
	writeUsage(ctx context.Context, records []proxy.Record) error
	usage(ctx context.Context, from, to time.Time) ([]UsageSum, error)
	// sweep is Sweep and also reports whether some table may hold more that has expired.
	sweep(ctx context.Context, now time.Time) (more bool, err error)
	// dropUsage deletes at most 1,000 rows of the database from before the given time and returns how many: 0 at the end.
	dropUsage(ctx context.Context, before time.Time) (int64, error)
	close() error
}

// Open opens the database, brings its schema up to date, and starts the writer of the ledger and the sweeper.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.UsageKeep <= 0 {
		cfg.UsageKeep = defaultKeep
	}
	if cfg.Flush <= 0 {
		cfg.Flush = defaultFlush
	}
	b, err := openBackend(ctx, cfg)
	if err != nil {
		return nil, err
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Store{backend: b, cfg: cfg, ledger: newLedger(b, cfg), stop: stop, swept: make(chan struct{})}
	go s.sweepRegularly(sweeping)
	return s, nil
}

func openBackend(ctx context.Context, cfg Config) (backend, error) {
	kind, rest, _ := strings.Cut(cfg.URL, ":")
	switch kind {
	case "memory":
		return newMemory(), nil
	case "sqlite":
		if cfg.Keyring == nil {
			return nil, errors.New("open database: no keys")
		}
		db, err := openSQLite(ctx, rest, cfg)
		if err != nil {
			return nil, err
		}
		return db, nil
	case "postgres", "postgresql":
		return nil, errors.New("storage.database: PostgreSQL is not available in this version; use sqlite:PATH or memory:")
	default:
		return nil, fmt.Errorf("storage.database: must be sqlite:PATH or memory:")
	}
}

// Record puts a ledger row on its way. It waits for nothing but room in the buffer, which is full only while the database
// has been down for long.
func (s *Store) Record(r proxy.Record) { s.ledger.record(r) }

// Usage returns sums of the ledger for [from, to), one for each combination of what it is split by, in a stable order.
// Rows recorded before the call are in it.
func (s *Store) Usage(ctx context.Context, from, to time.Time) ([]UsageSum, error) {
	if err := s.ledger.flush(ctx); err != nil {
		return nil, err
	}
	return s.usage(ctx, from, to)
}

// Close writes what the ledger still holds and closes the database. Further calls do nothing.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stop()
		<-s.swept
		s.closed = errors.Join(s.ledger.close(), s.backend.close())
	})
	return s.closed
}

// sweepRegularly deletes what has expired. A fault is told and tried again the next time.
func (s *Store) sweepRegularly(ctx context.Context) {
	defer close(s.swept)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := s.cfg.Now()
		for more := true; more; { // a thousand rows at a time, so that calls write in between
			var err error
			if more, err = s.sweepAll(ctx, now); err != nil && ctx.Err() == nil {
				s.cfg.Log.WarnContext(ctx, "sweep", "err", err)
			}
		}
	}
}

func (s *Store) sweepAll(ctx context.Context, now time.Time) (more bool, err error) {
	more, err = s.sweep(ctx, now)
	if err != nil {
		return false, err
	}
	n, err := s.dropUsage(ctx, now.Add(-s.cfg.UsageKeep))
	return err == nil && (more || n > 0), err
}
