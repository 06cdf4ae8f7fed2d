// Package openapi turns an OpenAPI document into tools, the arguments of a tool into an *http.Request, and an
// *http.Response into a neutral Result. It owns reading, repairing and translating documents; sending, credentials,
// limits and retries are the caller's. It has no server, no store and no clock, and imports nothing of this module.
//
//	Import        bytes ─ raw tree (order, positions, budgets) ─ references (allowlist) ─ repair ─ one operation at a time,
//	              under a guard: skeleton ─ kin-openapi ─ arguments, schemas, texts ─▶ Tool, or Skipped with its reason
//	BuildRequest  raw JSON arguments ─ coerce ─ check ─ encode by style ─ check the finished shape ─▶ *http.Request
//	ReadResult    *http.Response ─ read under caps ─ by status and type ─ cut structurally ─▶ Result
//
// One bad node costs one tool, never the document. kin-openapi's validators are never called: on cyclic schemas with
// examples they overflow the stack, which no recover can catch.
package openapi
