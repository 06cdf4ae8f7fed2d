package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

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
	switch c.Kind {
	case "none", "api_key", "basic", "bearer", "client_credentials":
	default:
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
	if v.unsetSecrets || v.pos.Faulty("backends") || v.pos.Faulty("pools") {
		return // a backend that was not read whole would be missed by its pool, too
	}
	told := map[string]bool{}
	for _, f := range v.errors {
		told[entryOf(f.Path)] = true
	}
	_, err := proxy.New(proxy.Config{Backends: v.cfg.Backends, Pools: v.cfg.Pools}, proxy.NewState(),
		proxy.Deps{Affinity: affinity(v.cfg.Region, v.cfg.Instance)})
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

func (v *validator) pools() {
	v.unique("pools", "pool", namesOf(v.cfg.Pools, func(p *proxy.PoolConfig) string { return p.Name }))
	backends := v.backendNames()
	for i := range v.cfg.Pools {
		p, at := &v.cfg.Pools[i], fmt.Sprintf("pools[%d]", i)
		v.name(at+".name", p.Name)
		v.notBuilt(at+".workspace", p.Workspace != "")
		v.notBuilt(at+".shared", p.Shared)
		if p.Affinity != "" {
			if _, err := affinity(v.cfg.Region, v.cfg.Instance)(p.Affinity); err != nil {
				v.expression(at+".affinity", err)
			}
		}
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
