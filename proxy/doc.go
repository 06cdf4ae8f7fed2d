// Package proxy is the one road to any backend. Tools made from REST APIs, relayed MCP messages and calls of language
// models all end in Pipeline.Do: limits, caches, pools, breakers, credentials and records exist once.
//
//	Call ─ admit (policies, in the phases' order) ─ choose backend ─ attach credential ─ send (retry before the first byte) ─▶ Answer
//	                    └─ refusal: *Error                                                        Answer.Settle ─▶ settle, record, once
//
// The package knows nothing of OpenAPI, MCP or language models; proxy/policy holds the policies and their expressions,
// and identity, secret and egress are leaves that stand alone.
package proxy
