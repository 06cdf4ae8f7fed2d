// Package combined is an MCP server made of several others (mcp.md §10.1): APIs and upstreams behind one address, each
// name with the prefix of the source it came from.
//
//	tools/call a__x ─ roles, scope of a__x ─ source a ─ x spliced into the message ─▶ edge.Server of a ─▶ result, untouched
//	tools/list ─ every source at once, ≤ 5 s each ─ names spliced ─ view ─ bytes, made once per version and view ─▶
//
// A source is any edge.Server: a bridge or an upstream whose era is crossed. This package owns names, merged lists and who
// may use what; policies, credentials and the words of results are the sources'. Nothing but names changes: definitions
// and results go through as bytes (C8).
package combined
