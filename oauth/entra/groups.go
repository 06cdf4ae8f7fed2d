package entra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

const (
	groupsFresh   = time.Hour      // a list is taken as it is
	groupsStale   = 24 * time.Hour // a list still serves while Graph cannot be reached
	maxGroupPages = 20
	maxGroupLists = 10_000
)

// groups asks Microsoft Graph for the groups of people who have more than fit into a token (oauth.md §11.6). It asks on
// behalf of the person and never at the address that the token names, which the token's maker chose.
type groups struct {
	base   string // {graph}
	client *http.Client
	now    func() time.Time
	flight singleflight.Group // by person: two people must never share an answer

	mu    sync.Mutex
	known map[string]groupList // by subject
}

type groupList struct {
	ids []string
	at  time.Time
}

// errGroups marks refusals that are about our right to read groups. A sign-in fails for them; a refresh does not end a
// grant for them, since they say nothing about the person.
var errGroups = errors.New("groups could not be read")

// forbidden says that Graph refuses us, not that the person has no groups.
func forbidden() *oauth.Error {
	return &oauth.Error{Code: oauth.AccessDenied, Description: "Drawbridge may not read your groups; ask an administrator to grant GroupMember.Read.All", Err: errGroups}
}

// of returns the groups of a person. token gets an access token for Graph that speaks for them.
func (g *groups) of(ctx context.Context, subject string, token func(context.Context) (string, error)) ([]string, error) {
	if l, ok := g.lookup(subject); ok && g.now().Sub(l.at) < groupsFresh {
		return l.ids, nil
	}
	v, err, _ := g.flight.Do(subject, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*requestTimeout)
		defer cancel()
		bearer, err := token(ctx)
		if err != nil {
			return nil, err
		}
		ids, err := g.fetch(ctx, bearer)
		if err != nil {
			return nil, err
		}
		g.remember(subject, ids)
		return ids, nil
	})
	if err == nil {
		return v.([]string), nil
	}
	if l, ok := g.lookup(subject); ok && isUnavailable(err) && g.now().Sub(l.at) < groupsStale {
		return l.ids, nil
	}
	return nil, err
}

func (g *groups) lookup(subject string) (groupList, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, ok := g.known[subject]
	return l, ok
}

func (g *groups) remember(subject string, ids []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil || len(g.known) >= maxGroupLists {
		g.known = map[string]groupList{} // only a cache
	}
	g.known[subject] = groupList{ids: ids, at: g.now()}
}

// fetch reads all pages. A list that is not whole is no list: what is missing must not read as "not a member".
func (g *groups) fetch(ctx context.Context, bearer string) ([]string, error) {
	next := g.base + "/v1.0/me/transitiveMemberOf/microsoft.graph.group?$select=id&$top=999"
	var ids []string
	for range maxGroupPages {
		page, err := g.page(ctx, next, bearer)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Value {
			ids = append(ids, v.ID)
		}
		if page.Next == "" {
			return sorted(ids), nil
		}
		if !sameOrigin(page.Next, g.base) { // the token must not follow a link elsewhere
			return nil, unavailable(errors.New("graph: the next page is on another host"))
		}
		next = page.Next
	}
	return nil, &oauth.Error{Code: oauth.AccessDenied, Description: "your groups could not be read", Err: fmt.Errorf("%w: too many pages", errGroups)}
}

type groupPage struct {
	Value []struct {
		ID string `json:"id"`
	} `json:"value"`
	Next string `json:"@odata.nextLink"`
}

func (g *groups) page(ctx context.Context, address, bearer string) (*groupPage, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, unavailable(errors.New("graph: unusable address"))
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, unavailable(fmt.Errorf("graph: %w", withoutURL(err)))
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusForbidden:
		return nil, forbidden()
	case resp.StatusCode != http.StatusOK:
		return nil, unavailable(fmt.Errorf("graph: status %d", resp.StatusCode))
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, unavailable(fmt.Errorf("graph: %w", err))
	}
	var p groupPage
	if err := json.Unmarshal(raw, &p); err != nil || p.Value == nil {
		return nil, unavailable(errors.New("graph: answer is not a page of groups"))
	}
	return &p, nil
}

func sameOrigin(a, b string) bool {
	x, err1 := url.Parse(a)
	y, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && x.Scheme == y.Scheme && x.Host == y.Host && x.User == nil
}

// groupsOf takes the groups of an ID token, or asks Graph where they do not fit or are not there at all: fewer groups
// than a person has could grant as well as deny.
func (p *entraProvider) groupsOf(ctx context.Context, i *issuer, subject string, c claims, a *tokenAnswer) ([]string, error) {
	list, inToken := c["groups"].([]any)
	names, _ := c["_claim_names"].(map[string]any)
	if inToken && names["groups"] == nil && c["hasgroups"] == nil && len(list) > 0 {
		return sorted(c.texts("groups")), nil
	}
	if p.cfg.APIScope == "" || !ours(a.AccessToken, p.cfg.ClientID) {
		return nil, &oauth.Error{Code: oauth.AccessDenied, Description: "your groups could not be read", Err: fmt.Errorf("%w: no access token for our own API: check sign_in.entra.api_scope", errGroups)}
	}
	return p.groups.of(ctx, subject, func(ctx context.Context) (string, error) {
		return p.onBehalfOf(ctx, i, a.AccessToken, strings.TrimSuffix(p.cfg.Graph, "/")+"/.default")
	})
}

// onBehalfOf exchanges a person's access token for one of another API (oauth.md §11.8).
func (p *entraProvider) onBehalfOf(ctx context.Context, i *issuer, assertion, scope string) (string, error) {
	a, err := p.redeem(ctx, i, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "requested_token_use": {"on_behalf_of"},
		"assertion": {assertion}, "scope": {scope}})
	switch {
	case err != nil:
		return "", unavailable(err)
	case a.Error != "":
		r := a.refusal()
		p.report(r)
		e := r.signInError("your organization")
		e.Err = fmt.Errorf("%w: %w", errGroups, r)
		return "", e
	case a.AccessToken == "":
		return "", unavailable(errors.New("token request: no access token in the answer"))
	}
	return a.AccessToken, nil
}

// ours reports whether an access token says that it is for us: the only thing ever read of one (oauth.md §11.4). It is
// no check of who sent it; Entra does that when we exchange it.
func ours(token, clientID string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > maxIDToken {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var c struct {
		Audience string `json:"aud"`
	}
	return json.Unmarshal(raw, &c) == nil && strings.EqualFold(c.Audience, clientID)
}
