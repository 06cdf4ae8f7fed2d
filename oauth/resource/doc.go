// Package resource is the resource server's side: it turns the credential of a request into an identity.Caller or a
// refusal, and serves the documents by which clients find their way (RFC 9728, RFC 8414, JWKS).
//
//	request ─ credential ─┬─ access token ─▶ tokens.Verifier ─▶ scope, roles ─┐
//	                      └─ subscription key ─▶ Keys (HMAC) ─▶ state, grants ┴─▶ identity.Caller
//	                                                                 └─▶ Refusal (status, code, challenge)
//
// A Refusal is not written here: /mcp answers JSON-RPC, /llm the shape of the API that was called. Refusal.Write writes
// the plain OAuth shape for everybody else.
package resource
