package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
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

const insertUsage = `INSERT INTO usage (id, request_id, time, subscription, product, caller, client_id, surface, endpoint,
	server, tool, model, upstream_model, backend, attempts, status, outcome, code, stream, cache, usage_source,
	tokens_in, tokens_cached, tokens_cache_write, tokens_out, tokens_reasoning,
	cost_micro, saved_micro, currency, price_version, duration_ms, first_byte_ms, upstream_ms)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (id) DO NOTHING`

func (s *sqlite) writeUsage(ctx context.Context, rows []proxy.Record) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, insertUsage)
		if err != nil {
			return err
		}
		defer insert.Close()
		// The transaction ends with ctx; that each statement could be stopped too would cost a goroutine a row. Statements of
		// several rows are no way: the driver's work grows with the square of the arguments.
		ctx = context.WithoutCancel(ctx)
		var args []any
		for i := range rows {
			args = appendUsage(args[:0], &rows[i])
			if _, err := insert.ExecContext(ctx, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// appendUsage appends the values of a row, in the order of insertUsage.
func appendUsage(args []any, r *proxy.Record) []any {
	tokens := func(n int) any {
		if !hasTokens(r) {
			return nil
		}
		return n
	}
	known := func(d time.Duration) any {
		if d == 0 {
			return nil
		}
		return d.Milliseconds()
	}
	source, u := r.Usage.Source, r.Usage
	if source == "" {
		source = proxy.UsageNone
	}
	return append(args,
		r.ID, r.RequestID, ms(r.Time), r.Subscription, r.Product, r.Caller, r.ClientID, string(r.Surface), r.Endpoint,
		r.Server, r.Tool, r.Model, r.UpstreamModel, r.Backend, r.Attempts, r.Status, string(r.Ending), r.Code, r.Stream, r.Cache, string(source),
		tokens(u.Input), tokens(u.Cached), tokens(u.CacheWrite), tokens(u.Output), tokens(u.Reasoning),
		r.CostMicro, r.SavedMicro, r.Currency, r.PriceVersion, r.Duration.Milliseconds(), known(r.FirstByte), known(r.Upstream),
	)
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
