// Package relay serves an MCP server that lives elsewhere: one upstream, passed through as bytes (mcp.md §9).
//
//	edge.Request ─ era of the upstream ─ may it be used (tools) ─ proxy.Do with the backend's own credential ─▶ edge.Passed
//	                                                                └─ lists, initialize, discover: read, cut out of the bytes
//
// What was decoded at the edge decides; what is sent on is the client's bytes, and what comes back is the upstream's. Only
// lists, the handshake and faults are looked into. A Server is immutable and belongs to a snapshot; what is known of
// upstreams lives longer, in a Memory.
package relay
