package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"golang.org/x/net/http/httpguts"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// base is what policies share that are not limits.
type base struct {
	env   *Env
	label string
	when  *program
}

// applies evaluates when; failing tells what an expression that fails counts as (PX-14).
func (b *base) applies(ctx context.Context, f *facts, failing bool) bool {
	if b.when == nil {
		return true
	}
	ok, err := b.when.bool(ctx, f)
	if err != nil {
		b.env.warn(ctx, b.label, "when", err)
		return failing
	}
	return ok
}

func (b *base) facts(call *proxy.Call) *facts {
	return &facts{env: b.env, call: call, tokens: b.env.estimates(call)}
}

// require refuses calls for which an expression is not true (RQ-1).
type require struct {
	base
	that    *program
	status  int
	message string
}

func (p *require) Admit(ctx context.Context, call *proxy.Call) (proxy.Verdict, error) {
	f := p.facts(call)
	if !p.applies(ctx, f, true) {
		return proxy.Verdict{}, nil
	}
	ok, err := p.that.bool(ctx, f)
	if err != nil {
		return proxy.Verdict{}, p.env.broken(p.label, err)
	}
	if ok {
		p.env.decided(p.label, "admitted")
		return proxy.Verdict{}, nil
	}
	p.env.decided(p.label, "refused")
	return proxy.Verdict{}, &proxy.Error{
		Kind: proxy.Refused, Status: p.status, Code: "policy_refused", Type: "permission_error", Msg: p.message,
		Policy: p.label, NoRetry: p.status == http.StatusTooManyRequests,
	}
}

// setHeader is set_header with on: request (HD-1).
type setHeader struct {
	base
	name     string // canonical
	value    *program
	ifExists string
}

func (p *setHeader) Admit(ctx context.Context, call *proxy.Call) (proxy.Verdict, error) {
	f := p.facts(call)
	if !p.applies(ctx, f, false) {
		return proxy.Verdict{}, nil
	}
	value, err := headerValue(ctx, p.value, f)
	if err != nil {
		return proxy.Verdict{}, p.env.broken(p.label, err)
	}
	s := &call.Shape
	switch p.ifExists {
	case "skip":
		if s.Header.Get(p.name) == "" && s.Append.Get(p.name) == "" {
			set(&s.Default, p.name, value)
		}
	case "append":
		set(&s.Append, p.name, append(s.Append.Values(p.name), value)...)
	default:
		s.Append.Del(p.name)
		set(&s.Header, p.name, value)
	}
	return proxy.Verdict{}, nil
}

func set(h *http.Header, name string, values ...string) {
	if *h == nil {
		*h = http.Header{}
	}
	(*h)[name] = values
}

// headerValue refuses what would end the header early and begin another (CR, LF, NUL).
func headerValue(ctx context.Context, p *program, f *facts) (string, error) {
	value, err := p.string(ctx, f)
	if err != nil {
		return "", err
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return "", fmt.Errorf("value is not valid in a header")
	}
	return value, nil
}

// removeHeader is remove_header with on: request (HD-2).
type removeHeader struct {
	base
	name string
}

func (p *removeHeader) Admit(ctx context.Context, call *proxy.Call) (proxy.Verdict, error) {
	if !p.applies(ctx, p.facts(call), false) {
		return proxy.Verdict{}, nil
	}
	s := &call.Shape
	for _, h := range []http.Header{s.Header, s.Default, s.Append} {
		proxy.RemoveHeader(h, p.name)
	}
	s.Remove = append(s.Remove, p.name)
	return proxy.Verdict{}, nil
}

// respond is set_header or remove_header with on: response (HD-3).
type respond struct {
	base
	name     string
	value    *program // nil: remove
	ifExists string
}

// Admit has nothing to decide.
func (p *respond) Admit(context.Context, *proxy.Call) (proxy.Verdict, error) {
	return proxy.Verdict{}, nil
}

// Respond changes the headers that go out. What fails is left out: an answer is never refused here.
func (p *respond) Respond(ctx context.Context, call *proxy.Call, r *proxy.Response, h http.Header) {
	f := p.facts(call)
	f.response = r
	if !p.applies(ctx, f, false) {
		return
	}
	if p.value == nil {
		proxy.RemoveHeader(h, p.name)
		return
	}
	value, err := headerValue(ctx, p.value, f)
	if err != nil {
		p.env.warn(ctx, p.label, "value", err)
		return
	}
	switch {
	case p.ifExists == "append":
		h.Add(p.name, value)
	case p.ifExists != "skip" || h.Get(p.name) == "":
		h.Set(p.name, value)
	}
}

// setArgument is set_argument (SA-1).
type setArgument struct {
	base
	name  string
	value *program
}

func (p *setArgument) Admit(ctx context.Context, call *proxy.Call) (proxy.Verdict, error) {
	f := p.facts(call)
	if !p.applies(ctx, f, false) {
		return proxy.Verdict{}, nil
	}
	if call.Surface == proxy.LLM && structural(p.name) {
		return proxy.Verdict{}, p.env.broken(p.label, fmt.Errorf("%s of a model's request cannot be set", p.name))
	}
	v, err := p.value.eval(ctx, f)
	if err != nil {
		return proxy.Verdict{}, p.env.broken(p.label, err)
	}
	text, err := json.Marshal(native(v))
	if err != nil {
		return proxy.Verdict{}, p.env.broken(p.label, err)
	}
	call.Shape.Arguments = append(call.Shape.Arguments, proxy.Argument{Name: p.name, Value: text})
	return proxy.Verdict{}, nil
}

// structural members of a model's request decide what it is.
func structural(name string) bool {
	switch name {
	case "model", "messages", "input", "stream":
		return true
	}
	return false
}

// native turns a value of an expression into what JSON knows.
func native(v ref.Val) any {
	switch v := v.(type) {
	case types.Null:
		return nil
	case traits.Lister:
		var list []any
		for it := v.Iterator(); it.HasNext() == types.True; {
			list = append(list, native(it.Next()))
		}
		return list
	case traits.Mapper:
		m := map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			k := it.Next()
			m[fmt.Sprint(k.Value())] = native(v.Get(k))
		}
		return m
	default:
		return v.Value()
	}
}

// route is route (RT-1): the last one that applies wins.
type route struct {
	base
	to    string
	expr  *program
	allow []string
}

func (p *route) Admit(ctx context.Context, call *proxy.Call) (proxy.Verdict, error) {
	f := p.facts(call)
	if !p.applies(ctx, f, false) {
		return proxy.Verdict{}, nil
	}
	to := p.to
	if p.expr != nil {
		var err error
		if to, err = p.expr.string(ctx, f); err != nil {
			return proxy.Verdict{}, p.env.broken(p.label, err)
		}
		if !contains(p.allow, to) {
			return proxy.Verdict{}, p.env.broken(p.label, fmt.Errorf("to_expr gave a name that is not in allow"))
		}
	}
	call.Target = to
	return proxy.Verdict{}, nil
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
