package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// graph has the imports between the packages of a module, by directory. It leaves out
// imports of other modules.
type graph map[string][]string

// importGraph reads the graph of a tree, without the imports of tests unless tests is
// set.
func importGraph(t *tree, tests bool) (graph, error) {
	g := graph{}
	for _, p := range t.packages {
		imports := []string{}
		for _, f := range p.files {
			if f.syntax == nil || f.test && !tests {
				continue
			}
			for _, spec := range f.syntax.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					return nil, err
				}
				dir, ok := t.directory(path)
				// A test of an external package imports the package itself.
				if ok && dir != p.dir && !slices.Contains(imports, dir) {
					imports = append(imports, dir)
				}
			}
		}
		slices.Sort(imports)
		g[p.dir] = imports
	}
	return g, nil
}

// directory returns the directory of a package of this module.
func (t *tree) directory(importPath string) (dir string, ok bool) {
	if importPath == t.module {
		return ".", true
	}
	return strings.CutPrefix(importPath, t.module+"/")
}

// cycle returns the packages of one cycle, in the order of their imports, or nil.
func (g graph) cycle() []string {
	// A depth-first search: an import of a package that is still being visited closes a
	// cycle. path has the packages from the first to the current one.
	const visiting, done = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(dir string) []string
	visit = func(dir string) []string {
		switch state[dir] {
		case done:
			return nil
		case visiting:
			return append(slices.Clone(path[slices.Index(path, dir):]), dir)
		}
		state[dir] = visiting
		path = append(path, dir)
		for _, to := range g[dir] {
			if found := visit(to); found != nil {
				return found
			}
		}
		path = path[:len(path)-1]
		state[dir] = done
		return nil
	}
	for _, dir := range slices.Sorted(maps.Keys(g)) {
		if found := visit(dir); found != nil {
			return found
		}
	}
	return nil
}

// violations returns a line for each import that breaks the rules, and for each package
// that is in no layer, because nothing would limit its imports.
func (g graph) violations(l *layers) []string {
	var all []string
	for _, dir := range slices.Sorted(maps.Keys(g)) {
		from := l.of(dir)
		if from < 0 {
			all = append(all, dir+" is in no layer")
			continue
		}
		for _, to := range g[dir] {
			switch at := l.of(to); {
			case at > from:
				all = append(all, fmt.Sprintf("%s (%s) imports %s of the higher layer %s",
					dir, l.names[from], to, l.names[at]))
			case l.forbids(dir, to):
				all = append(all, dir+" must never import "+to)
			}
		}
	}
	return all
}

// reportImports prints the graph in layers and fails if an import breaks the rules.
func reportImports(root, before, layersFile string, out io.Writer) error {
	text, err := os.ReadFile(layersFile) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	l, err := parseLayers(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", layersFile, err)
	}
	title := "imports"
	if before != "" {
		title = "after, this tree"
		err := atRevision(root, before, func(earlier *tree, _ string) error {
			return printGraph(earlier, l, "before, "+before, out)
		})
		if err != nil {
			return err
		}
	}
	t, err := readTree(root)
	if err != nil {
		return err
	}
	if err := printGraph(t, l, title, out); err != nil {
		return err
	}
	return checkGraph(t, l, out)
}

// printGraph writes the packages by layer, the highest first, each with its imports. It
// leaves out the imports of tests, which are not part of the program.
func printGraph(t *tree, l *layers, title string, out io.Writer) error {
	g, err := importGraph(t, false)
	if err != nil {
		return err
	}
	count := 0
	for _, imports := range g {
		count += len(imports)
	}
	// The whole text is written at once, so that an error needs one check.
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d packages, %d imports\n", title, len(g), count)
	dirs := slices.Sorted(maps.Keys(g))
	// Layer -1 has the packages that no rule names.
	for layer := len(l.names) - 1; layer >= -1; layer-- {
		name := "in no layer"
		if layer >= 0 {
			name = l.names[layer]
		}
		heading := "\n" + name + "\n"
		for _, dir := range dirs {
			if l.of(dir) != layer {
				continue
			}
			b.WriteString(heading)
			heading = ""
			fmt.Fprintf(&b, "  %-32s %s\n", dir, strings.Join(g[dir], ", "))
		}
	}
	b.WriteString("\n")
	_, err = io.WriteString(out, b.String())
	return err
}

// checkGraph fails if the packages form a cycle or an import breaks the rules. The
// imports of tests keep the rules too, but may form what looks like a cycle: a test of
// an external package may import a package that imports the one under test.
func checkGraph(t *tree, l *layers, out io.Writer) error {
	code, err := importGraph(t, false)
	if err != nil {
		return err
	}
	withTests, err := importGraph(t, true)
	if err != nil {
		return err
	}
	problems := withTests.violations(l)
	if found := code.cycle(); found != nil {
		problems = append(problems, "cycle: "+strings.Join(found, " imports "))
	}
	if len(problems) > 0 {
		return fail(out, problems)
	}
	_, err = fmt.Fprintln(out, "No cycle. No package imports from a higher layer.")
	return err
}
