package deploy

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNamedTestsExist checks that the tests which documents name exist in the tree. A test
// that was renamed or removed proves nothing.
func TestNamedTestsExist(t *testing.T) {
	declared := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
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
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)")
	for _, document := range []string{"docs/dev/bad-inputs.md", "docs/dev/faults.md", "docs/dev/requirements.md"} {
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

// TestEveryRequirementHasATest compares the numbers in the table with those of all
// requirements.
func TestEveryRequirementHasATest(t *testing.T) {
	text, err := os.ReadFile("docs/dev/requirements.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| (\\d+) \\|.*`Test")
	var numbers []string
	for _, found := range row.FindAllStringSubmatch(string(text), -1) {
		numbers = append(numbers, found[1])
	}
	want := "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29"
	if got := strings.Join(numbers, " "); got != want {
		t.Errorf("the table has %s, want %s", got, want)
	}
}

// TestScannersAndFloors checks that deploy/test calls the scanners, and that no module is
// older than its first version without known vulnerabilities.
func TestScannersAndFloors(t *testing.T) {
	for path, parts := range map[string][]string{
		"test":                 {`step "govulncheck"`, `step "fuzz"`, `step "format and lint"`},
		"../.golangci.yml":     {"\n    - gosec\n"},
		"tools/go.mod":         {"golang.org/x/vuln/cmd/govulncheck", "golangci-lint/v2/cmd/golangci-lint"},
		"docs/build/api.md":    {"team/a/*"},
		"docs/use/commands.md": {"slash at its end"},
		"../.ci/run":           {"deploy/test"},
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s has no %q", path, part)
			}
		}
	}
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for module, floor := range map[string][]int{
		"go": {1, 26, 6}, "github.com/labstack/echo/v4": {4, 16, 0},
		"github.com/redis/go-redis/v9": {9, 7, 3}, "github.com/prometheus/client_golang": {1, 11, 1},
	} {
		found := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(module) +
			` v?(\d+)\.(\d+)\.(\d+)`).FindStringSubmatch(string(text))
		if found == nil {
			t.Errorf("go.mod has no %s", module)
			continue
		}
		var has []int
		for _, digits := range found[1:] {
			n, err := strconv.Atoi(digits)
			if err != nil {
				t.Fatal(err)
			}
			has = append(has, n)
		}
		if slices.Compare(has, floor) < 0 {
			t.Errorf("%s is of %v, older than %v", module, has, floor)
		}
	}
}
