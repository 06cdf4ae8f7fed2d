package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
)

func (s *sqlite) Pins(ctx context.Context, server string) ([]pins.Pin, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT tool, hash, approved, held_hash, held, since, gone FROM tool_pins WHERE server = ? ORDER BY tool`, server)
	if err != nil {
		return nil, fmt.Errorf("read pins: %w", err)
	}
	defer rows.Close()
	var list []pins.Pin
	for rows.Next() {
		p := pins.Pin{Server: server}
		var since, gone int64
		if err := rows.Scan(&p.Tool, &p.Hash, &p.Approved, &p.HeldHash, &p.Held, &since, &gone); err != nil {
			return nil, fmt.Errorf("read pins: %w", err)
		}
		p.Since, p.Gone = fromMS(since), fromMS(gone)
		list = append(list, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read pins: %w", err)
	}
	return list, nil
}

func (s *sqlite) PutPins(ctx context.Context, list []pins.Pin) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, p := range list {
			_, err := exec(ctx, tx, `INSERT INTO tool_pins (server, tool, hash, approved, held_hash, held, since, gone) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (server, tool) DO UPDATE SET hash = excluded.hash, approved = excluded.approved, held_hash = excluded.held_hash,
					held = excluded.held, since = excluded.since, gone = excluded.gone`,
				p.Server, p.Tool, p.Hash, append([]byte{}, p.Approved...), p.HeldHash, append([]byte{}, p.Held...), ms(p.Since), ms(p.Gone))
			if err != nil {
				return fmt.Errorf("put pin: %w", err)
			}
		}
		return nil
	})
}

func (s *sqlite) DropPins(ctx context.Context, server string, tools []string) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, tool := range tools {
			if _, err := exec(ctx, tx, `DELETE FROM tool_pins WHERE server = ? AND tool = ?`, server, tool); err != nil {
				return fmt.Errorf("drop pin: %w", err)
			}
		}
		return nil
	})
}
