package registration

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

const maxURI = 2048

var schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]{1,63}$`)

// forbiddenSchemes run script, read files or reach other programs in ways that are no redirect to an application.
var forbiddenSchemes = map[string]bool{
	"javascript": true, "data": true, "vbscript": true, "file": true, "blob": true, "about": true, "view-source": true,
	"filesystem": true, "ftp": true, "ftps": true, "ws": true, "wss": true, "mailto": true, "tel": true, "sms": true,
	"intent": true, "content": true, "chrome": true, "chrome-extension": true, "moz-extension": true, "ms-appx": true,
	"resource": true, "jar": true,
}

// ValidRedirect reports whether a redirect URI may be registered (oauth.md §6.6): https, http to this computer, or the
// custom scheme of an application. Parsing only judges; what is stored and compared is always the string as it came.
func ValidRedirect(raw string) bool {
	if raw == "" || len(raw) > maxURI || !plain(raw) || strings.ContainsRune(raw, '#') {
		return false
	}
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok || !schemePattern.MatchString(scheme) || forbiddenSchemes[scheme] {
		return false
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil {
		return false
	}
	switch scheme {
	case "https":
		return webAddress(u) && strings.HasPrefix(rest, "//")
	case "http":
		return webAddress(u) && strings.HasPrefix(rest, "//") && loopbackSpelling(u.Hostname())
	default: // com.example.app:/cb, or cursor://anysphere.cursor-mcp/oauth/callback
		return strings.Contains(scheme, ".") && rest != "" || strings.HasPrefix(rest, "//") && u.Host != ""
	}
}

// plain reports whether s has only characters that a URI may have (RFC 3986 §2): browsers strip or rewrite everything
// else, each in its own way, so that the address checked would not be the address opened.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= 0x20 || s[i] >= 0x7f || strings.IndexByte("\"<>\\^`{|}", s[i]) >= 0 {
			return false
		}
	}
	return true
}

// hostPattern leaves out what URIs allow in a host and DNS does not: such a host ends up in headers of ours, where ; and
// , have a meaning.
var hostPattern = regexp.MustCompile(`^([A-Za-z0-9._-]+|[0-9A-Fa-f:.]+)$`)

func webAddress(u *url.URL) bool {
	if !hostPattern.MatchString(u.Hostname()) {
		return false
	}
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.Atoi(u.Port())
	return err == nil && n >= 1 && n <= 65535
}

// loopbackSpelling knows the three ways to write this computer; others (127.1, 0x7f000001, [::ffff:127.0.0.1]) are read
// differently by different parsers.
func loopbackSpelling(host string) bool {
	return host == "127.0.0.1" || host == "::1" || host == "localhost"
}

// MatchRedirect reports whether asked is one of the registered redirect URIs (oauth.md §6.6): byte for byte, or with
// another port on the same spelling of this computer, because native applications listen on a port they find free
// (RFC 8252 §7.3). Nothing else is normalised.
func MatchRedirect(registered []string, asked string) bool {
	for _, r := range registered {
		if r == asked {
			return ValidRedirect(asked)
		}
	}
	a, ok := splitLoopback(asked)
	if !ok || !ValidRedirect(asked) {
		return false
	}
	for _, r := range registered {
		if known, ok := splitLoopback(r); ok && known == a {
			return true
		}
	}
	return false
}

// loopbackURI is a redirect URI to this computer without its port.
type loopbackURI struct {
	host string // as it was written
	rest string // path and query as they were written; an empty path is /
}

// splitLoopback takes an http URI to this computer apart as bytes, so that no parser's idea of an equal path comes in.
func splitLoopback(raw string) (loopbackURI, bool) {
	after, ok := strings.CutPrefix(raw, "http://")
	if !ok {
		return loopbackURI{}, false
	}
	end := strings.IndexAny(after, "/?")
	if end < 0 {
		end = len(after)
	}
	authority, rest := after[:end], after[end:]
	if !strings.HasPrefix(rest, "/") {
		rest = "/" + rest
	}
	for _, host := range []string{"127.0.0.1", "[::1]", "localhost"} {
		port, ok := strings.CutPrefix(authority, host)
		if ok && (port == "" || validPort(port)) {
			return loopbackURI{host: host, rest: rest}, true
		}
	}
	return loopbackURI{}, false
}

func validPort(s string) bool {
	digits, ok := strings.CutPrefix(s, ":")
	if !ok || digits == "" || len(digits) > 5 || digits[0] == '0' || digits[0] == '+' {
		return false
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return err == nil && n > 0
}

// IsLoopback reports whether a valid redirect URI leads to a port on this computer.
func IsLoopback(raw string) bool {
	_, ok := splitLoopback(raw)
	return ok
}

// IsCustom reports whether a valid redirect URI opens an application by its scheme.
func IsCustom(raw string) bool {
	scheme, _, _ := strings.Cut(raw, ":")
	return scheme != "https" && scheme != "http"
}

// ValidateClients reports every redirect URI of configured clients that may not be one, as "path: message" with the path
// below `oauth`, joined: what oauth.Config.Validate cannot know.
func ValidateClients(clients []oauth.ClientConfig) error {
	var faults []error
	for i, c := range clients {
		for j, uri := range c.RedirectURIs {
			if !ValidRedirect(uri) {
				faults = append(faults, fmt.Errorf(
					"clients[%d].redirect_uris[%d]: must be https, http to 127.0.0.1, [::1] or localhost, or a scheme of an application", i, j))
			}
		}
	}
	return errors.Join(faults...)
}
