package proxy

import (
	"crypto/x509"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Config is what a Pipeline is built from. cmd/drawbridge nests Backends and Pools in its file and fills the rest.
type Config struct {
	Backends []BackendConfig // resolved: references hold their values
	Pools    []PoolConfig

	// Models names the backends that models use, directly or as members of a pool: their defaults differ (llm.md TO-2,
	// BR-4, RE-2).
	Models map[string]bool

	Region    string         // of this gateway; "" prefers nobody (llm.md PL-9)
	Version   string         // for user-agent: drawbridge/VERSION; "" means dev
	Currency  string         // of prices, for records; "" means USD
	StreamMax time.Duration  // ceiling of timeouts.total (limits.stream_max); 0 means 1h
	RootCAs   *x509.CertPool // nil: the system's; tests
}

// BackendConfig is one place where requests go; used by APIs, MCP upstreams and models alike.
type BackendConfig struct {
	// Name by which APIs, servers, models and pools mean this backend.
	Name string `yaml:"name" required:"true"`
	// Workspace that owns it; empty: the platform's own.
	Workspace string `yaml:"workspace"`
	// Shared with workspaces, when it is the platform's own.
	Shared bool `yaml:"shared"`
	// URL of the backend; a base path is kept, a query or a fragment is refused.
	URL string `yaml:"url" required:"true"`
	// Region where the backend runs; pools prefer members of the gateway's own region.
	Region string `yaml:"region"`
	// Timeout until the response headers, and for answers that are not streams until the last byte; 30s, and 5m for
	// backends that models use.
	Timeout time.Duration `yaml:"timeout"`
	// Timeouts of single phases.
	Timeouts TimeoutsConfig `yaml:"timeouts"`
	// Credential that requests to this backend carry. A caller's own token is never sent on.
	Credential CredentialConfig `yaml:"credential"`
	// Breaker stops calls to a backend that fails. `{}` gives the defaults; absent: none, but members of pools always
	// have one.
	Breaker *BreakerConfig `yaml:"breaker"`
	// Retry of failed calls, before the first byte of an answer was sent on.
	Retry RetryConfig `yaml:"retry"`
	// ForwardHeaders are further request headers of callers that go to this backend; never one that carries credentials.
	ForwardHeaders []string `yaml:"forward_headers"`
	// ReturnHeaders are further headers of the backend's answers that reach callers.
	ReturnHeaders []string `yaml:"return_headers"`
	// Forwarded adds X-Forwarded-For, X-Forwarded-Proto and Via.
	Forwarded bool `yaml:"forwarded" available:"false"`
	// Proxy env: connect through the proxy of the environment.
	Proxy string `yaml:"proxy" enum:",env"`
	// API shape of an Azure OpenAI resource: v1 for the addresses below /openai/v1.
	API string `yaml:"api" enum:",v1"`
	// APIVersion is the api-version that Azure OpenAI deployments are called with.
	APIVersion string `yaml:"api_version"`
	// UsageOption says whether the provider accepts stream_options.include_usage.
	UsageOption bool `yaml:"usage_option" default:"true"`

	// KeyHeader is the header of api_key credentials that name none (llm.md CR-1); cmd/drawbridge derives it from the
	// provider of the models that use the backend. "" means x-api-key; "authorization" sends it as a bearer token.
	KeyHeader string `yaml:"-"`
}

// TimeoutsConfig limits the phases of one exchange with a backend.
type TimeoutsConfig struct {
	// Connect limits TCP and TLS.
	Connect time.Duration `yaml:"connect" default:"5s"`
	// Idle limits the silence between two reads of a stream; comments and pings count as life.
	Idle time.Duration `yaml:"idle" default:"60s"`
	// Total limits the whole exchange with all its tries, streams too.
	Total time.Duration `yaml:"total" default:"15m"`
}

// BreakerConfig says when a backend gets no more calls, and for how long.
type BreakerConfig struct {
	// Failures inside `within` that open the breaker; 0: percentage alone decides.
	Failures int `yaml:"failures" default:"5"`
	// Percentage of failed calls inside `within` that opens the breaker; 0: off.
	Percentage int `yaml:"percentage"`
	// MinCalls inside `within` before percentage counts.
	MinCalls int `yaml:"min_calls" default:"10"`
	// Within is the sliding interval that is looked at.
	Within time.Duration `yaml:"within" default:"10s"`
	// Statuses that are failures, such as 429 or 500-599; 429 and 500-599, for models 408 too. Connection errors,
	// resets and timeouts always are.
	Statuses []StatusRange `yaml:"statuses"`
	// Trip is how long the breaker stays open.
	Trip time.Duration `yaml:"trip" default:"30s"`
	// RetryAfter lets the answer that tripped the breaker say how long, by retry-after-ms or retry-after.
	RetryAfter bool `yaml:"retry_after" default:"true"`
	// MaxTrip is the longest time that an answer may ask for.
	MaxTrip time.Duration `yaml:"max_trip" default:"10m"`
}

// RetryConfig says when a call is tried again.
type RetryConfig struct {
	// Attempts counts all tries, the first included; 0: 1, and for pools the number of members, at most 3.
	Attempts int `yaml:"attempts"`
	// Statuses that are tried again; 429, 502, 503, 504, for models 408, 500 and 529 too.
	Statuses []StatusRange `yaml:"statuses"`
	// MaxWait is the longest wait told by a backend that is waited for before it is tried again.
	MaxWait time.Duration `yaml:"max_wait" default:"2s"`
	// Unsafe lets operations that are not idempotent be sent again although a backend may have seen them.
	Unsafe bool `yaml:"unsafe"`
}

// CredentialConfig is what requests to a backend carry. Which keys belong to which kind is said at each.
type CredentialConfig struct {
	// Kind of credential.
	Kind string `yaml:"kind" default:"none" enum:"none,api_key,basic,bearer,client_credentials,managed_identity,workload_identity,on_behalf_of,connection,aws_sigv4,identity_headers"`
	// Header that carries the key (api_key).
	Header string `yaml:"header"`
	// Query parameter that carries the key (api_key).
	Query string `yaml:"query"`
	// Cookie that carries the key (api_key).
	Cookie string `yaml:"cookie"`
	// Value of the key or token (api_key, bearer).
	Value secret.Reference `yaml:"value"`
	// Username (basic).
	Username string `yaml:"username"`
	// Password (basic).
	Password secret.Reference `yaml:"password"`
	// TokenURL is the token endpoint (client_credentials).
	TokenURL string `yaml:"token_url"`
	// ClientID at the token endpoint (client_credentials, managed_identity).
	ClientID string `yaml:"client_id"`
	// Secret at the token endpoint (client_credentials).
	Secret secret.Reference `yaml:"secret"`
	// Scope that is asked for (client_credentials, managed_identity, workload_identity, on_behalf_of).
	Scope string `yaml:"scope"`
	// Provider of the person's own connection (connection).
	Provider string `yaml:"provider" available:"false"`
	// Region of the service (aws_sigv4).
	Region string `yaml:"region" available:"false"`
	// Service that is signed for (aws_sigv4).
	Service string `yaml:"service" available:"false"`
	// Headers with single claims (identity_headers).
	Headers map[string]string `yaml:"headers" available:"false"`
}

// PoolConfig is a group of backends that serve the same calls.
type PoolConfig struct {
	// Name by which models and routes mean this pool.
	Name string `yaml:"name" required:"true"`
	// Workspace that owns it; empty: the platform's own.
	Workspace string `yaml:"workspace"`
	// Shared with workspaces, when it is the platform's own.
	Shared bool `yaml:"shared"`
	// Members, 1 to 64 backends.
	Members []MemberConfig `yaml:"members" required:"true"`
	// Balance inside a priority: weighted (in turn, by weight) or least_busy (fewest calls in flight by weight).
	Balance string `yaml:"balance" default:"weighted" enum:"weighted,least_busy"`
	// Affinity is an expression giving a key; calls with the same key stay on the same member.
	Affinity string `yaml:"affinity"`
}

// MemberConfig is one backend of a pool.
type MemberConfig struct {
	// Backend by name.
	Backend string `yaml:"backend" required:"true"`
	// Priority; a higher number is used only when no lower one is available.
	Priority int `yaml:"priority" default:"1"`
	// Weight among members of the same priority; 0: only when no other is left.
	Weight int `yaml:"weight" default:"1"`
}
