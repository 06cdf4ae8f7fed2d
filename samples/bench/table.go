package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

func (b *bench) render(rows []row) string {
	var t strings.Builder
	fmt.Fprintf(&t, `# Benchmarks

Written by %[1]stask bench%[1]s (%[1]sgo run ./samples/bench -out docs/benchmarks.md%[1]s). CPU time of the server process per request as a ratio to a
bare %[1]shttputil.ReverseProxy%[1]s hop, measured in the same run: %[2]d rounds of %[3]s each, 64 connections, closed loop; medians of per-round
ratios. Every call also writes its ledger row to SQLite. Absolute times depend on the machine and mean little.

%[4]s

| case | budget | ours | note |
|---|---|---|---|
`, "`", b.rounds, b.length, b.machine())
	for _, r := range rows {
		fmt.Fprintf(&t, "| %s | %s | %s | %s |\n", r.name, r.budget, r.ours, r.note)
	}
	return t.String()
}

// machine says what the figures were measured on, and whether others were at work there.
func (b *bench) machine() string {
	text := fmt.Sprintf("Measured with %s on %s/%s with %d processors.", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	load, err := strconv.ParseFloat(b.load, 64)
	switch {
	case err != nil:
		return text
	case load > 0.5:
		return text + fmt.Sprintf(" The machine was shared: its load was %s before the run\nbegan, which makes the figures, the ratios a little too, larger than they are on a quiet one.", b.load)
	default:
		return text + fmt.Sprintf(" It was quiet: its load was %s before the run began.", b.load)
	}
}

// loadAverage is the machine's load of the last minute; "" where the system does not tell.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
