package grants

import (
	"context"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// clientCredentials is the grant of service clients (oauth.md §9.4). They have no person, no grant record and no refresh
// token: what they may is their configuration, asked each time.
func (h *Handler) clientCredentials(ctx context.Context, req *request) (*answer, error) {
	client := &req.client
	if client.Public() || client.Kind != oauth.Preregistered {
		return nil, refuse(oauth.UnauthorizedClient, "the client may not use this grant type")
	}
	res, err := h.serviceTarget(req)
	if err != nil {
		return nil, err
	}
	scopes, fault := oauth.RequestedScopes(&res, req.get("scope"))
	if fault != nil {
		return nil, fault
	}
	caller := &identity.Caller{
		Kind: identity.App, Subject: tokens.ServiceSubject(client.ID), Name: client.Name, ClientID: client.ID, Roles: client.Roles,
	}
	if res.Usable != nil {
		if ok, _ := res.Usable(caller); !ok {
			return nil, refuse(oauth.InvalidTarget, "the client lacks a role for this resource")
		}
	}
	scopes = oauth.GrantedScopes(&res, caller, scopes)
	if !slices.Contains(scopes, res.Scope) {
		return nil, refuse(oauth.InvalidScope, "the client lacks a role for this scope")
	}
	return h.issue(ctx, permitted{server: res.Name, access: tokens.Access{
		Audience: res.URI, Subject: caller.Subject, ClientID: client.ID, GrantID: tokens.NewGrantID(), Scopes: scopes, Roles: client.Roles,
	}})
}

// serviceTarget finds the resource: named, or the client's only one; always one of its servers.
func (h *Handler) serviceTarget(req *request) (oauth.Resource, error) {
	unknown := refuse(oauth.InvalidTarget, "not a resource of this client")
	raw := req.get("resource")
	if raw == "" {
		if len(req.client.Servers) != 1 {
			return oauth.Resource{}, refuse(oauth.InvalidTarget, "resource is required: name one MCP server")
		}
		for _, res := range h.Catalogue.Resources() {
			if serves(&req.client, &res) {
				return res, nil
			}
		}
		return oauth.Resource{}, unknown
	}
	uri, ok := oauth.CanonicalResource(h.PublicURL, raw)
	if !ok {
		return oauth.Resource{}, unknown
	}
	res, ok := h.Catalogue.Resource(uri)
	if !ok || !serves(&req.client, &res) {
		return oauth.Resource{}, unknown
	}
	return res, nil
}

// serves reports whether a resource is one of a configured client's servers.
func serves(c *oauth.Client, res *oauth.Resource) bool { return slices.Contains(c.Servers, res.Name) }
