package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Gate G8: the gateway's leg to upstreams as the client of the official suite (mcp.md §16.2, §20).
func TestConformanceOfTheClientLeg(t *testing.T) {
	clients, err := filepath.Abs("testdata/clients/node_modules/.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(clients, "conformance")); err != nil {
		t.Skip("the conformance suite is not installed; `task setup` installs it")
	}
	for revision, scenarios := range map[string]int{"2025-11-25": 18, "2026-07-28": 32} {
		t.Run(revision, func(t *testing.T) {
			for range repeats() {
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
				c := exec.CommandContext(ctx, filepath.Join(clients, "conformance"), "client", "--command", binary(t)+" conformance-client",
					"--requirements", revision, "-o", t.TempDir())
				c.Env = append(os.Environ(), "PATH="+clients+string(os.PathListSeparator)+os.Getenv("PATH"))
				text, err := c.CombinedOutput()
				cancel()
				if passed, all := passes(string(text)); err != nil || passed != scenarios || all != scenarios {
					t.Errorf("%d of %d scenarios, want all %d: %v\n%.20000s", passed, all, scenarios, err, text)
				}
			}
		})
	}
}
