package oauthtest

import (
	"testing"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

func TestMemoryPassesTheSuites(t *testing.T) { // operations.md D1
	RunStore(t, func(*testing.T) oauth.Store { return new(Memory) })
}
