package main

import (
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// entitled reports whether the caller is one of entries: role:NAME, group:ID, user:{tid}/{oid}, or a bare role name
// (CONTRACT §4 admins, oauth.md §2). Nobody is one of none.
func entitled(c *identity.Caller, entries []string) bool {
	return slices.ContainsFunc(entries, func(e string) bool {
		kind, name, prefixed := strings.Cut(e, ":")
		switch {
		case !prefixed:
			return c.HasRole(e)
		case kind == "role":
			return c.HasRole(name)
		case kind == "group":
			return slices.Contains(c.Groups, name)
		case kind == "user":
			return c.Subject != "" && c.Subject == name && c.Kind == identity.Person
		default:
			return c.HasRole(e) // a role whose name has a colon
		}
	})
}

// usable decides whether a caller may use an MCP server at all, and names what is missing: "the role X". A key's right is
// its product's grant, which was checked when the key was read; it has no roles.
func usable(roles []string) func(c *identity.Caller) (bool, string) {
	need := "one of the roles " + strings.ReplaceAll(strings.Join(roles, ", "), "role:", "")
	if len(roles) == 1 {
		need = "the role " + strings.TrimPrefix(roles[0], "role:")
	}
	return func(c *identity.Caller) (bool, string) {
		if len(roles) == 0 || c.Kind == identity.Key || entitled(c, roles) {
			return true, ""
		}
		return false, need
	}
}

// accessTo is usable in the words of an MCP refusal (mcp.md §3 row 6).
func accessTo(roles []string) func(c *identity.Caller) (bool, string) {
	may := usable(roles)
	return func(c *identity.Caller) (bool, string) {
		ok, need := may(c)
		if !ok {
			need = "you need " + need
		}
		return ok, need
	}
}

// namesGroups reports whether any rule of the configuration names a group, so that the provider must be asked for them.
func namesGroups(cfg *Config) bool {
	group := func(entries []string) bool {
		return slices.ContainsFunc(entries, func(e string) bool { return strings.HasPrefix(e, "group:") })
	}
	found := group(cfg.Admins)
	for _, s := range cfg.MCPServers {
		found = found || group(s.Access.Roles)
		for _, t := range s.Access.Tools {
			found = found || group(t.Roles)
		}
	}
	for _, m := range cfg.LLM.Models {
		found = found || group(m.Roles)
	}
	return found
}

// resourceOf is the address of an MCP server, which is also what tokens for it name.
func resourceOf(publicURL, server string) string { return publicURL + "/mcp/" + server }
