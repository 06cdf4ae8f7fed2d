package policy

import (
	"context"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// Settle replaces what was reserved by what was used, once, under the stamp of admission (TL-10).
func (r *reservation) Settle(o proxy.Outcome) {
	r.ended.Do(func() { r.settle(&o) })
}

func (r *reservation) settle(o *proxy.Outcome) {
	for i := range r.wants {
		r.wants[i].need = r.final(&r.wants[i], o)
	}
	r.lock()
	for i := range r.wants {
		w := &r.wants[i]
		w.hold.drop()
		w.hold.amount = w.counter.adjust(w.hold.stamp, w.hold.amount, w.need)
	}
	r.unlock()
	r.afterwards(o)
}

// final is what stands after the call.
func (r *reservation) final(w *want, o *proxy.Outcome) int64 {
	if !w.limit.ofTokens() {
		if o.Ending == proxy.EndRefused {
			return 0 // RL-6
		}
		return w.hold.amount
	}
	if o.Usage.Source != proxy.UsageProvider && o.Usage.Source != proxy.UsageEstimated {
		return 0
	}
	u := &o.Usage
	used := tokens{int64(u.Input), int64(u.Output), int64(u.Cached), int64(u.Reasoning)}
	n, err := w.limit.amount(context.Background(), &r.facts, used, u)
	if err != nil {
		r.env.warn(context.Background(), w.limit.label, "count", err)
		return w.hold.amount // in doubt what was reserved stands
	}
	return n
}

// afterwards learns from the answer, and warns about budgets that run out.
func (r *reservation) afterwards(o *proxy.Outcome) {
	if o.Usage.Source == proxy.UsageProvider && o.Usage.Output > 0 && r.wants[0].limit.ofTokens() {
		r.env.deps.Counters.learn(r.call.Model, int64(o.Usage.Output)/int64(max(r.call.Prompt.Choices, 1)))
	}
	for i := range r.wants {
		c, l := r.wants[i].counter, r.wants[i].limit
		if l.warnAt == 0 {
			continue
		}
		c.mu.Lock()
		crossed := c.sum >= l.warnAt && c.warned != c.stamp
		if crossed {
			c.warned = c.stamp
		}
		c.mu.Unlock()
		if crossed {
			r.env.decided(l.label, "warned")
			r.env.deps.Log.Warn("budget is running out", "policy", l.label, "per", l.win.String())
		}
	}
}
