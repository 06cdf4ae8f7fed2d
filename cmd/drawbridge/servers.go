package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
	"github.com/drawbridge-mcp/drawbridge/llm"
	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// implicitBackend is the backend of a server that a document names itself.
func implicitBackend(name, base string) proxy.BackendConfig {
	c := proxy.BackendConfig{}
	strictyaml.Defaults(&c)
	c.Name, c.URL = name, base
	return c
}

// buildServers makes an MCP server of every entry that is served here.
func (b *builder) buildServers(cfg *Config, apis map[string]*api, prev *snapshot, s *snapshot) error {
	var faults []error
	for i, sc := range cfg.MCPServers {
		if sc.Lifecycle == "retired" {
			s.retired[sc.Name] = true
			continue
		}
		server, err := b.buildServer(cfg, sc, apis, prev, s)
		if err != nil {
			faults = append(faults, fmt.Errorf("mcp_servers[%d]: %s: %w", i, sc.Name, err))
			continue
		}
		s.servers[sc.Name] = server
		s.order = append(s.order, sc.Name)
	}
	return errors.Join(faults...)
}

func (b *builder) buildServer(cfg *Config, sc ServerConfig, apis map[string]*api, prev *snapshot, s *snapshot) (mcpServer, error) {
	if sc.isCombined() {
		return b.buildCombined(cfg, sc, apis, prev, s)
	}
	if from := upstreamOf(&sc); from != nil {
		return b.buildRelay(cfg, sc, from, prev, s)
	}
	var tools []bridge.Tool
	for i := range sc.From {
		made, err := b.bridgeTools(cfg, &sc, &sc.From[i], apis, s)
		if err != nil {
			return nil, err
		}
		tools = append(tools, made...)
	}
	var before *bridge.Server
	if prev != nil {
		before, _ = behind(prev.servers[sc.Name]).(*bridge.Server)
	}
	server, err := bridge.New(bridge.Config{
		Name: sc.Name, Title: sc.Title, Version: sc.Version, Description: sc.Description, Instructions: sc.Instructions,
		Tools: tools, Access: accessTo(sc.Access.Roles), Match: entitled, ListTTL: sc.ListTTL, Page: sc.Page, Keyring: b.ring,
		Previous: before, Doer: &road{next: s.pipeline, policies: s.policies}, Log: b.log, Challenge: b.stepUp,
	})
	if err != nil {
		return nil, err
	}
	return b.searching(&sc, server, prev, s), nil
}

// bridgeTools are the tools of one API as the server offers them.
func (b *builder) bridgeTools(cfg *Config, sc *ServerConfig, from *FromConfig, apis map[string]*api, s *snapshot) ([]bridge.Tool, error) {
	a := apis[from.API]
	if a == nil {
		return nil, fmt.Errorf("no API is named %q", from.API)
	}
	tools := make([]bridge.Tool, 0, len(a.document.Tools))
	for _, t := range a.document.Tools {
		name := sc.publicName(from, t.Name)
		access := sc.Access.Tools[name]
		tool := bridge.Tool{
			Tool: t, Name: name, API: a.cfg.Name, Target: a.cfg.Backend, Roles: access.Roles, Scope: access.Scope,
			Responses: a.cfg.Responses, Policies: s.policies.tool(sc.Name, name, ""),
		}
		if tool.Target == "" && t.BaseURL != nil {
			tool.Target = a.implicit[t.BaseURL.String()]
		}
		if members := s.pipeline.Members(tool.Target); len(members) == 1 {
			tool.Timeout = backendTimeout(cfg, members[0].Name)
		}
		tools = append(tools, tool)
	}
	return tools, nil
}

func backendTimeout(cfg *Config, name string) time.Duration {
	for _, be := range cfg.Backends {
		if be.Name == name && be.Timeout > 0 {
			return be.Timeout
		}
	}
	return 30 * time.Second
}

// buildModels makes the face of the language models.
func (b *builder) buildModels(cfg *Config, s *snapshot) error {
	catalogue, faults := llm.NewCatalogue(cfg.LLM.Room(), b.started)
	if len(faults) > 0 {
		var all []error
		for _, f := range faults {
			all = append(all, fmt.Errorf("llm.%s: %s", f.Path, f.Msg))
		}
		return errors.Join(all...)
	}
	endpoints := map[string]llm.Endpoint{}
	for _, be := range cfg.Backends {
		endpoints[be.Name] = llm.Endpoint{API: be.API, APIVersion: be.APIVersion, NoUsageOption: !be.UsageOption}
	}
	s.models = catalogue
	s.llm = &llm.Snapshot{
		Models: catalogue, Doer: &road{next: s.pipeline, policies: s.policies}, Endpoints: endpoints,
		Policies: func(c *identity.Caller, m *llm.Model) *proxy.Policies {
			return s.policies.model(m.Name, c.Subscription.Product)
		},
	}
	return nil
}

// grants reports whether a caller may use a model: a key by its product, a token by the model's roles (llm.md KEY-6, KEY-7).
func (s *snapshot) grants(c *identity.Caller, m *llm.Model) bool {
	switch c.Kind {
	case identity.Key:
		for _, p := range s.cfg.Products {
			if p.Name == c.Subscription.Product {
				return grantsModel(p.Grants, m.Name)
			}
		}
		return false
	case identity.Person, identity.App:
		return len(m.Roles) == 0 || entitled(c, m.Roles)
	default:
		return false
	}
}

func grantsModel(grants []string, model string) bool {
	for _, g := range grants {
		if g == "llm:*" || g == "llm:"+model {
			return true
		}
	}
	return false
}

// resourcesOf lists what tokens can be for.
func resourcesOf(cfg *Config, s *snapshot) []oauth.Resource {
	var list []oauth.Resource
	for _, sc := range cfg.MCPServers {
		server := s.servers[sc.Name]
		if server == nil {
			continue
		}
		list = append(list, serverResource(cfg, sc, server, s.documents))
	}
	list = append(list, oauth.Resource{
		URI: adminResource(cfg.PublicURL), Name: "admin", Title: "Administration of this gateway", Scope: "admin",
		Tools: func(*identity.Caller) []oauth.ToolInfo { return nil },
		Usable: func(c *identity.Caller) (bool, string) {
			return entitled(c, cfg.Admins), "the rights of an administrator"
		},
		Allowed: func(c *identity.Caller, _ string) bool { return entitled(c, cfg.Admins) },
	})
	return append(list, oauth.Resource{
		URI: cfg.PublicURL + "/llm", Name: "llm", Title: "Language models", Scope: "llm",
		Tools:   func(*identity.Caller) []oauth.ToolInfo { return nil },
		Usable:  func(*identity.Caller) (bool, string) { return true, "" },
		Allowed: func(*identity.Caller, string) bool { return true },
	})
}

func serverResource(cfg *Config, sc ServerConfig, server mcpServer, documents map[string]*openapi.Document) oauth.Resource {
	res := oauth.Resource{
		URI: resourceOf(cfg.PublicURL, sc.Name), Name: sc.Name, Title: sc.Title, Server: true, Public: sc.Visibility == "public",
		Scope: "mcp:" + sc.Name, Documentation: sc.Documentation, Usable: usable(sc.Access.Roles),
		Tools: func(c *identity.Caller) []oauth.ToolInfo {
			var tools []oauth.ToolInfo
			for _, t := range server.ToolInfos(c) {
				tools = append(tools, oauth.ToolInfo{Name: t.Name, Title: t.Title, Description: t.Description, Risk: t.Risk, Scope: t.Scope})
			}
			return tools
		},
	}
	if res.Title == "" {
		res.Title = sc.Name
	}
	roles := map[string][][]string{} // step-up scope → roles of the tools that need it
	for name, t := range sc.Access.Tools {
		if t.Scope == "" {
			continue
		}
		if _, seen := roles[t.Scope]; !seen {
			res.Scopes = append(res.Scopes, oauth.ScopeInfo{Name: t.Scope, Text: "Use " + name, Risk: riskOf(sc, documents, name)})
		}
		roles[t.Scope] = append(roles[t.Scope], t.Roles)
	}
	sortScopes(res.Scopes)
	res.Allowed = func(c *identity.Caller, scope string) bool {
		if scope == res.Scope {
			return true
		}
		for _, r := range roles[scope] {
			if len(r) == 0 || entitled(c, r) {
				return true
			}
		}
		return false
	}
	return res
}

// riskOf says what a tool does, for the scope that it alone needs: read, change or delete.
func riskOf(sc ServerConfig, documents map[string]*openapi.Document, name string) string {
	for i := range sc.From {
		doc := documents[sc.From[i].API]
		if doc == nil {
			continue
		}
		for _, t := range doc.Tools {
			if sc.publicName(&sc.From[i], t.Name) == name {
				return bridge.Risk(t)
			}
		}
	}
	return "change"
}
