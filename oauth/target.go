package oauth

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// IsLoopbackHost reports whether a host of a URL, without port and brackets, is this computer: localhost, 127.0.0.0/8
// or ::1.
func IsLoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" && addr.IsLoopback() && !addr.Is4In6()
}

// CanonicalResource returns the one spelling of a resource (oauth.md §7.4): scheme and host in lower case, no default
// port, one trailing slash cut, the address of the old SSE transport folded into its server. It reports false for what
// cannot be a resource of publicURL: relative, with fragment, query or userinfo, of another origin.
func CanonicalResource(publicURL, raw string) (string, bool) {
	if len(raw) > 2048 || strings.ContainsAny(raw, "#?\\ ") {
		return "", false
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || u.RawPath != "" {
		return "", false
	}
	own, err := url.Parse(publicURL)
	if err != nil || origin(u) != origin(own) {
		return "", false
	}
	path := strings.TrimSuffix(u.Path, "/")
	if rest, ok := strings.CutPrefix(path, "/mcp/"); ok && strings.Count(rest, "/") == 1 {
		path = strings.TrimSuffix(path, "/sse")
	}
	if path == "" || strings.HasSuffix(path, "/") {
		return "", false
	}
	return publicURL + path, true
}

func origin(u *url.URL) string {
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Target finds the resource of an authorization request (oauth.md §7.4) from its resource parameters and, when there is
// none, from the scopes or from the only MCP server there is. The error is invalid_target.
func Target(cat Catalogue, publicURL string, resources, scopes []string) (Resource, *Error) {
	switch len(resources) {
	case 0:
		return impliedTarget(cat, scopes)
	case 1:
		uri, ok := CanonicalResource(publicURL, resources[0])
		if !ok {
			break
		}
		if res, ok := cat.Resource(uri); ok {
			return res, nil
		}
	}
	return Resource{}, &Error{Code: InvalidTarget, Description: "unknown resource"}
}

func impliedTarget(cat Catalogue, scopes []string) (Resource, *Error) {
	var servers, named []Resource
	for _, res := range cat.Resources() {
		if !res.Server {
			continue
		}
		if res.Name != "registry" { // built in, not configured
			servers = append(servers, res)
		}
		for _, s := range scopes {
			if s == res.Scope {
				named = append(named, res)
				break
			}
		}
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(named) == 0 && len(servers) == 1:
		return servers[0], nil
	}
	return Resource{}, &Error{Code: InvalidTarget, Description: "resource is required: name one MCP server"}
}
