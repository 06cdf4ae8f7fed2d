// Package grants is the token endpoint with revocation and introspection: it turns codes, refresh tokens and clients'
// own credentials into tokens, and ends them.
//
//	POST /oauth/token ─ form ─ grant_type ─ client ─ may this client? ─▶ redeemCode | refresh | clientCredentials
//	                    (1)      (2)          (3)         (4)               (5)
//
// The five steps of oauth.md §9.1 are one function, so that a new grant type is a row in its table and cannot forget a
// check. What is spent or rotated is decided by the store's atomic operations alone: two replicas are as safe as one.
// Trouble of ours is 503, never invalid_grant: on that clients throw good tokens away.
package grants
