package main

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/openapi"
)

// remoteDocuments knows of every document behind a URL what it was when a snapshot was last built from it, so that a
// refresh can ask whether it changed. The bytes themselves are not kept: a reload fetches them.
type remoteDocuments struct {
	mu    sync.Mutex
	known map[string]knownDocument
}

type knownDocument struct {
	validators
	hash [sha256.Size]byte
}

// fetch gets a document for a snapshot and remembers it.
func (r *remoteDocuments) fetch(most int64) fetcher {
	return func(ctx context.Context, address string) ([]byte, error) {
		read, err := fetchChanged(ctx, address, false, most, validators{})
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.known == nil {
			r.known = map[string]knownDocument{}
		}
		r.known[address] = knownDocument{read.validators, sha256.Sum256(read.data)}
		return read.data, nil
	}
}

// changed asks whether a document is another one than when it was last read. Only reading it remembers it, so that a
// reload that failed on its way is tried again.
func (r *remoteDocuments) changed(ctx context.Context, address string, most int64) (bool, error) {
	r.mu.Lock()
	known := r.known[address]
	r.mu.Unlock()
	read, err := fetchChanged(ctx, address, false, most, known.validators)
	if err != nil || read.unchanged {
		return false, err
	}
	return sha256.Sum256(read.data) != known.hash, nil
}

// refreshEvery is how often the clock is looked at; apis[].refresh is not finer.
const refreshEvery = time.Second

// refresh tells when a document behind a URL changed (openapi.md §14). What is not reachable keeps serving as it was.
func (g *gateway) refresh(ctx context.Context, changed chan<- struct{}) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	due := map[string]time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if !g.anyChanged(ctx, due, now) {
				continue
			}
			select {
			case changed <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// anyChanged asks for the documents that are due.
func (g *gateway) anyChanged(ctx context.Context, due map[string]time.Time, now time.Time) bool {
	found := false
	cfg := g.snapshot().cfg
	for i := range cfg.APIs {
		a := &cfg.APIs[i]
		if a.Refresh <= 0 || !isURL(a.Document) {
			continue
		}
		next, waits := due[a.Name]
		if limit := now.Add(a.Refresh); !waits || next.After(limit) { // the first time, or the interval became shorter
			due[a.Name] = limit
			continue
		}
		if now.Before(next) {
			continue
		}
		due[a.Name] = now.Add(a.Refresh)
		changed, err := g.documentChanged(ctx, cfg, a)
		if err != nil {
			g.log.Error("document not refreshed; the old one keeps serving", "api", a.Name, "fault", err.Error())
		}
		found = found || changed
	}
	return found
}

// documentChanged asks for a document, and then for what it refers to: the files of a document change without it. Those of
// its own origin are asked for conditionally; others pass the guard, which keeps no validators.
func (g *gateway) documentChanged(ctx context.Context, cfg *Config, a *APIConfig) (bool, error) {
	changed, err := g.builder.fetched.changed(ctx, a.Document, cfg.Import.Limits.Document)
	doc := g.snapshot().documents[a.Name]
	if changed || err != nil || doc == nil {
		return changed, err
	}
	guarded := referenceFetcher("", nil, cfg.Egress)
	for _, address := range slices.Sorted(maps.Keys(doc.Remote)) {
		if originOf(address) == originOf(a.Document) {
			changed, err = g.builder.fetched.changed(ctx, address, cfg.Import.Limits.Total)
		} else if data, failed := guarded(ctx, address); failed != nil {
			err = failed
		} else {
			changed = sha256.Sum256(data) != doc.Remote[address]
		}
		if changed || err != nil {
			return changed, err
		}
	}
	return false, nil
}

// tellChanges logs what a reload did to the tools of each API (openapi.md §14).
func (g *gateway) tellChanges(prev, next *snapshot) {
	if prev == nil {
		return
	}
	for i := range next.cfg.APIs {
		name := next.cfg.APIs[i].Name
		changes := openapi.Diff(prev.documents[name], next.documents[name])
		if changes.Empty() {
			continue
		}
		if breaking := changes.Breaking(); len(breaking) > 0 {
			g.log.Warn(name+": "+changes.String(), slog.Any("breaking", breaking[:min(len(breaking), 20)]))
			continue
		}
		g.log.Info(name + ": " + changes.String())
	}
}
