// Package telemetry is how one sees what Drawbridge does: the log with redaction, one line a request; metrics; health.
//
//	listener ─ Requests.Middleware (id, Host, address, panic, in flight) ─▶ rooms ─▶ one log line, one observation
//	proxy ─ Ledger.Record ─▶ tool, model and cache metrics ─▶ the ledger
//	/healthz /readyz /metrics ─ Health, Metrics
//
// Label values come from configuration or closed sets; what callers made up is "unknown" or "unmatched".
package telemetry
