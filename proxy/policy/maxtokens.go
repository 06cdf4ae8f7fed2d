package policy

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// maxTokens is max_tokens (MX-1 to MX-4): of several the smallest cap wins, since each lowers what the one before left.
type maxTokens struct {
	base
	most, otherwise *program // otherwise nil: most
	refuse          bool
}

func (p *maxTokens) Admit(ctx context.Context, call *proxy.Call) (proxy.Verdict, error) {
	if call.Surface != proxy.LLM || call.Prompt.NoCompletion {
		return proxy.Verdict{}, nil
	}
	f := p.facts(call)
	if !p.applies(ctx, f, false) {
		return proxy.Verdict{}, nil
	}
	most, err := p.number(ctx, p.most, f)
	if err != nil {
		return proxy.Verdict{}, err
	}
	otherwise, err := p.number(ctx, p.otherwise, f)
	if err != nil {
		return proxy.Verdict{}, err
	}
	if otherwise == 0 || most > 0 && otherwise > most {
		otherwise = most
	}
	asked := call.Shape.MaxTokens
	if asked == 0 {
		asked = call.Prompt.Completion
	}
	switch {
	case asked <= 0:
		call.Shape.MaxTokens = otherwise
	case most > 0 && asked > most && p.refuse:
		return proxy.Verdict{}, &proxy.Error{
			Kind: proxy.Refused, Status: http.StatusBadRequest, Code: "max_tokens_too_large", Type: "invalid_request_error",
			Policy: p.label, Msg: fmt.Sprintf("This request asks for up to %d tokens, more than the cap of %d. Ask for fewer.", asked, most),
		}
	case most > 0 && asked > most:
		call.Shape.MaxTokens = most
	}
	return proxy.Verdict{}, nil
}

// number evaluates a cap; 0 when there is none. A value ≤ 0 is a policy that cannot be evaluated (MX-4).
func (p *maxTokens) number(ctx context.Context, expr *program, f *facts) (int, error) {
	if expr == nil {
		return 0, nil
	}
	n, err := expr.int(ctx, f)
	if err == nil && (n <= 0 || n > math.MaxInt32) {
		err = fmt.Errorf("cap is %d", n)
	}
	if err != nil {
		return 0, p.env.broken(p.label, err)
	}
	return int(n), nil
}
