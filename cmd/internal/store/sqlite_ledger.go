package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// writeUsage writes a batch as one row: the driver takes about as long for a row of a record as for one of a thousand.
func (s *sqlite) writeUsage(ctx context.Context, records []proxy.Record) error {
	batches := pack(records)
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, b := range batches {
			_, err := tx.ExecContext(ctx, `INSERT INTO usage_batches (first, last, id, checksum, records, packed) VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT (first, last, id, checksum) DO NOTHING`, b.first, b.last, b.id, checksumOf(b.packed), b.records, b.packed)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// eachUsage calls each with every record of [from, to), in the order they were written as far as their times allow. It
// ends with the first error. The record is lent for the call: it must not be changed, and what is to stay of it is copied.
func (s *sqlite) eachUsage(ctx context.Context, from, to time.Time, each func(*proxy.Record) error) error {
	if err := s.eachUsageRow(ctx, from, to, each); err != nil {
		return fmt.Errorf("read usage: %w", err)
	}
	if err := s.eachPacked(ctx, ms(from), ms(to), each); err != nil {
		return fmt.Errorf("read usage: %w", err)
	}
	return nil
}

func (s *sqlite) eachPacked(ctx context.Context, from, to int64, each func(*proxy.Record) error) error {
	rows, err := s.reader.QueryContext(ctx, `SELECT id, checksum, records, packed FROM usage_batches
		WHERE first > ? AND first < ? AND last >= ? ORDER BY first, last, id, checksum`, from-batchSpan, to, from)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var checksum int64
		var records int
		var packed sql.RawBytes
		if err := rows.Scan(&id, &checksum, &records, &packed); err != nil {
			return err
		}
		if checksumOf(packed) != checksum {
			return fmt.Errorf("batch %s: %w", id, errDamaged)
		}
		u := unpack(string(packed))
		for u.next() {
			records--
			if u.now < from || u.now >= to {
				continue
			}
			if err := each(&u.record); err != nil {
				return err
			}
		}
		if u.err == nil && records != 0 {
			u.err = errDamaged
		}
		if u.err != nil {
			return fmt.Errorf("batch %s: %w", id, u.err)
		}
	}
	return rows.Err()
}

// eachUsageRow reads what an older program has written, one row a record.
func (s *sqlite) eachUsageRow(ctx context.Context, from, to time.Time, each func(*proxy.Record) error) error {
	rows, err := s.reader.QueryContext(ctx, `SELECT id, request_id, time, subscription, product, caller, client_id, surface, endpoint, server, tool,
		model, upstream_model, backend, attempts, status, outcome, code, stream, cache, usage_source, ifnull(tokens_in, 0), ifnull(tokens_cached, 0),
		ifnull(tokens_cache_write, 0), ifnull(tokens_out, 0), ifnull(tokens_reasoning, 0), cost_micro, saved_micro, currency, price_version,
		duration_ms, first_byte_ms, upstream_ms FROM usage WHERE time >= ? AND time < ? ORDER BY time`, ms(from), ms(to))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r proxy.Record
		var at, duration int64
		var firstByte, upstream sql.NullInt64
		u := &r.Usage
		err := rows.Scan(&r.ID, &r.RequestID, &at, &r.Subscription, &r.Product, &r.Caller, &r.ClientID, (*string)(&r.Surface), &r.Endpoint, &r.Server, &r.Tool,
			&r.Model, &r.UpstreamModel, &r.Backend, &r.Attempts, &r.Status, (*string)(&r.Ending), &r.Code, &r.Stream, &r.Cache, (*string)(&u.Source),
			&u.Input, &u.Cached, &u.CacheWrite, &u.Output, &u.Reasoning, &r.CostMicro, &r.SavedMicro, &r.Currency, &r.PriceVersion,
			&duration, &firstByte, &upstream)
		if err != nil {
			return err
		}
		r.Time, r.Duration = fromMS(at), time.Duration(duration)*time.Millisecond
		r.FirstByte, r.Upstream = durationOf(firstByte), durationOf(upstream)
		if err := each(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// durationOf keeps 0, which is known and short, from being taken for unknown.
func durationOf(ms sql.NullInt64) time.Duration {
	if ms.Valid {
		return max(time.Duration(ms.Int64)*time.Millisecond, 1)
	}
	return 0
}
