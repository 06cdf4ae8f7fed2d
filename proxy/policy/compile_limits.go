package policy

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"cel.dev/cel-go/cel"
	"golang.org/x/net/http/httpguts"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// mostSliding keeps a slot of a sliding window inside 32 bits, so that a counter fits in 600 bytes (CT-3).
const mostSliding = math.MaxInt32

// limit starts a limit with what all kinds share.
func (c *compiler) limit(kind limitKind, key string, shared bool, id string, names *HeaderNames) *limit {
	l := &limit{
		env: c.env, kind: kind, label: c.label, place: c.place, when: c.when, told: true,
		key: c.expr("key", key, onRequest, cel.StringType),
	}
	if shared {
		if id == "" {
			c.fault("shared", "needs an id: entries with the same id share their counters")
		}
		l.place = "shared#" + id // CT-1
	}
	if names != nil {
		l.told = !names.Off
		l.names = HeaderNames{
			Limit: c.headerName("headers.limit", names.Limit), Remaining: c.headerName("headers.remaining", names.Remaining),
			RetryAfter: c.headerName("headers.retry_after", names.RetryAfter),
		}
	}
	return l
}

// headerName canonicalises a name for an answer's header (RL-12).
func (c *compiler) headerName(field, name string) string {
	if name == "" {
		return ""
	}
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		c.fault(field, "is not the name of a header")
	case c.env.hygiene.Refuses(name) || canonical == "X-Request-Id":
		c.fault(field, fmt.Sprintf("%q cannot be used", name))
	}
	return canonical
}

func (c *compiler) amount(field string, n, most int64) int64 {
	if n < 1 || n > most {
		c.fault(field, fmt.Sprintf("must be 1 to %d", most))
	}
	return n
}

func (c *compiler) calendar(l *limit, unit string) {
	switch unit {
	case "hour", "day", "week", "month", "year":
		l.win = window{unit: unit}
	default:
		c.fault("per", "must be hour, day, week, month or year")
	}
}

func (c *compiler) form(l *limit, retryAfter string) {
	switch retryAfter {
	case "", "seconds", "date", "timestamp":
		l.retryAfter = retryAfter
	default:
		c.fault("retry_after", "must be seconds, date or timestamp")
	}
}

func (c *compiler) rateLimit(e *RateLimit, id string) {
	l := c.limit(rateLimit, e.Key, e.Shared, id, e.Headers)
	l.most = c.amount("calls", e.Calls, mostSliding)
	per := e.Per
	if per == 0 {
		per = time.Minute
	}
	if per < time.Second || per > 24*time.Hour {
		c.fault("per", "must be 1s to 24h")
	}
	l.win = slidingWindow(per)
	l.weight = c.expr("count", e.Count, onRequest, cel.IntType)
	c.form(l, e.RetryAfter)
	c.unavailable("only", e.Only != "")
	c.unavailable("fail_closed", e.FailClosed)
	c.addLimit(proxy.PhaseCalls, l, e.Key)
}

func (c *compiler) quota(e *Quota, id string) {
	l := c.limit(quota, e.Key, e.Shared, id, e.Headers)
	l.most = c.amount("calls", e.Calls, math.MaxInt64/2)
	l.told = e.Headers != nil && !e.Headers.Off
	c.calendar(l, e.Per)
	l.weight = c.expr("count", e.Count, onRequest, cel.IntType)
	c.unavailable("only", e.Only != "")
	c.unavailable("fail_closed", e.FailClosed)
	c.addLimit(proxy.PhaseCalls, l, e.Key)
}

func (c *compiler) tokenLimit(e *TokenLimit, id string) {
	l := c.limit(tokenLimit, e.Key, e.Shared, id, e.Headers)
	l.most = c.amount("tokens_per_minute", e.TokensPerMinute, mostSliding)
	l.win = slidingWindow(time.Minute)
	l.shadow = e.Shadow
	c.tokens(l, e.EstimatePrompt, e.Count)
	c.form(l, e.RetryAfter)
	c.unavailable("fail_closed", e.FailClosed)
	c.addLimit(proxy.PhaseTokens, l, e.Key)
}

func (c *compiler) tokenQuota(e *TokenQuota, id string) {
	l := c.limit(tokenQuota, e.Key, e.Shared, id, e.Headers)
	l.most = c.amount("tokens", e.Tokens, math.MaxInt64/2)
	c.calendar(l, e.Per)
	l.shadow = e.Shadow
	c.tokens(l, e.EstimatePrompt, e.Count)
	c.unavailable("cut_streams", e.CutStreams)
	c.unavailable("fail_closed", e.FailClosed)
	c.addLimit(proxy.PhaseTokens, l, e.Key)
}

// tokens is how a token policy counts (TL-3, TL-4).
func (c *compiler) tokens(l *limit, estimate Estimate, count string) {
	if l.estimate = estimate; estimate == "" {
		l.estimate = EstimateBound
	}
	switch count {
	case "", "total", "prompt", "completion":
		l.count = count
	default:
		l.weight = c.expr("count", count, onRequest, cel.IntType)
	}
}

func (c *compiler) costBudget(e *CostBudget, id string) {
	l := c.limit(costBudget, e.Key, e.Shared, id, nil)
	if !(e.Amount > 0) || e.Amount > 1e12 {
		c.fault("amount", "must be more than 0")
	}
	l.most = int64(math.Round(e.Amount * 1e6)) // millionths (CB-2)
	c.calendar(l, e.Per)
	l.estimate, l.told = EstimateBound, false
	warn := e.WarnAt
	if warn == 0 {
		warn = 0.8
	}
	if warn < 0 || warn > 1 {
		c.fault("warn_at", "must be a share, 0 to 1")
	}
	l.warnAt = max(int64(e.Amount*1e6*warn), 1)
	if c.env.deps.Priced != nil && !c.env.deps.Priced(c.scope) {
		c.fault("", "needs a price for every model it applies to") // CB-4
	}
	c.unavailable("fail_closed", e.FailClosed)
	c.addLimit(proxy.PhaseTokens, l, e.Key)
}

// addLimit names the counters by everything that makes them other counters: the place, the kind, the window and the key
// expression. A changed amount applies to the same counter (PX-16).
func (c *compiler) addLimit(phase proxy.Phase, l *limit, key string) {
	l.place = fmt.Sprintf("%s|%d|%d%s|%s", l.place, l.kind, l.win.slot, l.win.unit, key)
	c.add(phase, l)
}

func (c *compiler) unavailable(field string, used bool) {
	if used {
		c.fault(field, "is not available in this version")
	}
}
