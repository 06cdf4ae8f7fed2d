package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	fence     = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	link      = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	shownFlag = regexp.MustCompile(` (--[a-z][a-z-]+)`)
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheReadmesTwoCommands holds the promise of the README: the first shell block is the main job, the second passes the
// tests, and it is what CI runs.
func TestTheReadmesTwoCommands(t *testing.T) {
	var shell []string
	for _, m := range fence.FindAllStringSubmatch(readme(t), -1) {
		if m[1] == "sh" {
			shell = append(shell, strings.TrimSpace(strings.TrimPrefix(m[2], "# needs: network\n")))
		}
	}
	if len(shell) < 2 || shell[0] != "go run ./cmd/drawbridge try" || !strings.HasPrefix(shell[1], "go run github.com/go-task/task/v3/cmd/task@") {
		t.Fatalf("the first two commands are %q", shell)
	}
	ci, err := os.ReadFile("../../.ci/run")
	if err != nil || !strings.Contains(string(ci), shell[1]) {
		t.Errorf(".ci/run does not call %q (%v)", shell[1], err)
	}
}

// TestReadmeCommandsAreRealOnes runs what can be run and parses the rest: every drawbridge command named exists and has
// the flags it is shown with.
func TestReadmeCommandsAreRealOnes(t *testing.T) {
	p := &program{env: os.LookupEnv, out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	root := p.root()
	for _, m := range fence.FindAllStringSubmatch(readme(t), -1) {
		for _, line := range strings.Split(m[2], "\n") {
			before, command, ok := strings.Cut(line, "./cmd/drawbridge ")
			if !ok {
				continue
			}
			words := strings.Fields(command)
			found, _, err := root.Find(words[:1])
			if err != nil || found == root {
				t.Errorf("%q: there is no such command", line)
				continue
			}
			for _, f := range shownFlag.FindAllStringSubmatch(command, -1) {
				if !hasFlag(found, strings.TrimPrefix(f[1], "--")) {
					t.Errorf("%q: %s has no flag %s", line, found.Name(), f[1])
				}
			}
			if words[0] == "validate" && !testing.Short() {
				c := exec.CommandContext(t.Context(), binary(t), words...)
				c.Dir = "../.."
				c.Env = append(os.Environ(), strings.Fields(strings.TrimSuffix(before, "go run "))...)
				if out, err := c.CombinedOutput(); err != nil {
					t.Errorf("%q: %v\n%s", line, err, out)
				}
			}
		}
	}
}

func hasFlag(c *cobra.Command, name string) bool {
	return c.Flags().Lookup(name) != nil || c.InheritedFlags().Lookup(name) != nil || c.Root().PersistentFlags().Lookup(name) != nil
}

func TestLinksBetweenDocumentsResolve(t *testing.T) {
	files, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, _ := filepath.Glob("../../docs/*.md")
	for _, name := range append(files, more...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	}
}
