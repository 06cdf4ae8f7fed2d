package policy

import (
	"net/http"
	"strings"

	"cel.dev/cel-go/interpreter"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// facts are what one expression sees of a call (llm.md §4). It is the activation of CEL: names are looked up as they are
// read, nothing is built that nobody reads.
type facts struct {
	env      *Env
	call     *proxy.Call
	tokens   tokens
	response *proxy.Response // nil before the answer
}

// tokens are tokens.*: before the call estimates, after it the real ones.
type tokens struct{ prompt, completion, cached, reasoning int64 }

// Parent is nil: there is nothing around a call.
func (f *facts) Parent() interpreter.Activation { return nil }

// ResolveName gives the value of a variable.
func (f *facts) ResolveName(name string) (any, bool) {
	head, _, _ := strings.Cut(name, ".")
	switch head {
	case "caller", "subscription":
		return f.who(name)
	case "request", "gateway":
		return f.request(name)
	case "tokens":
		return f.token(name)
	case "response", "remaining", "refusal":
		return f.answer(name)
	}
	c := f.call
	switch name {
	case "model":
		return c.Model, true
	case "stream":
		return c.Stream, true
	case "api":
		return c.API, true
	case "operation":
		return c.Endpoint, true
	case "server":
		return c.Server, true
	case "tool":
		return c.Tool, true
	case "arguments":
		return notNil(c.ArgumentValues()), true
	}
	return nil, false
}

func (f *facts) who(name string) (any, bool) {
	c := &f.call.Caller
	switch name {
	case "caller.subject":
		return c.Subject, true
	case "caller.name":
		return c.Name, true
	case "caller.tenant":
		return c.Tenant, true
	case "caller.client_id":
		return c.ClientID, true
	case "caller.kind":
		if c.Kind == "" {
			return "anonymous", true
		}
		return string(c.Kind), true
	case "caller.roles":
		return c.Roles, true
	case "caller.groups":
		return c.Groups, true
	case "caller.claims":
		return notNil(c.Claims), true
	case "subscription.id":
		return c.Subscription.ID, true
	case "subscription.name":
		return c.Subscription.Name, true
	case "subscription.product":
		return c.Subscription.Product, true
	}
	return nil, false
}

func (f *facts) request(name string) (any, bool) {
	r := &f.call.Request
	switch name {
	case "request.method":
		return r.Method, true
	case "request.path":
		return r.Path, true
	case "request.ip":
		return r.IP, true
	case "request.id":
		return f.call.ID, true
	case "request.time":
		return r.Time.UTC(), true
	case "request.headers":
		return f.headers(r.Header), true
	case "request.body":
		return f.call.BodyValue(), true
	case "gateway.region":
		return f.env.deps.Region, true
	case "gateway.instance":
		return f.env.deps.Instance, true
	}
	return nil, false
}

func (f *facts) token(name string) (any, bool) {
	switch name {
	case "tokens.prompt":
		return f.tokens.prompt, true
	case "tokens.completion":
		return f.tokens.completion, true
	case "tokens.total":
		return f.tokens.prompt + f.tokens.completion, true
	case "tokens.cached":
		return f.tokens.cached, true
	case "tokens.reasoning":
		return f.tokens.reasoning, true
	}
	return nil, false
}

func (f *facts) answer(name string) (any, bool) {
	r := f.response
	if r == nil {
		return nil, false
	}
	switch name {
	case "response.status":
		return int64(r.Status), true
	case "response.headers":
		return f.headers(r.Header), true
	case "remaining.tokens":
		return r.Tokens, true
	case "remaining.calls":
		return r.Calls, true
	case "refusal.code":
		return r.Refusal, true
	case "refusal.retry_after":
		return int64(r.RetryAfter), true
	}
	return nil, false
}

// headers are lower-case names and joined values, without those that carry credentials (llm.md §11.3).
func (f *facts) headers(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		if !f.env.hygiene.Refuses(name) {
			out[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	return out
}

func notNil(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// estimates are tokens.* before the call.
func (e *Env) estimates(call *proxy.Call) tokens {
	return tokens{prompt: int64(call.Prompt.Bound), completion: e.completion(call)}
}

// completion is what a call may generate (TL-8): its cap after max_tokens policies, for every choice; without a cap the
// model's running mean.
func (e *Env) completion(call *proxy.Call) int64 {
	if call.Prompt.NoCompletion || call.Prompt.Bound == 0 {
		return 0
	}
	most := int64(call.Shape.MaxTokens)
	if most <= 0 {
		most = int64(call.Prompt.Completion)
	}
	if most <= 0 {
		most = e.deps.Counters.completion(call.Model)
	}
	return clampMul(most, int64(max(call.Prompt.Choices, 1)))
}

// clampMul multiplies two counts without overflow; a hostile product becomes a very large one.
func clampMul(a, b int64) int64 {
	const most = 1 << 40
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > most/b {
		return most
	}
	return a * b
}
