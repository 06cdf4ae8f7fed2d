package main

import (
	"time"

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
	// Lists of policies by name; `- fragment: NAME` stands for one of them in any list.
	Fragments map[string][]policy.Entry `yaml:"fragments"`
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

// LimitsConfig is `limits`: the sizes, times and counts of operations.md §14 that this version keeps.
type LimitsConfig struct {
	edge.Limits
	// How long a client may take for its request headers.
	HeaderTimeout time.Duration `yaml:"header_timeout" default:"5s"`
	// How long a client may take for a request body that is no stream; one that brings less than 1 KiB a second is cut sooner.
	BodyTimeout time.Duration `yaml:"body_timeout" default:"30s"`
	// How long an unused connection stays open.
	IdleTimeout time.Duration `yaml:"idle_timeout" default:"120s"`
	// Largest request headers.
	HeaderBytes int64 `yaml:"header_bytes" unit:"size" default:"32KiB" min:"4KiB" max:"1MiB"`
	// Largest request to a model.
	LLMBody int64 `yaml:"llm_body" unit:"size" default:"20MiB"`
	// Largest JSON answer of a model's backend.
	UpstreamBody int64 `yaml:"upstream_body" unit:"size" default:"32MiB"`
	// Most request headers.
	HeaderFields int `yaml:"header_fields" default:"100" available:"false"`
	// Longest request address.
	URIBytes int64 `yaml:"uri_bytes" unit:"size" default:"8KiB" available:"false"`
	// Largest upload to a model.
	LLMUpload int64 `yaml:"llm_upload" unit:"size" default:"100MiB" available:"false"`
	// Largest form or JSON body of the OAuth endpoints.
	OAuthBody int64 `yaml:"oauth_body" unit:"size" default:"64KiB" available:"false"`
	// Largest body of the admin API.
	AdminBody int64 `yaml:"admin_body" unit:"size" default:"1MiB" available:"false"`
	// Longest access token.
	TokenBytes int64 `yaml:"token_bytes" unit:"size" default:"16KiB" available:"false"`
	// Open connections.
	Connections int `yaml:"connections" default:"20000" available:"false"`
	// Open connections of one address.
	ConnectionsPerIP int `yaml:"connections_per_ip" default:"2000" available:"false"`
	// Open streams.
	Streams int `yaml:"streams" default:"10000" available:"false"`
	// Open streams of one caller.
	StreamsPerCaller int `yaml:"streams_per_caller" default:"200" available:"false"`
	// Unread bytes of one stream.
	StreamBuffer int64 `yaml:"stream_buffer" unit:"size" default:"256KiB" available:"false"`
	// Requests served at once.
	RequestsInFlight int `yaml:"requests_in_flight" default:"4096" available:"false"`
	// Memory above which new calls are refused.
	Memory int64 `yaml:"memory" unit:"size" available:"false"`
	// How long a backend may take for its response headers.
	UpstreamHeader time.Duration `yaml:"upstream_header" available:"false"`
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
