package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// usageColumn is one column of the table usage.
type usageColumn struct {
	name  string
	blank string // the literal of a value that says nothing
	value func(r *proxy.Record) any
}

const (
	noText   = "''"
	noNumber = "0"
	unknown  = "NULL"
)

func usageColumns() []usageColumn {
	return []usageColumn{
		{"id", noText, func(r *proxy.Record) any { return r.ID }},
		{"request_id", noText, func(r *proxy.Record) any { return r.RequestID }},
		{"time", noNumber, func(r *proxy.Record) any { return ms(r.Time) }},
		{"subscription", noText, func(r *proxy.Record) any { return r.Subscription }},
		{"product", noText, func(r *proxy.Record) any { return r.Product }},
		{"caller", noText, func(r *proxy.Record) any { return r.Caller }},
		{"client_id", noText, func(r *proxy.Record) any { return r.ClientID }},
		{"surface", noText, func(r *proxy.Record) any { return string(r.Surface) }},
		{"endpoint", noText, func(r *proxy.Record) any { return r.Endpoint }},
		{"server", noText, func(r *proxy.Record) any { return r.Server }},
		{"tool", noText, func(r *proxy.Record) any { return r.Tool }},
		{"model", noText, func(r *proxy.Record) any { return r.Model }},
		{"upstream_model", noText, func(r *proxy.Record) any { return r.UpstreamModel }},
		{"backend", noText, func(r *proxy.Record) any { return r.Backend }},
		{"attempts", noNumber, func(r *proxy.Record) any { return int64(r.Attempts) }},
		{"status", noNumber, func(r *proxy.Record) any { return int64(r.Status) }},
		{"outcome", noText, func(r *proxy.Record) any { return string(r.Ending) }},
		{"code", noText, func(r *proxy.Record) any { return r.Code }},
		{"stream", noNumber, func(r *proxy.Record) any { return count(r.Stream) }},
		{"cache", noText, func(r *proxy.Record) any { return r.Cache }},
		{"usage_source", noText, usageSource},
		{"tokens_in", unknown, tokensOf(func(u *proxy.Usage) int { return u.Input })},
		{"tokens_cached", unknown, tokensOf(func(u *proxy.Usage) int { return u.Cached })},
		{"tokens_cache_write", unknown, tokensOf(func(u *proxy.Usage) int { return u.CacheWrite })},
		{"tokens_out", unknown, tokensOf(func(u *proxy.Usage) int { return u.Output })},
		{"tokens_reasoning", unknown, tokensOf(func(u *proxy.Usage) int { return u.Reasoning })},
		{"cost_micro", noNumber, func(r *proxy.Record) any { return r.CostMicro }},
		{"saved_micro", noNumber, func(r *proxy.Record) any { return r.SavedMicro }},
		{"currency", noText, func(r *proxy.Record) any { return r.Currency }},
		{"price_version", noText, func(r *proxy.Record) any { return r.PriceVersion }},
		{"duration_ms", noNumber, func(r *proxy.Record) any { return r.Duration.Milliseconds() }},
		{"first_byte_ms", unknown, func(r *proxy.Record) any { return known(r.FirstByte) }},
		{"upstream_ms", unknown, func(r *proxy.Record) any { return known(r.Upstream) }},
	}
}

func usageSource(r *proxy.Record) any {
	if r.Usage.Source == "" {
		return string(proxy.UsageNone)
	}
	return string(r.Usage.Source)
}

func tokensOf(part func(u *proxy.Usage) int) func(r *proxy.Record) any {
	return func(r *proxy.Record) any {
		if !hasTokens(r) {
			return nil
		}
		return int64(part(&r.Usage))
	}
}

func known(d time.Duration) any {
	if d == 0 {
		return nil
	}
	return d.Milliseconds()
}

// isBlank reports whether the column's literal says as much as v.
func (c *usageColumn) isBlank(v any) bool {
	switch c.blank {
	case noText:
		return v == ""
	case noNumber:
		return v == int64(0)
	default:
		return v == nil
	}
}

// writeUsage writes a batch. Columns that say nothing in all its rows, a third of them where only tools or only models
// are called, stand in the statement itself: binding a value costs as much as storing it.
func (s *sqlite) writeUsage(ctx context.Context, rows []proxy.Record) error {
	statement, bound := usageStatement(rows)
	return s.change(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, statement)
		if err != nil {
			return err
		}
		defer insert.Close()
		// The transaction ends with ctx; that each statement could be stopped too would cost a goroutine a row. Statements of
		// several rows are no way: the driver's work grows with the square of the arguments.
		ctx = context.WithoutCancel(ctx)
		args := make([]any, len(bound))
		for i := range rows {
			for n := range bound {
				args[n] = bound[n].value(&rows[i])
			}
			if _, err := insert.ExecContext(ctx, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// usageStatement returns what inserts such rows, and the columns whose values it takes.
func usageStatement(rows []proxy.Record) (statement string, bound []usageColumn) {
	columns := usageColumns()
	names, values := make([]string, len(columns)), make([]string, len(columns))
	for i := range columns {
		c := &columns[i]
		names[i], values[i] = c.name, c.blank
		for n := range rows {
			if !c.isBlank(c.value(&rows[n])) {
				values[i] = "?"
				bound = append(bound, *c)
				break
			}
		}
	}
	return "INSERT INTO usage (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(values, ", ") + ") ON CONFLICT (id) DO NOTHING", bound
}
