package authflow

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// consentView is what the consent page shows (oauth.md §5.2). Everything that others chose went through DisplayName.
type consentView struct {
	base
	Transaction, Token string

	Client      string
	Origin      string // word: verified, unverified, configured
	OriginText  string
	Links       []pageLink
	Destination destinationView

	Name, Login, Tenant string

	Server  string
	Kind    string // "MCP server", "LLM gateway"…
	Scopes  []scopeView
	StepUps []scopeView
	Tools   []toolView
	Life    string
}

type pageLink struct{ Text, URL string }

// destinationView says where the browser goes next.
type destinationView struct{ Host, Note string }

type scopeView struct {
	Text, Name string
	Risks      []string
}

type toolView struct{ Name, Title, Description, Risk, Scope string }

const (
	maxTools       = 500 // more make nobody wiser; the rest is counted
	maxDescription = 200
)

func (h *Handler) consentView(t *oauth.Transaction, e entitlement) consentView {
	client := &t.Client
	v := consentView{base: h.base(""), Transaction: t.ID, Client: oauth.DisplayName(client.Name, 0), Links: clientLinks(client.Metadata),
		Destination: destinationOfURI(t.RedirectURI, client), Name: oauth.DisplayName(t.Identity.Name, 0), Login: oauth.DisplayName(t.Identity.Login, 100),
		Tenant: h.tenantName(t.Identity.Tenant), Server: title(&e.res), Kind: "service", Life: inWords(h.Config.RefreshTokenTTL)}
	if v.Client == "" {
		v.Client = "An application without a name"
	}
	if v.Name == "" || v.Name == v.Login {
		v.Name, v.Login = v.Login, ""
	}
	if e.res.Server {
		v.Kind = "MCP server"
	}
	v.Origin, v.OriginText = originOf(client)
	v.Title = "Allow access to " + v.Server // never the client's name alone: it chose that
	tools := []oauth.ToolInfo{}
	if e.res.Tools != nil {
		tools = e.res.Tools(e.caller)
	}
	v.Scopes, v.StepUps = scopeViews(&e, tools)
	v.Tools = toolViews(&e, tools)
	return v
}

// originOf says how far the name can be believed.
func originOf(c *oauth.Client) (word, text string) {
	switch c.Kind {
	case oauth.Document:
		return "verified", "Verified: " + oauth.DisplayName(c.Host, 100)
	case oauth.Preregistered:
		return "configured", "Set up by your administrator"
	}
	return "unverified", "this application named itself"
}

// clientLinks picks the pages of the client, only http(s), and never its logo.
func clientLinks(metadata []byte) []pageLink {
	var m struct {
		Client string `json:"client_uri"`
		Policy string `json:"policy_uri"`
		Terms  string `json:"tos_uri"`
	}
	if len(metadata) == 0 || json.Unmarshal(metadata, &m) != nil {
		return nil
	}
	var links []pageLink
	for _, l := range []pageLink{{"Website", m.Client}, {"Privacy policy", m.Policy}, {"Terms", m.Terms}} {
		u, err := url.Parse(l.URL)
		if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && len(l.URL) <= 2048 {
			links = append(links, l)
		}
	}
	return links
}

// destinationOfURI puts the redirect URI into words: the one thing on the page that a dishonest client cannot choose.
func destinationOfURI(raw string, client *oauth.Client) destinationView {
	u, err := url.Parse(raw)
	if err != nil {
		return destinationView{}
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return destinationView{Host: "the application that handles " + u.Scheme + ": links", Note: "— your browser hands the answer to it"}
	case oauth.IsLoopbackHost(u.Hostname()):
		return destinationView{Host: u.Hostname() + " on this computer", Note: "— any program on this computer could be asking"}
	}
	if client.Kind == oauth.Document && !relatedHosts(u.Hostname(), client.Host) {
		return destinationView{Host: u.Host, Note: "— another host than the one that was verified"}
	}
	return destinationView{Host: u.Host}
}

// relatedHosts reports whether two hosts are the same or one is below the other.
func relatedHosts(a, b string) bool {
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}

func (h *Handler) tenantName(id string) string {
	for _, t := range h.Provider.Tenants() {
		if t.ID == id {
			return oauth.DisplayName(t.Name, 0)
		}
	}
	if h.picker != nil {
		return "Development sign-in"
	}
	return id
}

// scopeViews splits the base scope from those that tools need in addition, each with what it lets happen.
func scopeViews(e *entitlement, tools []oauth.ToolInfo) (granted, stepUps []scopeView) {
	base := scopeView{Name: e.res.Scope, Text: "Use " + title(&e.res)}
	if !e.res.Server {
		base.Text = baseText(e.res.Name, title(&e.res))
	}
	for _, t := range tools {
		if t.Scope == "" {
			base.Risks = addRisk(base.Risks, t.Risk)
		}
	}
	granted = append(granted, base)
	for _, s := range e.res.Scopes {
		if !contains(e.scopes, s.Name) || s.Name == e.res.Scope {
			continue
		}
		text := oauth.DisplayName(s.Text, maxDescription)
		if text == "" {
			text = s.Name
		}
		stepUps = append(stepUps, scopeView{Name: s.Name, Text: text, Risks: addRisk(nil, s.Risk)})
	}
	return granted, stepUps
}

func baseText(name, title string) string {
	switch name {
	case "llm":
		return "Call language models in your name"
	case "admin":
		return "Administer this gateway in your name"
	case "registry":
		return "See the servers you may use"
	}
	return "Use " + title
}

// risks in the order in which they grow.
var risks = [...]string{"read", "change", "delete"}

func addRisk(list []string, risk string) []string {
	if !slices.Contains(risks[:], risk) || contains(list, risk) {
		return list
	}
	list = append(list, risk)
	slices.SortFunc(list, func(a, b string) int { return slices.Index(risks[:], a) - slices.Index(risks[:], b) })
	return list
}

// toolViews lists the tools that these scopes give.
func toolViews(e *entitlement, tools []oauth.ToolInfo) []toolView {
	views := make([]toolView, 0, min(len(tools), maxTools))
	for _, t := range tools {
		if t.Scope != "" && !contains(e.scopes, t.Scope) {
			continue
		}
		if len(views) == maxTools {
			break
		}
		view := toolView{Name: oauth.DisplayName(t.Name, 128), Title: oauth.DisplayName(t.Title, 100),
			Description: oauth.DisplayName(t.Description, maxDescription), Scope: t.Scope}
		if slices.Contains(risks[:], t.Risk) {
			view.Risk = t.Risk
		}
		views = append(views, view)
	}
	return views
}

// inWords writes a duration as people say it: 30 days, 12 hours.
func inWords(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / unit.size); d >= unit.size && d%unit.size == 0 {
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
}
