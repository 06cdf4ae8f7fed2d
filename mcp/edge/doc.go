// Package edge is the HTTP side of /mcp/{server}: everything a stranger's request must pass before a server sees it, and
// everything an answer must carry (mcp.md §2 to §7, §17).
//
//	origin ─ server ─ token ─ roles ─ media types ─ size ─ strict JSON ─ era and headers ─ session ─▶ Server.Handle
//	                                                                                                      │
//	   JSON answer, or event stream with a writer of its own (queue, ping, cut of slow readers)  ◀────────┘
//
// The order is that of mcp.md §3 and the first failure answers. A Server gets one decoded Request and gives one result;
// it never sees bytes that were not checked, and it never writes to the connection.
package edge
