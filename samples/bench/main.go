// Command bench measures Drawbridge against a bare proxy hop, in one run, with the benchmark kit, and writes the rows of
// the performance budget that exist so far.
//
//	build kit and drawbridge ─▶ mock upstreams, reference hops, drawbridge serve ─▶ compare (CPU per request, ratios) ─▶ table
//	                         └▶ a gateway of its own: boot (start, idle memory), sessions (memory per session)  ───────┘
//
// Everything listens on loopback and ends with the command. Figures are ratios of CPU time of the server process per
// request; absolute times on a shared machine mean little. With the flags as they are a run takes some three minutes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	var b bench
	flag.StringVar(&b.kit, "kit", "../shared/bench", "folder of the benchmark kit")
	flag.StringVar(&b.program, "drawbridge", "", "binary to measure; empty: built from this module")
	flag.IntVar(&b.rounds, "rounds", 5, "rounds; each row is the median of their ratios")
	flag.DurationVar(&b.length, "d", time.Second, "length of one run")
	out := flag.String("out", "", "Markdown file to write the table to; empty: standard output only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run: what was asked for, where things are, and what was started.
type bench struct {
	kit, program string
	rounds       int
	length       time.Duration // of one target in one round

	dir     string
	key     string // a subscription's
	load    string // of the machine before the run, or ""
	at      addresses
	running []process
}

func (b *bench) run(ctx context.Context, out string) (err error) {
	if _, err := os.Stat(filepath.Join(b.kit, "go.mod")); err != nil {
		return fmt.Errorf("the benchmark kit is not at %s; name its folder with -kit", b.kit)
	}
	if b.dir, err = os.MkdirTemp("", "drawbridge-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	defer b.stop()
	b.key, b.load = "bench-subscription-key-0123456789", loadAverage()
	if err := b.build(ctx); err != nil {
		return err
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	rows, err := b.measure(ctx)
	if err != nil {
		return err
	}
	table := b.render(rows)
	fmt.Print(table)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(table), 0o644)
}
