// Package bridge is an MCP server made of REST operations (mcp.md §10, §12, §13).
//
//	edge.Request ─ view (roles) ─ scope ─ header parameters ─▶ openapi.BuildRequest ─ proxy.Do ─ openapi.ReadResult ─▶ result bytes
//	               tools/list: bytes, made once per view
//
// tools/list, tools/call, ping and server/discover are answered from the edge's one decode; initialize, logging/setLevel
// and completion go through mcp-go, which gets values encoded anew, never the caller's bytes (mcp.md §18). A Server is
// immutable: it is built with the snapshot and everything that can be made ahead is.
package bridge
