package oauthtest

import (
	"slices"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

var _ oauth.Catalogue = Catalogue(nil)

// Catalogue is a fixed list of resources.
type Catalogue []oauth.Resource

func (c Catalogue) Resource(uri string) (oauth.Resource, bool) {
	for _, res := range c {
		if res.URI == uri {
			return res, true
		}
	}
	return oauth.Resource{}, false
}

func (c Catalogue) Resources() []oauth.Resource { return slices.Clone(c) }

// Server is an MCP server that needs one of roles (none: everybody may use it); scopes name its step-up scopes, each of
// which needs the role "role:" followed by the scope.
func Server(publicURL, name string, roles []string, scopes ...string) oauth.Resource {
	res := oauth.Resource{
		URI: publicURL + "/mcp/" + name, Name: name, Title: "The " + name + " server", Server: true, Scope: "mcp:" + name,
		Usable: func(c *identity.Caller) (bool, string) {
			if len(roles) == 0 || slices.ContainsFunc(roles, c.HasRole) {
				return true, ""
			}
			return false, "you need one of the roles of " + name
		},
		Allowed: func(c *identity.Caller, scope string) bool { return scope == "mcp:"+name || c.HasRole("role:"+scope) },
	}
	for _, s := range scopes {
		res.Scopes = append(res.Scopes, oauth.ScopeInfo{Name: s, Text: "use " + s, Risk: "change"})
	}
	return res
}

// LLM is the LLM gateway as a resource.
func LLM(publicURL string) oauth.Resource {
	return oauth.Resource{URI: publicURL + "/llm", Name: "llm", Title: "Models", Scope: "llm"}
}
