package main

import (
	"fmt"
	"go/ast"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of --check. All but the test ratio are counted without tests, except file
// length and line width, which hold for tests too.
const (
	maxFileLines     = 400
	maxFunctionLines = 80
	maxFunctionP90   = 30
	maxColumns       = 120 // a tab counts as one column
	minComments      = 12  // percent of the lines
	maxComments      = 20
	// smallPackage is the number of lines below which maxComments does not hold: the
	// package comment and one line for each exported name exceed it there.
	smallPackage = 60
)

// measures are the numbers of one package. Code is everything but tests; it includes Lua.
type measures struct {
	dir   string
	files int // without tests
	lines int // without tests
	// longest and longestTest are the longest files.
	longest, longestTest length
	functions            []length // sorted, the shortest first
	comments             int      // lines that hold a comment only
	wide                 int      // lines over maxColumns, in tests too
	tests                int      // lines of tests
	undocumented         []string // exported names without a comment
	coverage             string   // percent of statements, as go test prints it; empty if not asked
}

// length is the number of lines of something.
type length struct {
	name  string
	lines int
}

// measure counts one package.
func measure(t *tree, p *pkg) measures {
	m := measures{dir: p.dir}
	for _, f := range p.files {
		lines := splitLines(f.text)
		for _, line := range lines {
			if utf8.RuneCountInString(line) > maxColumns {
				m.wide++
			}
		}
		if f.test {
			m.tests += len(lines)
			m.longestTest = longer(m.longestTest, length{f.path, len(lines)})
			continue
		}
		m.files++
		m.lines += len(lines)
		m.longest = longer(m.longest, length{f.path, len(lines)})
		if f.syntax == nil {
			m.comments += luaComments(lines)
			continue
		}
		m.comments += goComments(t, f, lines)
		m.functions = append(m.functions, functions(t, f)...)
		m.undocumented = append(m.undocumented, undocumented(f.syntax)...)
	}
	slices.SortStableFunc(m.functions, func(a, b length) int { return a.lines - b.lines })
	return m
}

// splitLines returns the lines of a text without their ends. A text that ends in a line
// break has no empty line after it.
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// longer returns the longer one, and a if both are equal.
func longer(a, b length) length {
	if b.lines > a.lines {
		return b
	}
	return a
}

// luaComments counts the lines that contain only a comment. It does not know comments of
// several lines (--[[ ]]), which the scripts do not use.
func luaComments(lines []string) int {
	n := 0
	for _, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "--") {
			n++
		}
	}
	return n
}

// goComments counts the lines that contain only a comment. Directives such as //go:embed
// and //nolint are for tools and do not count.
func goComments(t *tree, f *file, lines []string) int {
	n := 0
	for _, group := range f.syntax.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:") || strings.HasPrefix(c.Text, "//nolint") {
				continue
			}
			from, to := t.fset.Position(c.Pos()), t.fset.Position(c.End())
			if strings.TrimSpace(lines[from.Line-1][:from.Column-1]) != "" {
				continue // behind code
			}
			n += to.Line - from.Line + 1
		}
	}
	return n
}

// functions returns the length of every function and method, from the line of func to that
// of the closing brace. Function literals are part of the function around them.
func functions(t *tree, f *file) []length {
	var all []length
	for _, decl := range f.syntax.Decls {
		if d, ok := decl.(*ast.FuncDecl); ok {
			from, to := t.fset.Position(d.Pos()), t.fset.Position(d.End())
			all = append(all, length{fmt.Sprintf("%s:%d %s", f.path, from.Line, d.Name.Name), to.Line - from.Line + 1})
		}
	}
	return all
}

// undocumented returns the exported names of a file that have no comment: types,
// functions, constants, variables and methods of exported types.
func undocumented(f *ast.File) []string {
	if f.Name.Name == "main" {
		return nil // nobody imports it
	}
	var all []string
	add := func(name string, comments ...*ast.CommentGroup) {
		has := slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c != nil })
		if ast.IsExported(name) && !has {
			all = append(all, name)
		}
	}
	// Fields are left out, because many are clear by their name and type.
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			// A method of an unexported type is not part of the package's documentation.
			if receiver := receiverOf(d); receiver == "" || ast.IsExported(receiver) {
				add(d.Name.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				// One comment may stand above a group of constants.
				switch s := spec.(type) {
				case *ast.TypeSpec:
					add(s.Name.Name, d.Doc, s.Doc)
				case *ast.ValueSpec:
					add(s.Names[0].Name, d.Doc, s.Doc, s.Comment)
				}
			}
		}
	}
	return all
}

// receiverOf returns the type that a method belongs to, without pointer and type
// parameters, or "" for a function.
func receiverOf(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	expr := d.Recv.List[0].Type
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	switch e := expr.(type) {
	case *ast.IndexExpr:
		expr = e.X
	case *ast.IndexListExpr:
		expr = e.X
	}
	if name, ok := expr.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// percentile returns the length that p percent of the functions do not exceed, or 0 for a
// package without functions.
func (m *measures) percentile(p int) int {
	if len(m.functions) == 0 {
		return 0
	}
	return m.functions[(len(m.functions)-1)*p/100].lines
}

// share returns the percentage of the lines of code that contain only a comment.
func (m *measures) share() float64 {
	if m.lines == 0 {
		return 0
	}
	return 100 * float64(m.comments) / float64(m.lines)
}

// ratio returns the lines of tests for each line of code.
func (m *measures) ratio() float64 {
	if m.lines == 0 {
		return 0
	}
	return float64(m.tests) / float64(m.lines)
}

// excesses returns a line for each limit that a package exceeds.
func (m *measures) excesses() []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, f := range []length{m.longest, m.longestTest} {
		if f.lines > maxFileLines {
			add("%s has %d lines; the limit is %d", f.name, f.lines, maxFileLines)
		}
	}
	if m.wide > 0 {
		add("%d lines have more than %d columns", m.wide, maxColumns)
	}
	if len(m.functions) == 0 {
		// Such a package, for example one of types, may be mostly comment.
		return all
	}
	if f := m.functions[len(m.functions)-1]; f.lines > maxFunctionLines {
		add("%s has %d lines; the limit is %d", f.name, f.lines, maxFunctionLines)
	}
	if p90 := m.percentile(90); p90 > maxFunctionP90 {
		add("90 %% of the functions have up to %d lines; the limit is %d", p90, maxFunctionP90)
	}
	if share := m.share(); share < minComments || share > maxComments && m.lines >= smallPackage {
		add("comments are %.1f %% of the lines; the range is %d to %d", share, minComments, maxComments)
	}
	if m.tests < m.lines && !testSupport(m.dir) {
		add("%d lines of tests for %d lines of code", m.tests, m.lines)
	}
	return all
}

// testSupport reports whether only tests use a package. The name of such a package ends in
// test, as that of net/http/httptest. The tests of other packages test it.
func testSupport(dir string) bool { return strings.HasSuffix(path.Base(dir), "test") }

// measureOptions are the flags of the report.
type measureOptions struct {
	root     string   // the directory with go.mod
	before   string   // a commit; empty: none
	packages []string // directories; empty: all
	coverage bool
	check    bool
}

// reportMeasures prints the table, and with check the limits that are exceeded.
func reportMeasures(o measureOptions, out io.Writer) error {
	t, err := readTree(o.root)
	if err != nil {
		return err
	}
	after, err := measureTree(t, o.root, o)
	if err != nil {
		return err
	}
	var before []measures
	if o.before != "" {
		err := atRevision(o.root, o.before, func(earlier *tree, root string) error {
			var err error
			before, err = measureTree(earlier, root, o)
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := writeTable(out, before, after, o); err != nil || !o.check {
		return err
	}
	var problems []string
	for i := range after {
		for _, excess := range after[i].excesses() {
			problems = append(problems, after[i].dir+": "+excess)
		}
	}
	return fail(out, problems)
}

// fail prints problems, one on each line, and returns errFailed if there are any. The
// caller has nothing to add to that error.
func fail(out io.Writer, problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(out, strings.Join(problems, "\n")); err != nil {
		return err
	}
	return errFailed
}

// measureTree measures the packages that were asked for.
func measureTree(t *tree, root string, o measureOptions) ([]measures, error) {
	var all []measures
	for _, p := range t.packages {
		if len(o.packages) > 0 && !slices.Contains(o.packages, p.dir) {
			continue
		}
		m := measure(t, p)
		if o.coverage {
			var err error
			if m.coverage, err = coverage(root, p.dir); err != nil {
				return nil, err
			}
		}
		all = append(all, m)
	}
	return all, nil
}
