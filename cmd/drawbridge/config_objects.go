package main

import (
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm"
	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/mcp/search"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy/policy"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// APIConfig is one entry of `apis`.
type APIConfig struct {
	// Name by which servers mean this API.
	Name string `yaml:"name" required:"true" format:"name"`
	// Workspace it belongs to; empty: the platform's own.
	Workspace string `yaml:"workspace" available:"false"`
	// OpenAPI document: a path relative to the configuration file, or an https URL (http for loopback).
	Document string `yaml:"document" required:"true"`
	// Backend or pool that its requests go to; empty: the document's own server.
	Backend string `yaml:"backend"`
	// Which operations become tools.
	Operations openapi.Selection `yaml:"operations"`
	// Changes to single operations, by operationId or `METHOD /path`.
	Tools map[string]openapi.ToolConfig `yaml:"tools"`
	// Bounds of what a tool answers.
	Responses openapi.ResponsesConfig `yaml:"responses"`
	// Bounds of what a tool sends.
	Requests openapi.RequestsConfig `yaml:"requests"`
	// Which JSON Schema subset tools advertise: universal for every known client, rich, or gemini.
	Profile string `yaml:"profile" default:"universal" enum:"universal,rich,gemini"`
	// Hosts and directories that references in the document may lead to.
	References []string `yaml:"references"`
	// Values of variables in the document's server addresses.
	ServerVariables map[string]string `yaml:"server_variables"`
	// How often a document behind a URL is asked for again, by its ETag; what it refers to is read with it. 0: only on reload.
	Refresh time.Duration `yaml:"refresh" zero:"off" min:"1s"`
}

// ServerConfig is one entry of `mcp_servers`.
type ServerConfig struct {
	// Name in the address, /mcp/{name}.
	Name string `yaml:"name" required:"true" format:"name"`
	// Workspace it belongs to; empty: the platform's own.
	Workspace string `yaml:"workspace" available:"false"`
	// Name that people see.
	Title string `yaml:"title" max:"100"`
	// What the server is for.
	Description string `yaml:"description" max:"2000"`
	// Who answers for it, such as a mail address; gives nobody a right.
	Owner string `yaml:"owner"`
	// Version of the server's interface.
	Version string `yaml:"version" max:"64"`
	// deprecated servers say so, retired ones are not served.
	Lifecycle string `yaml:"lifecycle" default:"active" enum:"active,deprecated,retired"`
	// private: listed to those who may use or discover it; public: to anyone.
	Visibility string `yaml:"visibility" default:"private" enum:"private,public"`
	// A word such as production or test.
	Environment string `yaml:"environment" available:"false"`
	// Further facts for the catalogue: text or list of texts by key.
	Metadata map[string]any `yaml:"metadata" available:"false"`
	// Words for search.
	Tags []string `yaml:"tags" available:"false"`
	// Image file, PNG or SVG.
	Icon string `yaml:"icon" available:"false"`
	// Text file for the catalogue.
	Readme string `yaml:"readme" available:"false"`
	// Address of a page for people.
	Documentation string `yaml:"documentation" format:"url"`
	// What the server is made of.
	From []FromConfig `yaml:"from"`
	// A server elsewhere that is only catalogued.
	External map[string]any `yaml:"external" available:"false"`
	// Who may use it.
	Access AccessConfig `yaml:"access"`
	// When tool_search: auto switches.
	SearchAbove search.Above `yaml:"search_above"`
	// What happens to changed tools of an upstream.
	UpstreamTools pins.Rule `yaml:"upstream_tools"`
	// Policies for calls of this server.
	Policies []policy.Entry `yaml:"policies"`

	mcp.ServerConfig
}

// FromConfig is one part of an MCP server.
type FromConfig struct {
	// Name of an API.
	API string `yaml:"api"`
	// Name of the backend whose url is an MCP endpoint.
	Upstream string `yaml:"upstream"`
	// What stands before the names of its tools and prompts when the server has several parts, as in orders__get_order; empty: the name of the API or backend.
	As string `yaml:"as"`
	// Revisions of the protocol that an upstream speaks: auto asks it, modern is 2026-07-28, legacy everything before, sse the transport of 2024-11-05.
	Era string `yaml:"era" default:"auto" enum:"auto,modern,legacy,sse"`
	// How long a call of a modern client may wait for a person's answer to a question of a legacy upstream.
	Park time.Duration `yaml:"park" default:"120s"`
}

// AccessConfig is `mcp_servers[].access`.
type AccessConfig struct {
	// Who may use the server: role names, role:NAME, group:ID, user:{tid}/{oid}; empty: everyone who can sign in.
	Roles []string `yaml:"roles"`
	// Who may see it listed without using it.
	Discover []string `yaml:"discover" available:"false"`
	// Who decides when somebody asks for access.
	Request string `yaml:"request" default:"off" available:"false"`
	// Who owner means in request.
	Owners []string `yaml:"owners" available:"false"`
	// Further conditions of single tools, by tool name.
	Tools map[string]ToolAccessConfig `yaml:"tools"`
	// Callers may present a subscription key instead of a token.
	SubscriptionKeys bool `yaml:"subscription_keys"`
}

// ToolAccessConfig is `mcp_servers[].access.tools.X`.
type ToolAccessConfig struct {
	// Who may see and call the tool; empty: whoever may use the server.
	Roles []string `yaml:"roles"`
	// Scope that the token must have for it.
	Scope string `yaml:"scope"`
	// Policies for calls of this tool.
	Policies []policy.Entry `yaml:"policies"`
}

// LLMConfig is `llm`: the llm room's own part of the file.
type LLMConfig struct{ llm.Config }

// Room returns what the llm room reads.
func (c *LLMConfig) Room() llm.Config { return c.Config }

// ProductConfig is one entry of `products`.
type ProductConfig struct {
	// Name by which subscriptions mean this product.
	Name string `yaml:"name" required:"true" format:"name"`
	// Workspace it belongs to; empty: the platform's own.
	Workspace string `yaml:"workspace" available:"false"`
	// What it gives: llm:NAME, llm:*, mcp:NAME, mcp:*.
	Grants []string `yaml:"grants"`
	// Who decides about a new subscription.
	Approval string `yaml:"approval" default:"automatic" enum:"automatic,admin" unavailable:"admin"`
	// Policies for calls with its subscriptions.
	Policies []policy.Entry `yaml:"policies"`
}

// SubscriptionConfig is one entry of `subscriptions`.
type SubscriptionConfig struct {
	// Name in records and logs.
	Name string `yaml:"name" required:"true" format:"name"`
	// Workspace it belongs to; empty: the platform's own.
	Workspace string `yaml:"workspace" available:"false"`
	// Product it is for.
	Product string `yaml:"product" required:"true"`
	// One or two keys, each of at least 16 characters; both work.
	Keys []secret.Reference `yaml:"keys" required:"true" secret:"strong" max:"2"`
	// Person it belongs to.
	Owner string `yaml:"owner" available:"false"`
	// Whether its keys work: only active ones do.
	State string `yaml:"state" default:"active" enum:"active,requested,suspended,rejected,cancelled,expired"`
	// When it ends, such as 2027-01-31 or 2027-01-31T12:00:00Z; absent: never.
	Expires Moment `yaml:"expires"`
}
