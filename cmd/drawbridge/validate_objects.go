package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
	"github.com/drawbridge-mcp/drawbridge/llm"
	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func namesOf[T any](list []T, name func(*T) string) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = name(&list[i])
	}
	return out
}

func (v *validator) backendNames() []string {
	return namesOf(v.cfg.Backends, func(b *proxy.BackendConfig) string { return b.Name })
}

func (v *validator) targetNames() []string {
	return append(v.backendNames(), namesOf(v.cfg.Pools, func(p *proxy.PoolConfig) string { return p.Name })...)
}

func (v *validator) serverNames() []string {
	return namesOf(v.cfg.MCPServers, func(s *ServerConfig) string { return s.Name })
}

func (v *validator) hasServer(name string) bool { return slices.Contains(v.serverNames(), name) }

func (v *validator) hasTarget(name string) bool { return slices.Contains(v.targetNames(), name) }

// target checks a reference to a backend or pool (C12).
func (v *validator) target(path, name string) {
	if name != "" && !v.hasTarget(name) {
		v.fault(path, "%s", v.noSuch("backend or pool", name, v.targetNames()))
	}
}

func (v *validator) apis() {
	v.unique("apis", "API", namesOf(v.cfg.APIs, func(a *APIConfig) string { return a.Name }))
	for i := range v.cfg.APIs {
		a, at := &v.cfg.APIs[i], fmt.Sprintf("apis[%d]", i)
		v.target(at+".backend", a.Backend)
		if strings.Contains(a.Document, "://") && !v.documentURL(a.Document) {
			v.fault(at+".document", "must be a path or an https URL; http is allowed for loopback only")
		}
	}
}

func (v *validator) documentURL(s string) bool {
	if checkBackendURL(strings.SplitN(s, "?", 2)[0]) != nil {
		return false
	}
	return strings.HasPrefix(s, "https://") || strictyaml.CheckOrigin(originOf(s)) == nil
}

func (v *validator) servers() {
	v.unique("mcp_servers", "server", v.serverNames())
	apis := namesOf(v.cfg.APIs, func(a *APIConfig) string { return a.Name })
	for i := range v.cfg.MCPServers {
		s, at := &v.cfg.MCPServers[i], fmt.Sprintf("mcp_servers[%d]", i)
		if slices.Contains([]string{"registry", "llm", "admin"}, s.Name) {
			v.fault(at+".name", "%q is an address of the gateway itself", s.Name)
		}
		if len(s.From) == 0 {
			v.fault(at+".from", "is required: what the server is made of, such as [{api: orders}]")
		}
		v.parts(at, s, apis)
		v.room(at, s.ServerConfig.Validate())
		v.room(at, s.SearchAbove.Validate())
		v.access(at+".access", &s.Access)
	}
}

// parts checks what a server is made of.
func (v *validator) parts(at string, s *ServerConfig, apis []string) {
	taken := map[string]int{}
	for j := range s.From {
		f, from := &s.From[j], fmt.Sprintf("%s.from[%d]", at, j)
		switch {
		case v.pos.Faulty(from):
			continue
		case f.API != "" && f.Upstream != "":
			v.fault(from+".upstream", "stands beside api: a part is one of both")
			continue
		case f.Upstream != "" && !slices.Contains(v.backendNames(), f.Upstream):
			v.fault(from+".upstream", "%s", v.noSuch("backend", f.Upstream, v.backendNames()))
		case f.Upstream != "":
		case v.pos.Has(from + ".era"):
			v.fault(from+".era", "belongs to an upstream")
		case f.API == "":
			v.fault(from+".api", "is required, or upstream")
			continue
		case !slices.Contains(apis, f.API):
			v.fault(from+".api", "%s", v.noSuch("API", f.API, apis))
		}
		v.prefix(from, f, s.isCombined(), taken, j)
	}
}

// prefix checks what stands before the names of a part (mcp.md §1). A server of one part has no prefixes, but one that is
// written is checked: a second part may come.
func (v *validator) prefix(from string, f *FromConfig, needed bool, taken map[string]int, j int) {
	as := f.prefix()
	switch first, twice := taken[as]; {
	case f.As != "" && !combined.ValidPrefix(as):
		v.fault(from+".as", "must be 1 to 32 lower case letters and digits, with - between them")
	case !needed:
	case !combined.ValidPrefix(as):
		v.fault(from, "%q cannot stand before names; set as to 1 to 32 lower case letters and digits, with - between them", as)
	case twice && f.As != "":
		v.fault(from+".as", "%q is the prefix of from[%d], too", as, first)
	case twice:
		v.fault(from, "%q is the prefix of from[%d], too; set as", as, first)
	default:
		taken[as] = j
	}
}

func (v *validator) access(at string, a *AccessConfig) {
	v.principals(at+".roles", a.Roles)
	for _, name := range sortedKeys(a.Tools) {
		tool := a.Tools[name]
		path := strictyaml.Join(at+".tools", name)
		v.principals(path+".roles", tool.Roles)
		if tool.Scope != "" && !oauth.ValidScope(tool.Scope) {
			v.fault(path+".scope", "must be one scope of visible ASCII without quotes and backslashes")
		}
	}
}

func (v *validator) models() {
	_, faults := llm.NewCatalogue(v.cfg.LLM.Room(), time.Time{})
	for _, f := range faults {
		v.fault("llm."+f.Path, "%s", f.Msg)
	}
	for i := range v.cfg.LLM.Models {
		m, at := &v.cfg.LLM.Models[i], fmt.Sprintf("llm.models[%d]", i)
		for j, name := range append([]string{m.Name}, m.Aliases...) {
			path := at + ".name"
			if j > 0 {
				path = fmt.Sprintf("%s.aliases[%d]", at, j-1)
			}
			if err := strictyaml.CheckModel(name); name != "" && err != nil {
				v.fault(path, "%s", err)
			}
		}
		v.target(at+".backend", m.Backend)
		members := v.members(m.Backend)
		for j, u := range m.UpstreamModel.Members {
			if u.Backend != "" && !slices.Contains(members, u.Backend) {
				v.fault(fmt.Sprintf("%s.upstream_model[%d].backend", at, j), "%q is not a member of %q", u.Backend, m.Backend)
			}
		}
	}
}

// members are the backends behind a backend or pool name.
func (v *validator) members(target string) []string {
	for i := range v.cfg.Pools {
		if v.cfg.Pools[i].Name == target {
			return namesOf(v.cfg.Pools[i].Members, func(m *proxy.MemberConfig) string { return m.Backend })
		}
	}
	return []string{target}
}

func (v *validator) products() {
	v.unique("products", "product", v.productNames())
	models := namesOf(v.cfg.LLM.Models, func(m *llm.ModelConfig) string { return m.Name })
	for i := range v.cfg.Products {
		for j, grant := range v.cfg.Products[i].Grants {
			at := fmt.Sprintf("products[%d].grants[%d]", i, j)
			switch kind, name, _ := strings.Cut(grant, ":"); {
			case name == "" || kind != "llm" && kind != "mcp":
				v.fault(at, "must be llm:NAME, llm:*, mcp:NAME or mcp:*")
			case name == "*":
			case kind == "llm" && !slices.Contains(models, name):
				v.fault(at, "%s", v.noSuch("model", name, models))
			case kind == "mcp" && !v.hasServer(name):
				v.fault(at, "%s", v.noSuch("server", name, v.serverNames()))
			}
		}
	}
}

func (v *validator) productNames() []string {
	return namesOf(v.cfg.Products, func(p *ProductConfig) string { return p.Name })
}

// subscriptions checks references and that no key stands twice: it would be unclear whose limits it counts on.
func (v *validator) subscriptions() {
	v.unique("subscriptions", "subscription", namesOf(v.cfg.Subscriptions, func(s *SubscriptionConfig) string { return s.Name }))
	used := map[string]bool{}
	for i := range v.cfg.Subscriptions {
		s, at := &v.cfg.Subscriptions[i], fmt.Sprintf("subscriptions[%d]", i)
		if s.Product != "" && !slices.Contains(v.productNames(), s.Product) {
			v.fault(at+".product", "%s", v.noSuch("product", s.Product, v.productNames()))
		}
		for j, key := range s.Keys {
			text := key.Reveal()
			path := fmt.Sprintf("%s.keys[%d]", at, j)
			switch {
			case text == "":
			case len(text) > 512 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
				v.fault(path, "must be 16 to 512 visible ASCII characters")
			case used[text]:
				v.fault(path, "is a key of another subscription, too")
			}
			used[text] = true
		}
	}
}
