package policy

import (
	"net/http"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// PF-7: a limiter, admit and settle, ≤ 500 ns.
func BenchmarkRateLimit(b *testing.B) {
	benchLimit(b, proxy.PhaseCalls, Entry{RateLimit: &RateLimit{Calls: mostSliding, Per: time.Minute}})
}

func BenchmarkTokenLimit(b *testing.B) {
	benchLimit(b, proxy.PhaseTokens, Entry{TokenLimit: &TokenLimit{TokensPerMinute: mostSliding}})
}

func benchLimit(b *testing.B, phase proxy.Phase, e Entry) {
	p := compiled(b, newTestEnv(b, Deps{}), product, e)
	batch := p.ByPhase[phase]
	first := batch[0].(proxy.Batcher) //nolint:errcheck,forcetypeassert // it is one
	call := tokensCall("a", 100, 100)
	call.Prompt.Exact = func() int { return 90 }
	ctx, o := b.Context(), used(80, 20)
	b.ReportAllocs()
	for b.Loop() {
		v, err := first.AdmitAll(ctx, call, batch)
		if err != nil {
			b.Fatal(err)
		}
		v.Hold.Settle(o)
	}
}

// PF-7: a rule, ≤ 3 µs.
func BenchmarkExpression(b *testing.B) {
	for name, text := range map[string]string{
		"kind":    `caller.kind == "key"`,
		"roles":   `"Llm.User" in caller.roles || subscription.product == "p"`,
		"headers": `request.headers["x-team"] == "a" && model.startsWith("m")`,
		"loop":    `caller.roles.exists(r, r.startsWith("Llm."))`,
	} {
		b.Run(name, func(b *testing.B) {
			p := compiled(b, newTestEnv(b, Deps{}), product, Entry{Require: &Require{That: text}})
			call := keyed("a")
			call.Caller.Roles = []string{"A", "B", "Llm.User"}
			call.Request.Header = http.Header{"X-Team": {"a"}, "Accept": {"*/*"}, "Authorization": {"x"}, "Content-Type": {"application/json"}}
			rule := p.ByPhase[proxy.PhaseShape][0]
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rule.Admit(ctx, call); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
