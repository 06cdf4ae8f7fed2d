package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// busy starts a call that takes a minute and returns once the gateway is serving it.
func (g *running) busy(t *testing.T) *exec.Cmd {
	t.Helper()
	c := exec.Command(binary(t), "call", "orders", "salesReport", "seconds=60", "--url", g.ready.URL)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		resp, err := http.Get(g.ready.URL + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if strings.Contains(string(text), `drawbridge_requests_in_flight{surface="mcp"} 1`) {
			return c
		}
		time.Sleep(20 * time.Millisecond) // another process makes the call
	}
	t.Fatal("the call never began")
	return nil
}

func TestASecondSignalEndsAtOnceWithFailure(t *testing.T) { // operations.md §15
	g := try(t)
	g.busy(t)
	// Two signals that come before the process has taken the first are one to it: so it is told again until it has ended.
	again, over := time.NewTicker(time.Second), time.After(15*time.Second)
	defer again.Stop()
	for {
		select {
		case err := <-g.exited:
			if code := g.cmd.ProcessState.ExitCode(); code != exitFailed {
				t.Errorf("exit code %d (%v), want 1", code, err)
			}
			return
		case <-again.C:
			if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		case <-over:
			t.Fatal("still running after two signals and more")
		}
	}
}
