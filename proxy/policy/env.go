package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// Env is the environment in which policies are compiled: the language of expressions, counters, cache. One per snapshot.
type Env struct {
	deps     Deps
	hygiene  *proxy.Hygiene
	request  func() (*cel.Env, error) // before the answer
	response func() (*cel.Env, error) // with response, remaining and refusal
}

// NewEnv makes an environment.
func NewEnv(deps Deps) (*Env, error) {
	if deps.Counters == nil {
		deps.Counters = NewCounters()
	}
	if deps.Cache == nil {
		deps.Cache = NewCache(0)
	}
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	e := &Env{deps: deps, hygiene: proxy.NewHygiene()}
	// Building the language takes milliseconds; a configuration without expressions does not pay for it.
	e.request = sync.OnceValues(func() (*cel.Env, error) { return newLanguage(requestVariables()) })
	e.response = sync.OnceValues(func() (*cel.Env, error) {
		base, err := e.request()
		if err != nil {
			return nil, err
		}
		return base.Extend(responseVariables()...)
	})
	return e, nil
}

func newLanguage(variables []cel.EnvOption) (*cel.Env, error) {
	options := []cel.EnvOption{
		ext.Strings(), ext.Math(), ext.Encoders(), ext.Lists(), // PO-3
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.Function("cidr", cel.Overload("cidr_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(inCIDR))),
		cel.Function("hash", cel.Overload("hash_string", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(shortHash))),
	}
	env, err := cel.NewEnv(append(options, variables...)...)
	if err != nil {
		return nil, fmt.Errorf("build language of expressions: %w", err)
	}
	return env, nil
}

// requestVariables are declared by their whole names, so that caller.subjct is a fault at load and not at run time.
func requestVariables() []cel.EnvOption {
	text, texts := cel.StringType, cel.ListType(cel.StringType)
	anyMap := cel.MapType(cel.StringType, cel.DynType)
	var out []cel.EnvOption
	declare := func(t *cel.Type, names ...string) {
		for _, name := range names {
			out = append(out, cel.Variable(name, t))
		}
	}
	declare(text, "caller.subject", "caller.name", "caller.tenant", "caller.client_id", "caller.kind", "subscription.id",
		"subscription.name", "subscription.product", "request.method", "request.path", "request.ip", "request.id",
		"gateway.region", "gateway.instance", "model", "api", "operation", "server", "tool")
	declare(texts, "caller.roles", "caller.groups")
	declare(anyMap, "caller.claims", "arguments")
	declare(cel.MapType(cel.StringType, cel.StringType), "request.headers")
	declare(cel.TimestampType, "request.time")
	declare(cel.DynType, "request.body")
	declare(cel.BoolType, "stream")
	declare(cel.IntType, "tokens.prompt", "tokens.completion", "tokens.total", "tokens.cached", "tokens.reasoning")
	return out
}

func responseVariables() []cel.EnvOption {
	return []cel.EnvOption{
		cel.Variable("response.status", cel.IntType),
		cel.Variable("response.headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("remaining.tokens", cel.IntType),
		cel.Variable("remaining.calls", cel.IntType),
		cel.Variable("refusal.code", cel.StringType),
		cel.Variable("refusal.retry_after", cel.IntType),
	}
}

// inCIDR is cidr(ip, "10.0.0.0/8"); an address that is none is in no network.
func inCIDR(ip, network ref.Val) ref.Val {
	prefix, err := netip.ParsePrefix(string(network.(types.String)))
	if err != nil {
		return types.NewErr("cidr: not a network")
	}
	addr, err := netip.ParseAddr(string(ip.(types.String)))
	return types.Bool(err == nil && prefix.Contains(addr.Unmap()))
}

// shortHash is hash(text): the first 16 hex digits of its SHA-256.
func shortHash(text ref.Val) ref.Val {
	sum := sha256.Sum256([]byte(string(text.(types.String))))
	return types.String(hex.EncodeToString(sum[:8]))
}
