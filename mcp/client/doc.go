// Package client is a small MCP client for the command line and for tests: enough to list and call tools of one server.
// It tries the revision 2026-07-28 first and falls back to initialize and a session.
//
//	Connect ─ server/discover ─┬─ modern: _meta and headers in every request
//	                           └─ 400, 404, 405: initialize ─ session, ended by Close
package client
