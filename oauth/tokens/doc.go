// Package tokens owns the formats of what the broker hands out: access tokens, authorization codes and refresh tokens,
// with the published keys. Codes and refresh tokens are only named here; whether they are still good is for oauth/grants
// and the stores.
//
//	grants ─ Access ─▶ Issuer.Issue ─▶ at+jwt, ES256 (RFC 9068)
//	bearer ─▶ Verifier ─ remembered? ─ yes ─▶ grant still good? ─▶ identity.Caller
//	                        └ no ─▶ header, signature, claims ─▶ remember ┘
//
// Checking an ES256 signature costs more than a whole proxy hop, so a token that verified once is remembered by its hash
// until it expires. What can change under it is asked again: the key ring on every call, the grant at most 5 s late.
package tokens
