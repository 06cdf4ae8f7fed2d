// Package entra is the OpenID Connect client of Drawbridge: it sends a browser to the identity provider, redeems what
// comes back and says who that is. Three providers stand behind oauth.Provider: Microsoft Entra ID, any other OpenID
// Connect provider, and a development provider without passwords that works on loopback only. It keeps no transaction
// and shows no page: oauth/authflow does.
//
//	AuthURL ⇢ browser ⇢ Exchange: token request ─ ID token checks ─▶ Identity, Upstream
//	                    Refresh:  token request ─ ID token checks ─▶ the same, or "no longer"
//
// The ID token is checked by go-oidc (signature, issuer, audience, time) and then for what go-oidc leaves to us: nonce,
// authorized party, tenant, and that it is not an access token in disguise (oauth.md §11.4, §12).
package entra
