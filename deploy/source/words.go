package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"unicode"
)

// oldWord is one line of words.list.
type oldWord struct {
	text  string     // as it is written
	words []string   // in lower case: takeUp is take, up
	exact bool       // it is the whole identifier, in this case of letters
	file  bool       // it is the name of a file
	good  [][]string // new names that contain the old word
	new   string     // what to write instead
	// dirs are the only directories where the rule holds, or with except those where it
	// does not. Directories below them are included.
	dirs   []string
	except bool
}

// identifier is one declared name. Uses of a name are not listed: they change with its
// declaration, or belong to another module.
type identifier struct {
	name     string
	file     bool   // it names a file
	dir      string // of its package
	position string // path:line
}

// parseWords reads a list of old words. words.list says how its lines are written.
func parseWords(text string) ([]oldWord, error) {
	var all []oldWord
	for number, line := range splitLines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 2 || len(fields) == 3 || len(fields) > 3 && fields[2] != "in" && fields[2] != "except" {
			return nil, fmt.Errorf("line %d: write OLD NEW[,NEW...] [in DIR... | except DIR...]", number+1)
		}
		w := newOldWord(fields[0], strings.Split(fields[1], ","))
		if len(fields) > 3 {
			w.except, w.dirs = fields[2] == "except", fields[3:]
		}
		all = append(all, w)
	}
	return all, nil
}

// newOldWord makes a rule that holds everywhere.
func newOldWord(text string, names []string) oldWord {
	w := oldWord{new: strings.Join(names, ", ")}
	w.text, w.exact = strings.CutPrefix(text, "=")
	base, file := strings.CutSuffix(w.text, ".go")
	w.words, w.file = splitName(base), file
	for _, name := range names {
		if words := splitName(name); contains(words, w.words) {
			w.good = append(w.good, words)
		}
	}
	return w
}

// splitName splits an identifier or a file name into its words in lower case:
// RetentionHorizon is retention, horizon; HTTPClient is http, client.
func splitName(name string) []string {
	var words []string
	runes := []rune(name)
	start := 0
	cut := func(end int) {
		if end > start {
			words = append(words, strings.ToLower(string(runes[start:end])))
		}
		start = end
	}
	// A word begins at a capital letter after a small one, and at the last capital of
	// several before a small one: HTTPClient is cut before Client.
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			cut(i)
			start = i + 1
		case unicode.IsUpper(r) && i > 0:
			next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !unicode.IsUpper(runes[i-1]) || next {
				cut(i)
			}
		}
	}
	cut(len(runes))
	return words
}

// contains reports whether words contains the words of part, one directly after the other.
func contains(words, part []string) bool {
	for i := 0; i+len(part) <= len(words); i++ {
		if slices.Equal(words[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// matches reports whether an identifier breaks the rule: it is in a directory of the rule,
// has the old word and has no new name that contains the old word.
func (w *oldWord) matches(id identifier) bool {
	listed := slices.ContainsFunc(w.dirs, func(top string) bool { return within(id.dir, top) })
	switch {
	case len(w.dirs) > 0 && listed == w.except, w.file && !id.file:
		return false
	case w.file:
		return id.name+".go" == w.text
	case w.exact:
		return id.name == w.text
	}
	words := splitName(id.name)
	if !contains(words, w.words) {
		return false
	}
	return !slices.ContainsFunc(w.good, func(good []string) bool { return contains(words, good) })
}

// identifiers returns every name that the tree declares: packages, types, functions,
// constants, variables, fields, parameters, labels, and the files themselves. A name that
// is declared several times is returned as often, each with its position.
func identifiers(t *tree) []identifier {
	var all []identifier
	for _, p := range t.packages {
		for _, f := range p.files {
			base := strings.TrimSuffix(path.Base(f.path), path.Ext(f.path))
			all = append(all, identifier{base, true, p.dir, f.path + ":1"})
			if f.syntax == nil {
				continue
			}
			for _, name := range declared(f.syntax) {
				position := t.fset.Position(name.Pos())
				all = append(all, identifier{name.Name, false, p.dir, fmt.Sprintf("%s:%d", f.path, position.Line)})
			}
		}
	}
	return all
}

// declared returns the names that a file declares, wherever they stand in it.
func declared(f *ast.File) []*ast.Ident {
	all := []*ast.Ident{f.Name}
	ast.Inspect(f, func(n ast.Node) bool {
		for _, name := range declaredBy(n) {
			if name != nil && name.Name != "_" {
				all = append(all, name)
			}
		}
		return true
	})
	return all
}

// declaredBy returns the names that a node itself declares. Nodes inside it are visited on
// their own. Some names may be nil, such as those of imports without a name.
func declaredBy(n ast.Node) []*ast.Ident {
	switch n := n.(type) {
	case *ast.FuncDecl:
		return []*ast.Ident{n.Name}
	case *ast.TypeSpec:
		return []*ast.Ident{n.Name}
	case *ast.ValueSpec:
		return n.Names
	case *ast.ImportSpec:
		return []*ast.Ident{n.Name}
	case *ast.Field: // of a struct, an interface, parameters or results
		return n.Names // none for an embedded field or an unnamed parameter
	case *ast.LabeledStmt:
		return []*ast.Ident{n.Label}
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			return names(n.Lhs...)
		}
	case *ast.RangeStmt:
		if n.Tok == token.DEFINE {
			return names(n.Key, n.Value)
		}
	}
	return nil
}

// names returns the identifiers among expressions.
func names(exprs ...ast.Expr) []*ast.Ident {
	var all []*ast.Ident
	for _, e := range exprs {
		if name, ok := e.(*ast.Ident); ok {
			all = append(all, name)
		}
	}
	return all
}

// reportWords prints the identifiers with old words and fails if there is one.
func reportWords(root, wordsFile string, list bool, out io.Writer) error {
	text, err := os.ReadFile(wordsFile) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	words, err := parseWords(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", wordsFile, err)
	}
	t, err := readTree(root)
	if err != nil {
		return err
	}
	all := identifiers(t)
	if list {
		if err := listNames(all, out); err != nil {
			return err
		}
	}
	found := findOld(all, words)
	if _, err := fmt.Fprintf(out, "%d declarations, %d with an old word\n", len(all), len(found)); err != nil {
		return err
	}
	return fail(out, found)
}

// findOld returns a line for each declaration with an old word.
func findOld(all []identifier, words []oldWord) []string {
	var found []string
	for _, id := range all {
		for i := range words {
			if w := &words[i]; w.matches(id) {
				found = append(found, fmt.Sprintf("%s: %s has the old word %s: use %s", id.position, id.name, w.text, w.new))
			}
		}
	}
	return found
}

// listNames prints every name with the number of its declarations, the exported ones
// first, as Go orders capital letters before small ones.
func listNames(all []identifier, out io.Writer) error {
	count := map[string]int{}
	for _, id := range all {
		count[id.name]++
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(&b, "%5d %s\n", count[name], name)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
