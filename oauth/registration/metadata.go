package registration

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

const (
	maxRedirects = 20
	maxEntries   = 10
	maxName      = 200
)

// metadata is what a client says about itself, as far as it counts (oauth.md §6.4).
type metadata struct {
	redirectURIs []string
	method       string // "" when it was absent
	grantTypes   []string
	name         string
	scope        string
	native       bool
	kept         map[string]any // members that are stored and told, and mean nothing to us
}

// links are shown on the consent page at most; nothing is ever fetched from them.
var links = []string{"client_uri", "logo_uri", "policy_uri", "tos_uri"}

// parseMetadata applies the rules of oauth.md §6.4 row by row. Members not named there are ignored. null is like absent.
func parseMetadata(members map[string]json.RawMessage) (*metadata, *oauth.Error) {
	m := &metadata{kept: map[string]any{}}
	r := reader{members: members}
	m.redirectURIs = r.redirects()
	m.method = r.method()
	m.grantTypes = r.granted("grant_types", []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken})
	r.granted("response_types", []string{"code"})
	m.name = cut(r.text("client_name"), maxName)
	m.scope = r.text("scope")
	m.native = r.text("application_type") == "native"
	for _, name := range []string{"application_type", "software_id", "software_version"} {
		m.keep(name, r.text(name))
	}
	for _, name := range links {
		if link := r.text(name); isLink(link) {
			m.keep(name, link)
		}
	}
	if contacts := r.texts("contacts"); len(contacts) > 0 {
		m.kept["contacts"] = contacts[:min(len(contacts), maxEntries)]
	}
	m.keepNames(&r)
	if r.fault != nil {
		return nil, r.fault
	}
	if m.name == "" {
		m.name = hostOf(m.redirectURIs[0])
	}
	return m, nil
}

func (m *metadata) keep(name, value string) {
	if value != "" {
		m.kept[name] = value
	}
}

// keepNames keeps names in other languages, client_name#de, up to ten.
func (m *metadata) keepNames(r *reader) {
	var names []string
	for name := range r.members {
		if strings.HasPrefix(name, "client_name#") && len(name) <= 64 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names[:min(len(names), maxEntries)] {
		m.keep(name, cut(r.text(name), maxName))
	}
}

// defaultMethod is the way of authentication of a client that names none: none where the client cannot keep a secret,
// else what RFC 7591 says.
func (m *metadata) defaultMethod() string {
	if m.native || slices.ContainsFunc(m.redirectURIs, func(u string) bool { return IsLoopback(u) || IsCustom(u) }) {
		return oauth.AuthNone
	}
	return oauth.AuthBasic
}

// effective is the metadata as it was accepted, in canonical JSON: what is stored and answered.
func (m *metadata) effective() ([]byte, error) { return canonicalJSON(m.all(m.redirectURIs)) }

// fingerprint tells equal registrations from different ones, whatever the order of their redirect URIs.
func (m *metadata) fingerprint() (string, error) {
	text, err := canonicalJSON(m.all(slices.Sorted(slices.Values(m.redirectURIs))))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func (m *metadata) all(redirects []string) map[string]any {
	all := map[string]any{
		"redirect_uris": redirects, "token_endpoint_auth_method": m.method, "grant_types": m.grantTypes,
		"response_types": []string{"code"}, "client_name": m.name,
	}
	for name, v := range m.kept {
		all[name] = v
	}
	if m.scope != "" {
		all["scope"] = m.scope
	}
	return all
}

// reader reads members by type and remembers the first fault.
type reader struct {
	members map[string]json.RawMessage
	fault   *oauth.Error
}

func (r *reader) refuse(code, format string, args ...any) {
	if r.fault == nil {
		r.fault = &oauth.Error{Code: code, Description: fmt.Sprintf(format, args...)}
	}
}

func (r *reader) decode(name string, into any, want string) {
	raw, ok := r.members[name]
	if !ok || string(raw) == "null" {
		return
	}
	if json.Unmarshal(raw, into) != nil {
		r.refuse(oauth.InvalidClientMetadata, "%s must be %s", asciiName(name), want)
	}
}

func (r *reader) text(name string) (s string) {
	r.decode(name, &s, "a string")
	return s
}

// texts takes pointers in between: a null in a list would otherwise become "".
func (r *reader) texts(name string) []string {
	var list []*string
	r.decode(name, &list, "a list of strings")
	out := make([]string, 0, len(list))
	for _, s := range list {
		if s == nil {
			r.refuse(oauth.InvalidClientMetadata, "%s must be a list of strings", name)
			return nil
		}
		out = append(out, *s)
	}
	return out
}

func (r *reader) redirects() []string {
	uris := r.texts("redirect_uris")
	if r.fault != nil {
		return nil
	}
	if len(uris) < 1 || len(uris) > maxRedirects {
		r.refuse(oauth.InvalidRedirectURI, "redirect_uris must have 1 to 20 entries")
	}
	for i, uri := range uris {
		if !ValidRedirect(uri) {
			r.refuse(oauth.InvalidRedirectURI, "redirect_uris[%d] is not allowed: %s", i, shown(uri))
		}
	}
	return uris
}

func (r *reader) method() string {
	switch m := r.text("token_endpoint_auth_method"); m {
	case "", oauth.AuthNone, oauth.AuthBasic, oauth.AuthPost:
		return m
	}
	r.refuse(oauth.InvalidClientMetadata, "token_endpoint_auth_method must be none, client_secret_basic or client_secret_post")
	return ""
}

// granted narrows a list to what may be granted here; what nobody named is granted whole. Real clients ask for more than
// they need (VS Code names the device grant), so that the rest is dropped and the answer says what is left.
func (r *reader) granted(name string, possible []string) []string {
	asked := r.texts(name)
	if raw, ok := r.members[name]; !ok || string(raw) == "null" {
		return possible
	}
	left := slices.DeleteFunc(slices.Clone(possible), func(p string) bool { return !slices.Contains(asked, p) })
	if len(left) == 0 {
		r.refuse(oauth.InvalidClientMetadata, "%s has nothing that is supported here", name)
	}
	return left
}

// cut shortens on a character border.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// shown makes an address that was refused safe for an error text (RFC 6749 §5.2 allows no quote and no backslash).
func shown(uri string) string { return cut(asciiName(uri), 100) }

func asciiName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
}

func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && len(s) <= maxURI
}

// hostOf names a client that has no name.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "application"
	}
	if u.Hostname() == "" {
		return u.Scheme
	}
	return u.Hostname()
}
