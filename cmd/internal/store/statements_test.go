package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A value that becomes part of a statement's text is an injection waiting for its day. Statements are literals, constants
// of this package, or parameters that were given one; nothing is formatted or joined to them (operations.md D3).
func TestStatementsAreNeverBuiltFromValues(t *testing.T) {
	files, err := filepath.Glob("*.go")
	check(t, err)
	set, constants, calls := token.NewFileSet(), map[string]bool{}, 0
	var parsed []*ast.File
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		check(t, err)
		file, err := parser.ParseFile(set, name, source, 0)
		check(t, err)
		parsed = append(parsed, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
				for _, spec := range d.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						constants[name.Name] = true
					}
				}
			}
			return true
		})
	}
	var fixed func(e ast.Expr) bool
	fixed = func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.BasicLit:
			return true
		case *ast.Ident:
			return constants[e.Name]
		case *ast.BinaryExpr:
			return fixed(e.X) && fixed(e.Y)
		}
		return false
	}
	passedOn := map[string]bool{"query": true, "statement": true, "table.statement": true} // parameters, checked where they come from
	for _, file := range parsed {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			at, ok := statementArgument[calledName(call)]
			if !ok || len(call.Args) <= at {
				return true
			}
			calls++
			if arg := call.Args[at]; !fixed(arg) && !passedOn[text(arg)] {
				t.Errorf("%s: the statement is not fixed", set.Position(arg.Pos()))
			}
			return true
		})
	}
	if calls < 30 {
		t.Errorf("found %d calls only", calls)
	}
}

// statementArgument is where each function takes its statement.
var statementArgument = map[string]int{
	"ExecContext": 1, "QueryContext": 1, "QueryRowContext": 1, "PrepareContext": 1, "exec": 2, "quarantine": 4, "transaction": 1,
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	}
	return ""
}
