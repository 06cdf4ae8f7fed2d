// Package crossing serves an upstream to clients of either era, whichever era it speaks itself (mcp.md §11).
//
//	                      ┌ same era: params up, result down, as bytes
//	request ─ may it? ────┼ modern client, legacy upstream: a session of the pool; its questions park the call (§11.3)
//	                      └ legacy client, modern upstream: input_required becomes questions on the stream of the call
//
// A relay whose upstream speaks its client's era never comes here: it moves bytes (package relay). Combined servers use a
// Server of this package for each of their upstreams. What is translated is spliced into the upstream's bytes: members
// nobody here knows, numbers and content types stay as they came.
package crossing
