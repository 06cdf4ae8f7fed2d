package policy

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"golang.org/x/net/http/httpguts"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func (c *compiler) require(e *Require) {
	p := &require{base: c.base(), status: e.Status, message: e.Message, that: c.expr("that", e.That, onRequest, cel.BoolType)}
	if e.That == "" {
		c.fault("that", "is required")
	}
	if p.status == 0 {
		p.status = http.StatusForbidden
	}
	if p.status < 400 || p.status > 499 {
		c.fault("status", "must be 400 to 499")
	}
	if p.message == "" {
		p.message = "A policy of the gateway refuses this call. Ask its operator."
	}
	c.add(proxy.PhaseShape, p)
}

func (c *compiler) setHeader(e *SetHeader) {
	name := c.changedHeader(e.Name, e.On)
	if e.Value == "" {
		c.fault("value", "is required")
	}
	switch e.IfExists {
	case "", "override", "skip", "append":
	default:
		c.fault("if_exists", "must be override, skip or append")
	}
	if e.On == "response" {
		value := c.expr("value", e.Value, onResponse, cel.StringType)
		c.add(proxy.PhaseResponse, &respond{base: c.base(), name: name, value: value, ifExists: e.IfExists})
		return
	}
	value := c.expr("value", e.Value, onRequest, cel.StringType)
	c.add(proxy.PhaseShape, &setHeader{base: c.base(), name: name, value: value, ifExists: e.IfExists})
}

// changedHeader checks a header that set_header names (HD-1).
func (c *compiler) changedHeader(name, on string) string {
	switch {
	case name == "":
		c.fault("name", "is required")
	case !httpguts.ValidHeaderFieldName(name):
		c.fault("name", "is not the name of a header")
	case on != "response" && c.env.hygiene.Refuses(name):
		c.fault("name", fmt.Sprintf("%q cannot be set on requests", name))
	case on == "response" && framing(name):
		c.fault("name", fmt.Sprintf("%q cannot be set", name))
	}
	if on != "" && on != "request" && on != "response" {
		c.fault("on", "must be request or response")
	}
	return http.CanonicalHeaderKey(name)
}

// framing headers say where an answer ends; they are the server's.
func framing(name string) bool {
	switch strings.ToLower(name) {
	case "content-length", "transfer-encoding", "connection", "trailer", "upgrade", "x-request-id":
		return true
	}
	return false
}

func (c *compiler) removeHeader(e *RemoveHeader) {
	stem := strings.TrimSuffix(e.Name, "*")
	switch {
	case e.Name == "" || e.Name == "*":
		c.fault("name", "is required")
	case !httpguts.ValidHeaderFieldName(stem):
		c.fault("name", "is not the name of a header")
	case matches(e.Name, "x-request-id"):
		c.fault("name", "x-request-id cannot be removed") // HD-2
	}
	switch e.On {
	case "", "request":
		c.add(proxy.PhaseShape, &removeHeader{base: c.base(), name: e.Name})
	case "response":
		c.add(proxy.PhaseResponse, &respond{base: c.base(), name: e.Name})
	default:
		c.fault("on", "must be request or response")
	}
}

func matches(pattern, name string) bool {
	prefix, open := strings.CutSuffix(strings.ToLower(pattern), "*")
	return prefix == name || open && strings.HasPrefix(name, prefix)
}

func (c *compiler) setArgument(e *SetArgument) {
	if e.Name == "" {
		c.fault("name", "is required")
	}
	if e.Value == "" {
		c.fault("value", "is required")
	}
	if (c.scope.Kind == AllModels || c.scope.Kind == Model) && structural(e.Name) {
		c.fault("name", fmt.Sprintf("%q of a model's request cannot be set", e.Name))
	}
	value := c.expr("value", string(e.Value), onRequest, cel.DynType)
	c.add(proxy.PhaseShape, &setArgument{base: c.base(), name: e.Name, value: value})
}

func (c *compiler) route(e *Route) {
	p := &route{base: c.base(), to: e.To, allow: e.Allow}
	if (e.To == "") == (e.ToExpr == "") {
		c.fault("", "takes one of to and to_expr")
	}
	if e.ToExpr != "" {
		p.expr = c.expr("to_expr", e.ToExpr, onRequest, cel.StringType)
		if len(e.Allow) == 0 {
			c.fault("allow", "is required with to_expr")
		}
	}
	c.target("to", e.To)
	for i, name := range e.Allow {
		c.target(fmt.Sprintf("allow[%d]", i), name)
	}
	c.add(proxy.PhaseShape, p)
}

func (c *compiler) target(field, name string) {
	if name != "" && c.env.deps.Target != nil && !c.env.deps.Target(name) {
		c.fault(field, fmt.Sprintf("no backend or pool %q", name))
	}
}

func (c *compiler) maxTokens(e *MaxTokens) {
	p := &maxTokens{base: c.base(), refuse: e.Mode == "refuse"}
	if e.Cap == "" && e.Default == "" {
		c.fault("", "needs cap or default")
	}
	if e.Mode != "" && e.Mode != "lower" && e.Mode != "refuse" {
		c.fault("mode", "must be lower or refuse")
	}
	p.most = c.expr("cap", string(e.Cap), onRequest, cel.IntType)
	p.otherwise = c.expr("default", string(e.Default), onRequest, cel.IntType)
	most, constant := c.constant("cap", e.Cap)
	otherwise, both := c.constant("default", e.Default)
	if constant && both && otherwise > most {
		c.fault("default", "must not be above cap")
	}
	c.add(proxy.PhaseShape, p)
}

// constant is the value of a cap written as a number.
func (c *compiler) constant(field string, e Expr) (n int, ok bool) {
	if _, err := fmt.Sscanf(string(e), "%d", &n); err != nil || fmt.Sprint(n) != string(e) {
		return 0, false
	}
	if n <= 0 {
		c.fault(field, "must be more than 0")
	}
	return n, true
}

func (c *compiler) cache(e *CacheExact) {
	p := &exactCache{
		base: c.base(), place: c.place, ttl: e.TTL, shared: e.Shared, maxBytes: e.MaxBytes, toolCalls: e.ToolCalls,
		singleFlight: e.SingleFlight, vary: c.expr("vary", e.Vary, onRequest, cel.StringType),
	}
	if e.TTL < time.Second || e.TTL > 30*24*time.Hour {
		c.fault("ttl", "must be 1s to 30d") // CA-1
	}
	if p.maxBytes == 0 {
		p.maxBytes = 1 << 20 // CA-4
	}
	if p.maxBytes < 0 {
		c.fault("max_bytes", "must be a size such as 64KiB")
	}
	c.add(proxy.PhaseCache, p)
}
