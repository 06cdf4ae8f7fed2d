// Package pins holds the tools of upstreams to what they were when they were approved (mcp.md §15).
//
//	a list of an upstream ─ Book.See ─ hash of each definition (RFC 8785) ─┬ as pinned: shown
//	                                                                       ├ new: pinned, or held where the configuration says so
//	                                                                       └ changed: held ─ Release by an administrator ─▶ shown
//	tools/call ─ Known? Held? ─▶ goes up, or is told why not
//
// A description is read by models: an upstream that rewrites one after it was approved speaks to every user's model
// (tool poisoning). Nothing is edited silently: a tool is shown as it is, or not at all.
package pins
