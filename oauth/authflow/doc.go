// Package authflow takes a browser from /oauth/authorize through sign-in and consent to a code at the client, and signs
// people in to portal and console on the same road. It owns the pages, the transaction's state machine, the browser
// binding cookie and the portal session cookie. Who somebody is, oauth/entra says; who a client is, oauth/registration;
// codes become tokens in oauth/grants.
//
//	authorize ─ checks §4.1 ─▶ transaction (at_provider) ⇢ provider ⇢ callback ─ checks §4.2 ─▶ consenting
//	   │ (several tenants: organization page)                            │ (portal: session, done)
//	   ▼ page, or redirect error=… once the redirect URI is validated    ▼
//	                                       client ◀─ code, state, iss ─ POST approve ─ consent page
//
// Three attacks shape it. A code must not reach a stranger's client through a live session at the provider: no code
// exists before somebody pressed Allow in the browser that began. A sign-in must not be finished in another browser: every
// step compares the binding cookie. A page must not be pressed by another site: forms carry a token and check Origin.
package authflow
