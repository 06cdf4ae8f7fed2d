package main

import (
	"context"
	"slices"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
)

// books are the pins of all servers with upstreams, across reloads (mcp.md §15).
type books struct {
	new func(server string) *pins.Book

	mu       sync.Mutex
	byServer map[string]*pins.Book
}

// of returns a server's book under the rule of the current configuration.
func (b *books) of(server string, rule pins.Rule) *pins.Book {
	b.mu.Lock()
	defer b.mu.Unlock()
	book := b.byServer[server]
	if book == nil {
		book = b.new(server)
		b.byServer[server] = book
	}
	book.Set(rule)
	return book
}

// find returns a server's book, or nil for one that has no upstream.
func (b *books) find(server string) *pins.Book {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byServer[server]
}

// hold is a book as combined servers ask it: every source has names of its own.
type hold struct{ *pins.Book }

// Seen implements combined.Hold.
func (h hold) Seen(ctx context.Context, source, offers string, tools []combined.Definition) error {
	_, err := h.SeeAs(ctx, source+"__", offers, definitions(tools), true)
	return err
}

// Withheld implements combined.Hold.
func (h hold) Withheld(tools []combined.Definition) map[string]bool {
	return h.Book.Withheld(definitions(tools))
}

func definitions(tools []combined.Definition) []pins.Definition {
	list := make([]pins.Definition, len(tools))
	for i, t := range tools {
		list[i] = pins.Definition{Name: t.Name, Wire: t.Wire}
	}
	return list
}

// otherTools names the tools of all servers but one, as far as they are known: its tools have no reason to speak of them (Q8).
func (g *gateway) otherTools(server string) []string {
	s := g.snapshot()
	if s == nil {
		return nil
	}
	var names []string
	for name, other := range s.servers {
		if name == server {
			continue
		}
		for _, b := range bridgesOf(other) {
			for _, t := range b.AllTools() {
				names = append(names, t.Name)
			}
		}
		if book := g.builder.upstreams.books.find(name); book != nil {
			all, _ := book.All(context.Background()) // what cannot be read now is warned of later
			for _, p := range all {
				names = append(names, p.Tool)
			}
		}
	}
	slices.Sort(names) // so that the same text gives the same warning
	return names
}
