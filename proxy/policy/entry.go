package policy

import "time"

// Entry is one element of a list of policies: exactly one policy, when it applies, and a name for its counters.
type Entry struct {
	// ID names the entry's counters instead of its position in the list.
	ID string `yaml:"id"`
	// When is an expression; the policy applies where it is true. Empty: always.
	When string `yaml:"when"`

	// Fragment stands for the list of that name under `fragments`; `when` is joined to each of its entries' own.
	Fragment string `yaml:"fragment"`
	// RateLimit limits calls in a sliding interval: 429 and Retry-After.
	RateLimit *RateLimit `yaml:"rate_limit"`
	// Quota limits calls in a calendar window: 403 until it ends.
	Quota *Quota `yaml:"quota"`
	// TokenLimit limits tokens per sliding minute.
	TokenLimit *TokenLimit `yaml:"token_limit"`
	// TokenQuota limits tokens in a calendar window.
	TokenQuota *TokenQuota `yaml:"token_quota"`
	// CostBudget limits money in a calendar window.
	CostBudget *CostBudget `yaml:"cost_budget"`
	// MaxTokens lowers or sets the answer's token cap.
	MaxTokens *MaxTokens `yaml:"max_tokens"`
	// Cache answers repeated requests from memory.
	Cache *CacheExact `yaml:"cache"`
	// SemanticCache answers requests that mean the same.
	SemanticCache *Unbuilt `yaml:"semantic_cache" available:"false"`
	// ContentSafety asks a checker about prompts and answers.
	ContentSafety *Unbuilt `yaml:"content_safety" available:"false"`
	// Require refuses calls for which an expression is not true.
	Require *Require `yaml:"require"`
	// SetHeader sets a header on the way in or out.
	SetHeader *SetHeader `yaml:"set_header"`
	// RemoveHeader removes a header on the way in or out.
	RemoveHeader *RemoveHeader `yaml:"remove_header"`
	// SetArgument sets an argument of a tool, or a member of a model's request.
	SetArgument *SetArgument `yaml:"set_argument"`
	// Route picks a backend or pool.
	Route *Route `yaml:"route"`
	// EmitMetric counts tokens with further dimensions.
	EmitMetric *Unbuilt `yaml:"emit_metric" available:"false"`
	// Log says what is kept beyond metadata.
	Log *Unbuilt `yaml:"log" available:"false"`
}

// Unbuilt is a policy of the contract that this version refuses.
type Unbuilt struct{}

// RateLimit limits calls in a sliding interval (llm.md §5.1).
type RateLimit struct {
	// Calls that are admitted per `per`.
	Calls int64 `yaml:"calls" required:"true"`
	// Per is the length of the sliding interval, 1s to 24h.
	Per time.Duration `yaml:"per" default:"1m"`
	// Key is an expression giving a text; calls with the same key share the limit. Default: the subscription, else the
	// caller, else the address.
	Key string `yaml:"key"`
	// Count is an expression giving the weight of the call; default 1.
	Count string `yaml:"count"`
	// Only is an expression over the answer; when it is false the call is given back.
	Only string `yaml:"only" available:"false"`
	// Shared lets entries with the same id share their counters.
	Shared bool `yaml:"shared"`
	// RetryAfter is the form of the header: seconds, date or timestamp.
	RetryAfter string `yaml:"retry_after" default:"seconds" enum:"seconds,date,timestamp"`
	// Headers are other names for the headers that tell the limit.
	Headers *HeaderNames `yaml:"headers"`
	// FailClosed refuses calls while shared counters cannot be reached.
	FailClosed bool `yaml:"fail_closed" available:"false"`
}

// Quota limits calls in a calendar window, UTC (llm.md §5.1).
type Quota struct {
	// Calls that are admitted per window.
	Calls int64 `yaml:"calls" required:"true"`
	// Per is the window: hour, day, week (from Monday), month or year.
	Per string `yaml:"per" required:"true" enum:"hour,day,week,month,year"`
	// Key as in rate_limit.
	Key string `yaml:"key"`
	// Count as in rate_limit.
	Count string `yaml:"count"`
	// Only as in rate_limit.
	Only string `yaml:"only" available:"false"`
	// Shared as in rate_limit.
	Shared bool `yaml:"shared"`
	// Headers that tell the quota; none are sent otherwise.
	Headers *HeaderNames `yaml:"headers"`
	// FailClosed as in rate_limit.
	FailClosed bool `yaml:"fail_closed" available:"false"`
}

// TokenLimit limits tokens per sliding minute (llm.md §5.2).
type TokenLimit struct {
	// TokensPerMinute are prompt and completion tokens.
	TokensPerMinute int64 `yaml:"tokens_per_minute" required:"true"`
	// Key as in rate_limit.
	Key string `yaml:"key"`
	// EstimatePrompt reserves before the call: true (cheap bounds first), exact (always counted), false (nothing).
	EstimatePrompt Estimate `yaml:"estimate_prompt" default:"true" enum:"true,false,exact"`
	// Count is what counts: total, prompt, completion, or an expression over tokens.
	Count string `yaml:"count" default:"total"`
	// Headers: whether x-ratelimit-…-tokens are sent, or their names.
	Headers *HeaderNames `yaml:"headers"`
	// Shadow decides and records, and never refuses.
	Shadow bool `yaml:"shadow"`
	// Shared as in rate_limit.
	Shared bool `yaml:"shared"`
	// RetryAfter as in rate_limit.
	RetryAfter string `yaml:"retry_after" default:"seconds" enum:"seconds,date,timestamp"`
	// FailClosed as in rate_limit.
	FailClosed bool `yaml:"fail_closed" available:"false"`
}

// TokenQuota limits tokens in a calendar window, UTC (llm.md §5.3).
type TokenQuota struct {
	// Tokens per window, prompt and completion.
	Tokens int64 `yaml:"tokens" required:"true"`
	// Per is the window: hour, day, week (from Monday), month or year.
	Per string `yaml:"per" required:"true" enum:"hour,day,week,month,year"`
	// Key as in rate_limit.
	Key string `yaml:"key"`
	// EstimatePrompt as in token_limit.
	EstimatePrompt Estimate `yaml:"estimate_prompt" default:"true" enum:"true,false,exact"`
	// Count as in token_limit.
	Count string `yaml:"count" default:"total"`
	// Headers: whether x-drawbridge-quota-remaining-tokens is sent, or its name.
	Headers *HeaderNames `yaml:"headers"`
	// Shadow as in token_limit.
	Shadow bool `yaml:"shadow"`
	// Shared as in rate_limit.
	Shared bool `yaml:"shared"`
	// CutStreams ends running streams when the quota runs out.
	CutStreams bool `yaml:"cut_streams" available:"false"`
	// FailClosed as in rate_limit.
	FailClosed bool `yaml:"fail_closed" available:"false"`
}

// CostBudget limits money in a calendar window, UTC (llm.md §5.4).
type CostBudget struct {
	// Amount in the currency of the price table.
	Amount float64 `yaml:"amount" required:"true"`
	// Per is the window: hour, day, week (from Monday), month or year.
	Per string `yaml:"per" required:"true" enum:"hour,day,week,month,year"`
	// Key as in rate_limit.
	Key string `yaml:"key"`
	// WarnAt is the share of the amount at which a warning is logged.
	WarnAt float64 `yaml:"warn_at" default:"0.8"`
	// Shared as in rate_limit.
	Shared bool `yaml:"shared"`
	// FailClosed as in rate_limit.
	FailClosed bool `yaml:"fail_closed" available:"false"`
}

// MaxTokens lowers or sets the answer's token cap (llm.md §7 MX).
type MaxTokens struct {
	// Cap is the highest cap a request may name: a number, or an expression giving one.
	Cap Expr `yaml:"cap"`
	// Default is set where a request names none: a number, or an expression giving one. Without it: cap.
	Default Expr `yaml:"default"`
	// Mode lower or refuse: what happens to a request that names more than cap.
	Mode string `yaml:"mode" default:"lower" enum:"lower,refuse"`
}

// CacheExact answers repeated requests from memory (llm.md §8.1).
type CacheExact struct {
	// TTL is how long an answer is kept, 1s to 30d.
	TTL time.Duration `yaml:"ttl" required:"true"`
	// Vary is an expression giving a text that is part of the key.
	Vary string `yaml:"vary"`
	// Shared: all who pass the policy share its answers; otherwise each subscription, else each caller, has its own.
	Shared bool `yaml:"shared"`
	// MaxBytes of one answer; larger ones are not kept.
	MaxBytes int64 `yaml:"max_bytes" unit:"size" default:"1MiB"`
	// ToolCalls: keep answers that contain tool calls.
	ToolCalls bool `yaml:"tool_calls"`
	// SingleFlight lets identical requests wait for the first of them.
	SingleFlight bool `yaml:"single_flight" default:"true"`
}

// Require refuses calls for which an expression is not true (llm.md RQ-1).
type Require struct {
	// That is an expression.
	That string `yaml:"that" required:"true"`
	// Status of the refusal, 400 to 499.
	Status int `yaml:"status" default:"403"`
	// Message of the refusal.
	Message string `yaml:"message"`
}

// SetHeader sets a header on the way in or out (llm.md HD-1).
type SetHeader struct {
	// Name of the header.
	Name string `yaml:"name" required:"true"`
	// Value is an expression giving a text.
	Value string `yaml:"value" required:"true"`
	// On request (to the backend) or response (to the caller).
	On string `yaml:"on" default:"request" enum:"request,response"`
	// IfExists override, skip or append.
	IfExists string `yaml:"if_exists" default:"override" enum:"override,skip,append"`
}

// RemoveHeader removes a header on the way in or out (llm.md HD-2).
type RemoveHeader struct {
	// Name of the header; a final * stands for any ending.
	Name string `yaml:"name" required:"true"`
	// On request (to the backend) or response (to the caller).
	On string `yaml:"on" default:"request" enum:"request,response"`
}

// SetArgument sets an argument of a tool or a top-level member of a model's request (llm.md SA-1).
type SetArgument struct {
	// Name of the argument.
	Name string `yaml:"name" required:"true"`
	// Value is an expression.
	Value Expr `yaml:"value" required:"true"`
}

// Route picks a backend or pool (llm.md RT-1).
type Route struct {
	// To is the name of a backend or pool.
	To string `yaml:"to"`
	// ToExpr is an expression giving the name of one of `allow`.
	ToExpr string `yaml:"to_expr"`
	// Allow are the names that to_expr may give.
	Allow []string `yaml:"allow"`
}
