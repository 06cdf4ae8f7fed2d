// Package search offers three tools in place of a very long list: find, describe, call (mcp.md §14).
//
//	tools/list ─ is the caller's view long? ─┬ no ─▶ the server's own list
//	                                         └ yes ─▶ find_tools, describe_tool, call_tool
//	call_tool{name, arguments} ─ a tools/call of that name ─▶ the server, with all its checks
//
// A Server wraps another and asks it for everything: what is listed, who may use it, how it is called. Nothing is decided
// here but how the list is shown.
package search
