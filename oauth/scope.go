package oauth

import (
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// ParseScope splits a scope parameter (oauth.md §7.3 step 1) and drops the names that every client may send and that
// mean nothing here. The error is invalid_scope.
func ParseScope(raw string) ([]string, *Error) {
	var scopes []string
	fields := strings.FieldsFunc(raw, func(r rune) bool { return r == ' ' }) // a leading space is tolerated: Claude sends one
	if len(fields) > 50 {
		return nil, &Error{Code: InvalidScope, Description: "too many scopes"}
	}
	for _, s := range fields {
		switch {
		case !ValidScope(s):
			return nil, &Error{Code: InvalidScope, Description: "malformed scope"}
		case s == "offline_access" || s == "openid" || s == "profile" || s == "email" || slices.Contains(scopes, s):
		default:
			scopes = append(scopes, s)
		}
	}
	return scopes, nil
}

// ValidScope reports whether s is a scope token of RFC 6749 §3.3 of at most 128 characters.
func ValidScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// RequestedScopes turns a scope parameter into what is asked of a resource (oauth.md §7.3 steps 1 to 3), sorted: the
// base scope is always there. A name that the resource does not know is invalid_scope.
func RequestedScopes(res *Resource, raw string) ([]string, *Error) {
	scopes, err := ParseScope(raw)
	if err != nil {
		return nil, err
	}
	for _, s := range scopes {
		if s != res.Scope && !slices.ContainsFunc(res.Scopes, func(i ScopeInfo) bool { return i.Name == s }) {
			return nil, &Error{Code: InvalidScope, Description: "unknown scope for this resource: " + s}
		}
	}
	return withBase(res, scopes), nil
}

func withBase(res *Resource, scopes []string) []string {
	if !slices.Contains(scopes, res.Scope) {
		scopes = append(scopes, res.Scope)
	}
	slices.Sort(scopes)
	return scopes
}

// GrantedScopes removes from scopes what the resource does not have (any more) and what the caller's roles do not allow
// (oauth.md §7.3 step 4). Whether the base scope is left at all is for Usable to say.
func GrantedScopes(res *Resource, c *identity.Caller, scopes []string) []string {
	granted := make([]string, 0, len(scopes))
	for _, s := range scopes {
		known := s == res.Scope || slices.ContainsFunc(res.Scopes, func(i ScopeInfo) bool { return i.Name == s })
		if known && (res.Allowed == nil || res.Allowed(c, s)) {
			granted = append(granted, s)
		}
	}
	slices.Sort(granted)
	return granted
}

// Caller returns the caller that a person's identity stands for, before there is a token.
func (id *Identity) Caller(clientID string) *identity.Caller {
	return &identity.Caller{
		Kind: identity.Person, Subject: id.Subject, Name: id.Name, Tenant: id.Tenant, ClientID: clientID,
		Roles: id.Roles, Groups: id.Groups, Claims: id.Claims,
	}
}
