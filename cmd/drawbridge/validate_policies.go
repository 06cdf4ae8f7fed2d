package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/policy"
)

// policyList is one list of policies and where it stands.
type policyList struct {
	path    string
	scope   policy.Scope
	entries []policy.Entry
}

// policyLists returns every list of policies of the file that has entries.
func (c *Config) policyLists() []policyList {
	all := []policyList{
		{"policies", policy.Scope{Kind: policy.Everything}, c.Policies},
		{"llm.policies", policy.Scope{Kind: policy.AllModels}, c.LLM.Policies},
	}
	for i := range c.Products {
		p := &c.Products[i]
		all = append(all, policyList{fmt.Sprintf("products[%d].policies", i), policy.Scope{Kind: policy.Product, Name: p.Name}, p.Policies})
	}
	for i := range c.LLM.Models {
		m := &c.LLM.Models[i]
		all = append(all, policyList{fmt.Sprintf("llm.models[%d].policies", i), policy.Scope{Kind: policy.Model, Name: m.Name}, m.Policies})
	}
	for i := range c.MCPServers {
		s, at := &c.MCPServers[i], fmt.Sprintf("mcp_servers[%d]", i)
		all = append(all, policyList{at + ".policies", policy.Scope{Kind: policy.Server, Name: s.Name}, s.Policies})
		for _, name := range sortedKeys(s.Access.Tools) {
			path := strictyaml.Join(at+".access.tools", name) + ".policies"
			all = append(all, policyList{path, policy.Scope{Kind: policy.Tool, Name: s.Name + "/" + name}, s.Access.Tools[name].Policies})
		}
	}
	for _, name := range sortedKeys(c.Fragments) { // by themselves, too: one that nothing includes yet must be right as well
		all = append(all, policyList{strictyaml.Join("fragments", name), policy.Scope{Kind: policy.Server}, c.Fragments[name]})
	}
	return slices.DeleteFunc(all, func(l policyList) bool { return len(l.entries) == 0 })
}

// policies compiles every list, expressions included (C13).
func (v *validator) policies() {
	lists := v.cfg.policyLists()
	if len(lists) == 0 {
		return
	}
	env, err := policy.NewEnv(policy.Deps{
		Target: v.hasTarget, Priced: v.cfg.priced, Region: v.cfg.Region, Instance: v.cfg.Instance,
		Fragments: v.cfg.Fragments,
	})
	if err != nil {
		v.fault("policies", "%s", err)
		return
	}
	for _, l := range lists {
		v.retryAfter(l)
		_, faults := policy.Compile(l.entries, l.scope, env)
		for _, f := range faults {
			v.policyFault(l, f)
		}
	}
}

// retryAfter warns of a form of retry-after that is no HTTP (llm.md RL-11).
func (v *validator) retryAfter(l policyList) {
	for i, e := range l.entries {
		if e.RateLimit != nil && e.RateLimit.RetryAfter == "timestamp" {
			v.warn(fmt.Sprintf("%s[%d].rate_limit.retry_after", l.path, i), "SDKs ignore a retry-after of this form")
		}
		if e.TokenLimit != nil && e.TokenLimit.RetryAfter == "timestamp" {
			v.warn(fmt.Sprintf("%s[%d].token_limit.retry_after", l.path, i), "SDKs ignore a retry-after of this form")
		}
	}
}

// policyFault places a fault of a list; one inside an expression at its character (C13).
func (v *validator) policyFault(l policyList, f policy.Fault) {
	path := fragmentPath(l.path + f.Path)
	switch {
	case v.pos.Faulty(entryPath(path)): // an entry that was not read whole would look wrong in other ways, too
		return
	}
	v.expression(path, &expressionError{f.Message, f.Offset})
}

// fragmentPath turns the path of a fault inside an included list into that of the list itself.
func fragmentPath(path string) string {
	if i := strings.LastIndex(path, ".fragment."); i >= 0 {
		return "fragments." + path[i+len(".fragment."):]
	}
	return path
}

// entryPath cuts the path of a fault after the index of its policy.
func entryPath(path string) string {
	if i := strings.LastIndexByte(path, ']'); i >= 0 {
		return path[:i+1]
	}
	return path
}

// affinity compiles the expression of a pool, for the pipeline.
func affinity(region, instance string) func(string) (func(context.Context, *proxy.Call) (string, error), error) {
	return func(expression string) (func(context.Context, *proxy.Call) (string, error), error) {
		env, err := policy.NewEnv(policy.Deps{Region: region, Instance: instance})
		if err != nil {
			return nil, err
		}
		key, fault := policy.CompileText(expression, env)
		if fault != nil {
			return nil, &expressionError{fault.Message, fault.Offset}
		}
		return key, nil
	}
}

// expressionError is a fault inside an expression that somebody else places.
type expressionError struct {
	message string
	offset  int // in bytes; -1: the whole
}

func (e *expressionError) Error() string { return e.message }

// expression places a fault of one expression at its character (C13).
func (v *validator) expression(path string, err error) {
	var inside *expressionError
	if text, ok := v.pos.Text(path); errors.As(err, &inside) && inside.offset >= 0 && ok {
		v.errors = append(v.errors, v.pos.Inside(path, utf8.RuneCountInString(text[:min(inside.offset, len(text))]), "%s", err))
		return
	}
	v.fault(path, "%s", err)
}

// priced reports whether every model that a cost budget of the scope can meet has a price (llm.md CB-4).
func (c *Config) priced(scope policy.Scope) bool {
	for i := range c.LLM.Models {
		m := &c.LLM.Models[i]
		if m.Price == nil && (scope.Kind != policy.Model || scope.Name == m.Name) && c.granted(scope, m.Name) {
			return false
		}
	}
	return true
}

// granted reports whether calls in the scope can be for the model: a product reaches what it grants.
func (c *Config) granted(scope policy.Scope, model string) bool {
	if scope.Kind != policy.Product {
		return scope.Kind != policy.Server && scope.Kind != policy.Tool
	}
	for i := range c.Products {
		p := &c.Products[i]
		if p.Name == scope.Name && (slices.Contains(p.Grants, "llm:*") || slices.Contains(p.Grants, "llm:"+model)) {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// originOf returns scheme://host[:port] of a URL, "" when it is none.
func originOf(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
