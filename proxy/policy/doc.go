// Package policy holds the policies of CONTRACT.md §5 and their expressions: what one entry of a list means, checked and
// compiled when a snapshot is built, run by proxy.Pipeline.
//
//	[]Entry ─ Compile (CEL, limits of text and cost, units) ─▶ *proxy.Policies, or Faults with path and offset
//	                                                             │ Admit, AdmitAll
//	Counters (survive reloads) ◀─ reserve ─ settle, refund ──────┤
//	Cache    (survives reloads) ◀─ look up ─ store ──────────────┘
//
// Limits reserve all or none in one step for a whole phase, and settle with what was really used, in the window in which
// the call was admitted.
package policy
