package policy

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// refuse picks the refusal that counts: a quota before a rate, since waiting a minute would not help; among equals the
// longest wait (ER-24).
func (r *reservation) refuse(refused []refusal) *proxy.Error {
	for _, no := range refused {
		r.env.decided(no.want.limit.label, "refused")
	}
	worst := slices.MaxFunc(refused, func(a, b refusal) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a.wait, b.wait))
	})
	e := worst.error(r.env.deps.Now())
	h := http.Header{}
	r.Header(h)
	for name, values := range e.Header {
		h[name] = values
	}
	e.Header = h
	return e
}

func rank(no refusal) int {
	switch {
	case !no.want.limit.sliding():
		return 2
	case no.never:
		return 1
	default:
		return 0
	}
}

func (no *refusal) error(now time.Time) *proxy.Error {
	l := no.want.limit
	e := &proxy.Error{
		Kind: proxy.Refused, Status: http.StatusTooManyRequests, Code: "rate_limit_exceeded", Policy: l.label,
		RetryAfter: no.wait,
	}
	wait := proxy.WholeSeconds(no.wait)
	switch l.kind {
	case rateLimit:
		e.Type = "requests"
		e.Msg = fmt.Sprintf("Rate limit of %s per %s reached. %s", plural(l.most, "call"), &l.win, tryAgain(wait))
	case tokenLimit:
		e.Type = "tokens"
		e.Msg = fmt.Sprintf("Token limit of %d per %s reached: %d needed, %d left. %s", l.most, &l.win, no.want.need, no.left, tryAgain(wait))
	default:
		return no.overQuota(e)
	}
	if no.never {
		e.RetryAfter, e.NoRetry, e.Code = 0, true, "request_too_large_for_limit"
		e.Msg = fmt.Sprintf("This request needs %d, more than the whole limit of %d per %s. Send a smaller request.",
			no.want.need, l.most, &l.win)
		return e
	}
	l.retryHeaders(e, now, wait)
	return e
}

func (no *refusal) overQuota(e *proxy.Error) *proxy.Error {
	l := no.want.limit
	e.Status, e.Type, e.NoRetry = http.StatusForbidden, "insufficient_quota", true
	end := no.until.Format(time.RFC3339)
	switch l.kind {
	case quota:
		e.Code = "quota_exceeded"
		e.Msg = fmt.Sprintf("Quota of %s per %s reached. It starts anew at %s.", plural(l.most, "call"), &l.win, end)
	case tokenQuota:
		e.Code = "token_quota_exceeded"
		e.Msg = fmt.Sprintf("Token quota of %d per %s reached: %d needed, %d left. It starts anew at %s.",
			l.most, &l.win, no.want.need, no.left, end)
	default:
		e.Code = "budget_exceeded"
		e.Msg = fmt.Sprintf("The budget per %s is used up. It starts anew at %s.", &l.win, end)
	}
	l.retryHeaders(e, time.Time{}, proxy.WholeSeconds(no.wait))
	return e
}

// retryHeaders writes the other forms and names of retry-after (RL-11, RL-12).
func (l *limit) retryHeaders(e *proxy.Error, now time.Time, wait int64) {
	value := ""
	switch l.retryAfter {
	case "date":
		value = now.Add(e.RetryAfter + time.Second - 1).UTC().Format(http.TimeFormat)
	case "timestamp":
		value = now.Add(e.RetryAfter).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	if value == "" && l.names.RetryAfter == "" {
		return
	}
	if value == "" {
		value = strconv.FormatInt(wait, 10)
	}
	e.Header = http.Header{}
	if name := l.names.RetryAfter; name != "" {
		e.Header["Retry-After"] = nil
		e.Header.Set(name, value)
		return
	}
	e.Header.Set("Retry-After", value)
}

// Header tells the limits: each name once, from the tightest limit that has it (RL-9, RL-12, TL-14, TQ-4).
func (r *reservation) Header(h http.Header) {
	type level struct {
		limit *limit
		left  int64
	}
	levels, now := make([]level, 0, len(r.wants)), time.Time{}
	for i := range r.wants {
		w := &r.wants[i]
		if !w.limit.told {
			continue
		}
		if now.IsZero() {
			now = r.env.deps.Now()
		}
		levels = append(levels, level{w.limit, w.left(now)})
	}
	if len(levels) > 1 {
		slices.SortStableFunc(levels, func(a, b level) int {
			return cmp.Compare(float64(a.left)/float64(a.limit.most), float64(b.left)/float64(b.limit.most))
		})
	}
	for _, lv := range levels {
		limitName, leftName := lv.limit.headerNames()
		put(h, limitName, lv.limit.most)
		put(h, leftName, lv.left)
	}
	if r.counted {
		put(h, "X-Drawbridge-Estimated-Tokens", r.prompt)
	}
}

func put(h http.Header, name string, n int64) {
	if name == "" {
		return
	}
	if _, told := h[name]; !told {
		h[name] = []string{strconv.FormatInt(n, 10)}
	}
}

// headerNames are canonical; "" sends none.
func (l *limit) headerNames() (limit, left string) {
	switch l.kind {
	case rateLimit:
		limit, left = "X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests"
	case tokenLimit:
		limit, left = "X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens"
	case tokenQuota:
		left = "X-Drawbridge-Quota-Remaining-Tokens"
	}
	if l.names.Limit != "" {
		limit = l.names.Limit
	}
	if l.names.Remaining != "" {
		left = l.names.Remaining
	}
	return limit, left
}

// left is what the limit leaves now.
func (w *want) left(now time.Time) int64 {
	w.counter.mu.Lock()
	defer w.counter.mu.Unlock()
	w.counter.advance(&w.limit.win, now)
	return max(w.limit.most-w.counter.sum, 0)
}

// Left is what the tightest limit leaves.
func (r *reservation) Left() int64 {
	least, now := int64(-1), r.env.deps.Now()
	for i := range r.wants {
		w := &r.wants[i]
		if w.limit.kind == costBudget {
			continue
		}
		if n := w.left(now); least < 0 || n < least {
			least = n
		}
	}
	return least
}

func tryAgain(wait int64) string { return fmt.Sprintf("Try again in %s.", plural(wait, "second")) }

func plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.FormatInt(n, 10) + " " + word + "s"
}
