package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
	"github.com/drawbridge-mcp/drawbridge/llm"
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

func (v *validator) backends() {
	v.unique("backends", "backend", v.backendNames())
	for i := range v.cfg.Backends {
		b, at := &v.cfg.Backends[i], fmt.Sprintf("backends[%d]", i)
		v.name(at+".name", b.Name)
		v.notBuilt(at+".workspace", b.Workspace != "")
		v.notBuilt(at+".shared", b.Shared)
		if b.URL != "" {
			if err := checkBackendURL(b.URL); err != nil {
				v.fault(at+".url", "%s", err)
			}
		}
		v.credential(at+".credential", &b.Credential)
		v.breaker(at+".breaker", b.Breaker)
		if b.Retry.Attempts < 0 || b.Retry.Attempts > 10 {
			v.fault(at+".retry.attempts", "must be 0 to 10")
		}
	}
}

func (v *validator) breaker(at string, b *proxy.BreakerConfig) {
	if b == nil {
		return
	}
	if b.Failures < 0 {
		v.fault(at+".failures", "must not be negative")
	}
	if b.Percentage < 0 || b.Percentage > 100 {
		v.fault(at+".percentage", "must be 0 to 100")
	}
	if b.MinCalls < 1 {
		v.fault(at+".min_calls", "must be at least 1")
	}
}

// notBuilt refuses a key that a room decodes and nothing acts on yet.
func (v *validator) notBuilt(path string, used bool) {
	if used {
		at := v.pos.KeyFault(path, "not available in this version")
		if !v.pos.Faulty(path) {
			v.errors = append(v.errors, at)
		}
	}
}

// credentialKeys says which keys belong to each kind; the first word of each list is needed, those after "|" are not.
func credentialKeys(kind string) (needed, allowed []string) {
	switch kind {
	case "api_key":
		return []string{"value"}, []string{"header", "query", "cookie"}
	case "basic":
		return []string{"username", "password"}, nil
	case "bearer":
		return []string{"value"}, nil
	case "client_credentials":
		return []string{"token_url", "client_id", "secret"}, []string{"scope"}
	case "managed_identity":
		return []string{"scope"}, []string{"client_id"}
	case "workload_identity", "on_behalf_of":
		return []string{"scope"}, nil
	}
	return nil, nil
}

// credential checks that a kind has its keys, and no others: a key that is not read would mislead.
func (v *validator) credential(at string, c *proxy.CredentialConfig) {
	given := map[string]bool{
		"header": c.Header != "", "query": c.Query != "", "cookie": c.Cookie != "", "value": c.Value.Source != "",
		"username": c.Username != "", "password": c.Password.Source != "", "token_url": c.TokenURL != "",
		"client_id": c.ClientID != "", "secret": c.Secret.Source != "", "scope": c.Scope != "",
	}
	if !slices.Contains(builtCredentials, c.Kind) {
		if c.Kind != "" {
			v.fault(at+".kind", "%q is not available in this version", c.Kind)
		}
		return
	}
	needed, allowed := credentialKeys(c.Kind)
	for _, key := range needed {
		if !given[key] {
			v.fault(at+"."+key, "is required for kind %s", c.Kind)
		}
	}
	for _, key := range []string{"header", "query", "cookie", "value", "username", "password", "token_url", "client_id", "secret", "scope"} {
		if given[key] && !slices.Contains(needed, key) && !slices.Contains(allowed, key) {
			v.fault(at+"."+key, "does not belong to kind %s", c.Kind)
		}
	}
	if c.Kind == "api_key" && strings.Count(fmt.Sprint(given["header"], given["query"], given["cookie"]), "true") > 1 {
		v.fault(at, "takes one of header, query and cookie")
	}
	if c.TokenURL != "" {
		if err := checkBackendURL(c.TokenURL); err != nil {
			v.fault(at+".token_url", "%s", err)
		}
	}
}

// road lets the pipeline itself judge backends and pools, so that what validates also serves. What was told above about
// an entry is enough about it.
func (v *validator) road() {
	if v.unsetSecrets {
		return
	}
	told := map[string]bool{}
	for _, f := range v.errors {
		told[entryOf(f.Path)] = true
	}
	_, err := proxy.New(proxy.Config{Backends: v.cfg.Backends, Pools: v.cfg.Pools}, proxy.NewState(), proxy.Deps{})
	for _, one := range unjoin(err) {
		var fault *proxy.ConfigError
		if errors.As(one, &fault) && !told[entryOf(fault.Path)] && !v.brokenMember(fault.Path) {
			v.fault(fault.Path, "%s", fault.Message)
		}
	}
}

// entryOf cuts a path after its first index: backends[2].
func entryOf(path string) string {
	entry, _, _ := strings.Cut(path, "]")
	return entry
}

// brokenMember reports whether a pool's fault only follows from a backend that was told already.
func (v *validator) brokenMember(path string) bool {
	return strings.HasPrefix(path, "pools[") && slices.ContainsFunc(v.errors, func(f Fault) bool { return strings.HasPrefix(f.Path, "backends[") })
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // what errors.Join made
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// builtCredentials are the kinds that the road attaches in this version.
var builtCredentials = []string{"none", "api_key", "basic", "bearer", "client_credentials"}

func (v *validator) pools() {
	v.unique("pools", "pool", namesOf(v.cfg.Pools, func(p *proxy.PoolConfig) string { return p.Name }))
	backends := v.backendNames()
	for i := range v.cfg.Pools {
		p, at := &v.cfg.Pools[i], fmt.Sprintf("pools[%d]", i)
		v.name(at+".name", p.Name)
		v.notBuilt(at+".workspace", p.Workspace != "")
		v.notBuilt(at+".shared", p.Shared)
		if slices.Contains(backends, p.Name) {
			v.fault(at+".name", "a backend is named %q, too", p.Name)
		}
		if len(p.Members) > 64 {
			v.fault(at+".members", "must have at most 64 entries")
		}
		seen := map[string]bool{}
		for j, m := range p.Members {
			member := fmt.Sprintf("%s.members[%d]", at, j)
			switch {
			case m.Backend == "":
			case !slices.Contains(backends, m.Backend):
				v.fault(member+".backend", "%s", v.noSuch("backend", m.Backend, backends))
			case seen[m.Backend]:
				v.fault(member+".backend", "%q is a member twice", m.Backend)
			}
			seen[m.Backend] = true
			if m.Priority < 0 {
				v.fault(member+".priority", "must not be negative")
			}
			if m.Weight < 0 {
				v.fault(member+".weight", "must not be negative")
			}
		}
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
		switch {
		case len(s.From) == 0:
			v.fault(at+".from", "is required: what the server is made of, such as [{api: orders}]")
		case len(s.From) > 1:
			v.fault(at+".from[1]", "servers made of several parts are not available in this version")
		}
		for j, f := range s.From {
			from := fmt.Sprintf("%s.from[%d]", at, j)
			switch {
			case v.pos.Faulty(from):
			case f.API == "":
				v.fault(from+".api", "is required")
			case !slices.Contains(apis, f.API):
				v.fault(from+".api", "%s", v.noSuch("API", f.API, apis))
			}
		}
		v.room(at, s.ServerConfig.Validate())
		if s.ToolSearch == "on" {
			v.fault(at+".tool_search", `"on" is not available in this version`)
		}
		v.access(at+".access", &s.Access)
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
