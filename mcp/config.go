package mcp

import (
	"fmt"
	"time"
)

// ServerConfig is the part of an entry of mcp_servers that this room reads. cmd/drawbridge nests it beside the parts of
// others (policies, catalogue texts).
type ServerConfig struct {
	// Instructions for the client's model, at most 2,048 characters.
	Instructions string `yaml:"instructions"`
	// Tools in one page of tools/list; 0 puts all of them into one.
	Page int `yaml:"page" default:"200"`
	// How long a client may keep a list (`ttlMs`), and how long the gateway keeps one of an upstream that names no time.
	ListTTL time.Duration `yaml:"list_ttl" default:"60s" zero:"off"`
	// Offer find, describe and call instead of a very long tool list.
	ToolSearch string `yaml:"tool_search" default:"auto" enum:"auto,on,off"`
}

// MaxInstructions is the longest text of instructions, in characters.
const MaxInstructions = 2048

// Validate reports what is wrong with c; it changes nothing.
func (c ServerConfig) Validate() error {
	if n := len([]rune(c.Instructions)); n > MaxInstructions {
		return fmt.Errorf("instructions: %d characters; at most %d", n, MaxInstructions)
	}
	if c.Page < 0 {
		return fmt.Errorf("page: must not be negative")
	}
	return nil
}

// ToolNameRule says what is wrong with every other name.
const ToolNameRule = "a tool's name is 1 to 128 letters, digits, _, . and -"

// ValidToolName reports whether name can name a tool at all (mcp.md J11); any other name is unknown.
func ValidToolName(name string) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}
