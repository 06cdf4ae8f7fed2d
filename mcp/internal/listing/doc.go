// Package listing holds what every list of MCP needs, whatever stands in it: cursors that name a place and prove nothing,
// and a bounded memory of what was made once (mcp.md T2, T6).
//
//	view of a list ─ Cursors.Write ─▶ nextCursor ⇢ client ⇢ cursor ─ Cursors.Read ─▶ Place ─ After ─▶ offset in today's list
package listing
