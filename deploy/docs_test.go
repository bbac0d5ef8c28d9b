package deploy_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// repository is the tree that this package lies in.
func repository() fs.FS { return os.DirFS("..") }

// repositoryFiles returns the paths of all files, without these files and directories.
func repositoryFiles(t *testing.T, without ...string) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(repository(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains(without, name) && entry.IsDir():
			return fs.SkipDir
		case !slices.Contains(without, name) && !entry.IsDir():
			all = append(all, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// documents returns the text of every Markdown file of the repository by path, without
// the contents of fences.
func documents(t *testing.T) map[string]string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^```.*?^```$")
	all := map[string]string{}
	for _, name := range repositoryFiles(t, ".git") {
		// The links of reference.md are right where it is copied to: configuration.md.
		if path.Ext(name) == ".md" && name != "config/testdata/reference.md" {
			all[name] = fence.ReplaceAllString(file(t, name), "")
		}
	}
	if len(all) < 2 {
		t.Fatalf("%d documents: this looks in the wrong place", len(all))
	}
	return all
}

// anchors returns the anchors of a document, which GitHub makes from its headings.
func anchors(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(heading)))
	}
	return all
}

// Every relative link leads to a file of the repository, and to a heading in it.
func TestLinksResolve(t *testing.T) {
	all := documents(t)
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	for name, text := range all {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, ":") {
				continue // another site
			}
			to := name
			if target != "" {
				to = path.Join(path.Dir(name), target)
			}
			if _, err := fs.Stat(repository(), to); err != nil {
				t.Errorf("%s links to %s: %v", name, match[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(all[to]), anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", name, match[1], to)
			}
		}
	}
}

// The README links to the index of the manual, and the index links to every page.
func TestReadmeNamesTheManual(t *testing.T) {
	all := documents(t)
	if !strings.Contains(all["README.md"], "](deploy/docs/README.md)") {
		t.Error("the README does not link to deploy/docs/README.md")
	}
	for _, page := range glob(t, "docs/*/*.md") {
		if !strings.Contains(all["deploy/docs/README.md"], "]("+strings.TrimPrefix(page, "docs/")+")") {
			t.Errorf("deploy/docs/README.md does not link to %s", page)
		}
	}
	if flat := glob(t, "docs/*.md"); len(flat) != 1 {
		t.Errorf("pages of the manual are grouped by reader, but these are not: %q", flat)
	}
}

// A page that is longer is split, or its reader does not reach the end.
func TestPagesAreShort(t *testing.T) {
	for _, page := range glob(t, "docs/*/*.md") {
		if lines := strings.Count(string(read(t, page)), "\n"); lines > maxPageLines {
			t.Errorf("%s has %d lines; the limit is %d", page, lines, maxPageLines)
		}
	}
}

// maxPageLines leaves room for commands.md with its long tables and examples.
const maxPageLines = 320

// The table of routes in the guide is the one of the OpenAPI description.
func TestAPIGuideHasEveryRoute(t *testing.T) {
	var description struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	readYAML(t, "../gateway/httpapi/openapi.yaml", &description, false)
	var routes []string
	for path, methods := range description.Paths {
		for method := range methods {
			if method != "parameters" {
				routes = append(routes, strings.ToUpper(method)+" "+path)
			}
		}
	}
	var documented []string
	row := regexp.MustCompile("(?m)^\\| `([A-Z]+ /api/[^`]*)` \\|")
	for _, match := range row.FindAllStringSubmatch(documents(t)["deploy/docs/build/api.md"], -1) {
		documented = append(documented, match[1])
	}
	slices.Sort(routes)
	slices.Sort(documented)
	if !slices.Equal(routes, documented) {
		t.Errorf("described are\n%s\ndocumented are\n%s", strings.Join(routes, "\n"), strings.Join(documented, "\n"))
	}
}

// The design has the reason for every direct dependency, and for nothing else.
func TestDesignHasEveryDependency(t *testing.T) {
	module := string(read(t, "../go.mod"))
	design := documents(t)["deploy/docs/dev/design.md"]
	required := regexp.MustCompile(`(?m)^\t(\S+) v\S+( // indirect)?$`)
	known := map[string]bool{}
	for _, match := range required.FindAllStringSubmatch(module, -1) {
		known[match[1]] = true
		if match[2] == "" && !strings.Contains(design, "\n| `"+match[1]+"` | ") {
			t.Errorf("%s has no row", match[1])
		}
	}
	if len(known) == 0 {
		t.Fatal("go.mod requires nothing: this reads it wrongly")
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9.]+\\.[a-z]+/[^`]+)` \\|")
	for _, match := range row.FindAllStringSubmatch(design, -1) {
		if !known[match[1]] {
			t.Errorf("%s has a row and is not required", match[1])
		}
	}
}

// The design names every key that the store has in Redis.
func TestDesignNamesEveryKey(t *testing.T) {
	source := string(read(t, "../gateway/redisstore/keys.go"))
	design := string(read(t, "docs/dev/design.md"))
	made := regexp.MustCompile(`(?:k\.prefix \+ |k\.in\(.*, |appendIn\(.*, )":?([a-z]+)`)
	found := made.FindAllStringSubmatch(source, -1)
	if len(found) < 10 {
		t.Fatalf("%d keys found: this looks in the wrong place", len(found))
	}
	for _, key := range found {
		if !strings.Contains(design, ":"+key[1]+":") && !strings.Contains(design, ":"+key[1]+"`") {
			t.Errorf("docs/dev/design.md does not name the key %s", key[1])
		}
	}
}
