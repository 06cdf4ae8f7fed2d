// Package registration makes clients known: dynamic registration (RFC 7591), client ID metadata documents and the
// operator's own clients, with the rules for where a code may be sent.
//
//	POST /oauth/register ─ limits ─ strict JSON ─ rules ─ known already? ─▶ store
//	client_id ─ Resolver ─┬─ configured
//	                      ├─ dcr_…      ─▶ store
//	                      └─ https://…  ─▶ Documents ─ cache ─ guarded fetch ─ rules
//
// An id of one kind is looked up in that kind only: nobody can register the name of somebody else's client. Whether a
// client that waits or is blocked gets a page or an error is for authflow and grants; here it only has its status.
package registration
