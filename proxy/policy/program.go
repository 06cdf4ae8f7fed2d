package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// Bounds of one expression (PO-2).
const (
	maxExpression = 4 << 10
	maxCost       = 100_000
	maxTime       = 10 * time.Millisecond
)

// program is a compiled expression. Immutable.
type program struct {
	text string
	cel  cel.Program
	// bounded: its cost is small whatever a caller sends, so it runs without meter and clock.
	bounded bool
}

// place is where an expression stands: which variables it may read.
type place bool

const (
	onRequest  place = false
	onResponse place = true
)

// fault is what is wrong with an expression.
type fault struct {
	message string
	offset  int // bytes; -1: the whole
}

// compile checks an expression: syntax, types, size, static cost.
func (e *Env) compile(text string, at place, want ...*cel.Type) (*program, *fault) {
	if len(text) > maxExpression {
		return nil, &fault{fmt.Sprintf("expression is longer than %d bytes", maxExpression), -1}
	}
	language := e.request
	if at == onResponse {
		language = e.response
	}
	env, err := language()
	if err != nil {
		return nil, &fault{err.Error(), -1}
	}
	tree, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, firstIssue(text, issues)
	}
	if !oneOf(tree.OutputType(), want) {
		return nil, &fault{fmt.Sprintf("expression gives %s, not %s", tree.OutputType(), want[0]), -1}
	}
	estimate, err := env.EstimateCost(tree, sizes{})
	if err != nil || estimate.Max > maxCost {
		return nil, &fault{fmt.Sprintf("expression may cost more than %d", maxCost), -1}
	}
	p := &program{text: text, bounded: bounded(tree)}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if !p.bounded {
		options = append(options, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(64))
	}
	if p.cel, err = env.Program(tree, options...); err != nil {
		return nil, &fault{err.Error(), -1}
	}
	return p, nil
}

func oneOf(have *cel.Type, want []*cel.Type) bool {
	for _, w := range want {
		if have.IsExactType(w) || have.IsExactType(cel.DynType) || w.IsExactType(cel.DynType) {
			return true
		}
	}
	return false
}

func firstIssue(text string, issues *cel.Issues) *fault {
	list := issues.Errors()
	if len(list) == 0 {
		return &fault{issues.Err().Error(), -1}
	}
	first := list[0]
	return &fault{first.Message, offset(text, first.Location.Line(), first.Location.Column())}
}

// offset turns CEL's line (from 1) and column (runes, from 0) into bytes.
func offset(text string, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	for ; column > 0 && at < len(text) && text[at] != '\n'; column-- {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}

// bounded reports whether an expression's cost is small whatever a caller sends: it reads nothing without a small bound,
// and has no loop inside a loop.
func bounded(tree *cel.Ast) bool {
	native := tree.NativeRep()
	for _, info := range native.ReferenceMap() {
		switch info.Name {
		case "request.body", "arguments", "caller.claims":
			return false
		}
	}
	nested := false
	ast.PostOrderVisit(native.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		nested = nested || e.Kind() == ast.ComprehensionKind && loops(e) > 1
	}))
	return !nested
}

// loops counts the comprehensions of an expression, itself included.
func loops(e ast.Expr) (n int) {
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			n++
		}
	}))
	return n
}

// sizes bounds what variables hold, for the static estimate. What is larger runs into the meter.
type sizes struct{}

func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	path := node.Path()
	if len(path) == 0 {
		return nil
	}
	most := uint64(1 << 10) // a text
	switch {
	case node.Type().Kind() == types.ListKind, node.Type().Kind() == types.MapKind:
		most = 100
	case path[0] == "request.body":
		most = 200
	}
	return &cost.SizeEstimate{Min: 0, Max: most}
}

func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// eval runs the program.
func (p *program) eval(ctx context.Context, facts *facts) (ref.Val, error) {
	if p.bounded {
		v, _, err := p.cel.Eval(facts)
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	v, _, err := p.cel.ContextEval(ctx, facts)
	return v, err
}

var (
	errNotBool = errors.New("expression gives no bool")
	errNotText = errors.New("expression gives no string")
	errNotInt  = errors.New("expression gives no int")
)

func (p *program) bool(ctx context.Context, facts *facts) (bool, error) {
	v, err := p.eval(ctx, facts)
	if err != nil {
		return false, err
	}
	if b, ok := v.(types.Bool); ok {
		return bool(b), nil
	}
	return false, errNotBool
}

func (p *program) string(ctx context.Context, facts *facts) (string, error) {
	v, err := p.eval(ctx, facts)
	if err != nil {
		return "", err
	}
	if s, ok := v.(types.String); ok {
		return string(s), nil
	}
	return "", errNotText
}

func (p *program) int(ctx context.Context, facts *facts) (int64, error) {
	v, err := p.eval(ctx, facts)
	if err != nil {
		return 0, err
	}
	switch n := v.(type) {
	case types.Int:
		return int64(n), nil
	case types.Double:
		if n == types.Double(int64(n)) {
			return int64(n), nil
		}
	}
	return 0, errNotInt
}

// CompileText compiles an expression that gives a text about a call, such as the affinity of a pool. The offset of a
// fault is in the expression, or -1.
func CompileText(expression string, env *Env) (func(context.Context, *proxy.Call) (string, error), *Fault) {
	p, f := env.compile(expression, onRequest, cel.StringType)
	if f != nil {
		return nil, &Fault{Message: f.message, Offset: f.offset}
	}
	return func(ctx context.Context, call *proxy.Call) (string, error) {
		return p.string(ctx, &facts{env: env, call: call, tokens: env.estimates(call)})
	}, nil
}
