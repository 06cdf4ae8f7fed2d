package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

const watchEvery = 500 * time.Millisecond

// watch reloads on SIGHUP and when the configuration file, or a file it names, changed. Files are looked at twice a
// second and a change must rest for one more look, so that editors that write in pieces or by renaming are no trouble
// (operations.md R1). A bad file changes nothing: the old configuration keeps serving.
func (g *gateway) watch(ctx context.Context, p *program) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	refreshed := make(chan struct{})
	go g.refresh(ctx, refreshed)
	seen := g.fingerprint(p)
	pending := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			g.reload(ctx, p)
			seen, pending = g.fingerprint(p), ""
		case <-refreshed:
			g.reload(ctx, p)
			seen, pending = g.fingerprint(p), ""
		case <-tick.C:
			now := g.fingerprint(p)
			switch {
			case now == seen:
				pending = ""
			case now == pending:
				g.reload(ctx, p)
				seen, pending = g.fingerprint(p), ""
			default:
				pending = now
			}
		}
	}
}

// fingerprint changes when one of the watched files does.
func (g *gateway) fingerprint(p *program) string {
	files := []string{p.config}
	s := g.snapshot()
	for i := range s.cfg.APIs {
		a := &s.cfg.APIs[i]
		if path := a.DocumentPath(p.config); !isURL(path) {
			files = append(files, path)
		}
		if doc := s.documents[a.Name]; doc != nil {
			files = append(files, doc.Files...)
		}
	}
	text := ""
	for _, f := range files {
		info, err := os.Stat(filepath.Clean(f))
		if err != nil {
			text += f + " absent\n"
			continue
		}
		text += fmt.Sprintf("%s %d %d %v\n", f, info.Size(), info.ModTime().UnixNano(), inode(info))
	}
	return text
}

// reload builds the next snapshot and swaps it in, or says why not and changes nothing.
func (g *gateway) reload(ctx context.Context, p *program) {
	cfg, pos, errs, warnings := LoadConfig(p.config, p.env)
	if len(errs) == 0 {
		errs = fixed(g.snapshot().cfg, cfg, pos)
	}
	if len(errs) > 0 {
		for _, f := range errs {
			g.log.Error("reload refused", "fault", f.String())
		}
		g.metrics.Reloaded(time.Now(), false)
		return
	}
	for _, w := range warnings {
		g.log.Warn(w.Warning())
	}
	if err := g.install(ctx, cfg, pos); err != nil {
		g.log.Error("reload refused", "fault", oneLine(err))
		g.metrics.Reloaded(time.Now(), false)
		return
	}
	g.metrics.Reloaded(time.Now(), true)
	g.log.Info("config.reloaded")
}

// fixed reports keys that cannot change while serving (operations.md R4).
func fixed(old, next *Config, pos *Positions) (faults []Fault) {
	next.complete()
	if old.Listen == next.Listen && next.PublicURL == "" {
		next.PublicURL = old.PublicURL // listen: 127.0.0.1:0
	}
	for _, k := range []struct {
		key       string
		unchanged bool
	}{
		{"listen", old.Listen == next.Listen},
		{"admin_listen", old.AdminListen == next.AdminListen},
		{"public_url", old.PublicURL == next.PublicURL},
		{"storage", old.Storage == next.Storage},
		{"tls", (old.TLS.Certificate.Source == "") == (next.TLS.Certificate.Source == "")},
		{"limits", sameListener(old.Limits, next.Limits)},
		{"egress", fmt.Sprint(old.Egress) == fmt.Sprint(next.Egress)},
		{"trusted_proxies", fmt.Sprint(old.TrustedProxies) == fmt.Sprint(next.TrustedProxies)},
		{"telemetry", old.Telemetry.Log == next.Telemetry.Log && old.Telemetry.Metrics.Series == next.Telemetry.Metrics.Series},
	} {
		if !k.unchanged {
			faults = append(faults, pos.Fault(k.key, "cannot change while serving; restart"))
		}
	}
	return faults
}

// sameListener compares the limits that the listeners and the model face took when they were opened; the others are the
// MCP edge's, which takes new ones.
func sameListener(old, next LimitsConfig) bool {
	old.Limits, next.Limits = edge.Limits{}, edge.Limits{}
	return old == next
}
