package main

import (
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm"
	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/policy"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Config is the configuration file. Secrets are references, env:NAME or file:PATH, never values; ${VAR} and
// ${VAR:-default} are replaced inside texts.
type Config struct {
	// Address that Drawbridge serves on.
	Listen string `yaml:"listen" default:"127.0.0.1:8080" format:"hostport"`
	// Address of /healthz, /readyz and /metrics; empty: the same as listen.
	AdminListen string `yaml:"admin_listen" format:"listen"`
	// Every URL that Drawbridge hands out is built from this, never from request headers. An origin: https, or http with
	// a loopback host. Absent: http and the listen address, when that is loopback.
	PublicURL string `yaml:"public_url" format:"origin"`
	// Proxies in front whose X-Forwarded-For is believed.
	TrustedProxies []string `yaml:"trusted_proxies" format:"cidr"`
	// Values of the Host header that are served beside the host of public_url.
	AllowedHosts []string `yaml:"allowed_hosts"`
	// Browser origins that may call /mcp: scheme://host[:port], compared whole. Empty: the origin of public_url, and when
	// that is loopback also localhost on any port.
	AllowedOrigins []string `yaml:"allowed_origins" format:"url"`
	// Where this gateway runs; pools prefer members of the same region.
	Region string `yaml:"region"`
	// By how much limits are divided when each region has a Redis of its own.
	Regions int `yaml:"regions" default:"1" available:"false"`
	// Name of this process in logs and expressions; empty: random at each start.
	Instance string `yaml:"instance" format:"word"`
	// Files of workspaces, as paths or globs.
	Include []string `yaml:"include" available:"false"`
	// Certificate of the listener; absent: plain HTTP.
	TLS TLSConfig `yaml:"tls"`
	// Where state and keys are kept.
	Storage StorageConfig `yaml:"storage"`
	// Who signs people in.
	SignIn entra.Config `yaml:"sign_in"`
	// Who administers: role:NAME, group:ID, user:{tid}/{oid}.
	Admins []string `yaml:"admins"`
	// The OAuth authorization server that clients see.
	OAuth oauth.Config `yaml:"oauth"`
	// Where requests go: used by APIs, MCP upstreams and models alike.
	Backends []proxy.BackendConfig `yaml:"backends"`
	// Groups of backends that serve the same calls.
	Pools []proxy.PoolConfig `yaml:"pools"`
	// OpenAPI documents whose operations become tools.
	APIs []APIConfig `yaml:"apis"`
	// MCP servers that are served.
	MCPServers []ServerConfig `yaml:"mcp_servers"`
	// Language models that are served.
	LLM LLMConfig `yaml:"llm"`
	// What subscriptions may use, and under which limits.
	Products []ProductConfig `yaml:"products"`
	// Keys for callers that do not sign in.
	Subscriptions []SubscriptionConfig `yaml:"subscriptions"`
	// Policies for everything.
	Policies []policy.Entry `yaml:"policies"`
	// Lists of policies by name.
	Fragments map[string][]policy.Entry `yaml:"fragments" available:"false"`
	// Teams that own objects.
	Workspaces []any `yaml:"workspaces" available:"false"`
	// Rules about the catalogue.
	Governance []any `yaml:"governance" available:"false"`
	// Third-party OAuth providers for people's own connections.
	Providers []any `yaml:"providers" available:"false"`
	// Sizes, times and counts.
	Limits LimitsConfig `yaml:"limits"`
	// Addresses chosen by others that may or may not be fetched.
	Egress EgressConfig `yaml:"egress"`
	// Logs and metrics.
	Telemetry TelemetryConfig `yaml:"telemetry"`
	// The audit log.
	Audit map[string]any `yaml:"audit" available:"false"`
	// Records of what was used.
	Usage UsageConfig `yaml:"usage"`
	// The MCP registry.
	Registry map[string]any `yaml:"registry" available:"false"`
	// What pages for people say.
	UI UIConfig `yaml:"ui"`
	// Reading of OpenAPI documents.
	Import ImportConfig `yaml:"import"`
}

// TLSConfig is `tls`.
type TLSConfig struct {
	// PEM file of the certificate chain: file:PATH.
	Certificate secret.Reference `yaml:"certificate"`
	// PEM file of the key: file:PATH.
	Key secret.Reference `yaml:"key"`
}

// StorageConfig is `storage`.
type StorageConfig struct {
	// sqlite:PATH or memory:.
	Database string `yaml:"database" default:"sqlite:drawbridge.db"`
	// Counters, caches and short-lived state shared by replicas.
	Redis string `yaml:"redis" available:"false"`
	// Begins every key in Redis.
	RedisPrefix string `yaml:"redis_prefix" default:"drawbridge:" available:"false"`
	// Signing and encryption keys: file:PATH, made with mode 0600 on the first start, or env:NAME of the keys' text.
	Keys string `yaml:"keys" default:"file:drawbridge.keys.json"`
}

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
	Profile string `yaml:"profile" default:"universal" enum:"universal,rich,gemini" unavailable:"rich,gemini"`
	// Hosts and directories that references in the document may lead to.
	References []string `yaml:"references"`
	// Values of variables in the document's server addresses.
	ServerVariables map[string]string `yaml:"server_variables"`
	// How often a document behind a URL is fetched again; 0: only on reload.
	Refresh time.Duration `yaml:"refresh" zero:"off" available:"false"`
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
	SearchAbove map[string]any `yaml:"search_above" available:"false"`
	// What happens to changed tools of an upstream.
	UpstreamTools map[string]any `yaml:"upstream_tools" available:"false"`
	// Policies for calls of this server.
	Policies []policy.Entry `yaml:"policies"`

	mcp.ServerConfig
}

// FromConfig is one part of an MCP server.
type FromConfig struct {
	// Name of an API.
	API string `yaml:"api"`
	// Name of the backend whose url is an MCP endpoint.
	Upstream string `yaml:"upstream" available:"false"`
	// Prefix in a combined server.
	As string `yaml:"as" available:"false"`
	// Protocol of an upstream.
	Era string `yaml:"era" default:"auto" available:"false"`
	// How long a call may wait for a person's answer.
	Park time.Duration `yaml:"park" available:"false"`
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

// LimitsConfig is `limits`: the sizes, times and counts of operations.md §14 that this version keeps.
type LimitsConfig struct {
	edge.Limits
	// How long a client may take for its request headers.
	HeaderTimeout time.Duration `yaml:"header_timeout" default:"5s"`
	// How long a client may take for a request body that is no stream.
	BodyTimeout time.Duration `yaml:"body_timeout" default:"30s"`
	// How long an unused connection stays open.
	IdleTimeout time.Duration `yaml:"idle_timeout" default:"120s"`
	// Largest request headers.
	HeaderBytes int64 `yaml:"header_bytes" unit:"size" default:"32KiB" min:"4KiB" max:"1MiB"`
	// Largest request to a model.
	LLMBody int64 `yaml:"llm_body" unit:"size" default:"20MiB"`
	// Largest JSON answer of a model's backend.
	UpstreamBody int64 `yaml:"upstream_body" unit:"size" default:"32MiB"`
	// Largest form or JSON body of the OAuth endpoints.
	OAuthBody int64 `yaml:"oauth_body" unit:"size" default:"64KiB" available:"false"`
	// Open connections.
	Connections int `yaml:"connections" default:"20000" min:"1" available:"false"`
	// How long calls in flight may finish after a stop signal.
	Drain time.Duration `yaml:"drain" default:"20s" zero:"off"`
	// How long readiness is withdrawn before the listener closes.
	DrainDelay time.Duration `yaml:"drain_delay" default:"0s" zero:"off"`
}

// EgressConfig is `egress`.
type EgressConfig struct {
	// Hosts, host:port or CIDRs that may be fetched although the table of private and reserved addresses says no.
	Allow []string `yaml:"allow"`
	// Hosts, host:port or CIDRs that may not be fetched.
	Deny []string `yaml:"deny"`
}

// TelemetryConfig is `telemetry`.
type TelemetryConfig struct {
	// Log lines.
	Log LogConfig `yaml:"log"`
	// OpenTelemetry export.
	OTLP map[string]any `yaml:"otlp" available:"false"`
	// Prometheus metrics.
	Metrics MetricsConfig `yaml:"metrics"`
	// Recent requests kept for the console.
	Requests map[string]any `yaml:"requests" available:"false"`
}

// LogConfig is `telemetry.log`.
type LogConfig struct {
	// One line for every request.
	Access bool `yaml:"access" default:"true"`
	// Share of successful requests that are logged.
	SampleSuccess float64 `yaml:"sample_success" default:"1.0" available:"false"`
}

// MetricsConfig is `telemetry.metrics`.
type MetricsConfig struct {
	// A label with the subscription.
	PerSubscription bool `yaml:"per_subscription" default:"true" available:"false"`
	// Most series of one metric.
	Series int `yaml:"series" default:"2000" min:"1"`
	// Bearer token that /metrics asks for; absent: loopback peers only.
	Token secret.Reference `yaml:"token" secret:"strong"`
}

// UsageConfig is `usage`.
type UsageConfig struct {
	// How long records are kept.
	Keep time.Duration `yaml:"keep" default:"400d" available:"false"`
	// How often records are written.
	Flush time.Duration `yaml:"flush" default:"1s" available:"false"`
	// Currency of prices.
	Currency string `yaml:"currency" default:"USD" min:"3" max:"3"`
}

// UIConfig is `ui`.
type UIConfig struct {
	// Title of the pages.
	Name string `yaml:"name" default:"Drawbridge" max:"64"`
	// Where people find help: mailto: or https.
	Support string `yaml:"support"`
}

// ImportConfig is `import`.
type ImportConfig struct {
	// Bounds of one document.
	Limits openapi.Limits `yaml:"limits"`
}
