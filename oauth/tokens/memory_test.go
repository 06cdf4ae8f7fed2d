package tokens

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

func TestTheMemoryOfTokensIsBounded(t *testing.T) {
	var m memory
	ring, now := &secret.Keyring{}, time.Unix(1700000000, 0)
	for i := range maxRemembered + 20_000 {
		m.put(sha256.Sum256(fmt.Append(nil, i)), ring, &Token{Expires: now.Add(time.Hour)}, now)
	}
	total := 0
	for i := range m.shard {
		total += len(m.shard[i].verdicts)
	}
	if total > maxRemembered || total < maxRemembered/2 {
		t.Errorf("%d tokens are remembered, want at most %d and not many fewer", total, maxRemembered)
	}
}

func TestRoomIsMadeFromTheDeadFirst(t *testing.T) {
	records := map[int]bool{}
	for i := range 100 {
		records[i] = i%2 == 0 // even ones are dead
	}
	makeRoom(records, 100, func(dead bool) bool { return dead })
	for i := range 100 {
		if _, there := records[i]; there != (i%2 == 1) {
			t.Fatalf("record %d: there = %v", i, there)
		}
	}
}

func TestARevocationIsNotUndoneByAReadThatBeganBeforeIt(t *testing.T) {
	var s standings
	now := time.Unix(1700000000, 0)
	s.drop("g", now)
	if got := s.put("g", standing{read: now}, now); !got.ended {
		t.Error("a late read made a revoked grant good again")
	}
}
