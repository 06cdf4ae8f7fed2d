package policy

import (
	"context"
	"fmt"
	"math"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// limit is one rate_limit, quota, token_limit, token_quota or cost_budget, ready to run.
type limit struct {
	env   *Env
	kind  limitKind
	label string // product:team-a[2] rate_limit: for records and metrics
	place string // of its counters (CT-1)
	most  int64  // calls, tokens, or millionths of the currency
	win   window

	when   *program // nil: always
	key    *program // nil: CT-2
	weight *program // of a call, or count over tokens; nil: 1, or count
	count  string   // total, prompt, completion

	estimate   Estimate
	shadow     bool
	warnAt     int64 // budgets: sum at which one warning is logged; 0: never
	names      HeaderNames
	told       bool   // headers tell the counter
	retryAfter string // seconds, date, timestamp
}

type limitKind int

const (
	rateLimit limitKind = iota
	quota
	tokenLimit
	tokenQuota
	costBudget
)

func (l *limit) ofTokens() bool { return l.kind >= tokenLimit }

// sliding limits are 429 and end by themselves within a window; calendar ones are 403.
func (l *limit) sliding() bool { return l.win.slot != 0 }

// Admit is AdmitAll for a single limit.
func (l *limit) Admit(ctx context.Context, call *proxy.Call) (proxy.Verdict, error) {
	return l.AdmitAll(ctx, call, []proxy.Policy{l})
}

// want is what a limit asks its counter for.
type want struct {
	limit   *limit
	counter *counter
	need    int64
	hold    hold
}

// prepare evaluates what the limit needs to know; false: it does not apply.
func (l *limit) prepare(ctx context.Context, f *facts) (w want, applies bool, err error) {
	if !l.applies(ctx, f) {
		return want{}, false, nil
	}
	if l.kind == costBudget && f.call.Price == nil {
		return want{}, false, l.broken(fmt.Errorf("model %s has no price", f.call.Model))
	}
	key, err := l.keyOf(ctx, f)
	if err != nil {
		return want{}, false, err
	}
	w = want{limit: l}
	if !l.ofTokens() {
		if w.need, err = l.weightOf(ctx, f); err != nil {
			return want{}, false, err
		}
	}
	w.counter = l.env.deps.Counters.get(counterKey{l.place, key}, l.sliding())
	return w, true, nil
}

// applies evaluates when; one that fails counts as true for limits (PX-14).
func (l *limit) applies(ctx context.Context, f *facts) bool {
	if l.when == nil {
		return true
	}
	ok, err := l.when.bool(ctx, f)
	if err != nil {
		l.env.warn(ctx, l.label, "when", err)
		return true
	}
	return ok
}

func (l *limit) keyOf(ctx context.Context, f *facts) (string, error) {
	if l.key == nil {
		return defaultKey(f.call), nil
	}
	key, err := l.key.string(ctx, f)
	if err != nil {
		return "", l.broken(err)
	}
	if key == "" {
		return "", l.broken(fmt.Errorf("key is empty"))
	}
	return shortKey(key), nil
}

func (l *limit) weightOf(ctx context.Context, f *facts) (int64, error) {
	if l.weight == nil {
		return 1, nil
	}
	n, err := l.weight.int(ctx, f)
	if err != nil {
		return 0, l.broken(err)
	}
	if n < 0 {
		return 0, l.broken(fmt.Errorf("count is negative"))
	}
	return min(n, math.MaxUint32), nil
}

// amount is what tokens count for this limit: tokens, or money.
func (l *limit) amount(ctx context.Context, f *facts, t tokens, u *proxy.Usage) (int64, error) {
	if l.kind == costBudget {
		usage := proxy.Usage{Input: int(t.prompt), Output: int(t.completion)}
		if u != nil {
			usage = *u
		}
		return f.call.Price.CostMicro(usage), nil
	}
	switch {
	case l.weight != nil:
		g := *f
		g.tokens = t
		n, err := l.weight.int(ctx, &g)
		if err != nil {
			return 0, l.broken(err)
		}
		return max(n, 0), nil
	case l.count == "prompt":
		return t.prompt, nil
	case l.count == "completion":
		return t.completion, nil
	default:
		return t.prompt + t.completion, nil
	}
}

// broken is the refusal of a limit that cannot be evaluated: it never lets a call pass silently (PX-14).
func (l *limit) broken(err error) error { return l.env.broken(l.label, err) }

func (e *Env) broken(label string, err error) *proxy.Error {
	e.decided(label, "error")
	return &proxy.Error{
		Kind: proxy.Internal, Code: "policy_error", Type: "server_error", Policy: label,
		Msg: "A policy of the gateway could not be evaluated. Tell the gateway's operator.", Err: fmt.Errorf("%s: %w", label, err),
	}
}

func (e *Env) decided(label, decision string) {
	if e.deps.Observer != nil {
		e.deps.Observer.Decision(label, decision)
	}
}

// warn notes an expression that failed where the call goes on.
func (e *Env) warn(ctx context.Context, label, what string, err error) {
	e.decided(label, "error")
	e.deps.Log.WarnContext(ctx, "expression failed", "policy", label, "attribute", what, "error", err.Error())
}
