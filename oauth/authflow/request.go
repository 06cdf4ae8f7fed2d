package authflow

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

const maxState = 2 << 10

// params are those of an authorization request: each at most once, resource excepted.
type params url.Values

func (p params) get(name string) string { return url.Values(p).Get(name) }
func (p params) has(name string) bool   { return url.Values(p).Has(name) }

// readParams reads an authorization request from the query, or from the form of a POST, which then may have no query:
// two places for one parameter would be two readings of one request.
func readParams(w http.ResponseWriter, r *http.Request) (params, error) {
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" || raw != "" {
			return nil, errors.New("not a form")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxQuery)
		if err := r.ParseForm(); err != nil {
			return nil, errors.New("unreadable form")
		}
		raw = r.PostForm.Encode()
	}
	return parseParams(raw)
}

// parseParams takes a raw query apart (oauth.md §4.1 step 1).
func parseParams(raw string) (params, error) {
	if len(raw) > maxQuery {
		return nil, errors.New("query is too long")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errors.New("malformed query")
	}
	for name, list := range values {
		if len(list) > 1 && name != "resource" {
			return nil, errors.New("a parameter came twice")
		}
		for _, v := range list {
			if len(v) > maxParam || name == "state" && len(v) > maxState {
				return nil, errors.New("a parameter is too long")
			}
		}
	}
	return params(values), nil
}

var challengePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// checkProtocol checks what needs nothing but the request (oauth.md §4.1 steps 5 to 8).
func (p params) checkProtocol() *oauth.Error {
	refuse := func(code, text string) *oauth.Error { return &oauth.Error{Code: code, Description: text} }
	switch {
	case p.has("request"):
		return refuse(oauth.RequestNotSupported, "request objects are not supported")
	case p.has("request_uri"):
		return refuse(oauth.RequestURINotSupported, "request_uri is not supported")
	case p.get("response_type") == "":
		return refuse(oauth.InvalidRequest, "response_type is missing")
	case p.get("response_type") != "code":
		return refuse(oauth.UnsupportedResponseType, "only response_type code is supported")
	case p.has("response_mode") && p.get("response_mode") != "query":
		return refuse(oauth.InvalidRequest, "only response_mode query is supported")
	case !p.has("code_challenge"):
		return refuse(oauth.InvalidRequest, "code_challenge is missing: PKCE with S256 is required")
	case p.get("code_challenge_method") != "S256": // absent means plain (RFC 7636 §4.3)
		return refuse(oauth.InvalidRequest, "code_challenge_method must be S256")
	case !challengePattern.MatchString(p.get("code_challenge")):
		return refuse(oauth.InvalidRequest, "code_challenge must be 43 characters of base64url")
	}
	return nil
}

// target finds what the token is to be for and which scopes are asked of it (oauth.md §4.1 steps 9 and 10).
func (h *Handler) target(p params, client *oauth.Client) (oauth.Resource, []string, *oauth.Error) {
	res, refused := oauth.Target(h.Catalogue, h.PublicURL, p["resource"], strings.Fields(p.get("scope")))
	if refused != nil {
		return res, nil, refused
	}
	scope := p.get("scope")
	if scope == "" {
		scope = knownScopes(&res, client.Scope)
	}
	scopes, refused := oauth.RequestedScopes(&res, scope)
	return res, scopes, refused
}

// knownScopes keeps of a client's registered default what this resource has: the default may be about several servers.
func knownScopes(res *oauth.Resource, registered string) string {
	var known []string
	for _, s := range strings.Fields(registered) {
		if s == res.Scope || slices.ContainsFunc(res.Scopes, func(i oauth.ScopeInfo) bool { return i.Name == s }) {
			known = append(known, s)
		}
	}
	return strings.Join(known, " ")
}
