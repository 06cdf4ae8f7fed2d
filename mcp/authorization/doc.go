// Package authorization is the gateway as OAuth client of MCP servers elsewhere (mcp.md §16.2): who answers 401 says where
// its authorization server is, and everything it says is checked before a secret goes anywhere.
//
//	401 ─ Discover: resource metadata (RFC 9728) ─ server metadata (RFC 8414) ─ Register: configured, client document, RFC 7591
//	    ─ Begin: PKCE, state, resource ⇢ the person ⇢ Finish: state, iss (RFC 9207), code ─▶ token, kept by issuer
//	403 insufficient_scope ─ the same with a wider scope, at most three times
//
// Every address comes from a stranger and goes through proxy/egress. Credentials and tokens are kept by the issuer that
// made them, and sent to nobody else. The flow itself is golang.org/x/oauth2's.
package authorization
