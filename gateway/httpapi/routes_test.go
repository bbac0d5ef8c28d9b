package httpapi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table of routes: method, path, audience, and whether the client asks for a change.
// Every operator's route is one of openapi.yaml, and openapi.yaml has no other.
func TestRoutes(t *testing.T) {
	t.Parallel()
	want := []string{
		"GET /:token recipients", "GET /robots.txt recipients", "POST /:token recipients, changes state",
		"GET /livez probes", "GET /metrics probes", "GET /readyz probes",
	}
	parameter := regexp.MustCompile(`\{([a-z]+)\}`)
	for path, operations := range readDescription(t).Paths {
		for method := range operations {
			if method == "parameters" { // those of every operation of the path
				continue
			}
			line := strings.ToUpper(method) + " " + parameter.ReplaceAllString(path, ":$1") + " operators"
			if method != "get" {
				line += ", changes state"
			}
			want = append(want, line)
		}
	}
	var got []string
	for _, r := range routes() {
		line := fmt.Sprintf("%s %s %s", r.method, r.path, r.audience)
		if r.changesState {
			line += ", changes state"
		}
		got = append(got, line)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the routes are\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// A route that changes state has no safe method, and every other route has GET.
func TestMethodsOfRoutes(t *testing.T) {
	t.Parallel()
	for _, r := range routes() {
		safe := slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}, r.method)
		if r.changesState == safe {
			t.Errorf("%s %s: changes state: %v", r.method, r.path, r.changesState)
		}
	}
	if got := allowedMethods(recipients, clickPath); got != "GET, HEAD, POST" {
		t.Errorf("a link allows %s", got)
	}
}

// Only change makes routes that change state, only read and change make routes, and only
// register adds routes to echo.
func TestOnlyConstructorOfChangingRoutes(t *testing.T) {
	t.Parallel()
	found := map[string][]string{} // what was found, by the functions that it stands in
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range files {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			where := "a declaration of " + name
			if function, ok := declaration.(*ast.FuncDecl); ok {
				where = function.Name.Name
			}
			ast.Inspect(declaration, func(n ast.Node) bool {
				if what := routeMaker(n); what != "" && !slices.Contains(found[what], where) {
					found[what] = append(found[what], where)
				}
				return true
			})
		}
	}
	for what, want := range map[string][]string{
		"route{}": {"read", "change"}, "changesState": {"change"}, "registration": {"register"},
	} {
		if !slices.Equal(found[what], want) {
			t.Errorf("%s stands in %v, want %v", what, found[what], want)
		}
	}
}

// routeMaker returns the part of making a route that a node is, "" for none.
func routeMaker(n ast.Node) string {
	switch n := n.(type) {
	case *ast.CompositeLit:
		if name, ok := n.Type.(*ast.Ident); ok && name.Name == "route" {
			return "route{}"
		}
		// In []route{{…}} the inner literal has no type.
		list, ok := n.Type.(*ast.ArrayType)
		if !ok {
			return ""
		}
		name, ok := list.Elt.(*ast.Ident)
		if ok && name.Name == "route" && slices.ContainsFunc(n.Elts,
			func(e ast.Expr) bool { _, literal := e.(*ast.CompositeLit); return literal }) {
			return "route{}"
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "changesState" {
			return "changesState"
		}
	case *ast.AssignStmt:
		for _, left := range n.Lhs {
			if selector, ok := left.(*ast.SelectorExpr); ok && selector.Sel.Name == "changesState" {
				return "changesState"
			}
		}
	case *ast.CallExpr:
		selector, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return ""
		}
		echos := []string{
			"Any", "CONNECT", "DELETE", "File", "GET", "Group", "HEAD", "Match", "OPTIONS", "PATCH", "POST",
			"PUT", "Static", "TRACE",
		}
		receiver, _ := selector.X.(*ast.Ident)
		if receiver != nil && receiver.Name == "e" && (selector.Sel.Name == "Add" ||
			slices.Contains(echos, selector.Sel.Name)) {
			return "registration"
		}
	}
	return ""
}
