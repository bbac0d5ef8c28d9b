package deploy

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNamedTestsExist holds the documents that name tests against the tree: a test
// that is renamed or removed holds nothing any more.
func TestNamedTestsExist(t *testing.T) {
	declared := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // A file of this tree.
		for _, found := range function.FindAllStringSubmatch(string(text), -1) {
			declared[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)")
	for _, document := range []string{"docs/faults.md", "docs/requirements.md"} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		found := named.FindAllStringSubmatch(string(text), -1)
		if len(found) < 10 {
			t.Errorf("%s names %d tests", document, len(found))
		}
		for _, name := range found {
			if !declared[name[1]] {
				t.Errorf("%s names %s, which is no test", document, name[1])
			}
		}
	}
}

// TestEveryRequirementHasATest reads the table's numbers: those that other
// documents hold are left out by name.
func TestEveryRequirementHasATest(t *testing.T) {
	text, err := os.ReadFile("docs/requirements.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| (\\d+) \\|.*`Test")
	var numbers []string
	for _, found := range row.FindAllStringSubmatch(string(text), -1) {
		numbers = append(numbers, found[1])
	}
	want := "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 23 25 26 27"
	if got := strings.Join(numbers, " "); got != want {
		t.Errorf("the table has %s, want %s", got, want)
	}
}
