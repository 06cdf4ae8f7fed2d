package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/telemetry"
	"github.com/drawbridge-mcp/drawbridge/llm"
	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/resource"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/policy"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// snapshot is everything that the configuration decides, built whole and then swapped in. Requests finish on the one
// they started with.
type snapshot struct {
	cfg       *Config
	pipeline  *proxy.Pipeline
	documents map[string]*openapi.Document // by API
	servers   map[string]mcpServer         // those that are served
	retired   map[string]bool
	order     []string // names of served servers, as configured
	models    *llm.Catalogue
	llm       *llm.Snapshot
	policies  *policySets
	keys      *resource.Keys
	resources []oauth.Resource // in the order of the configuration
	provider  oauth.Provider
	strangers map[string]http.RoundTripper // by backend
	router    http.Handler
}

// builder holds what outlives snapshots, and makes them.
type builder struct {
	ring      *secret.Keyring
	state     *proxy.State
	counters  *policy.Counters
	cache     *policy.Cache
	upstreams *upstreams
	recorder  proxy.Recorder
	metrics   *telemetry.Metrics
	log       *slog.Logger
	started   time.Time
	instance  string
	stepUp    func(c *identity.Caller, server, scope string) string
	fetched   remoteDocuments

	// What `try` brings along: documents that are in memory already, and backends inside this process.
	documents  map[string]*openapi.Document
	transports map[string]http.RoundTripper
}

// build makes the next snapshot. Everything that can fail happens here; prev is the one that serves now, or nil.
func (b *builder) build(ctx context.Context, cfg *Config, pos *Positions, prev *snapshot) (*snapshot, error) {
	s := &snapshot{cfg: cfg, documents: map[string]*openapi.Document{}, servers: map[string]mcpServer{}, retired: map[string]bool{}, strangers: map[string]http.RoundTripper{}}
	apis, err := b.importAPIs(ctx, cfg, pos, s)
	if err != nil {
		return nil, err
	}
	if err := b.buildPipeline(cfg, apis, s); err != nil {
		return nil, err
	}
	if s.policies, err = b.compilePolicies(cfg, s.pipeline); err != nil {
		return nil, err
	}
	if err := b.buildServers(cfg, apis, prev, s); err != nil {
		return nil, err
	}
	if err := b.buildModels(cfg, s); err != nil {
		return nil, err
	}
	if s.keys, err = b.subscriptionKeys(cfg); err != nil {
		return nil, err
	}
	s.resources = resourcesOf(cfg, s)
	return s, nil
}

// api is one imported document with where its calls go.
type api struct {
	cfg      APIConfig
	document *openapi.Document
	implicit map[string]string // base URL → backend made for it
}

// importAPIs reads the documents: those `try` brought along from memory, the others as validate does.
func (b *builder) importAPIs(ctx context.Context, cfg *Config, pos *Positions, s *snapshot) (map[string]*api, error) {
	if b.documents == nil {
		check := checkDocuments(ctx, cfg, pos, b.fetched.fetch)
		if len(check.errors) > 0 {
			return nil, faultsError(check.errors)
		}
		for _, w := range check.warnings {
			b.log.Warn(w.Warning())
		}
		s.documents = check.docs
	}
	apis := map[string]*api{}
	for i := range cfg.APIs {
		a := &cfg.APIs[i]
		if doc, ok := b.documents[a.Name]; ok {
			s.documents[a.Name] = doc
		}
		doc := s.documents[a.Name]
		if doc.RelativeServer != "" && a.Backend == "" && b.documents == nil {
			return nil, faultsError([]Fault{pos.Fault(fmt.Sprintf("apis[%d].document", i), "server URL %q is relative: set backend", doc.RelativeServer)})
		}
		b.log.Info("document imported", "api", a.Name, "tools", len(doc.Tools), "skipped", len(doc.Skipped), "warnings", len(doc.Warnings))
		apis[a.Name] = &api{cfg: *a, document: doc, implicit: map[string]string{}}
	}
	return apis, nil
}

// faultsError makes faults of the configuration one error, a line each, with the exit code of a wrong configuration.
func faultsError(faults []Fault) error {
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = f.String()
	}
	return &exitError{exitUsage, errors.New(strings.Join(lines, "\n"))}
}

// buildPipeline adds a backend for every server that a document names itself (openapi.md B2).
func (b *builder) buildPipeline(cfg *Config, apis map[string]*api, s *snapshot) error {
	backends := append([]proxy.BackendConfig(nil), cfg.Backends...)
	taken := map[string]bool{}
	for _, be := range cfg.Backends {
		taken[be.Name] = true
	}
	for _, p := range cfg.Pools {
		taken[p.Name] = true
	}
	for _, a := range cfg.APIs {
		if a.Backend != "" || apis[a.Name] == nil {
			continue
		}
		for _, base := range apis[a.Name].document.Backends {
			name := freeName(a.Name+"-server", taken)
			backends = append(backends, implicitBackend(name, base.String()))
			apis[a.Name].implicit[base.String()] = name
		}
		guard, err := newGuard(cfg, b.log)
		if err != nil {
			return fmt.Errorf("egress: %w", err)
		}
		for name, t := range strangers(a.Document, apis[a.Name].implicit, guard) {
			b.log.Warn("the document names a server on another host; only public addresses are called", "api", a.Name, "backend", name)
			s.strangers[name] = t
		}
	}
	applyProviders(cfg, backends)
	pipeline, err := proxy.New(proxy.Config{
		Backends: backends, Pools: cfg.Pools, Models: modelBackends(cfg), Region: cfg.Region, Version: version,
		Currency: cfg.Usage.Currency, StreamMax: cfg.Limits.StreamMax,
	}, b.state, proxy.Deps{Recorder: b.recorder, Log: b.log, Observer: b.metrics, Transport: b.transport(s), Affinity: affinity(cfg.Region, b.instance)})
	if err != nil {
		return err
	}
	s.pipeline = pipeline
	return nil
}

func freeName(name string, taken map[string]bool) string {
	free := name
	for n := 2; taken[free]; n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	taken[free] = true
	return free
}

// modelBackends names the backends that models use: their defaults differ (llm.md TO-2, BR-4, RE-2).
func modelBackends(cfg *Config) map[string]bool {
	used := map[string]bool{}
	for _, m := range cfg.LLM.Models {
		used[m.Backend] = true
		for _, p := range cfg.Pools {
			if p.Name != m.Backend {
				continue
			}
			for _, member := range p.Members {
				used[member.Backend] = true
			}
		}
	}
	return used
}

// applyProviders tells backends of models in which header their provider wants an API key (llm.md CR-1).
func applyProviders(cfg *Config, backends []proxy.BackendConfig) {
	header := map[string]string{}
	for _, m := range cfg.LLM.Models {
		h := "authorization"
		if m.Provider == string(llm.AzureOpenAI) {
			h = "api-key"
		}
		header[m.Backend] = h
		for _, p := range cfg.Pools {
			if p.Name == m.Backend {
				for _, member := range p.Members {
					header[member.Backend] = h
				}
			}
		}
	}
	for i := range backends {
		backends[i].KeyHeader = header[backends[i].Name]
	}
}

func (b *builder) subscriptionKeys(cfg *Config) (*resource.Keys, error) {
	grants := map[string][]string{}
	for _, p := range cfg.Products {
		grants[p.Name] = p.Grants
	}
	var list []resource.Subscription
	for _, s := range cfg.Subscriptions {
		one := resource.Subscription{Name: s.Name, Product: s.Product, Grants: grants[s.Product], State: s.State, Expires: s.Expires.Time}
		for _, k := range s.Keys {
			one.Keys = append(one.Keys, k.Value)
		}
		list = append(list, one)
	}
	return resource.NewKeys(b.ring, list)
}
