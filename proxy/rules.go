package proxy

import (
	"cmp"
	"errors"
	"time"
)

// newBreakerRule fills in the defaults of a breaker; nil gives all of them (BR-7).
func newBreakerRule(c *BreakerConfig, model bool) (breakerRule, error) {
	if c == nil {
		c = &BreakerConfig{Failures: 5, RetryAfter: true}
	}
	rule := breakerRule{
		failures: c.Failures, percentage: c.Percentage, minCalls: max(cmp.Or(c.MinCalls, 10), 1),
		within: orDuration(c.Within, 10*time.Second), trip: orDuration(c.Trip, 30*time.Second),
		maxTrip: orDuration(c.MaxTrip, 10*time.Minute), retryAfter: c.RetryAfter,
	}
	if rule.failures == 0 && rule.percentage == 0 {
		rule.failures = 5
	}
	switch {
	case len(c.Statuses) > 0:
		rule.statuses = newStatusSet(c.Statuses...)
	case model:
		rule.statuses = newStatusSet(StatusRange{408, 408}, StatusRange{429, 429}, StatusRange{500, 599})
	default:
		rule.statuses = newStatusSet(StatusRange{429, 429}, StatusRange{500, 599})
	}
	switch {
	case rule.failures < 0 || rule.failures > 10_000:
		return rule, errors.New("breaker.failures: must be 0 to 10000")
	case rule.percentage < 0 || rule.percentage > 100:
		return rule, errors.New("breaker.percentage: must be 0 to 100")
	}
	return rule, nil
}

// newRetryRule fills in the defaults of retries. Statuses that another try cannot change are never tried again (RE-3).
func newRetryRule(c *RetryConfig, model bool) retryRule {
	rule := retryRule{attempts: c.Attempts, unsafe: c.Unsafe, maxWait: orDuration(c.MaxWait, 2*time.Second)}
	switch {
	case len(c.Statuses) > 0:
		rule.statuses = newStatusSet(c.Statuses...)
	case model:
		rule.statuses = newStatusSet(StatusRange{408, 408}, StatusRange{429, 429}, StatusRange{500, 500},
			StatusRange{502, 504}, StatusRange{529, 529})
	default:
		rule.statuses = newStatusSet(StatusRange{429, 429}, StatusRange{502, 504})
	}
	for _, never := range []int{400, 401, 403, 404, 413, 422} {
		rule.statuses[never] = false
	}
	return rule
}
