package authflow

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// destination is where an answer for the client goes. Its URI is validated; nothing else makes one.
type destination struct {
	uri      string
	state    string
	hasState bool
}

func destinationOf(t *oauth.Transaction) destination {
	return destination{uri: t.RedirectURI, state: t.ClientState, hasState: t.HasState}
}

// with returns the redirect URI with params, the client's state as it came and iss (RFC 9207), each exactly once,
// keeping a query that was registered.
func (d destination) with(issuer string, params [][2]string) string {
	if d.hasState {
		params = append(params, [2]string{"state", d.state})
	}
	params = append(params, [2]string{"iss", issuer})
	u, err := url.Parse(d.uri)
	if err != nil { // validated before; a URI that does not parse is never registered
		return ""
	}
	query := u.RawQuery
	for _, p := range params {
		query = dropParam(query, p[0])
	}
	for _, p := range params {
		if query != "" {
			query += "&"
		}
		query += p[0] + "=" + url.QueryEscape(p[1])
	}
	u.RawQuery = query
	return u.String()
}

// dropParam removes a parameter from a raw query and leaves the spelling of the others alone. A registered query with
// its own "code=" must not make two.
func dropParam(query, name string) string {
	if query == "" {
		return ""
	}
	kept := make([]string, 0, 4)
	for _, pair := range strings.Split(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if k, err := url.QueryUnescape(key); err == nil && k == name {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}

// sendBack redirects the browser to the client. No referrer and no cache may keep the code.
func (h *Handler) sendBack(c echo.Context, to string) error {
	head := c.Response().Header()
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	status := http.StatusFound
	if c.Request().Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	head.Set("Location", to)
	c.Response().WriteHeader(status)
	return nil
}

var (
	schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	hostPattern   = regexp.MustCompile(`^([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)
)

// source writes a URI as a source of a Content-Security-Policy: scheme://host:port, or scheme: for custom schemes. It
// is built from the parsed URI, so that no character of the raw one can end the directive.
func source(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case scheme == "http" || scheme == "https":
		if hostPattern.MatchString(host) {
			return scheme + "://" + host
		}
	case schemePattern.MatchString(scheme):
		return scheme + ":"
	}
	return ""
}

// formTargets lists what the forms of a transaction's pages may lead to beside ourselves. Chromium holds form-action
// against the whole redirect chain of a post and blocks without a word, so the list has the client's redirect target,
// https: because the client may redirect on to a page of its own, and a provider on loopback http.
func (h *Handler) formTargets(t *oauth.Transaction) []string {
	list := []string{} // not nil: the page has a form
	add := func(s string) {
		for _, have := range list {
			if have == s {
				return
			}
		}
		if s != "" {
			list = append(list, s)
		}
	}
	if !t.Portal {
		add(source(t.RedirectURI))
		add("https:")
		if u, err := url.Parse(t.RedirectURI); err == nil && (u.Host == "claude.ai" || u.Host == "claude.com") {
			add("claude:")
		}
	}
	at := *t
	if at.Tenant == "" {
		at.Tenant = h.firstTenant() // not chosen yet; all tenants are at one authority
	}
	if own := source(h.Provider.Issuer(&at)); own != h.PublicURL {
		if strings.HasPrefix(own, "https:") {
			own = "https:" // a provider may send people on to their own organization's login
		}
		add(own)
	}
	return list
}
