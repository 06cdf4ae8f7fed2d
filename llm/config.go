package llm

import (
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/policy"
)

// Config is the `llm` section of the configuration file.
type Config struct {
	// Models that callers may ask for.
	Models []ModelConfig `yaml:"models"`
	// Policies of every call to a model.
	Policies []policy.Entry `yaml:"policies"`
	// How much text of one request is counted exactly; the rest is estimated by the ratio seen so far.
	CountBytes int64 `yaml:"count_bytes" unit:"size" default:"1MiB" min:"1"`
	// Tokens that an image in a prompt counts for.
	ImageTokens int `yaml:"image_tokens" default:"1200" min:"0"`
	// Memory of the answer cache.
	CacheMemory int64 `yaml:"cache_memory" unit:"size" default:"256MiB"`
	// Learn a correction of prompt estimates from what providers report.
	Learn bool `yaml:"learn" available:"false"`
	// Where vectors of the semantic cache live.
	VectorStore string `yaml:"vector_store" enum:"memory,redis,redisearch,postgres" default:"memory" unavailable:"redis,redisearch,postgres"`
	// Pass on the thoughts of models of other shapes as reasoning_content.
	Reasoning bool `yaml:"reasoning" available:"false"`
}

// Provider names the wire shape that a model's backend speaks.
type Provider string

// Providers that are served.
const (
	OpenAI      Provider = "openai"
	AzureOpenAI Provider = "azure_openai"
)

// ModelConfig is one entry of llm.models.
type ModelConfig struct {
	// What callers ask for; compared exactly.
	Name string `yaml:"name" required:"true"`
	// A backend or a pool.
	Backend string `yaml:"backend" required:"true"`
	// The wire shape of the backend. Anything OpenAI-shaped is openai.
	Provider string `yaml:"provider" enum:"openai,azure_openai,anthropic,gemini,bedrock,passthrough" default:"openai" unavailable:"anthropic,gemini,bedrock,passthrough"`
	// The provider's own name of the model (default: name), or one per member of the pool:
	// [{backend, upstream_model}]; a member that is not listed gets name.
	UpstreamModel UpstreamModel `yaml:"upstream_model"`
	// Price per million tokens. Without it the model is unpriced.
	Price *PriceConfig `yaml:"price"`
	// Roles of access-token callers that may use the model; empty: all of them. Keys go by their product.
	Roles []string `yaml:"roles"`
	// Other names that callers may use.
	Aliases []string `yaml:"aliases"`
	// Encoding that counts the model's tokens, where its name does not say.
	Encoding string `yaml:"encoding" enum:"o200k_base,o200k_harmony,cl100k_base,p50k_base,r50k_base"`
	// Model family (a name prefix such as gpt-4o) whose overheads count, where the name does not say.
	Family string `yaml:"family"`
	// What happens to the upstream exchange when the caller leaves: cancel closes it, drain reads on to learn the usage.
	OnDisconnect string `yaml:"on_disconnect" enum:"cancel,drain" default:"cancel"`
	// Policies of calls to this model.
	Policies []policy.Entry `yaml:"policies"`
	// Workspace the model belongs to; empty: the platform's own.
	Workspace string `yaml:"workspace" available:"false"`
	// Completion cap sent to providers that need one.
	MaxOutput int `yaml:"max_output" available:"false"`
	// Who counts a prompt before the call.
	Estimator string `yaml:"estimator" enum:"local,upstream" default:"local" unavailable:"upstream"`
	// Where a passthrough answer tells its tokens, as JSON pointers.
	Usage *UsagePointers `yaml:"usage" available:"false"`
}

// UsagePointers say where an answer of unknown shape tells its tokens.
type UsagePointers struct {
	// JSON pointer to the input tokens.
	Input string `yaml:"input"`
	// JSON pointer to the output tokens.
	Output string `yaml:"output"`
}

// PriceConfig is what a model costs, per million tokens, in the currency of usage.currency.
type PriceConfig struct {
	// Prompt tokens.
	Input float64 `yaml:"input" min:"0"`
	// Prompt tokens that the provider had cached; absent: as input.
	CachedInput *float64 `yaml:"cached_input" min:"0"`
	// Prompt tokens that the provider wrote to its cache; absent: as input.
	CacheWrite *float64 `yaml:"cache_write" min:"0"`
	// Answer tokens, reasoning included.
	Output float64 `yaml:"output" min:"0"`
}

// UpstreamModel is the provider's name of a model: one for all members of a pool, or one for each.
type UpstreamModel struct {
	// One name for every member; empty: see Members, else the model's own name.
	Name string `yaml:"-"`
	// Names by member.
	Members []MemberModel `yaml:",sequence"`
}

// UnmarshalText takes the one-name form.
func (u *UpstreamModel) UnmarshalText(text []byte) error {
	u.Name, u.Members = string(text), nil
	return nil
}

// MemberModel is the provider's name of a model at one member of a pool.
type MemberModel struct {
	// The member.
	Backend string `yaml:"backend" required:"true"`
	// What the model is called there.
	UpstreamModel string `yaml:"upstream_model" required:"true"`
}

// Endpoint says how one backend likes to be addressed. It comes from the backend's own configuration; the zero value is
// right for most.
type Endpoint struct {
	API           string // azure_openai: "v1" for {url}/openai/v1/…, else deployment paths
	APIVersion    string // azure_openai with deployment paths; "" means DefaultAPIVersion
	NoUsageOption bool   // the provider refuses stream_options (usage_option: false)
}

// DefaultAPIVersion is the api-version sent to Azure OpenAI deployments whose backend names none.
const DefaultAPIVersion = "2024-10-21"

// Limits are sizes and times of the face. Zero values mean the defaults.
type Limits struct {
	Body         int64         // request body after expansion (limits.llm_body); 0 means 20 MiB
	UpstreamBody int64         // JSON answer of a provider (limits.upstream_body); 0 means 32 MiB
	Members      int           // JSON members of a request (limits.json_members); 0 means 100000
	Stalled      time.Duration // how long a caller may take nothing of a stream (limits.stream_idle); 0 means 60 s
	Ping         time.Duration // silence after which a caller of a stream gets a comment line; 0 means 15 s
}

func (l Limits) withDefaults() Limits {
	orDefault := func(p *int64, d int64) {
		if *p == 0 {
			*p = d
		}
	}
	orDefault(&l.Body, 20<<20)
	orDefault(&l.UpstreamBody, 32<<20)
	orDefault((*int64)(&l.Stalled), int64(time.Minute))
	orDefault((*int64)(&l.Ping), int64(15*time.Second))
	if l.Members == 0 {
		l.Members = 100_000
	}
	return l
}
