package store

import (
	"context"
	"fmt"
	"time"
)

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
	rows, err := s.reader.QueryContext(ctx, `SELECT subscription, product, caller, surface, server, tool, model, backend, currency,
		count(*), sum(outcome = 'refused'), sum(cache IN ('hit', 'semantic')),
		ifnull(sum(tokens_in), 0), ifnull(sum(tokens_cached), 0), ifnull(sum(tokens_cache_write), 0),
		ifnull(sum(tokens_out), 0), ifnull(sum(tokens_reasoning), 0), sum(cost_micro), sum(saved_micro)
		FROM usage WHERE time >= ? AND time < ? GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9`, ms(from), ms(to))
	if err != nil {
		return nil, fmt.Errorf("sum usage: %w", err)
	}
	defer rows.Close()
	sums := []UsageSum{}
	for rows.Next() {
		var u UsageSum
		err := rows.Scan(&u.Subscription, &u.Product, &u.Caller, &u.Surface, &u.Server, &u.Tool, &u.Model, &u.Backend, &u.Currency,
			&u.Calls, &u.Refused, &u.CacheHits, &u.TokensIn, &u.TokensCached, &u.TokensCacheWrite, &u.TokensOut, &u.TokensReasoning,
			&u.CostMicro, &u.SavedMicro)
		if err != nil {
			return nil, fmt.Errorf("sum usage: %w", err)
		}
		sums = append(sums, u)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sum usage: %w", err)
	}
	sortUsage(sums)
	return sums, nil
}

func (s *sqlite) dropUsage(ctx context.Context, before time.Time) (int64, error) {
	return exec(ctx, s.writer, `DELETE FROM usage WHERE id IN (SELECT id FROM usage WHERE time < ? LIMIT ?)`, ms(before), sweepRows)
}
