package store

import (
	"cmp"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// UsageSum adds up ledger rows that agree in all the texts.
type UsageSum struct {
	Subscription, Product, Caller string
	Surface                       string
	Server, Tool, Model, Backend  string
	Currency                      string
	Calls, Refused, CacheHits     int64
	TokensIn, TokensCached        int64 // TokensCached and TokensCacheWrite are parts of TokensIn
	TokensCacheWrite              int64
	TokensOut, TokensReasoning    int64 // TokensReasoning is a part of TokensOut
	CostMicro, SavedMicro         int64 // millionths of Currency
}

// Total adds sums up. The texts of the result are empty.
func Total(sums []UsageSum) UsageSum {
	var t UsageSum
	for _, s := range sums {
		t.add(s)
	}
	return t
}

func (t *UsageSum) add(s UsageSum) {
	t.Calls += s.Calls
	t.Refused += s.Refused
	t.CacheHits += s.CacheHits
	t.TokensIn += s.TokensIn
	t.TokensCached += s.TokensCached
	t.TokensCacheWrite += s.TokensCacheWrite
	t.TokensOut += s.TokensOut
	t.TokensReasoning += s.TokensReasoning
	t.CostMicro += s.CostMicro
	t.SavedMicro += s.SavedMicro
}

// usageSums are sums in the making.
type usageSums map[[9]string]*UsageSum

func (sums usageSums) add(r *proxy.Record) {
	one := usageOf(r)
	sum := sums[one.texts()]
	if sum == nil {
		sum = &UsageSum{}
		*sum = one
		sums[one.texts()] = sum
		return
	}
	sum.add(one)
}

func (sums usageSums) sorted() []UsageSum {
	list := make([]UsageSum, 0, len(sums))
	for _, s := range sums {
		list = append(list, *s)
	}
	sortUsage(list)
	return list
}

// usageOf is what one row adds.
func usageOf(r *proxy.Record) UsageSum {
	s := UsageSum{
		Subscription: r.Subscription, Product: r.Product, Caller: r.Caller, Surface: string(r.Surface),
		Server: r.Server, Tool: r.Tool, Model: r.Model, Backend: r.Backend, Currency: r.Currency,
		Calls: 1, Refused: count(r.Ending == proxy.EndRefused), CacheHits: count(isHit(r.Cache)),
		CostMicro: r.CostMicro, SavedMicro: r.SavedMicro,
	}
	if hasTokens(r) {
		u := &r.Usage
		s.TokensIn, s.TokensCached, s.TokensCacheWrite = int64(u.Input), int64(u.Cached), int64(u.CacheWrite)
		s.TokensOut, s.TokensReasoning = int64(u.Output), int64(u.Reasoning)
	}
	return s
}

// hasTokens tells known token counts, 0 for a refused call among them, from calls that have none (llm.md UR-5).
func hasTokens(r *proxy.Record) bool {
	return r.Ending == proxy.EndRefused || r.Usage.Source != "" && r.Usage.Source != proxy.UsageNone
}

func isHit(cache string) bool { return cache == "hit" || cache == "semantic" }

func count(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// texts is what sums are split by, for comparing.
func (t UsageSum) texts() [9]string {
	return [9]string{t.Subscription, t.Product, t.Caller, t.Surface, t.Server, t.Tool, t.Model, t.Backend, t.Currency}
}

func sortUsage(sums []UsageSum) {
	slices.SortFunc(sums, func(a, b UsageSum) int {
		x, y := a.texts(), b.texts()
		for i := range x {
			if c := cmp.Compare(x[i], y[i]); c != 0 {
				return c
			}
		}
		return 0
	})
}
