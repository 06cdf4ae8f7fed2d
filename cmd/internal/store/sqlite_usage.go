package store

import (
	"context"
	"fmt"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// sweepBatches are batches a statement, of up to a thousand records each: they take as long as a thousand rows.
const sweepBatches = 50

func (s *sqlite) Sweep(ctx context.Context, now time.Time) error {
	_, err := s.sweep(ctx, now)
	return err
}

// sweep deletes what has expired, in one statement a table (oauth.md §16, operations.md D8). Codes and refresh tokens go
// with their grant too.
func (s *sqlite) sweep(ctx context.Context, now time.Time) (more bool, err error) {
	codes, grants := now.Add(-keepSpentCodes), now.Add(-keepEndedGrants)
	for _, table := range []struct {
		statement string
		args      []any
	}{
		{`DELETE FROM transactions WHERE rowid IN (SELECT rowid FROM transactions WHERE expires < ? LIMIT ?)`, []any{ms(now)}},
		{`DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE expires < ? LIMIT ?)`, []any{ms(now)}},
		{`DELETE FROM codes WHERE rowid IN (SELECT rowid FROM codes WHERE expires < ? AND spent < ? LIMIT ?)`, []any{ms(codes), ms(codes)}},
		{`DELETE FROM grants WHERE rowid IN (SELECT rowid FROM grants WHERE expires < ? OR revoked <> 0 AND revoked < ? LIMIT ?)`,
			[]any{ms(grants), ms(grants)}},
	} {
		n, err := exec(ctx, s.writer, table.statement, append(table.args, sweepRows)...)
		if err != nil {
			return false, fmt.Errorf("sweep: %w", err)
		}
		more = more || n == sweepRows
	}
	return more, nil
}

func (s *sqlite) usage(ctx context.Context, from, to time.Time) ([]UsageSum, error) {
	sums := usageSums{}
	err := s.eachUsage(ctx, from, to, func(r *proxy.Record) error {
		sums.add(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sums.sorted(), nil
}

// dropUsage deletes a batch when all of it is old: an hour late at most.
func (s *sqlite) dropUsage(ctx context.Context, before time.Time) (int64, error) {
	rows, err := exec(ctx, s.writer, `DELETE FROM usage WHERE id IN (SELECT id FROM usage WHERE time < ? LIMIT ?)`, ms(before), sweepRows)
	if err != nil || rows > 0 {
		return rows, err
	}
	return exec(ctx, s.writer, `DELETE FROM usage_batches WHERE rowid IN (SELECT rowid FROM usage_batches WHERE first < ? AND last < ? LIMIT ?)`,
		ms(before), ms(before), sweepBatches)
}
