// Package oauth holds what the broker is about, as domain types with their store interfaces and error values: clients,
// sign-in transactions, codes, grants, refresh tokens and browser sessions. Its sub-packages do the work:
//
//	authflow      authorize → sign-in → consent → code          (pages)
//	grants        code, refresh token, client credentials → tokens; revoke, introspect
//	tokens        issue and verify access tokens, JWKS
//	registration  dynamic registration, client ID metadata documents, redirect URI rules
//	entra         identity providers: Entra, generic OIDC, dev
//	resource      bearer check, challenges, protected-resource metadata
//	oauthtest     a fake Entra and the suites every store must pass
package oauth
