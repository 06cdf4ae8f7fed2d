// Package upstream is the leg to an MCP server elsewhere, message by message (mcp.md §16.1).
//
//	Request ─ era ─┬ modern: POST with _meta and headers ─────────────┐
//	               ├ legacy: a session from the pool ─ POST ──────────┼▶ notifications, questions, the answer
//	               └ 2024-11-05: a line of the pool ─ POST ⇢ stream ──┘
//	Listen ─ one stream for everybody with the same credential ─▶ what belongs to no request
//	List   ─ all pages, kept as long as the upstream says ─▶ definitions, as bytes
//
// What relays pass on unread goes by package relay. Here stands what is needed where a message must be understood: a
// client of the other era, and servers made of several sources. Messages are the upstream's own bytes, decoded strictly;
// what is added or taken away is spliced.
package upstream
