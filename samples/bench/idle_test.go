package main

import (
	"encoding/json"
	"testing"
)

func TestMemoryOfASessionIsTheGrowthBetweenTwoCounts(t *testing.T) {
	const table = `  sessions     RSS MB  KiB/session  open us (CPU)   idle CPU %        fds
         0       30.0
      2000       32.0         1.02          210.0         0.10         12
     22000       42.0         0.55          200.0         0.10         12
`
	got, err := perSession(table, firstSessions, lastSessions)
	if want := 10 * float64(1<<20) / 20_000; err != nil || got != want {
		t.Errorf("perSession = %v, %v, want %v", got, err, want)
	}
	if _, err := perSession("sessions: status 503\n", firstSessions, lastSessions); err == nil {
		t.Error("a table without figures was read")
	}
}

func TestPromptsAreJSONOfTheSizeThatWasAskedFor(t *testing.T) {
	var body struct {
		Messages []struct{ Content string }
	}
	if err := json.Unmarshal([]byte(prompt("m", 16<<10)), &body); err != nil || len(body.Messages[0].Content) != 16<<10 {
		t.Errorf("a prompt of %d bytes, %v", len(body.Messages[0].Content), err)
	}
}
