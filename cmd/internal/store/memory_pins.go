package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
)

type pinKey struct{ server, tool string }

func (m *memory) Pins(_ context.Context, server string) ([]pins.Pin, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var list []pins.Pin
	for k, p := range m.pins {
		if k.server == server {
			list = append(list, copiedPin(p))
		}
	}
	slices.SortFunc(list, func(a, b pins.Pin) int { return cmp.Compare(a.Tool, b.Tool) })
	return list, nil
}

func (m *memory) PutPins(_ context.Context, list []pins.Pin) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range list {
		m.pins[pinKey{p.Server, p.Tool}] = copiedPin(p)
	}
	return nil
}

func (m *memory) DropPins(_ context.Context, server string, tools []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, tool := range tools {
		delete(m.pins, pinKey{server, tool})
	}
	return nil
}

func copiedPin(p pins.Pin) pins.Pin {
	p.Approved, p.Held = bytes.Clone(p.Approved), bytes.Clone(p.Held)
	return p
}
