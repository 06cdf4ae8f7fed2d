package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/policy"
)

// policySets are the compiled policies of every scope, joined for every combination that a call can be in, so that no
// call joins anything (llm.md PX-12: everything, product, llm or server, model or tool).
type policySets struct {
	tools  map[[3]string]*proxy.Policies // server, tool ("" = without its own), product ("" = none)
	models map[[2]string]*proxy.Policies // model, product
}

func (p *policySets) tool(server, tool, product string) *proxy.Policies {
	if set, ok := p.tools[[3]string{server, tool, product}]; ok {
		return set
	}
	return p.tools[[3]string{server, "", product}]
}

func (p *policySets) model(model, product string) *proxy.Policies {
	return p.models[[2]string{model, product}]
}

// compilePolicies compiles each list once. Faults were already told with their places when the file was read; here they
// only stop a snapshot that a program made.
func (b *builder) compilePolicies(cfg *Config, pipeline *proxy.Pipeline) (*policySets, error) {
	env, err := policy.NewEnv(policy.Deps{
		Counters: b.counters, Cache: b.cache, Log: b.log, Observer: b.metrics, Region: cfg.Region, Instance: b.instance, Target: pipeline.HasTarget,
		Priced: cfg.priced, Fragments: cfg.Fragments,
	})
	if err != nil {
		return nil, err
	}
	var faults []error
	compile := func(path string, list []policy.Entry, scope policy.Scope) *proxy.Policies {
		set, bad := policy.Compile(list, scope, env)
		for _, f := range bad {
			faults = append(faults, fmt.Errorf("%s%s: %s", path, f.Path, f.Message))
		}
		return set
	}
	everything := compile("policies", cfg.Policies, policy.Scope{Kind: policy.Everything})
	products := map[string]*proxy.Policies{"": nil}
	for i, p := range cfg.Products {
		products[p.Name] = compile(fmt.Sprintf("products[%d].policies", i), p.Policies, policy.Scope{Kind: policy.Product, Name: p.Name})
	}
	sets := &policySets{tools: map[[3]string]*proxy.Policies{}, models: map[[2]string]*proxy.Policies{}}
	for i, sc := range cfg.MCPServers {
		path := fmt.Sprintf("mcp_servers[%d]", i)
		server := compile(path+".policies", sc.Policies, policy.Scope{Kind: policy.Server, Name: sc.Name})
		own := map[string]*proxy.Policies{"": nil}
		for name, t := range sc.Access.Tools {
			own[name] = compile(path+".access.tools."+name+".policies", t.Policies, policy.Scope{Kind: policy.Tool, Name: sc.Name + "/" + name})
		}
		for tool, t := range own {
			for product, p := range products {
				sets.tools[[3]string{sc.Name, tool, product}] = proxy.Join(everything, p, server, t)
			}
		}
	}
	models := compile("llm.policies", cfg.LLM.Policies, policy.Scope{Kind: policy.AllModels})
	for i, m := range cfg.LLM.Models {
		own := compile(fmt.Sprintf("llm.models[%d].policies", i), m.Policies, policy.Scope{Kind: policy.Model, Name: m.Name})
		for product, p := range products {
			sets.models[[2]string{m.Name, product}] = proxy.Join(everything, p, models, own)
		}
	}
	return sets, errors.Join(faults...)
}

// road is the pipeline as the faces see it: it puts a key's tool call under its product's policies too, since which
// product a caller comes with is known only per call (a relay's message without policies is none), and notes on the request's line how the call went.
type road struct {
	next     *proxy.Pipeline
	policies *policySets
}

func (d *road) Do(ctx context.Context, call *proxy.Call) (*proxy.Answer, error) {
	if product := call.Caller.Subscription.Product; product != "" && call.Surface == proxy.MCP && call.Policies != nil {
		call.Policies = d.policies.tool(call.Server, call.Tool, product)
	}
	line := identity.RequestFrom(ctx)
	line.Note(slog.String("operation", call.Endpoint), slog.String("api", call.API), slog.String("decision", "allowed"))
	if call.Surface == proxy.MCP {
		line.Note(slog.String("server", call.Server), slog.String("tool", call.Tool))
	} else {
		line.Note(slog.String("model", call.Model), slog.Bool("stream", call.Stream))
	}
	answer, err := d.next.Do(ctx, call)
	var e *proxy.Error
	switch {
	case errors.As(err, &e):
		line.Note(slog.String("backend", e.Backend), slog.Int("attempts", e.Attempts), slog.String("code", e.Code))
		if e.Kind == proxy.Refused {
			line.Note(slog.String("decision", "refused"), slog.String("policy", e.Policy))
		}
		if e.Err != nil {
			line.Note(slog.String("error", logged(e)))
		}
	case err == nil:
		line.Note(slog.String("backend", answer.Backend), slog.Int("attempts", answer.Attempts), slog.String("cache", answer.Cache), slog.Int("upstream_status", answer.Status))
	}
	return answer, err
}

func sortScopes(list []oauth.ScopeInfo) {
	slices.SortFunc(list, func(a, b oauth.ScopeInfo) int { return strings.Compare(a.Name, b.Name) })
}

// logged is what a log may say of an error of the road. What is wrong with arguments repeats them, and they are not kept
// (CONTRACT §5, log).
func logged(e *proxy.Error) string {
	var arguments *openapi.ArgumentError
	if errors.As(e.Err, &arguments) {
		return fmt.Sprintf("%d arguments do not fit", len(arguments.Problems))
	}
	return e.Err.Error()
}
