package registration

import (
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// checkDocumentURL is what an https client id must satisfy before any network (oauth.md §6.5).
func checkDocumentURL(id, ownHost string) error {
	if len(id) > 512 || !plain(id) {
		return errors.New("longer than 512 bytes, or not visible ASCII")
	}
	u, err := url.Parse(id)
	switch {
	case err != nil || u.Scheme != "https" || !strings.HasPrefix(id, "https://"):
		return errors.New("not an https address")
	case u.User != nil || strings.ContainsRune(id, '#'):
		return errors.New("has userinfo or a fragment")
	case u.Host != u.Hostname() && u.Host != u.Hostname()+":443":
		return errors.New("has a port")
	case u.Path == "" || u.Path == "/":
		return errors.New("has no path")
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return errors.New("has dot segments")
	}
	return checkDocumentHost(u.Hostname(), ownHost)
}

func checkDocumentHost(host, ownHost string) error {
	labels := strings.Split(host, ".")
	_, notAddress := netip.ParseAddr(host)
	switch {
	case notAddress == nil, strings.ContainsAny(host, ":%[]"), numeric(labels[len(labels)-1]):
		return errors.New("host is an address")
	case len(labels) < 2 || slices.Contains(labels, ""):
		return errors.New("host is a single label or ends in a dot")
	case strings.EqualFold(labels[len(labels)-1], "localhost"):
		return errors.New("host is this computer")
	case ownHost != "" && strings.EqualFold(host, ownHost):
		return errors.New("host is our own")
	}
	for _, l := range labels {
		for i := range len(l) {
			c := l[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
				return errors.New("host is not a DNS name")
			}
		}
	}
	return nil
}

// numeric reports whether a last label makes parsers read the host as an IPv4 address: 1, 0x7f.
func numeric(label string) bool {
	if rest, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func documentHost(id string) string {
	u, err := url.Parse(id)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// hostAllowed checks client_document_hosts: exact hosts, or *.example.com for one label or more below it.
func hostAllowed(hosts []string, host string) bool {
	if len(hosts) == 0 {
		return true
	}
	return slices.ContainsFunc(hosts, func(h string) bool {
		if suffix, ok := strings.CutPrefix(h, "*"); ok {
			return strings.HasSuffix(host, suffix) && len(host) > len(suffix)
		}
		return h == host
	})
}

// documentClient is what is certain of any client with an https id.
func documentClient(id string) oauth.Client {
	return oauth.Client{
		ID: id, Kind: oauth.Document, Status: oauth.Approved, Host: documentHost(id), AuthMethod: oauth.AuthNone,
		GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
	}
}

// errShown are the causes that may be told apart on a page: all need a successful connection to a public host, so that
// they say nothing about ours.
var (
	errNotJSON     = errors.New("it is not valid JSON")
	errOtherClient = errors.New("its client_id is another address")
	errNoRedirect  = errors.New("it allows no redirect address")
	errNotAllowed  = errors.New("it asks for something that is not possible here")
)

// parseDocument reads a client ID metadata document (oauth.md §6.5).
func parseDocument(id string, body []byte) (oauth.Client, error) {
	members, err := strictObject(body)
	if err != nil {
		return oauth.Client{}, errNotJSON
	}
	var declared string
	if json.Unmarshal(members["client_id"], &declared) != nil || declared != id {
		return oauth.Client{}, errOtherClient
	}
	for name, raw := range members {
		if string(raw) == "null" || name == "client_secret" || name == "client_secret_expires_at" {
			return oauth.Client{}, errNotAllowed
		}
	}
	m, fault := parseMetadata(members)
	switch {
	case fault != nil && fault.Code == oauth.InvalidRedirectURI:
		return oauth.Client{}, errNoRedirect
	case fault != nil, m.method != "" && m.method != oauth.AuthNone, members["client_name"] == nil:
		return oauth.Client{}, errNotAllowed
	}
	client := documentClient(id)
	client.Name, client.RedirectURIs, client.Scope = m.name, m.redirectURIs, m.scope
	client.GrantTypes = m.grantTypes
	m.method = oauth.AuthNone
	client.Metadata, err = m.effective()
	return client, err
}

// sameHosts reports whether two lists of redirect URIs lead to the same hosts.
func sameHosts(a, b []string) bool {
	return slices.Equal(redirectHosts(a), redirectHosts(b))
}

func redirectHosts(uris []string) []string {
	var hosts []string
	for _, raw := range uris {
		if u, err := url.Parse(raw); err == nil {
			hosts = append(hosts, u.Scheme+"://"+u.Hostname())
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
