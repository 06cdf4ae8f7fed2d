package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/drawbridge-mcp/drawbridge/"

// arrows says what each room may know of ours, folder by folder; the first entry whose prefix fits counts, so leaves
// stand before their parents. Everything points down: cmd → mcp, llm, oauth → proxy, openapi.
var arrows = []struct {
	room string
	may  []string
}{
	{"proxy/identity", nil},
	{"proxy/secret", nil},
	{"proxy/egress", nil},
	{"proxy", []string{"proxy"}},
	{"openapi", []string{"openapi"}},
	{"llm", []string{"llm", "proxy"}},
	{"mcp", []string{"mcp", "openapi", "proxy"}},
	{"oauth", []string{"oauth", "proxy/identity", "proxy/secret", "proxy/egress"}},
	{"samples", []string{"samples"}},
	{"cmd/internal/strictyaml", []string{"proxy/secret"}},
	{"cmd/internal/telemetry", []string{"proxy", "proxy/identity", "proxy/secret"}},
	{"cmd/internal", []string{"cmd/internal", "mcp", "llm", "oauth", "openapi", "proxy"}},
	{"cmd/drawbridge", []string{"cmd/internal", "mcp", "llm", "oauth", "openapi", "proxy", "samples"}},
}

// owners says in which room a third-party module may be imported at all (tests apart).
var owners = map[string][]string{
	"github.com/mark3labs/mcp-go":            {"mcp"},
	"github.com/getkin/kin-openapi":          {"openapi"},
	"cel.dev/cel-go":                         {"proxy/policy", "cmd/drawbridge"},
	"github.com/coreos/go-oidc":              {"oauth/entra"},
	"github.com/modelcontextprotocol/go-sdk": {}, // tests only
	"modernc.org/sqlite":                     {"cmd/internal/store"},
	"github.com/pressly/goose":               {"cmd/internal/store"},
	"github.com/spf13/cobra":                 {"cmd/drawbridge"},
	"go.yaml.in/yaml":                        {"cmd/internal/strictyaml", "cmd/drawbridge", "openapi"},
	"github.com/prometheus/client_golang":    {"cmd/internal/telemetry"},
	"github.com/invopop/jsonschema":          {"cmd/drawbridge", "cmd/internal/strictyaml"},
	"github.com/pkoukk/tiktoken-go-loader":   {"llm/tokens"},
	"github.com/golang-jwt/jwt":              {"oauth", "mcp/client"},
	"os/exec":                                {"cmd/drawbridge", "samples"}, // no API and no page can start a process
}

// foreign types that must not stand in exported signatures outside the room that owns them.
var foreign = []string{"github.com/mark3labs/mcp-go", "github.com/getkin/kin-openapi", "github.com/labstack/echo"}

type source struct {
	room string // folder, slash separated
	path string
	file *ast.File
	test bool
}

func parseAll(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	root, set, all := "../..", token.NewFileSet(), []source(nil)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == ".git") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		all = append(all, source{filepath.ToSlash(filepath.Dir(rel)), filepath.ToSlash(rel), file, strings.HasSuffix(path, "_test.go")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found %d Go files; is the test running in cmd/drawbridge?", len(all))
	}
	return set, all
}

func below(path, room string) bool { return path == room || strings.HasPrefix(path, room+"/") }

func TestArrowsPointDown(t *testing.T) {
	_, all := parseAll(t)
	for _, s := range all {
		if s.test {
			continue
		}
		for _, spec := range s.file.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			if ours, ok := strings.CutPrefix(target, module); ok {
				if !mayKnow(s.room, ours) {
					t.Errorf("%s imports %s: no arrow leads from %s there", s.path, ours, s.room)
				}
				continue
			}
			for owned, rooms := range owners {
				if below(target, owned) && !anyRoom(s.room, rooms) {
					t.Errorf("%s imports %s, which belongs to %v", s.path, target, rooms)
				}
			}
		}
	}
}

func mayKnow(room, target string) bool {
	if below(target, room) { // a room knows its own tree
		return true
	}
	for _, a := range arrows {
		if below(room, a.room) {
			return anyRoom(target, a.may)
		}
	}
	return false
}

func anyRoom(path string, rooms []string) bool {
	for _, r := range rooms {
		if below(path, r) {
			return true
		}
	}
	return false
}

func TestExportedSignaturesShowNoForeignTypes(t *testing.T) {
	set, all := parseAll(t)
	for _, s := range all {
		if s.test {
			continue
		}
		names := foreignNames(s.file)
		if len(names) == 0 {
			continue
		}
		for _, d := range s.file.Decls {
			for _, part := range exportedParts(d) {
				ast.Inspect(part, func(n ast.Node) bool {
					sel, ok := n.(*ast.SelectorExpr)
					if !ok {
						return true
					}
					if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] != "" && !echoAllowed(s.room, names[x.Name], d, sel.Sel.Name) {
						t.Errorf("%s: exported signature shows %s.%s", set.Position(sel.Pos()), x.Name, sel.Sel.Name)
					}
					return true
				})
			}
		}
	}
}

// echoAllowed: Mount(*echo.Group) anywhere, and echo's own types in the folders of cmd, which own the listener.
func echoAllowed(room, path string, d ast.Decl, name string) bool {
	if !strings.HasPrefix(path, "github.com/labstack/echo") {
		return false
	}
	f, ok := d.(*ast.FuncDecl)
	return below(room, "cmd") || ok && strings.HasPrefix(f.Name.Name, "Mount") && (name == "Group" || name == "Echo")
}

func foreignNames(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		for _, p := range foreign {
			if !strings.HasPrefix(path, p) {
				continue
			}
			name := path[strings.LastIndex(path, "/")+1:]
			if len(name) > 1 && name[0] == 'v' && name[1] >= '0' && name[1] <= '9' {
				name = strings.TrimSuffix(path, "/"+name)
				name = name[strings.LastIndex(name, "/")+1:]
			}
			if spec.Name != nil {
				name = spec.Name.Name
			}
			names[name] = path
		}
	}
	return names
}

// exportedParts returns the parts of a declaration that users of the package see: signatures, not bodies.
func exportedParts(d ast.Decl) (parts []ast.Node) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) {
			parts = append(parts, d.Type)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					parts = append(parts, exportedFields(s.Type)...)
				}
			case *ast.ValueSpec:
				if s.Type != nil && len(s.Names) > 0 && s.Names[0].IsExported() {
					parts = append(parts, s.Type)
				}
			}
		}
	}
	return parts
}

func exportedFields(x ast.Expr) (parts []ast.Node) {
	st, ok := x.(*ast.StructType)
	if !ok {
		return []ast.Node{x}
	}
	for _, f := range st.Fields.List {
		if len(f.Names) == 0 || f.Names[0].IsExported() {
			parts = append(parts, f.Type)
		}
	}
	return parts
}

func exportedReceiver(l *ast.FieldList) bool {
	x := l.List[0].Type
	if s, ok := x.(*ast.StarExpr); ok {
		x = s.X
	}
	if i, ok := x.(*ast.IndexExpr); ok {
		x = i.X
	}
	id, ok := x.(*ast.Ident)
	return ok && id.IsExported()
}

func TestEveryPackageSaysWhatItOwns(t *testing.T) {
	_, all := parseAll(t)
	documented := map[string]bool{}
	for _, s := range all {
		if !s.test {
			documented[s.room] = documented[s.room] || s.file.Doc != nil
		}
	}
	for room, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", room)
		}
	}
}

func TestOnlyTheCommandReadsTheEnvironment(t *testing.T) {
	_, all := parseAll(t)
	for _, s := range all {
		if s.test || below(s.room, "cmd/drawbridge") || below(s.room, "samples") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && (sel.Sel.Name == "Getenv" || sel.Sel.Name == "LookupEnv" || sel.Sel.Name == "Environ") {
				t.Errorf("%s reads the environment; only cmd/drawbridge does", s.path)
			}
			return true
		})
	}
}

func TestTheTopLevelHoldsOnlyTheRooms(t *testing.T) {
	allowed := map[string]bool{"cmd": true, "mcp": true, "oauth": true, "openapi": true, "proxy": true, "llm": true, "samples": true, "docs": true}
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !allowed[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
			t.Errorf("top-level folder %s is not one of the rooms", e.Name())
		}
	}
}
