package mcp

import "strings"

// maxRepeated is how much is repeated of what somebody else wrote, in bytes.
const maxRepeated = 128

// Clip keeps what a client or an upstream wrote short where errors and the log repeat it.
func Clip(s string) string {
	if len(s) <= maxRepeated {
		return s
	}
	return strings.ToValidUTF8(s[:maxRepeated], "") + "…"
}
