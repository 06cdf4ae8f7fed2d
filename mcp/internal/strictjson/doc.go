// Package strictjson decodes one JSON-RPC message so that every other parser, however careless, reads the same message or
// none at all (mcp.md §4). Parsers that match keys without regard to case, or let the last duplicate win, have been used
// to show a policy one tool and run another (class of CVE-2026-27896); such bodies end here.
//
//	bytes ─ one pass, explicit stack ─ grammar, UTF-8, duplicates, look-alike keys, limits ─▶ Message (byte ranges), or *Error
//
// The package is pure: no clock, no network, no knowledge of methods. Nothing is copied but texts that are asked for.
package strictjson
